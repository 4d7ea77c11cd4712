"""A network of which nothing is known but its number of parameters."""

from __future__ import annotations

from advisor.errors import UserError
from advisor.schema import Model

MIN_PARAMS, MAX_PARAMS = 1e3, 1e15


def model_of_size(params: float) -> Model:
    """The Model with `params` parameters and no more. Raises UserError for absurd counts."""
    if not MIN_PARAMS <= params <= MAX_PARAMS:
        raise UserError(
            f"--params {params:g} is not between {MIN_PARAMS:g} and {MAX_PARAMS:g}",
            "Write for example 7e9 or 7B.",
        )
    return Model(
        id=f"{params:.4g}-parameters",
        title=f"a network of {params:.4g} parameters",
        family="size_only",
        numbers={"stated_params": float(params)},
        source="stated by --params",
    )

"""Gradient accumulation as stated: batch, micro-batch, replicas and accumulation made to agree; steps."""

from __future__ import annotations

from dataclasses import replace

from advisor.errors import UserError
from advisor.schema import Workload
from advisor.search.grid import Stated


def with_accumulation(
    workload: Workload, stated: Stated, devices: int, accumulate: int | None
) -> tuple[Workload, Stated]:
    """Batch = micro-batch x replicas x accumulation: the one that is not stated follows.

    The replicas have to be known for it, so degrees of parallelism that are not stated count as one. Raises
    UserError where the stated ones contradict each other.
    """
    if accumulate is None:
        return workload, stated
    tp, pp, cp = (degree or 1 for degree in (stated.tp, stated.pp, stated.cp))
    replicas, rest = divmod(devices, tp * pp * cp)
    if rest or not replicas:  # told where layouts are checked
        return workload, stated
    recipe, micro = workload.recipe, stated.micro_batch
    said = "global_batch" in recipe.stated
    own = recipe.global_batch
    each = f"{replicas} replica{'s' if replicas > 1 else ''} x {accumulate} micro-batches"
    if micro is None:
        if own is None:
            raise UserError(f"--accumulate {accumulate} needs --micro-batch or --batch", "Give one of them.")
        micro, left = divmod(own, replicas * accumulate)
        if left or micro < 1:
            raise UserError(
                f"--accumulate {accumulate}: a batch of {own:g} does not part into {each}",
                "Give --micro-batch, then the batch follows.",
            )
    batch = micro * replicas * accumulate
    if said and own is not None and batch != own:
        raise UserError(
            f"--accumulate {accumulate} x --micro-batch {micro:g} x {replicas} replicas are {batch:g} "
            f"samples, --batch says {own:g}",
            "Leave one of the three away: it follows from the others.",
        )
    told = tuple(dict.fromkeys((*recipe.stated, "global_batch")))
    recipe = recipe.model_copy(update={"global_batch": float(batch), "stated": told})
    return workload.model_copy(update={"recipe": recipe}), replace(
        stated, micro_batch=float(micro), tp=tp, pp=pp, cp=cp
    )


def with_steps(workload: Workload, steps: int | None) -> Workload:
    """As many samples as so many steps take. Raises UserError where the batch is not known."""
    if steps is None:
        return workload
    recipe = workload.recipe
    if not recipe.global_batch:
        raise UserError(f"--steps {steps} needs --batch", "Say how many samples a step has.")
    told = tuple(dict.fromkeys((*recipe.stated, "samples")))
    # samples count whole sequences; those that keep their own lengths are less than one each
    whole = recipe.global_batch * min(1.0, recipe.numbers.get("mean_length_share", 1.0))
    recipe = recipe.model_copy(update={"samples": steps * whole, "stated": told})
    title = f"{workload.title}, {steps:,} steps"
    return workload.model_copy(update={"recipe": recipe, "title": title})

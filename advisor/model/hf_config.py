"""A Hugging Face config.json -> Model, for the usual architectures, without the transformers library."""

from __future__ import annotations

import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from advisor.data.unread import UNREAD
from advisor.errors import UserError, did_you_mean, nearest
from advisor.model import decoders, encoders, experts, images, more_decoders
from advisor.model.config import Config, Numbers, Reader, load
from advisor.model.detail import details
from advisor.schema import Model

_SHOWN = 12
_SHAPE = re.compile(
    r"mamba|ssm|attn|attention|layer|block|expert|state|hybrid|conv|head|window|depth|size|dim", re.I
)

ARCHITECTURES: Mapping[str, tuple[str, Reader]] = {
    **{name: ("decoder", reader) for name, reader in decoders.READERS.items()},
    **{name: ("decoder", reader) for name, reader in more_decoders.READERS.items()},
    **{name: ("moe", reader) for name, reader in experts.READERS.items()},
    **{name: ("encoder", reader) for name, reader in encoders.ENCODERS.items()},
    **{name: ("encoder_decoder", reader) for name, reader in encoders.ENCODER_DECODERS.items()},
    **{name: ("vit", reader) for name, reader in images.VITS.items()},
    **{name: ("cnn", reader) for name, reader in images.CNNS.items()},
}
"""Architecture as a config.json names it -> family and reader."""


def read_hf_config(path: Path) -> Model:
    """The network that a config.json describes: the numbers its family's rules ask for.

    `source` of the model says the architecture and which fields were not understood. Raises UserError
    for a file that cannot be read and an architecture that is not covered (with the nearest covered
    one), DataError naming file, key and value for a value that is wrong, missing or absurd.
    """
    return parse_hf_config(load(path), path)


def parse_hf_config(raw: Mapping[str, Any], path: Path) -> Model:
    """The same for what such a file holds; `path` names it in errors."""
    config = Config(path, raw)
    named = _by_model_type(raw)
    if not raw.get("architectures") and not named and isinstance(kind := raw.get("model_type"), str):
        types = {key for name in ARCHITECTURES if (key := name.partition("For")[0].lower())}
        raise UserError(
            f"{path}: model_type: {kind[:80]!r} is not covered by the rules",
            f"{did_you_mean(kind[:80], types)} `architectures` names the class, as LlamaForCausalLM.".strip(),
        )
    architecture = config.architecture() if raw.get("architectures") or not named else named
    _check_type(config, architecture, named)
    found = ARCHITECTURES.get(architecture)
    if found is None:
        raise UserError(
            f"{path}: architectures: {architecture[:80]!r} is not covered by the rules",
            f"{_near(architecture[:80])} {_instead(raw)}".strip(),
        )
    family, reader = found
    numbers = reader(config)
    numbers |= details(architecture, raw, numbers)
    name = _name(config)
    return Model(
        id=name,
        title=f"{name} ({architecture})",
        family=family,
        numbers=_plain(numbers),
        source=f"{path.name} of {name}, {architecture}{_unused(config)}",
    )


def _near(architecture: str) -> str:
    """Covered architectures whose names begin alike: that both end in ForCausalLM says nothing."""
    heads = {_head(name): name for name in ARCHITECTURES}
    heads |= {_head(name): name for name in ARCHITECTURES if name.endswith("ForCausalLM")}
    found = nearest(_head(architecture), heads)
    return did_you_mean(heads[found[0]], [heads[one] for one in found]) if found else ""


def _head(architecture: str) -> str:
    return architecture.partition("For")[0].removesuffix("Model") or architecture


def _instead(raw: Mapping[str, Any]) -> str:
    """What else tells the size and work of a network that no reader covers."""
    inner = raw.get("text_config")
    told = "`estimate --trace` lowers it by transformers (hwadvisor[trace])"
    if isinstance(inner, dict):
        told += ", its text part alone; with images: code that returns (module, batch)"
    else:
        told += ", or give code (--model file.py:factory)"
    return f"{told}, or its size with --params."


def _check_type(config: Config, architecture: str, named: str) -> None:
    """Raise DataError where `model_type` names a network of another family than `architectures` does."""
    one, other = ARCHITECTURES.get(architecture), ARCHITECTURES.get(named)
    if one is not None and other is not None and one[0] != other[0]:
        config.fail(
            "model_type",
            f"names {named} (family {other[0]}), and architectures names {architecture} (family {one[0]})",
        )


_HEADS = (
    "ForCausalLM", "LMHeadModel", "ForConditionalGeneration", "ForMaskedLM", "ForImageClassification",
    "Model", "WithProjection",
)  # fmt: skip


def _by_model_type(raw: Mapping[str, Any]) -> str:
    """The covered architecture that `model_type` means, which hand-written files give alone; or ''.

    The language model of that type is meant: what is trained has a head.
    """
    kind = raw.get("model_type")
    if not isinstance(kind, str):
        return ""
    short = kind.replace("_", "").replace("-", "").lower()
    named = {name.lower(): name for name in ARCHITECTURES}
    return next((named[key] for head in _HEADS if (key := short + head.lower()) in named), "")


def _plain(numbers: Numbers) -> Numbers:
    """Without extras that say nothing: a zero where leaving out means the same."""
    optional: tuple[str, ...] = (
        "qk_norm_width",
        "head_bias",
        "embedding_norms",
        "sinks",
        "shared_gate",
        "expert_bias",
    )
    if numbers.get("output_bias") == numbers.get("linear_bias"):
        numbers.pop("output_bias", None)
    if numbers.get("ffn_bias") == numbers.get("linear_bias"):
        numbers.pop("ffn_bias", None)
    if not numbers.get("window_layers"):
        numbers.pop("window", None)
        numbers.pop("window_layers", None)
    if "decoder_layers" in numbers:
        optional = ()
    return {key: value for key, value in numbers.items() if value or key not in optional}


def _name(config: Config) -> str:
    """What to call it: as the file says, else by its folder; for a hub cache by the repository."""
    for part in config.path.parts[::-1]:
        if part.startswith("models--"):
            return part.removeprefix("models--").replace("--", "/")
    told = config.text("_name_or_path", "")
    if told and len(told) <= 100 and told.isprintable() and not told.startswith((".", "/", "\\")):
        return told
    return config.path.parent.name[:100] or config.path.stem[:100] or "config"


def _unused(config: Config) -> str:
    """'; fields not used: a, b and 3 more'."""
    keys = [key for key in config.unused() if key.isprintable()]
    keys.sort(key=lambda key: _SHAPE.search(key) is None)  # those that may matter first
    if not keys:
        return ""
    shown = ", ".join(key[:40] for key in keys[:_SHOWN])
    return f"{UNREAD}{shown}" + (f" and {len(keys) - _SHOWN} more" if len(keys) > _SHOWN else "")

"""The network of a published run: a preset where its shape agrees with the row, else what the row says."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field

from advisor.evidence.record import TRACED, Record
from advisor.schema import Model

_FAMILIES = {
    "decoder": "decoder", "moe-decoder": "moe", "encoder": "encoder", "vit": "vit", "cnn": "cnn",
    "encoder-decoder": "encoder_decoder", "diffusion": "diffusion", "other": "stated",
}  # fmt: skip
_GATED = re.compile(
    r"llama|mistral|mixtral|qwen|baichuan|internlm|gemma|\byi\b|deepseek|glm|aquila|palm|moonlight|kimi|"
    r"olmo|grok|gpt-oss|maverick|scout|smollm|granite|telechat|phi-?[34]|nemotron-?h|minitron",
    re.I,
)
"""Names of networks with gated feed-forward blocks, for rows that give no parameter count to tell by."""

_PATCH = re.compile(r"(?:/|patch_?|p)(\d{1,2})(?!\d)", re.I)
_RECURRENT = re.compile(r"transformer[- ]?xl", re.I)
"""Networks that see the segment before (arXiv:1901.02860); their rows were all trained on WikiText-103."""

_WIKITEXT = 267735.0
_SCORED = 0.1
"""Of that vocabulary: the first 20,000 words for every token, the three tails for the few tokens in them
(cutoffs of github:NVIDIA/DeepLearningExamples PyTorch/LanguageModeling/Transformer-XL)."""

_SHAPE = {
    "hidden": "hidden", "layers": "layers", "heads": "heads", "kv_heads": "kv_heads",
    "num_experts": "experts", "top_k": "experts_per_token", "ffn_hidden": "ffn_hidden",
}  # fmt: skip
"""What a row may say of a network that its name says too: field of the record -> column."""

_AGREES = 0.25  # relative distance of parameter counts beyond which a preset is not the row's network


@dataclass(frozen=True, slots=True)
class Network:
    """Numbers of the rules' columns for one network, its family, and where they are from."""

    family: str
    numbers: Mapping[str, float] = field(default_factory=dict)
    source: str = "the row"


def network_of(record: Record, preset: Model | None) -> Network | str:
    """The network of a record, or why it is not known. `preset` is what its name means, if anything."""
    given = record.text("family")
    if given == TRACED:
        return _as_traced(record)
    family = _FAMILIES.get(given) or (preset.family if preset is not None and not given else None)
    if family is None and given:
        return f"family '{given[:40]}' is not one of {', '.join(_FAMILIES)}"
    if family is None:
        return f"the row gives no family (one of {', '.join(_FAMILIES)}), and no network known by its name"
    if preset is not None:
        return _other_family(given, preset) or _as_preset(record, preset)
    if family in ("decoder", "encoder", "vit", "moe"):
        shaped = _as_shaped(record, family)
        if not isinstance(shaped, str):
            return shaped
        params = record.number("params")
        if family == "decoder" and params:
            return Network("size_only", {"stated_params": params}, "the row's parameter count alone")
        return shaped
    return f"'{record.text('model')[:60]}' is not a network the rules know, and the row gives no shape"


def _as_traced(record: Record) -> Network | str:
    """A network of the user's own code: what its trace told stands in the row."""
    numbers: dict[str, float] = record.values.get(TRACED) or {}
    if "stated_params" not in numbers:
        return "family 'traced' needs the numbers of the trace (`trial --save` writes them)"
    return Network(TRACED, numbers, "the trace in the row")


def _other_family(given: str, preset: Model) -> str:
    """Why the row's family is not that of the network it names, or ''. Stated networks are of any kind."""
    known = next((word for word, family in _FAMILIES.items() if family == preset.family), "other")
    if "other" in (given, known) or given in ("", known):
        return ""
    return f"family = '{given}' contradicts the network named, {preset.id}, which is {known}"


def _other_shape(record: Record, preset: Model) -> str:
    """Which figure of the row is not of the network it names, or ''.

    A proxy with fewer layers says so by its width; layers of encoder and decoder may be counted together, and
    a gated block's two first matrices as one; the same width may be cut into other heads.
    """
    numbers = preset.numbers
    experts = record.number("num_experts") or 1.0
    if experts > 1 and preset.family not in ("moe", "stated"):
        return f"num_experts = {experts:g} contradicts the network named, {preset.id}, which has no experts"
    for name, column in _SHAPE.items():
        told, own = record.number(name), numbers.get(column)
        if not told or not own or told == own:
            continue
        if name == "layers" and _proxy(record, preset):
            continue
        each, known = record.number("head_dim"), numbers.get("head_dim")
        if name.endswith("heads") and each and known and told * each == own * known:
            continue
        if name == "ffn_hidden" and (
            preset.family not in ("decoder", "encoder") or told in (2 * own, own / 2)
        ):
            continue
        fewer = " (a proxy of fewer layers gives hidden too)" if name == "layers" and told < own else ""
        return f"{name} = {told:g} contradicts the network named, {preset.id}, which has {own:g}{fewer}"
    return ""


def _proxy(record: Record, preset: Model) -> bool:
    """Whether other layers than the network's are a cut of it, or its two stacks counted as one."""
    layers, own = record.number("layers") or 0.0, preset.numbers["layers"]
    both = own + preset.numbers.get("decoder_layers", 0.0)
    return layers == both or (layers < own and "hidden" in preset.numbers and bool(record.number("hidden")))


def _as_preset(record: Record, preset: Model) -> Network | str:
    """The preset with what the row says on top, or which figure of the row contradicts it."""
    if told := _other_shape(record, preset):
        return told
    numbers = dict(preset.numbers)
    layers, params = record.number("layers"), record.number("params")
    if layers and layers < numbers.get("layers", 0.0):
        numbers["layers"] = layers  # a proxy with fewer layers of the same kind
        if "dense_layers" in numbers:
            numbers["dense_layers"] = min(numbers["dense_layers"], layers)
        if "window_layers" in numbers:
            numbers["window_layers"] = round(numbers["window_layers"] * layers / preset.numbers["layers"])
    own = numbers.get("stated_params")
    if params and own and abs(params / own - 1) > _AGREES:
        return f"params = {params:.4g} contradict the network named, {preset.id}, which has {own:.4g}"
    if preset.family in ("decoder", "encoder") and (vocab := record.number("vocab")):
        numbers["vocab"] = vocab  # padded by the trainer
    return Network(preset.family, numbers, preset.source or preset.id)


def _as_shaped(record: Record, family: str) -> Network | str:
    layers, hidden = record.number("layers"), record.number("hidden")
    if not layers or not hidden:
        return "the row gives neither a known network nor layers and width"
    head_dim = record.number("head_dim")
    heads = record.number("heads") or max(1.0, hidden / (head_dim or (128.0 if hidden >= 4096 else 64.0)))
    head_dim = head_dim or hidden / heads
    ffn = record.number("ffn_hidden") or 4.0 * hidden
    numbers: dict[str, float] = dict.fromkeys(
        ("tied", "positions", "token_types", "qkv_bias", "linear_bias", "pooler", "classes"), 0.0
    )
    numbers |= {
        "layers": layers, "hidden": hidden, "heads": heads, "head_dim": head_dim, "ffn_hidden": ffn,
        "kv_heads": record.number("kv_heads") or heads, "norm_vectors": 1.0,
        "vocab": record.number("vocab") or (32000.0 if family in ("decoder", "moe") else 30522.0),
    }  # fmt: skip
    numbers["ffn_matrices"] = _matrices(record, family, numbers)
    if _RECURRENT.search(record.text("model")):
        numbers |= {
            "vocab": record.number("vocab") or _WIKITEXT,
            "cached_segments": 1.0,
            "scored_share": _SCORED,
        }
    if family == "vit":
        patch, size = _PATCH.search(record.text("model")), record.number("image_size")
        if not patch or not size:
            return "the row gives no image size, or its network's name no patch size"
        numbers |= {"patch": float(patch[1]), "native_image_size": size, "classes": 1000.0}
        del numbers["vocab"]
    if family == "moe":
        experts, chosen = record.number("num_experts"), record.number("top_k")
        if not experts or experts < 2:
            return "the row gives no number of experts"
        numbers |= {
            "experts": experts, "experts_per_token": min(chosen or 2.0, experts), "expert_hidden": ffn,
            "shared_hidden": 0.0, "dense_layers": 0.0, "ffn_matrices": 3.0,
        }  # fmt: skip
    return Network(family, numbers)


def _matrices(record: Record, family: str, numbers: Mapping[str, float]) -> float:
    """2 or 3 matrices in the feed-forward block: by the parameter count where given, else by the name."""
    if family in ("encoder", "vit"):
        return 2.0
    ffn, hidden = numbers["ffn_hidden"], numbers["hidden"]
    params = record.number("params")
    if params and family == "decoder" and record.number("ffn_hidden") and record.number("vocab"):
        width = numbers["head_dim"] * (2 * numbers["heads"] + 2 * numbers["kv_heads"])
        rest = numbers["vocab"] * hidden + numbers["layers"] * hidden * width
        plain, gated = (rest + numbers["layers"] * n * hidden * ffn for n in (2, 3))
        untied = numbers["vocab"] * hidden
        miss = {n: min(abs(p - params), abs(p + untied - params)) for n, p in ((2.0, plain), (3.0, gated))}
        if min(miss.values()) < 0.1 * params:
            return min(miss, key=lambda n: miss[n])
    return 3.0 if _GATED.search(record.text("model")) or abs(ffn - 4 * hidden) > 1 else 2.0

"""Print what one transformer block keeps for the backward pass, counted on the real modules.

    python tools/count_kept.py

Needs torch and transformers; small modules run on the processor with torch's saved-tensor hooks. Bytes of one
token are fitted (exactly, up to rounding) as h * width + f * inner width + kv * key-value width + a * heads
+ s * heads * tokens: the widths that rules/memory/kept.toml is built from. Weights, and the casts of weights
that autocast keeps, do not grow with the batch and drop out. With dropout the processor keeps masks as wide
as the tensor, a GPU one byte. Autocast here is the processor's, which computes less in fp32 than accelerators
(GELUs that are spelt out): those figures are of traces (tests/trial/test_trace_families.py).
"""

from __future__ import annotations

import contextlib
from collections.abc import Callable
from typing import Any

import numpy as np
import torch
from torch import nn
from transformers import BertConfig, BertModel, GPT2Config, GPT2Model, LlamaConfig, LlamaModel

PARTS = ("h", "f", "kv", "a", "s")
WORDS = 64  # vocabulary: small, so that it does not count
SHAPES = (  # width, inner width, heads, key-value heads, tokens
    (256, 512, 4, 4, 64), (256, 1024, 4, 4, 64), (512, 1024, 4, 4, 64), (512, 1024, 8, 8, 64),
    (512, 1024, 8, 2, 64), (512, 1024, 8, 2, 128), (256, 512, 4, 4, 128),
)  # fmt: skip
Shape = tuple[int, int, int, int, int]
Prepare = Callable[[Any], None]


def llama(shape: Shape, layers: int, attention: str) -> Any:
    """A small Llama."""
    width, inner, heads, kv_heads, _ = shape
    return LlamaModel(
        LlamaConfig(
            hidden_size=width, intermediate_size=inner, num_attention_heads=heads,
            num_key_value_heads=kv_heads, num_hidden_layers=layers, vocab_size=WORDS,
            attn_implementation=attention, use_cache=False,
        )
    )  # fmt: skip


def gpt2(shape: Shape, layers: int, attention: str) -> Any:
    """A small GPT-2 without dropout."""
    width, inner, heads, _, _ = shape
    return GPT2Model(
        GPT2Config(
            n_embd=width, n_inner=inner, n_head=heads, n_layer=layers, vocab_size=WORDS, n_positions=512,
            attn_pdrop=0.0, resid_pdrop=0.0, embd_pdrop=0.0, attn_implementation=attention, use_cache=False,
            bos_token_id=None, eos_token_id=None,
        )
    )  # fmt: skip


def bert(shape: Shape, layers: int, attention: str) -> Any:
    """A small BERT without dropout."""
    width, inner, heads, _, _ = shape
    return BertModel(
        BertConfig(
            hidden_size=width, intermediate_size=inner, num_attention_heads=heads, num_hidden_layers=layers,
            vocab_size=WORDS, hidden_dropout_prob=0.0, attention_probs_dropout_prob=0.0,
            attn_implementation=attention,
        )
    )  # fmt: skip


class Adapted(nn.Module):  # type: ignore[misc]
    """A frozen linear layer with a low-rank adapter in the format of the layer."""

    def __init__(self, base: nn.Linear, rank: int = 8) -> None:
        super().__init__()
        self.base = base
        kind = base.weight.dtype
        self.down = nn.Parameter(torch.randn(rank, base.in_features, dtype=kind))
        self.up = nn.Parameter(torch.zeros(base.out_features, rank, dtype=kind))

    def forward(self, given: torch.Tensor) -> torch.Tensor:
        """The layer's output and the adapter's."""
        low = nn.functional.linear(given, self.down)
        out: torch.Tensor = self.base(given) + nn.functional.linear(low, self.up) * 2.0
        return out


def adapters(*names: str) -> Prepare:
    """Freeze a network and put adapters beside the layers of these names."""

    def prepare(module: Any) -> None:
        module.requires_grad_(False)
        for part in list(module.modules()):
            for name in names:
                if isinstance(getattr(part, name, None), nn.Linear):
                    setattr(part, name, Adapted(getattr(part, name)))
        module.get_input_embeddings().register_forward_hook(lambda *all_: all_[-1].requires_grad_(True))

    return prepare


def kept(module: Any, batch: int, tokens: int, autocast: bool) -> int:
    """Bytes of all storages kept for the backward pass, without the module's own."""
    own = {one.untyped_storage()._cdata for one in (*module.parameters(), *module.buffers())}
    seen: dict[int, Any] = {}

    def pack(tensor: torch.Tensor) -> torch.Tensor:
        store = tensor.untyped_storage()
        if store._cdata not in own:
            seen[store._cdata] = store
        return tensor

    mode = torch.autocast("cpu", dtype=torch.bfloat16) if autocast else contextlib.nullcontext()
    with torch.autograd.graph.saved_tensors_hooks(pack, lambda tensor: tensor), mode:
        module(torch.randint(0, WORDS - 1, (batch, tokens)))
    return sum(store.nbytes() for store in seen.values())


def of_a_token(make: Any, shape: Shape, attention: str, mode: str, prepare: Prepare | None) -> float:
    """Bytes that one more token keeps in one more block."""

    def count(layers: int, batch: int) -> int:
        module = make(shape, layers, attention).train()
        if mode == "bf16":
            module = module.to(torch.bfloat16)
        if prepare:
            prepare(module)
        return kept(module, batch, shape[4], mode == "autocast")

    more = (count(3, 4) - count(3, 2)) - (count(1, 4) - count(1, 2))
    return more / 2 / (2 * shape[4])


def of_a_compiled_token(shape: Shape) -> float:
    """Bytes that one more token keeps in one compiled Llama block (minimum cut, as torch.compile takes)."""
    from functorch.compile import (  # type: ignore[import-untyped]
        aot_module,
        min_cut_rematerialization_partition,
    )
    from transformers.models.llama.modeling_llama import LlamaDecoderLayer, LlamaRotaryEmbedding

    def count(batch: int) -> int:
        config = llama(shape, 1, "sdpa").config
        found: list[int] = []

        def split(joint: Any, inputs: Any, **more: Any) -> Any:
            forward, backward = min_cut_rematerialization_partition(joint, inputs, **more)
            kept_ = next(node for node in forward.graph.nodes if node.op == "output").args[0]
            values = [node.meta["val"] for node in kept_[more["num_fwd_outputs"] :]]
            found.append(sum(v.numel() * v.element_size() for v in values if hasattr(v, "numel")))
            return forward, backward

        block = LlamaDecoderLayer(config, 0).to(torch.bfloat16)
        given = torch.randn(batch, shape[4], shape[0], dtype=torch.bfloat16, requires_grad=True)
        places = LlamaRotaryEmbedding(config)(given, torch.arange(shape[4])[None])
        compiled = aot_module(
            block, fw_compiler=lambda graph, _: graph, bw_compiler=lambda graph, _: graph, partition_fn=split
        )
        compiled(given, position_embeddings=places, attention_mask=None)
        return found[0]

    return (count(4) - count(2)) / (2 * shape[4])


def line(name: str, make: Any, attention: str, mode: str, prepare: Prepare | None = None) -> None:
    """Print the coefficients of one network in one mode."""
    shapes = SHAPES if make is llama else tuple(one for one in SHAPES if one[2] == one[3])
    found = [of_a_token(make, shape, attention, mode, prepare) for shape in shapes]
    show(f"{name:34} {attention:5} {mode:8}", shapes, found, grouped=make is llama)


def show(title: str, shapes: tuple[Shape, ...], found: list[float], *, grouped: bool) -> None:
    """Fit and print the coefficients."""
    rows = np.array(
        [[w, f, w * kv / a if grouped else 0.0, a, a * s] for w, f, a, kv, s in shapes], dtype=float
    )
    parts, *_ = np.linalg.lstsq(rows, np.array(found), rcond=None)
    miss = float(np.abs(rows @ parts / found - 1).max())
    told = ", ".join(f"{one} {part:.1f}" for one, part in zip(PARTS, parts, strict=True))
    print(f"{title} {told} (within {miss:.1%})", flush=True)


def main() -> None:
    """All networks and modes that the rules tell apart."""
    torch.manual_seed(0)
    for mode in ("bf16", "autocast", "fp32"):
        for attention in ("sdpa", "eager"):
            for name, make in (("Llama", llama), ("GPT-2", gpt2), ("BERT", bert)):
                line(name, make, attention, mode)
    show("Llama, compiled", SHAPES, [of_a_compiled_token(shape) for shape in SHAPES], grouped=True)
    few = ("q_proj", "v_proj")
    every = (*few, "k_proj", "o_proj", "gate_proj", "up_proj", "down_proj")
    line("Llama, adapters on queries, values", llama, "sdpa", "bf16", adapters(*few))
    line("Llama, adapters on all", llama, "sdpa", "bf16", adapters(*every))


if __name__ == "__main__":
    main()

"""LLaMA-Factory's YAML (and JSON): stage, finetuning_type, cutoff_len and the Trainer's own keys."""

from __future__ import annotations

from advisor.errors import DataError
from advisor.recipes.data import put_dataset, put_rows
from advisor.recipes.known import LLAMA_FACTORY
from advisor.recipes.sharding import put_plain_layout
from advisor.recipes.taken import Taking
from advisor.recipes.trainer import (
    put_adapters,
    put_attention,
    put_formats,
    put_liger,
    put_trainer,
)

_TRAINED = {"pt": "", "sft": "", "dpo": "dpo", "kto": "kto", "rm": "rm", "ppo": "ppo"}
_LOW_RANK = ("use_galore", "use_apollo", "use_badam", "use_adam_mini")
_ALTERING = (
    "mixture_of_depths",
    "shift_attn",
    "use_dora",
    "additional_target",
    "pissa_init",
)


def read(taking: Taking) -> str:
    """The flags of a recipe of LLaMA-Factory."""
    stage = taking.text("stage") or "sft"
    if stage not in _TRAINED:
        raise taking.wrong("stage", stage, f"is none of {', '.join(_TRAINED)}")
    taking.put("model", taking.text("model_name_or_path"), "model_name_or_path")
    loss = taking.text("pref_loss") or "sigmoid"
    paired = stage in ("dpo", "rm")
    _put_method(taking, stage, loss)
    taking.put("seq_len", taking.whole("cutoff_len") or 2048, "cutoff_len")
    pure = taking.flag("pure_bf16") or False
    if pure:
        taking.put("precision", "bf16", "pure_bf16")
        taking.leave(("bf16", "fp16"))
    else:
        put_formats(taking)
    if taking.flag("fp8"):
        taking.put("precision", "fp8_mixed", "fp8")
    off = taking.flag("disable_gradient_checkpointing") or False
    taking.put("recompute", "none" if off else "full", "disable_gradient_checkpointing")
    put_attention(taking, "flash_attn")
    put_liger(taking, "enable_liger_kernel")
    if taking.flag("use_unsloth"):
        taking.put("fused_kernels", True, "use_unsloth")
    if taking.flag("use_unsloth_gc"):
        taking.put("offload_activations", True, "use_unsloth_gc")
    put_trainer(taking, recompute=not off, copies=2 if paired else 1)
    if taking.flag("use_muon"):
        taking.put("optimizer", "muon", "use_muon")
    put_dataset(taking, "dataset", folder_key="dataset_dir", infos=True)
    _put_rest(taking)
    put_plain_layout(taking)
    taking.put("stack", "hf-trainer")
    return "LLaMA-Factory"


def _put_method(taking: Taking, stage: str, loss: str) -> None:
    kind = taking.text("finetuning_type") or "lora"
    bits = taking.whole("quantization_bit")
    if stage == "ppo":
        raise DataError.at(
            taking.path, "stage", stage, "is not modelled: most of its time goes into generating text",
            "Estimate its training steps alone with stage: sft.",
        )  # fmt: skip
    if kind == "lora":
        adapters = "qlora" if bits else "lora"
        if stage == "dpo" and loss in ("sigmoid", "hinge", "ipo", "kto_pair"):
            adapters = f"dpo-{adapters}"
        taking.put("method", adapters, "finetuning_type", "stage")
        if bits:
            _put_bits(taking, bits)
        put_adapters(taking, "lora_rank", "lora_target", 8)
    elif kind in ("full", "freeze", "oft"):
        full = "pretrain" if stage == "pt" else "dpo" if stage == "dpo" else "full"
        taking.put("method", full, "finetuning_type", "stage")
        if kind == "oft":
            taking.miss("finetuning_type", "counted as full; LoRA is nearer: give --method lora")
        if kind == "freeze":
            _put_frozen(taking, full)
    else:
        raise taking.wrong("finetuning_type", kind, "is none of lora, full, freeze, oft")
    if stage in ("kto", "rm"):
        taking.miss("stage", "counted as supervised fine-tuning")
    if stage == "dpo" and loss in ("orpo", "simpo"):
        taking.notes.append(f"pref_loss {loss} has no reference model: none is counted.")
        taking.flags["method"] = str(taking.flags["method"]).replace("dpo", "full")


def _put_frozen(taking: Taking, method: str) -> None:
    """The trained blocks: the last ones, the first ones (a negative count), or spread over all."""
    count = taking.number("freeze_trainable_layers")
    count = 2.0 if count is None else count
    if not count or not count.is_integer():
        raise taking.wrong("freeze_trainable_layers", count, "is no whole number of layers")
    if method == "dpo":
        taking.miss("finetuning_type", "all weights are counted as trained")
        return
    taking.put("train_only", f"{abs(count):.0f} layers", "freeze_trainable_layers")
    spread = taking.flag("use_llama_pro") or False
    taking.put("frozen", "between" if spread or count < 0 else "below", "freeze_trainable_layers")
    taking.notes.append(
        "Frozen layers count in the format of the trained ones; LLaMA-Factory keeps them in 16 bit."
    )
    modules = taking.words("freeze_trainable_modules")
    if modules not in ([], ["all"]):
        taking.miss("freeze_trainable_modules", "whole layers are counted as trained")
    if taking.words("freeze_extra_modules"):
        taking.miss("freeze_extra_modules", "only the layers are counted as trained")


def _put_bits(taking: Taking, bits: int) -> None:
    if bits in (4, 8):
        taking.put("quant_bits", str(bits), "quantization_bit")
        double = taking.flag("double_quantization")
        if bits == 4:
            taking.put("double_quant", True if double is None else double, "double_quantization")
    else:
        taking.miss("quantization_bit", "4 bits are counted")


def _put_rest(taking: Taking) -> None:
    if taking.flag("use_llama_pro") and "train_only" not in taking.flags:
        taking.miss("use_llama_pro")
    for name in (*_LOW_RANK, *_ALTERING):
        if name in taking.values and taking.get(name) not in (None, False, "false"):
            taking.miss(name)
    # pre-training packs unless told otherwise
    by_method = taking.values.get("stage") == "pt" and taking.flag("packing") is not False
    put_rows(taking, ("packing", "neat_packing"), always=by_method)
    taking.leave(name for name in taking.values if name.startswith(("galore_", "apollo_", "badam_")))
    taking.leave(name for name in taking.values if name.startswith("freeze_trainable"))
    taking.leave(LLAMA_FACTORY)

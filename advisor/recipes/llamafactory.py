"""LLaMA-Factory's YAML (and JSON): stage, finetuning_type, cutoff_len and the Trainer's own keys."""

from __future__ import annotations

from advisor.errors import DataError
from advisor.recipes.data import put_dataset, put_rows
from advisor.recipes.known import LLAMA_FACTORY
from advisor.recipes.taken import Taking
from advisor.recipes.trainer import (
    put_adapters,
    put_attention,
    put_formats,
    put_liger,
    put_trainer,
)

_TRAINED = {"pt": "", "sft": "", "dpo": "dpo", "kto": "kto", "rm": "rm", "ppo": "ppo"}
_LOW_RANK = ("use_galore", "use_apollo", "use_badam", "use_adam_mini", "use_muon")
_ALTERING = (
    "use_llama_pro",
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
    put_dataset(taking, "dataset", folder_key="dataset_dir", infos=True)
    _put_rest(taking)
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
            taking.miss("finetuning_type", "say how much is trained: --train-only")
    else:
        raise taking.wrong("finetuning_type", kind, "is none of lora, full, freeze, oft")
    if stage in ("kto", "rm"):
        taking.miss("stage", "counted as supervised fine-tuning")
    if stage == "dpo" and loss in ("orpo", "simpo"):
        taking.notes.append(f"pref_loss {loss} has no reference model: none is counted.")
        taking.flags["method"] = str(taking.flags["method"]).replace("dpo", "full")


def _put_bits(taking: Taking, bits: int) -> None:
    if bits in (4, 8):
        taking.put("quant_bits", str(bits), "quantization_bit")
        double = taking.flag("double_quantization")
        if bits == 4:
            taking.put("double_quant", True if double is None else double, "double_quantization")
    else:
        taking.miss("quantization_bit", "4 bits are counted")


def _put_rest(taking: Taking) -> None:
    for name in (*_LOW_RANK, *_ALTERING):
        if name in taking.values and taking.get(name) not in (None, False, "false"):
            taking.miss(name)
    # pre-training packs unless told otherwise
    by_method = taking.values.get("stage") == "pt" and taking.flag("packing") is not False
    put_rows(taking, ("packing", "neat_packing"), always=by_method)
    taking.leave(name for name in taking.values if name.startswith(("galore_", "apollo_", "badam_")))
    taking.leave(name for name in taking.values if name.startswith("freeze_trainable"))
    taking.leave(LLAMA_FACTORY)

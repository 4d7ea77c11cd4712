"""axolotl's YAML: base_model, adapter, sequence_len, micro_batch_size and its own words for the rest."""

from __future__ import annotations

from advisor.errors import DataError
from advisor.recipes.data import put_dataset, put_rows
from advisor.recipes.known import AXOLOTL, TRAINER
from advisor.recipes.sharding import put_deepspeed, put_fsdp, put_mesh, put_plain_layout
from advisor.recipes.taken import Taking
from advisor.recipes.trainer import (
    put_adapters,
    put_attention,
    put_batch,
    put_formats,
    put_length_of_run,
    put_optimizer,
)

_LIGER = ("liger_rms_norm", "liger_glu_activation", "liger_swiglu", "lora_mlp_kernel")
_NO_REFERENCE = ("orpo", "simpo")
_LENGTH_CUT = ("context_parallel_size", "sequence_parallel_degree")
_ROLLOUTS = ("grpo", "ppo", "gdpo")


def read(taking: Taking) -> str:
    """The flags of a recipe of axolotl."""
    taking.put("model", taking.text("base_model"), "base_model")
    pairs = _put_method(taking)
    taking.put("seq_len", taking.whole("sequence_len") or 512, "sequence_len")
    put_batch(taking, "micro_batch_size", "gradient_accumulation_steps", 2 if pairs else 1)
    put_length_of_run(taking, "num_epochs", "max_steps", 1.0)
    put_optimizer(taking, "optimizer")
    put_formats(taking, pure=not taking.text("adapter"))
    if taking.flag("fp8"):
        taking.put("precision", "fp8_mixed", "fp8")
    _put_checkpointing(taking)
    _put_attention(taking)
    _put_kernels(taking)
    put_deepspeed(taking, "deepspeed")
    if "sharding" not in taking.flags:
        put_fsdp(taking)
    put_mesh(taking, "dp_shard_size", "dp_replicate_size", "tensor_parallel_size", _LENGTH_CUT)
    put_dataset(taking, "datasets")
    put_dataset(taking, "pretraining_dataset")
    always = taking.get("pretraining_dataset") is not None
    put_rows(taking, ("sample_packing",), padded="pad_to_sequence_len", always=always)
    for name in (
        "unfrozen_parameters",
        "lora_modules_to_save",
        "relora_steps",
        "peft_use_dora",
        "lisa_n_layers",
    ):
        if taking.get(name):
            taking.miss(name)
    taking.leave((*AXOLOTL, *TRAINER))
    put_plain_layout(taking)
    taking.put("stack", "hf-trainer")
    return "axolotl"


def _put_method(taking: Taking) -> bool:
    """The method; whether a sample is a pair of answers."""
    kind = (taking.text("rl") or "").lower()
    if kind in _ROLLOUTS:
        raise DataError.at(
            taking.path, "rl", kind, "is not modelled: most of its time goes into generating text",
            "Estimate its training steps alone: --model … --method full or lora.",
        )  # fmt: skip
    adapter = (taking.text("adapter") or "").lower()
    four, eight = taking.flag("load_in_4bit"), taking.flag("load_in_8bit")
    method = "full" if not adapter else "qlora" if adapter == "qlora" or four or eight else "lora"
    if adapter not in ("", "lora", "qlora"):
        taking.miss("adapter", "counted as LoRA")
    pairs = kind in ("dpo", "ipo", *_NO_REFERENCE)
    if kind in ("dpo", "ipo"):
        method = {"full": "dpo"}.get(method, f"dpo-{method}")
    elif kind in _NO_REFERENCE:
        taking.notes.append(f"rl {kind} has no reference model: none is counted.")
    elif kind:
        taking.miss("rl", "counted as supervised fine-tuning")
    taking.put("method", method, "adapter", "rl")
    if adapter:
        put_adapters(taking, "lora_r", "lora_target_modules", 8)
        if taking.flag("lora_target_linear"):  # every linear layer, beside those that are named
            taking.put("lora_targets", "all", "lora_target_linear")
        taking.leave(("lora_alpha", "lora_dropout"))
    else:
        taking.leave(("lora_r", "lora_alpha", "lora_dropout", "lora_target_linear", "lora_target_modules"))
    if method.endswith("qlora"):
        taking.put("quant_bits", "8" if eight and not four else "4", "load_in_8bit", "load_in_4bit")
        if not eight or four:
            taking.put("double_quant", True)
    if taking.get("pretraining_dataset") is not None and method == "full":
        taking.put("method", "pretrain", "pretraining_dataset")
    return pairs


def _put_checkpointing(taking: Taking) -> None:
    told = taking.get("gradient_checkpointing")
    word = str(told).strip().lower()
    if word in ("unsloth", "offload", "offload_disk") or taking.get("activation_offloading"):
        taking.put("recompute", "full", "gradient_checkpointing")
        taking.put("offload_activations", True, "gradient_checkpointing", "activation_offloading")
    else:
        taking.put(
            "recompute", "full" if taking.flag("gradient_checkpointing") else "none", "gradient_checkpointing"
        )


def _put_attention(taking: Taking) -> None:
    put_attention(taking, "attn_implementation", "attention")
    for key, word in (("eager_attention", "eager"), ("sdp_attention", "sdpa"), ("flash_attention", "flash")):
        if taking.flag(key):
            taking.put("attention", word, key)


def _put_kernels(taking: Taking) -> None:
    fused = [key for key in _LIGER if taking.flag(key)]
    if fused:
        taking.put("fused_kernels", True, fused[0])
    if taking.flag("liger_fused_linear_cross_entropy"):
        taking.put("loss", "fused", "liger_fused_linear_cross_entropy")
    plugin = any("CutCrossEntropy" in name for name in taking.words("plugins"))
    told = taking.flag("cut_cross_entropy")
    if told or (plugin and told is None):  # this plugin is on by itself; Liger's has a key for each kernel
        taking.put("loss", "fused", "cut_cross_entropy", "plugins")
    taking.flag("liger_cross_entropy")
    if taking.flag("torch_compile"):
        taking.put("compiled", True, "torch_compile")

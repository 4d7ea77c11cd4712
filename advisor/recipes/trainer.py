"""What recipes of the Trainer share: batch, number format, optimizer, checkpointing, sharding."""

from __future__ import annotations

from collections.abc import Mapping

from advisor.recipes.known import MODEL, TRAINER
from advisor.recipes.sharding import put_deepspeed, put_fsdp, put_mesh, put_plain_layout
from advisor.recipes.taken import Taking

OPTIMIZERS: Mapping[str, str] = {
    "adamw": "adamw", "adamw_hf": "adamw", "adamw_torch": "adamw", "adamw_torch_fused": "adamw",
    "adamw_apex_fused": "adamw", "adamw_anyprecision": "adamw", "paged_adamw": "adamw", "adam": "adamw",
    "paged_adamw_32bit": "adamw", "adamw_bnb_8bit": "adamw_8bit", "adamw_8bit": "adamw_8bit",
    "paged_adamw_8bit": "adamw_8bit", "adamw_torch_8bit": "adamw_8bit", "adafactor": "adafactor",
    "sgd": "sgd",
    "lion": "lion", "lion_32bit": "lion", "lion_pytorch": "lion", "paged_lion_32bit": "lion", "muon": "muon",
    "lamb": "lamb",
}  # fmt: skip
"""Optimizers as the Trainer (and axolotl) spell them, as the rules do."""

_ATTENTION = {
    "flash_attention_2": "flash", "flash_attention_3": "flash", "flash": "flash", "fa2": "flash",
    "fa3": "flash", "sdpa": "sdpa", "eager": "eager", "disabled": "eager", "xformers": "sdpa",
    "flex_attention": "sdpa",
}  # fmt: skip
_FEED_FORWARD = ("gate", "up", "down", "fc", "mlp", "w1", "w2", "w3", "dense_h")
BITS = {4: "4", 8: "8"}


def put_batch(taking: Taking, micro: str, accumulate: str, copies: int = 1) -> None:
    """Samples of one pass on one device, and passes of a step; a pair of answers is two samples."""
    size = taking.whole(micro)
    if size is not None:
        taking.put("micro_batch", size * copies, micro)
        taking.put("accumulate", taking.whole(accumulate) or 1, accumulate)
    elif taking.whole(accumulate) is not None:
        taking.put("accumulate", taking.whole(accumulate), accumulate)


def put_length_of_run(taking: Taking, epochs: str, steps: str, epochs_default: float | None = None) -> None:
    """Steps where they are told, which go before epochs, as in the Trainer."""
    count = taking.whole(steps)
    passes = taking.number(epochs)
    if count is not None:
        taking.put("steps", count, steps)
    elif passes is not None and passes > 0:
        taking.put("epochs", passes, epochs)
    elif epochs_default is not None:
        taking.put("epochs", epochs_default, epochs)


def put_optimizer(taking: Taking, *keys: str) -> None:
    """The optimizer where the rules know it; else it is told as not modelled."""
    name = taking.text(*keys)
    if name is None:
        return
    word = name.strip().lower().removeprefix("optimizernames.")
    key = taking.key(*keys)
    if word not in OPTIMIZERS:
        taking.miss(key, "AdamW is taken instead")
        return
    taking.put("optimizer", OPTIMIZERS[word], key)
    if word == "adamw_torch_fused":
        taking.put("optimizer_kernel", "fused", key)
    if word.startswith("paged"):
        taking.notes.append(
            f"{word}: its states move to the host only when memory runs out; counted as resident."
        )


def put_attention(taking: Taking, *keys: str) -> None:
    """Which attention runs, where it is told."""
    name = taking.text(*keys)
    if name is None or name.lower() == "auto":
        return
    word = next((w for key, w in _ATTENTION.items() if name.lower().endswith(key)), None)
    if word is None and "flash" in name.lower():
        word = "flash"  # a kernel of the hub: kernels-community/flash-attn
    if word is None:
        taking.miss(taking.key(*keys))
    else:
        taking.put("attention", word, *keys)


def put_adapters(taking: Taking, rank: str, targets: str, default_rank: int) -> None:
    """Rank and places of LoRA's matrices."""
    taking.put("lora_rank", taking.whole(rank) or default_rank, rank)
    names = [name.lower() for name in taking.words(targets)]
    if not names or any("all" in name for name in names):
        return
    wide = any(part in name for name in names for part in _FEED_FORWARD)
    if wide:
        taking.put("lora_targets", "all", targets)
        return
    taking.put("lora_targets", "attention", targets)
    if not all(
        name.rsplit(".", 1)[-1] in ("q_proj", "v_proj", "query_key_value", "c_attn") for name in names
    ):
        taking.notes.append(f"{targets}: {', '.join(names)[:60]} counts as queries and values alone.")


def put_liger(taking: Taking, *keys: str) -> None:
    """Liger's kernels: norms and gates fused, and the loss with the output layer."""
    if taking.flag(*keys):
        taking.put("fused_kernels", True, *keys)
        taking.put("loss", "fused", *keys)


def put_formats(taking: Taking, pure: bool = False, default: str | None = None) -> None:
    """bf16 and fp16 as autocast; `pure`: weights stand in bf16 themselves."""
    bf16, fp16 = taking.flag("bf16"), taking.flag("fp16")
    if fp16:
        taking.put("precision", "fp16_mixed", "fp16")
    elif bf16:
        taking.put("precision", "bf16" if pure else "bf16_mixed", "bf16")
    elif bf16 is None and default is not None:
        taking.put("precision", default, "bf16")
    elif bf16 is False or default is None:
        taking.put("precision", "tf32" if taking.flag("tf32") else "fp32", "bf16", "fp16", "tf32")


def put_trainer(taking: Taking, *, recompute: bool = False, copies: int = 1) -> None:
    """What TrainingArguments say, but for number formats. `recompute`: the trainer's default."""
    put_batch(taking, "per_device_train_batch_size", "gradient_accumulation_steps", copies)
    put_length_of_run(taking, "num_train_epochs", "max_steps", 3.0)
    put_optimizer(taking, "optim")
    told = taking.flag("gradient_checkpointing")
    on = recompute if told is None else told
    if "recompute" not in taking.flags:
        taking.put("recompute", "full" if on else "none", "gradient_checkpointing")
    put_deepspeed(taking, "deepspeed")
    if "sharding" not in taking.flags:
        put_fsdp(taking)
    else:
        taking.leave(("fsdp", "fsdp_config"))
    mesh = taking.get("parallelism_config")
    if isinstance(mesh, dict):
        inner = Taking(
            taking.path, mesh, taking.flags, taking.said, notes=taking.notes, devices=taking.devices
        )
        put_mesh(inner, "dp_shard_size", "dp_replicate_size", "tp_size", ("cp_size", "sp_size"))
        taking.devices = inner.devices
    put_liger(taking, "use_liger_kernel")
    if taking.flag("torch_compile"):
        taking.put("compiled", True, "torch_compile")
    if taking.flag("activation_offloading"):
        taking.put("offload_activations", True, "activation_offloading")
    taking.leave((*TRAINER, *MODEL))


def read_arguments(taking: Taking) -> str:
    """TrainingArguments alone, saved as JSON or written by hand: no model is in them."""
    put_formats(taking)
    put_trainer(taking)
    put_plain_layout(taking)
    taking.put("stack", "hf-trainer")
    taking.notes.append("TrainingArguments name no model: give --model (and --method, --seq-len).")
    return "Trainer of transformers"

"""TRL: `trl sft …`, scripts such as sft.py and dpo.py, or the YAML that both take with --config."""

from __future__ import annotations

from advisor.errors import DataError
from advisor.recipes.data import put_dataset, put_rows
from advisor.recipes.known import TRL
from advisor.recipes.sharding import put_named, put_plain_layout
from advisor.recipes.taken import Taking
from advisor.recipes.trainer import put_adapters, put_attention, put_formats, put_trainer

_TRAINED = {"sft": "full", "dpo": "dpo", "reward": "full", "kto": "full", "orpo": "full", "cpo": "full"}
_ROLLOUTS = ("grpo", "rloo", "ppo", "online_dpo", "nash_md", "xpo")
_LENGTHS = {"sft": 1024, "dpo": 1024, "reward": 1024, "kto": 1024, "orpo": 1024, "cpo": 1024}


def read(taking: Taking, kind: str = "") -> str:
    """The flags of a recipe of TRL. `kind`: sft, dpo, …; without it the keys tell."""
    kind = kind.removesuffix(".py").removesuffix("_vlm") or _kind(taking)
    if kind in _ROLLOUTS:
        raise DataError.at(
            taking.path, "", None, f"is of {kind}: most of its time goes into generating text, not modelled",
            "Estimate its training steps alone: --model … --method full or lora.",
        )  # fmt: skip
    kind = kind if kind in _TRAINED else "sft"
    taking.put("model", taking.text("model_name_or_path"), "model_name_or_path")
    peft = taking.flag("use_peft") or False
    four, eight = taking.flag("load_in_4bit"), taking.flag("load_in_8bit")
    method = ("qlora" if four or eight else "lora") if peft else "full"
    pairs = kind == "dpo"
    taking.put("method", {"full": "dpo"}.get(method, f"dpo-{method}") if pairs else method, "use_peft")
    if peft:
        put_adapters(taking, "lora_r", "lora_target_modules", 16)
        if four or eight:
            taking.put("quant_bits", "4" if four else "8", "load_in_4bit", "load_in_8bit")
            nested = taking.flag("use_bnb_nested_quant", "bnb_4bit_use_double_quant")
            taking.put("double_quant", bool(nested), "use_bnb_nested_quant") if four else None
    else:
        taking.leave(("lora_r", "lora_alpha", "lora_dropout", "lora_target_modules"))
    taking.put(
        "seq_len",
        taking.whole("max_length", "max_seq_length") or _LENGTHS[kind],
        "max_length",
        "max_seq_length",
    )
    dtype = (taking.text("dtype", "torch_dtype") or "").lower()
    put_formats(taking, pure=dtype in ("bfloat16", "bf16") and not peft, default="bf16_mixed")
    put_attention(taking, "attn_implementation")
    if taking.flag("use_flash_attention_2"):
        taking.put("attention", "flash", "use_flash_attention_2")
    if taking.text("loss_type") == "chunked_nll":
        taking.put("loss", "chunked", "loss_type")
    put_named(taking, "accelerate_config")
    put_trainer(taking, recompute=True, copies=2 if pairs or kind == "reward" else 1)
    put_dataset(taking, "dataset_name")
    put_dataset(taking, "datasets")
    if kind in ("reward", "kto", "orpo", "cpo"):
        taking.notes.append(f"{kind} is counted as supervised training of its sequences.")
    _put_rest(taking)
    put_plain_layout(taking)
    taking.put("stack", "hf-trainer")
    return f"TRL ({kind})"


def _kind(taking: Taking) -> str:
    """sft or dpo, by keys that only one of them has."""
    return "dpo" if {"beta", "max_prompt_length", "precompute_ref_log_probs"} & set(taking.values) else "sft"


def _put_rest(taking: Taking) -> None:
    put_rows(taking, ("packing", "padding_free"))
    if taking.flag("precompute_ref_log_probs"):
        taking.miss("precompute_ref_log_probs", "the reference counts as run in each step")
    if taking.words("lora_modules_to_save"):
        taking.miss("lora_modules_to_save", "only the adapters are counted as trained")
    if taking.flag("use_dora"):
        taking.miss("use_dora")
    taking.leave(TRL)

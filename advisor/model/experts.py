"""config.json of decoders with experts, and of those with latent attention."""

from __future__ import annotations

from advisor.model.config import MAX_EXPERTS, MAX_HEADS, MAX_VOCAB, Config, Numbers, Reader
from advisor.model.decoders import llama_like, qwen_windows, window_of, windows


def _routed(c: Config, *keys: str) -> Numbers:
    experts = c.whole(*keys, high=MAX_EXPERTS)
    chosen = c.whole("num_experts_per_tok", "experts_per_token", high=MAX_EXPERTS)
    if chosen > experts:
        c.fail("num_experts_per_tok", f"is more than the {experts:g} experts there are")
    return {"experts": experts, "experts_per_token": chosen}


def _all_routed(found: Numbers) -> Numbers:
    """Every layer has experts as wide as intermediate_size says, and nothing else."""
    return {
        "expert_hidden": found["ffn_hidden"],
        "shared_hidden": 0.0,
        "dense_layers": 0.0,
        "ffn_hidden": 0.0,
    }


def mixtral(c: Config) -> Numbers:
    found = llama_like(c, kv_default=8)
    found |= {**_routed(c, "num_local_experts", "num_experts"), **_all_routed(found)}
    return {**found, **windows(c, found["layers"], window_of(c), found["layers"])}


def olmoe(c: Config) -> Numbers:
    found = llama_like(c)
    found |= {**_routed(c, "num_experts", "num_local_experts"), **_all_routed(found)}
    return {**found, "qk_norm_width": (found["heads"] + found["kv_heads"]) * found["head_dim"]}


def _qwen(c: Config, found: Numbers) -> Numbers:
    layers = found["layers"]
    step = c.layers("decoder_sparse_step", default=1)
    plain = {at for at in c.wholes("mlp_only_layers", (), low=0) if at < layers}
    plain |= {at for at in range(int(layers)) if (at + 1) % step}
    dense = float(len(plain))
    return {
        **found,
        **_routed(c, "num_experts", "num_local_experts"),
        "expert_hidden": c.whole("moe_intermediate_size"),
        "dense_layers": dense,
        "ffn_hidden": found["ffn_hidden"] if dense else 0.0,
        **qwen_windows(c, layers),
    }


def qwen2_moe(c: Config) -> Numbers:
    found = _qwen(c, llama_like(c, qkv_bias=bool(c.flag("qkv_bias", True))))
    shared = c.whole("shared_expert_intermediate_size", default=5632)
    return {**found, "shared_hidden": shared, "shared_gate": 1.0}


def qwen3_moe(c: Config) -> Numbers:
    found = _qwen(c, llama_like(c))
    return {**found, "shared_hidden": 0.0, "qk_norm_width": 2 * found["head_dim"]}


def gpt_oss(c: Config) -> Numbers:
    found = llama_like(c, head_dim=64, kv_default=8, qkv_bias=bool(c.flag("attention_bias", True)))
    found |= {**_routed(c, "num_local_experts", "num_experts"), **_all_routed(found)}
    layers = found["layers"]
    found |= {"output_bias": found["qkv_bias"], "sinks": 1.0, "expert_bias": 1.0}
    return {**found, **windows(c, layers, window_of(c, 128), (layers + 1) // 2)}


def deepseek(c: Config) -> Numbers:
    hidden = c.whole("hidden_size")
    heads = c.whole("num_attention_heads", high=MAX_HEADS)
    layers = c.layers("num_hidden_layers")
    c.must_be("moe_layer_freq", 1, 1)
    bias = c.flag("attention_bias", False)
    if bias:
        c.fail("attention_bias", "latent attention with biases is not covered by the rules")
    rope = c.whole("qk_rope_head_dim")
    inner = c.whole("moe_intermediate_size")
    dense = min(c.layers("first_k_dense_replace", default=0, low=0), layers)
    for key in ("num_key_value_heads", "head_dim", "num_nextn_predict_layers"):
        c.has(key)  # the first two say nothing here, prediction heads are not counted
    return {
        "tied": c.flag("tie_word_embeddings", False),
        "positions": 0.0,
        "qkv_bias": 0.0,
        "linear_bias": 0.0,
        "norm_vectors": 1.0,
        "ffn_matrices": 3.0,
        "layers": layers,
        "hidden": hidden,
        "heads": heads,
        "kv_heads": heads,
        "head_dim": c.whole("qk_nope_head_dim") + rope,
        "rope_dim": rope,
        "value_dim": c.whole("v_head_dim"),
        "kv_rank": c.whole("kv_lora_rank"),
        "q_rank": c.whole("q_lora_rank", default=0),
        **_routed(c, "n_routed_experts", "num_local_experts"),
        "expert_hidden": inner,
        "shared_hidden": c.whole("n_shared_experts", default=0, low=0, high=MAX_EXPERTS) * inner,
        "dense_layers": dense,
        "ffn_hidden": c.whole("intermediate_size") if dense else 0.0,
        "vocab": c.whole("vocab_size", high=MAX_VOCAB),
    }


READERS: dict[str, Reader] = {
    "MixtralForCausalLM": mixtral,
    "OlmoeForCausalLM": olmoe,
    "Qwen2MoeForCausalLM": qwen2_moe,
    "Qwen3MoeForCausalLM": qwen3_moe,
    "GptOssForCausalLM": gpt_oss,
    "DeepseekV2ForCausalLM": deepseek,
    "DeepseekV3ForCausalLM": deepseek,
}

"""config.json of decoders. Each function says which fields its architecture has, and its defaults.

Which biases and normalisations there are is taken from modeling_<name>.py of the transformers library;
tools/check_param_counts.py holds the counts to instantiated modules.
"""

from __future__ import annotations

from advisor.model.config import MAX_HEADS, MAX_VOCAB, Config, Numbers, Reader


def heads_of(
    c: Config, hidden: float, *, kv_default: float | None = None, head_dim: float | None = None
) -> Numbers:
    """heads, kv_heads and head_dim of the usual fields, checked against each other."""
    heads = c.whole("num_attention_heads", high=MAX_HEADS)
    kv = c.whole("num_key_value_heads", default=kv_default or heads, high=MAX_HEADS)
    if heads % kv:
        c.fail("num_key_value_heads", f"does not divide the {heads:g} attention heads")
    width = c.whole("head_dim", default=head_dim or max(1.0, hidden // heads))
    if not c.has("head_dim") and head_dim is None and hidden % heads:
        c.fail("hidden_size", f"is no multiple of the {heads:g} attention heads")
    return {"heads": heads, "kv_heads": kv, "head_dim": width}


def llama_like(  # noqa: PLR0913 - one keyword a difference between the architectures
    c: Config,
    *,
    tied: bool = False,
    kv_default: float | None = None,
    head_dim: float | None = None,
    matrices: float = 3,
    vectors: float = 1,
    qkv_bias: bool | None = None,
) -> Numbers:
    """The pattern of Llama: rotary positions, pre-normalisation, gated feed-forward block."""
    hidden = c.whole("hidden_size")
    bias = c.flag("attention_bias", False)
    ffn_bias = c.flag("mlp_bias", False)
    return {
        "tied": c.flag("tie_word_embeddings", tied),
        "positions": 0.0,
        "qkv_bias": bias if qkv_bias is None else float(qkv_bias),
        "linear_bias": ffn_bias,
        "output_bias": bias if qkv_bias is None else 0.0,
        "norm_vectors": vectors,
        "ffn_matrices": matrices,
        "layers": c.layers("num_hidden_layers"),
        "hidden": hidden,
        **heads_of(c, hidden, kv_default=kv_default, head_dim=head_dim),
        "ffn_hidden": c.whole("intermediate_size"),
        "vocab": c.whole("vocab_size", high=MAX_VOCAB),
    }


def windows(c: Config, layers: float, window: float | None, windowed: float) -> Numbers:
    """Sliding windows: `layer_types` counts where there is one, else `windowed` layers."""
    types = c.words("layer_types", ("full_attention", "sliding_attention"), layers)
    if types is not None:
        windowed = float(types.count("sliding_attention"))
    if window is None or windowed <= 0:
        return {}
    return {"window": window, "window_layers": min(windowed, layers)}


def window_of(c: Config, missing: float | None = None) -> float | None:
    """`sliding_window`; null means none, and so does a field that is not there unless `missing` is given."""
    if not c.has("sliding_window"):
        return missing
    found = c.whole("sliding_window", default=0, low=0, high=MAX_VOCAB)
    return found or None


def llama(c: Config) -> Numbers:
    return llama_like(c)


def mistral(c: Config) -> Numbers:
    found = llama_like(c, kv_default=8)
    return {**found, **windows(c, found["layers"], window_of(c, 4096), found["layers"])}


def qwen2(c: Config) -> Numbers:
    found = llama_like(c, qkv_bias=True)
    return {**found, **qwen_windows(c, found["layers"])}


def qwen_windows(c: Config, layers: float) -> Numbers:
    """Only with use_sliding_window, in the layers from max_window_layers on."""
    if not c.flag("use_sliding_window", False):
        c.has("sliding_window")
        c.has("max_window_layers")
        c.has("layer_types")
        return {}
    first = c.layers("max_window_layers", default=28, low=0)
    return windows(c, layers, window_of(c, 4096), max(0.0, layers - first))


def qwen3(c: Config) -> Numbers:
    found = llama_like(c, head_dim=128)
    return {**found, "qk_norm_width": 2 * found["head_dim"], **qwen_windows(c, found["layers"])}


def gemma(c: Config) -> Numbers:
    return llama_like(c, tied=True, head_dim=256)


def gemma2(c: Config) -> Numbers:
    found = llama_like(c, tied=True, head_dim=256)
    layers = found["layers"]
    return {**found, "block_norms": 4.0, **windows(c, layers, window_of(c, 4096), (layers + 1) // 2)}


def gemma3(c: Config) -> Numbers:
    found = llama_like(c, tied=True, head_dim=256)
    layers, width = found["layers"], found["head_dim"]
    pattern = c.layers("sliding_window_pattern", "_sliding_window_pattern", default=6)
    local = layers - layers // pattern
    return {
        **found,
        "block_norms": 4.0,
        "qk_norm_width": 2 * width,
        **windows(c, layers, window_of(c, 4096), local),
    }


def phi(c: Config) -> Numbers:
    c.must_be("qk_layernorm", False, False)
    found = llama_like(c, matrices=2, vectors=2, qkv_bias=True)
    return {**found, "linear_bias": 1.0, "output_bias": 1.0, "block_norms": 1.0, "head_bias": 1.0}


def phi3(c: Config) -> Numbers:
    found = llama_like(c)
    return {**found, **windows(c, found["layers"], window_of(c), found["layers"])}


def gpt2(c: Config) -> Numbers:
    hidden = c.whole("n_embd", "hidden_size", default=768)
    heads = c.whole("n_head", "num_attention_heads", default=12, high=MAX_HEADS)
    if hidden % heads:
        c.fail("n_embd", f"is no multiple of the {heads:g} attention heads")
    c.must_be("add_cross_attention", False, False)
    return {
        "tied": c.flag("tie_word_embeddings", True),
        "positions": c.whole("n_positions", "max_position_embeddings", default=1024, high=MAX_VOCAB),
        "qkv_bias": 1.0,
        "linear_bias": 1.0,
        "norm_vectors": 2.0,
        "ffn_matrices": 2.0,
        "layers": c.layers("n_layer", "num_hidden_layers", default=12),
        "hidden": hidden,
        "heads": heads,
        "kv_heads": heads,
        "head_dim": hidden / heads,
        "ffn_hidden": c.whole("n_inner", default=4 * hidden),
        "vocab": c.whole("vocab_size", default=50257, high=MAX_VOCAB),
    }


def gptj(c: Config) -> Numbers:
    found = gpt2(c)
    changed = {"tied": c.flag("tie_word_embeddings", False), "positions": 0.0, "qkv_bias": 0.0}
    return {**found, **changed, "output_bias": 0.0, "block_norms": 1.0, "head_bias": 1.0}


def gpt_neox(c: Config) -> Numbers:
    found = llama_like(c, matrices=2, vectors=2)
    bias = c.flag("attention_bias", True)
    return {**found, "qkv_bias": bias, "output_bias": bias, "linear_bias": 1.0}


def falcon(c: Config) -> Numbers:
    hidden = c.whole("hidden_size", "n_embed")
    heads = c.whole("num_attention_heads", "n_head", high=MAX_HEADS)
    if hidden % heads:
        c.fail("hidden_size", f"is no multiple of the {heads:g} attention heads")
    new = c.flag("new_decoder_architecture", False)
    few = c.flag("multi_query", True)
    kv = c.whole("num_kv_heads", "n_head_kv", default=heads, high=MAX_HEADS) if new else 1.0 if few else heads
    parallel = c.flag("parallel_attn", True)
    norms = c.whole("num_ln_in_parallel_attn", default=2, high=2) if new else 1.0 if parallel else 2.0
    bias = c.flag("bias", False)
    c.flag("alibi", False)  # computed positions either way
    return {
        "tied": c.flag("tie_word_embeddings", True),
        "positions": 0.0,
        "qkv_bias": bias,
        "linear_bias": bias,
        "norm_vectors": 2.0,
        "block_norms": norms,
        "ffn_matrices": 2.0,
        "layers": c.layers("num_hidden_layers", "n_layer"),
        "hidden": hidden,
        "heads": heads,
        "kv_heads": kv,
        "head_dim": hidden / heads,
        "ffn_hidden": c.whole("ffn_hidden_size", default=4 * hidden),
        "vocab": c.whole("vocab_size", high=MAX_VOCAB),
    }


def opt(c: Config) -> Numbers:
    hidden = c.whole("hidden_size")
    heads = c.whole("num_attention_heads", high=MAX_HEADS)
    if hidden % heads:
        c.fail("hidden_size", f"is no multiple of the {heads:g} attention heads")
    if c.whole("word_embed_proj_dim", default=hidden) != hidden:
        c.fail("word_embed_proj_dim", "an embedding narrower than the network is not covered by the rules")
    c.must_be("do_layer_norm_before", True, True)
    c.must_be("_remove_final_layer_norm", False, False)
    bias = c.flag("enable_bias", True)
    return {
        "tied": c.flag("tie_word_embeddings", True),
        "positions": c.whole("max_position_embeddings", high=MAX_VOCAB) + 2,
        "qkv_bias": bias,
        "linear_bias": bias,
        "norm_vectors": 2.0 if c.flag("layer_norm_elementwise_affine", True) else 0.0,
        "ffn_matrices": 2.0,
        "layers": c.layers("num_hidden_layers"),
        "hidden": hidden,
        "heads": heads,
        "kv_heads": heads,
        "head_dim": hidden / heads,
        "ffn_hidden": c.whole("ffn_dim"),
        "vocab": c.whole("vocab_size", high=MAX_VOCAB),
    }


def bloom(c: Config) -> Numbers:
    hidden = c.whole("hidden_size", "n_embed")
    heads = c.whole("n_head", "num_attention_heads", high=MAX_HEADS)
    if hidden % heads:
        c.fail("hidden_size", f"is no multiple of the {heads:g} attention heads")
    return {
        "tied": c.flag("tie_word_embeddings", True),
        "positions": 0.0,
        "qkv_bias": 1.0,
        "linear_bias": 1.0,
        "norm_vectors": 2.0,
        "embedding_norms": 1.0,
        "ffn_matrices": 2.0,
        "layers": c.layers("n_layer", "num_hidden_layers"),
        "hidden": hidden,
        "heads": heads,
        "kv_heads": heads,
        "head_dim": hidden / heads,
        "ffn_hidden": 4 * hidden,
        "vocab": c.whole("vocab_size", high=MAX_VOCAB),
    }


def stablelm(c: Config) -> Numbers:
    c.must_be("qk_layernorm", False, False)
    found = llama_like(c, vectors=2, qkv_bias=bool(c.flag("use_qkv_bias", False)))
    return {**found, "block_norms": 1.0 if c.flag("use_parallel_residual", False) else 2.0}


def starcoder2(c: Config) -> Numbers:
    bias = c.flag("use_bias", True)
    found = llama_like(c, tied=True, kv_default=2, matrices=2, vectors=2, qkv_bias=bool(bias))
    found |= {"linear_bias": bias, "output_bias": bias}
    return {**found, **windows(c, found["layers"], window_of(c), found["layers"])}


def olmo(c: Config) -> Numbers:
    return llama_like(c, vectors=0)


def olmo2(c: Config) -> Numbers:
    found = llama_like(c)
    return {**found, "qk_norm_width": (found["heads"] + found["kv_heads"]) * found["head_dim"]}


def cohere(c: Config) -> Numbers:
    c.must_be("use_qk_norm", False, False)
    return {**llama_like(c, tied=True), "block_norms": 1.0}


def smollm3(c: Config) -> Numbers:
    c.has("no_rope_layers")
    c.has("no_rope_layer_interval")
    found = llama_like(c, tied=True, kv_default=4)
    return {**found, **qwen_windows(c, found["layers"])}


def granite(c: Config) -> Numbers:
    return llama_like(c)


READERS: dict[str, Reader] = {
    "LlamaForCausalLM": llama,
    "MistralForCausalLM": mistral,
    "Qwen2ForCausalLM": qwen2,
    "Qwen3ForCausalLM": qwen3,
    "GemmaForCausalLM": gemma,
    "Gemma2ForCausalLM": gemma2,
    "Gemma3ForCausalLM": gemma3,
    "PhiForCausalLM": phi,
    "Phi3ForCausalLM": phi3,
    "GPT2LMHeadModel": gpt2,
    "GPTJForCausalLM": gptj,
    "GPTNeoXForCausalLM": gpt_neox,
    "FalconForCausalLM": falcon,
    "OPTForCausalLM": opt,
    "BloomForCausalLM": bloom,
    "StableLmForCausalLM": stablelm,
    "Starcoder2ForCausalLM": starcoder2,
    "OlmoForCausalLM": olmo,
    "Olmo2ForCausalLM": olmo2,
    "CohereForCausalLM": cohere,
    "SmolLM3ForCausalLM": smollm3,
    "GraniteForCausalLM": granite,
}

"""config.json of decoders that name their fields in ways of their own, many of them on the hub with code.

Biases and normalisations are those of modeling_<name>.py of the transformers library or of the hub; tests
hold the counts to those that are published.
"""

from __future__ import annotations

from advisor.model.config import MAX_HEADS, MAX_VOCAB, Config, Numbers, Reader
from advisor.model.decoders import gpt2, llama_like

_FOUNDRY = (
    "init_config", "init_device", "emb_pdrop", "embedding_fraction", "verbose", "norm_type", "max_seq_len",
    "use_pad_tok_in_ffn", "tokenizer_name",
)  # fmt: skip
"""Fields of MPT that say nothing of its size."""


def internlm2(c: Config) -> Numbers:
    bias = c.flag("bias", False)
    return {**llama_like(c), "qkv_bias": bias, "output_bias": bias}


def baichuan(c: Config) -> Numbers:
    c.has("model_max_length")
    c.has("z_loss_weight")
    return llama_like(c)


def nemotron(c: Config) -> Numbers:
    """Plain blocks with squared ReLU; its layer norm has a scale and a shift."""
    return llama_like(c, matrices=2, vectors=2)


def glm(c: Config) -> Numbers:
    return llama_like(c, kv_default=2, head_dim=128, qkv_bias=bool(c.flag("attention_bias", True)))


def glm4(c: Config) -> Numbers:
    return {**glm(c), "block_norms": 4.0}


def qwen(c: Config) -> Numbers:
    """The first Qwen: its intermediate_size counts both halves of the gated block."""
    for key in (
        "kv_channels", "seq_length", "bf16", "fp16", "fp32", "use_flash_attn", "use_dynamic_ntk",
        "use_logn_attn", "use_cache_quantization", "use_cache_kernel", "softmax_in_fp32", "onnx_safe",
        "emb_dropout_prob", "attn_dropout_prob", "tokenizer_type",
    ):  # fmt: skip
        c.has(key)
    c.must_be("no_bias", True, True)
    found = llama_like(c, qkv_bias=True)
    if found["ffn_hidden"] % 2:
        c.fail("intermediate_size", "is no even number, and counts both halves of the gated block")
    return {**found, "ffn_hidden": found["ffn_hidden"] / 2}


def mpt(c: Config, foundry: bool = False) -> Numbers:
    """By default ALiBi and no bias; learned positions and biases in llm-foundry's own files."""
    hidden, heads = c.whole("d_model"), c.whole("n_heads", high=MAX_HEADS)
    if hidden % heads:
        c.fail("d_model", f"is no multiple of the {heads:g} attention heads")
    attention = c.inner("attn_config")
    computed = attention.flag("alibi", not foundry) or attention.flag("rope", False) or not foundry
    kv = attention.whole("kv_n_heads", default=heads, high=MAX_HEADS)
    if heads % kv:
        c.fail("attn_config", f"has {kv:g} key and value heads, which do not divide the {heads:g} heads")
    c.inner("ffn_config").must_be("ffn_type", "mptmlp", "mptmlp")
    learned = c.flag("learned_pos_emb", True) and not computed
    for key in _FOUNDRY:
        c.has(key)
    bias = 1.0 - c.flag("no_bias", not foundry)
    return {
        "tied": c.flag("tie_word_embeddings", True),
        "positions": c.whole("max_seq_len", default=2048, high=MAX_VOCAB) if learned else 0.0,
        "qkv_bias": bias,
        "linear_bias": bias,
        "norm_vectors": 1.0 + bias,
        "ffn_matrices": 2.0,
        "layers": c.layers("n_layers"),
        "hidden": hidden,
        "heads": heads,
        "kv_heads": kv,
        "head_dim": hidden / heads,
        "ffn_hidden": c.whole("expansion_ratio", default=4, high=1000) * hidden,
        "vocab": c.whole("vocab_size", high=MAX_VOCAB),
    }


def mpt_foundry(c: Config) -> Numbers:
    return mpt(c, foundry=True)


def gpt_bigcode(c: Config) -> Numbers:
    """GPT-2 with one key and value head for all queries."""
    found = gpt2(c)
    return {**found, "kv_heads": 1.0 if c.flag("multi_query", True) else found["heads"]}


READERS: dict[str, Reader] = {
    "InternLM2ForCausalLM": internlm2,
    "BaichuanForCausalLM": baichuan,
    "BaiChuanForCausalLM": baichuan,
    "NemotronForCausalLM": nemotron,
    "GlmForCausalLM": glm,
    "Glm4ForCausalLM": glm4,
    "QWenLMHeadModel": qwen,
    "MptForCausalLM": mpt,
    "MPTForCausalLM": mpt_foundry,
    "GPTBigCodeForCausalLM": gpt_bigcode,
}

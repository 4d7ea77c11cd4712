"""config.json of encoders and encoder-decoder networks. Task heads are not counted, the pooler is."""

from __future__ import annotations

from advisor.model.config import MAX_HEADS, MAX_VOCAB, Config, Numbers, Reader


def _widths(c: Config, hidden_key: str, layers_key: str, heads_key: str, ffn_key: str) -> Numbers:
    hidden = c.whole(hidden_key)
    heads = c.whole(heads_key, high=MAX_HEADS)
    if hidden % heads:
        c.fail(hidden_key, f"is no multiple of the {heads:g} attention heads")
    return {
        "layers": c.layers(layers_key),
        "hidden": hidden,
        "heads": heads,
        "kv_heads": heads,
        "head_dim": hidden / heads,
        "ffn_hidden": c.whole(ffn_key),
        "vocab": c.whole("vocab_size", high=MAX_VOCAB),
    }


def bert(c: Config) -> Numbers:
    c.must_be("is_decoder", False, False)
    c.must_be("position_embedding_type", "absolute", "absolute")
    types = c.whole("type_vocab_size", default=2, low=0)
    return {
        "token_types": types,
        "qkv_bias": 1.0,
        "linear_bias": 1.0,
        "norm_vectors": 2.0,
        "ffn_matrices": 2.0,
        "pooler": 1.0,
        "positions": c.whole("max_position_embeddings", high=MAX_VOCAB),
        **_widths(c, "hidden_size", "num_hidden_layers", "num_attention_heads", "intermediate_size"),
    }


def electra(c: Config) -> Numbers:
    found = bert(c)
    if c.whole("embedding_size", default=found["hidden"]) != found["hidden"]:
        c.fail("embedding_size", "an embedding narrower than the network is not covered by the rules")
    return {**found, "pooler": 0.0}


def distilbert(c: Config) -> Numbers:
    return {
        "token_types": 0.0,
        "qkv_bias": 1.0,
        "linear_bias": 1.0,
        "norm_vectors": 2.0,
        "ffn_matrices": 2.0,
        "pooler": 0.0,
        "positions": c.whole("max_position_embeddings", high=MAX_VOCAB),
        **_widths(c, "dim", "n_layers", "n_heads", "hidden_dim"),
    }


def modernbert(c: Config) -> Numbers:
    found = _widths(c, "hidden_size", "num_hidden_layers", "num_attention_heads", "intermediate_size")
    for key in ("attention_bias", "mlp_bias", "norm_bias"):
        c.must_be(key, False, False)
    every = c.layers("global_attn_every_n_layers", default=3)
    layers = found["layers"]
    types = c.words("layer_types", ("full_attention", "sliding_attention"), layers)
    local = (
        layers - (layers + every - 1) // every if types is None else float(types.count("sliding_attention"))
    )
    return {
        "token_types": 0.0,
        "qkv_bias": 0.0,
        "linear_bias": 0.0,
        "norm_vectors": 1.0,
        "ffn_matrices": 3.0,
        "pooler": 0.0,
        "positions": 0.0,
        **found,
        "window": c.whole("local_attention", "sliding_window", default=128),
        "window_layers": local,
    }


def t5(c: Config) -> Numbers:
    hidden = c.whole("d_model")
    heads = c.whole("num_heads", high=MAX_HEADS)
    layers = c.layers("num_layers")
    kinds = ("relu", "gated-gelu", "gated-silu", "gelu")
    gated = c.word("feed_forward_proj", "relu", kinds).startswith("gated")
    for key in ("is_gated_act", "dense_act_fn", "relative_attention_max_distance", "n_positions"):
        c.has(key)
    return {
        "tied": c.flag("tie_word_embeddings", True),
        "positions": 0.0,
        "decoder_positions": 0.0,
        "qkv_bias": 0.0,
        "linear_bias": 0.0,
        "norm_vectors": 1.0,
        "final_norms": 1.0,
        "embedding_norms": 0.0,
        "ffn_matrices": 3.0 if gated else 2.0,
        "layers": layers,
        "decoder_layers": c.layers("num_decoder_layers", default=layers),
        "hidden": hidden,
        "heads": heads,
        "kv_heads": heads,
        "head_dim": c.whole("d_kv", default=64),
        "relative_buckets": c.whole("relative_attention_num_buckets", default=32),
        "ffn_hidden": c.whole("d_ff"),
        "vocab": c.whole("vocab_size", high=MAX_VOCAB),
    }


def bart(c: Config) -> Numbers:
    hidden = c.whole("d_model")
    heads = c.whole("encoder_attention_heads", high=MAX_HEADS)
    if hidden % heads:
        c.fail("d_model", f"is no multiple of the {heads:g} attention heads")
    ffn = c.whole("encoder_ffn_dim")
    if c.whole("decoder_ffn_dim") != ffn or c.whole("decoder_attention_heads", high=MAX_HEADS) != heads:
        c.fail("decoder_ffn_dim", "a decoder of other widths than the encoder is not covered by the rules")
    positions = c.whole("max_position_embeddings", high=MAX_VOCAB) + 2
    layers = c.layers("encoder_layers")
    c.has("num_hidden_layers")
    return {
        "tied": c.flag("tie_word_embeddings", True),
        "positions": positions,
        "decoder_positions": positions,
        "qkv_bias": 1.0,
        "linear_bias": 1.0,
        "norm_vectors": 2.0,
        "final_norms": 0.0,
        "embedding_norms": 1.0,
        "ffn_matrices": 2.0,
        "layers": layers,
        "decoder_layers": c.layers("decoder_layers"),
        "hidden": hidden,
        "heads": heads,
        "kv_heads": heads,
        "head_dim": hidden / heads,
        "relative_buckets": 0.0,
        "ffn_hidden": ffn,
        "vocab": c.whole("vocab_size", high=MAX_VOCAB),
    }


_TASKS = (
    "Model",
    "ForMaskedLM",
    "ForSequenceClassification",
    "ForTokenClassification",
    "ForQuestionAnswering",
)


def _each(name: str, reader: Reader, *more: str) -> dict[str, Reader]:
    return {name + task: reader for task in (*_TASKS, *more)}


ENCODERS: dict[str, Reader] = {
    **_each("Bert", bert, "ForPreTraining", "ForMultipleChoice", "ForNextSentencePrediction"),
    **_each("Roberta", bert),
    **_each("XLMRoberta", bert),
    **_each("Camembert", bert),
    **_each("Electra", electra, "ForPreTraining"),
    **_each("DistilBert", distilbert),
    **_each("ModernBert", modernbert),
}
ENCODER_DECODERS: dict[str, Reader] = {
    "T5ForConditionalGeneration": t5,
    "T5WithLMHeadModel": t5,
    "MT5ForConditionalGeneration": t5,
    "BartForConditionalGeneration": bart,
    "BartModel": bart,
}

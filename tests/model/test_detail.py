"""How a config.json says that blocks are written."""

from __future__ import annotations

from advisor.model.detail import details

_PLAIN = {"ffn_matrices": 2.0, "layers": 2.0, "norm_vectors": 2.0}


def test_what_the_file_says() -> None:
    said = {"activation_function": "relu", "dropout": 0.0}
    assert details("OPTForCausalLM", said, _PLAIN) == {"relu": 1.0, "dropout": 0.0, "separate_qkv": 1.0}
    assert details("GPT2LMHeadModel", {"resid_pdrop": 0.1}, _PLAIN) == {"gelu_spelt": 1.0, "dropout": 1.0}


def test_a_fused_gelu_is_none_that_is_spelt_out() -> None:
    fused = details("GPT2LMHeadModel", {"activation_function": "gelu_pytorch_tanh"}, _PLAIN)
    assert "gelu_spelt" not in fused


def test_a_gate_has_no_relu_alone() -> None:
    gated = {**_PLAIN, "ffn_matrices": 3.0, "norm_vectors": 1.0}
    found = details("T5ForConditionalGeneration", {"feed_forward_proj": "gated-gelu"}, gated)
    assert found == {"gelu_spelt": 1.0, "dropout": 1.0, "wide_norms": 1.0}
    assert details("LlamaForCausalLM", {"hidden_act": "relu"}, gated) == {}


def test_what_nobody_says_is_left_out() -> None:
    assert details("LlamaForCausalLM", {"hidden_act": "silu"}, {"ffn_matrices": 3.0, "layers": 2.0}) == {}
    assert details("BertModel", {"hidden_act": 7, "hidden_dropout_prob": "0.1"}, _PLAIN) == {}
    assert "parallel_halves" not in details("GPTNeoXForCausalLM", {"use_parallel_residual": False}, _PLAIN)

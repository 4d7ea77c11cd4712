# ruff: noqa: E501 - a config a line
"""config.json -> Model: the usual architectures, each wrong value named, nothing ever a traceback."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from advisor.data.files import shipped
from advisor.data.unread import unread_note
from advisor.errors import DataError, UserError
from advisor.estimate import Table, evaluate
from advisor.model import ARCHITECTURES, find_config, model_of_size, parse_hf_config, read_hf_config
from advisor.rulebook import RuleBook, load_book
from advisor.schema import Model

PATH = Path("config.json")
# As the hub has them, cut to what matters; the counts are those of the model cards.
LLAMA = {
    "architectures": ["LlamaForCausalLM"], "hidden_size": 4096, "intermediate_size": 14336, "vocab_size": 128256,
    "num_attention_heads": 32, "num_hidden_layers": 32, "num_key_value_heads": 8, "rope_theta": 500000.0,
    "torch_dtype": "bfloat16", "attention_bias": False, "pretraining_tp": 1, "tie_word_embeddings": False,
}  # fmt: skip
KNOWN: list[tuple[dict[str, Any], str, int]] = [
    (LLAMA, "decoder", 8_030_261_248),
    ({"architectures": ["GPT2LMHeadModel"], "n_ctx": 1024, "n_embd": 768, "n_head": 12, "n_layer": 12, "n_positions": 1024, "vocab_size": 50257}, "decoder", 124_439_808),
    ({"architectures": ["FalconForCausalLM"], "hidden_size": 4544, "multi_query": True, "parallel_attn": True, "new_decoder_architecture": False, "bias": False, "alibi": False, "num_attention_heads": 71, "num_hidden_layers": 32, "vocab_size": 65024}, "decoder", 6_921_720_704),
    ({"architectures": ["Gemma3ForCausalLM"], "head_dim": 256, "hidden_size": 1152, "intermediate_size": 6912, "num_attention_heads": 4, "num_hidden_layers": 26, "num_key_value_heads": 1, "sliding_window": 512, "sliding_window_pattern": 6, "vocab_size": 262144}, "decoder", 999_885_952),
    ({"architectures": ["InternLM2ForCausalLM"], "bias": False, "hidden_size": 6144, "intermediate_size": 16384, "num_attention_heads": 48, "num_hidden_layers": 48, "num_key_value_heads": 8, "vocab_size": 92544}, "decoder", 19_861_149_696),
    ({"architectures": ["BaichuanForCausalLM"], "hidden_size": 4096, "intermediate_size": 11008, "model_max_length": 4096, "num_attention_heads": 32, "num_hidden_layers": 32, "vocab_size": 125696, "z_loss_weight": 0}, "decoder", 7_505_973_248),
    ({"architectures": ["NemotronForCausalLM"], "head_dim": 192, "hidden_size": 18432, "intermediate_size": 73728, "num_attention_heads": 96, "num_hidden_layers": 96, "num_key_value_heads": 8, "vocab_size": 256000}, "decoder", 341_029_195_776),
    ({"architectures": ["GlmForCausalLM"], "attention_bias": True, "head_dim": 128, "hidden_size": 4096, "intermediate_size": 13696, "num_attention_heads": 32, "num_hidden_layers": 40, "num_key_value_heads": 2, "vocab_size": 151552}, "decoder", 9_399_951_360),
    ({"architectures": ["QWenLMHeadModel"], "hidden_size": 4096, "intermediate_size": 22016, "kv_channels": 128, "no_bias": True, "num_attention_heads": 32, "num_hidden_layers": 32, "vocab_size": 151936}, "decoder", 7_721_324_544),
    ({"architectures": ["MPTForCausalLM"], "attn_config": {"alibi": True}, "d_model": 4096, "expansion_ratio": 4, "max_seq_len": 2048, "n_heads": 32, "n_layers": 32, "no_bias": True, "vocab_size": 50432}, "decoder", 6_649_286_656),
    ({"architectures": ["GPTBigCodeForCausalLM"], "multi_query": True, "n_embd": 6144, "n_head": 48, "n_inner": 24576, "n_layer": 40, "n_positions": 8192, "vocab_size": 49152}, "decoder", 15_517_456_384),
    ({"architectures": ["MixtralForCausalLM"], "hidden_size": 4096, "intermediate_size": 14336, "num_attention_heads": 32, "num_experts_per_tok": 2, "num_hidden_layers": 32, "num_key_value_heads": 8, "num_local_experts": 8, "sliding_window": None, "vocab_size": 32000}, "moe", 46_702_792_704),
    ({"architectures": ["DeepseekV2ForCausalLM"], "first_k_dense_replace": 1, "hidden_size": 2048, "intermediate_size": 10944, "kv_lora_rank": 512, "moe_intermediate_size": 1408, "moe_layer_freq": 1, "n_routed_experts": 64, "n_shared_experts": 2, "num_attention_heads": 16, "num_experts_per_tok": 6, "num_hidden_layers": 27, "num_key_value_heads": 16, "q_lora_rank": None, "qk_nope_head_dim": 128, "qk_rope_head_dim": 64, "v_head_dim": 128, "vocab_size": 102400}, "moe", 15_706_484_224),
    ({"architectures": ["BertForMaskedLM"], "hidden_size": 768, "intermediate_size": 3072, "max_position_embeddings": 512, "num_attention_heads": 12, "num_hidden_layers": 12, "type_vocab_size": 2, "vocab_size": 30522}, "encoder", 109_482_240),
    ({"architectures": ["T5ForConditionalGeneration"], "d_ff": 2048, "d_kv": 64, "d_model": 768, "feed_forward_proj": "gated-gelu", "num_decoder_layers": 12, "num_heads": 12, "num_layers": 12, "relative_attention_num_buckets": 32, "tie_word_embeddings": False, "vocab_size": 32128}, "encoder_decoder", 247_577_856),
    ({"architectures": ["ViTForImageClassification"], "hidden_size": 768, "image_size": 224, "intermediate_size": 3072, "num_attention_heads": 12, "num_hidden_layers": 12, "patch_size": 16, "qkv_bias": True}, "vit", 86_567_656),
    ({"architectures": ["ResNetForImageClassification"], "depths": [3, 4, 6, 3], "embedding_size": 64, "hidden_sizes": [256, 512, 1024, 2048], "layer_type": "bottleneck"}, "cnn", 25_557_032),
]  # fmt: skip


@pytest.fixture(scope="module")
def book() -> RuleBook:
    return load_book([shipped("rules")])


def count(book: RuleBook, model: Model) -> float | None:
    row = {"family": model.family, "method": "full", **model.numbers}
    return evaluate(book, Table.from_rows(book, [row]), ["params"]).value("params")


@pytest.mark.parametrize(("raw", "family", "params"), KNOWN, ids=lambda v: str(v)[:40])
def test_known_configs(book: RuleBook, raw: dict[str, Any], family: str, params: int) -> None:
    model = parse_hf_config(raw, PATH)
    assert model.family == family
    assert count(book, model) == params
    assert "not used" not in model.source


def test_what_is_not_understood_is_said(tmp_path: Path) -> None:
    (tmp_path / "config.json").write_text(json.dumps({**LLAMA, "mixture_of_depths": 3}), "utf-8")
    model = read_hf_config(tmp_path / "config.json")
    assert "fields not used: mixture_of_depths" in model.source
    assert "not read: mixture_of_depths. If" in unread_note(model)


def test_of_what_is_not_understood_what_may_matter_comes_first() -> None:
    more = {f"a_{at}": at for at in range(12)} | {"attn_every": 7, "mamba_d_state": 16, "temperature": 1.0}
    note = unread_note(parse_hf_config({**LLAMA, **more}, PATH))
    assert "not read: attn_every, mamba_d_state, a_0," in note and "and 2 more" in note
    assert unread_note(parse_hf_config({**LLAMA, "do_sample": True}, PATH)) == ""


def test_an_unknown_architecture_offers_the_nearest() -> None:
    with pytest.raises(UserError) as caught:
        parse_hf_config({**LLAMA, "architectures": ["LamaForCausalLM"]}, PATH)
    assert "Did you mean LlamaForCausalLM" in caught.value.hint
    assert "estimate --trace" in caught.value.hint


@pytest.mark.parametrize(
    ("change", "key"),
    [
        ({"hidden_size": None}, "hidden_size"),
        ({"hidden_size": "4096"}, "hidden_size"),
        ({"hidden_size": True}, "hidden_size"),
        ({"hidden_size": 4096.5}, "hidden_size"),
        ({"hidden_size": -1}, "hidden_size"),
        ({"hidden_size": 10**30}, "hidden_size"),
        ({"hidden_size": float("inf")}, "hidden_size"),
        ({"hidden_size": [1]}, "hidden_size"),
        ({"hidden_size": 4097}, "hidden_size"),
        ({"num_hidden_layers": 10**9}, "num_hidden_layers"),
        ({"num_key_value_heads": 5}, "num_key_value_heads"),
        ({"vocab_size": 0}, "vocab_size"),
        ({"tie_word_embeddings": "yes"}, "tie_word_embeddings"),
        ({"architectures": []}, "architectures"),
        ({"architectures": "LlamaForCausalLM"}, "architectures"),
        ({"architectures": None}, "architectures"),
    ],
)
def test_wrong_values_are_named(change: dict[str, Any], key: str) -> None:
    with pytest.raises(DataError) as caught:
        parse_hf_config({**LLAMA, **change}, PATH)
    assert caught.value.message.startswith(f"config.json: {key}")


@pytest.mark.parametrize(
    "change",
    [
        {"architectures": ["MixtralForCausalLM"], "num_local_experts": 2, "num_experts_per_tok": 4},
        {"architectures": ["OPTForCausalLM"], "word_embed_proj_dim": 512, "max_position_embeddings": 9},
        {"architectures": ["PhiForCausalLM"], "qk_layernorm": True},
        {"architectures": ["Qwen3ForCausalLM"], "use_sliding_window": True, "layer_types": ["linear"] * 32},
    ],
)
def test_variants_that_the_rules_do_not_cover_are_refused(change: dict[str, Any]) -> None:
    with pytest.raises(DataError):
        parse_hf_config({**LLAMA, **change}, PATH)


@pytest.mark.parametrize(
    "text",
    [
        "",
        "[]",
        "null",
        '"x"',
        "{",
        '{"a": NaN}',
        "[" * 100_000,
        '{"hidden_size": 1' + "0" * 5000 + "}",
        "\x00",
    ],
    ids=range(9),
)
def test_files_that_are_no_config(tmp_path: Path, text: str) -> None:
    path = tmp_path / "config.json"
    path.write_text(text, "utf-8")
    with pytest.raises(DataError, match=r"config\.json"):
        read_hf_config(path)


def test_huge_binary_and_missing_files(tmp_path: Path) -> None:
    path = tmp_path / "config.json"
    with pytest.raises(UserError, match="cannot read"):
        read_hf_config(path)
    path.write_bytes(b"\xff\xfe\x00")
    with pytest.raises(DataError, match="UTF-8"):
        read_hf_config(path)
    path.write_bytes(b" " * 2**21)
    with pytest.raises(DataError, match="larger than"):
        read_hf_config(path)


KEYS = sorted(
    {key for raw, _, _ in KNOWN for key in raw} | {"layer_types", "sliding_window", "id2label", "n_inner"}
)
LEAVES = st.one_of(
    st.none(), st.booleans(), st.integers(), st.integers(0, 300), st.floats(), st.text(max_size=9),
    st.just("full_attention"),
)  # fmt: skip
VALUES = st.recursive(LEAVES, lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=5), inner, max_size=3), max_leaves=6)  # fmt: skip


@settings(max_examples=400, deadline=None)
@given(
    architecture=st.sampled_from(sorted(ARCHITECTURES)), fields=st.dictionaries(st.sampled_from(KEYS), VALUES)
)
def test_any_json_gives_a_model_or_says_why_not(architecture: str, fields: dict[str, Any]) -> None:
    try:
        model = parse_hf_config({**fields, "architectures": [architecture]}, PATH)
    except UserError as error:
        assert error.message
        return
    assert model.numbers and all(value >= 0 for value in model.numbers.values())


@settings(max_examples=300, deadline=None)
@given(base=st.sampled_from([raw for raw, _, _ in KNOWN]), data=st.data())
def test_a_config_with_some_values_changed(book: RuleBook, base: dict[str, Any], data: st.DataObject) -> None:
    changes = data.draw(
        st.dictionaries(st.sampled_from(sorted(set(base) - {"architectures"})), VALUES, max_size=2)
    )
    try:
        model = parse_hf_config({**base, **changes}, PATH)
    except UserError:
        return
    assert (count(book, model) or 0) > 0


@settings(max_examples=100, deadline=None)
@given(raw=st.dictionaries(st.text(max_size=20), VALUES) | VALUES)
def test_any_file(tmp_path_factory: pytest.TempPathFactory, raw: object) -> None:
    path = tmp_path_factory.mktemp("any") / "config.json"
    path.write_text(json.dumps(raw), "utf-8")
    with pytest.raises(UserError):
        read_hf_config(path)


class TestFind:
    def cache(self, folder: Path, commit: str = "abc123") -> Path:
        path = folder / "models--org--name" / "snapshots" / commit / "config.json"
        path.parent.mkdir(parents=True)
        path.write_text(json.dumps(LLAMA), "utf-8")
        return path

    def test_a_file_a_folder_and_an_id_in_the_cache(self, tmp_path: Path) -> None:
        path = self.cache(tmp_path)
        assert find_config(str(path)) == path
        assert find_config(str(path.parent)) == path
        assert find_config("org/name", tmp_path) == path
        assert read_hf_config(path).id == "org/name"

    def test_the_commit_of_main_is_taken(self, tmp_path: Path) -> None:
        wanted = self.cache(tmp_path, "abc")
        self.cache(tmp_path, "def")
        refs = tmp_path / "models--org--name" / "refs"
        refs.mkdir()
        (refs / "main").write_text("abc", "utf-8")
        assert find_config("org/name", tmp_path) == wanted

    @pytest.mark.parametrize("name", ["org/other", "../../etc", "a/b/c", "org/..", "", "x" * 300])
    def test_what_is_not_there(self, tmp_path: Path, name: str) -> None:
        try:
            assert find_config(name, tmp_path) is None
        except UserError as error:
            assert error.message

    def test_paths_that_lead_nowhere(self, tmp_path: Path) -> None:
        with pytest.raises(UserError, match="no file"):
            find_config(str(tmp_path / "config.json"))
        with pytest.raises(UserError, match="holds no"):
            find_config(str(tmp_path))

    @settings(max_examples=100, deadline=None)
    @given(name=st.text(max_size=40))
    def test_any_name(self, name: str) -> None:
        try:
            find_config(name, Path("/nonexistent"))
        except UserError as error:
            assert error.message


def test_size_alone(book: RuleBook) -> None:
    model = model_of_size(7e9)
    row = {"family": model.family, "method": "full", "seq_len": 1000.0, **model.numbers}
    table = evaluate(book, Table.from_rows(book, [row]), ["params", "model_flops_per_sample"])
    assert table.value("params") == 7e9
    assert table.value("model_flops_per_sample") == pytest.approx(6 * 7e9 * 1000)
    for absurd in (0.0, 1e30, float("nan"), -7e9):
        with pytest.raises(UserError):
            model_of_size(absurd)


@pytest.mark.parametrize(
    ("kind", "like"),
    [("llama", "LlamaForCausalLM"), ("qwen2", "Qwen2ForCausalLM"), ("mistral", "MistralForCausalLM")],
)
def test_a_file_without_architectures_is_read_by_its_model_type(kind: str, like: str) -> None:
    raw = {name: value for name, value in LLAMA.items() if name != "architectures"}
    found = parse_hf_config({**raw, "model_type": kind}, PATH)
    assert found == parse_hf_config({**raw, "architectures": [like]}, PATH)
    with pytest.raises(UserError, match="model_type: 'unheard-of' is not covered"):
        parse_hf_config({**raw, "model_type": "unheard-of"}, PATH)


@pytest.mark.parametrize(
    ("raw", "near", "instead"),
    [
        (
            {"architectures": ["Gemma3ForConditionalGeneration"], "text_config": {}},
            "Gemma3ForCausalLM",
            "text part",
        ),
        ({"architectures": ["Mamba2ForCausalLM"]}, "", "or give code"),
        ({"architectures": ["SegformerForSemanticSegmentation"]}, "", "or give code"),
    ],
)
def test_a_network_that_no_reader_covers_says_what_else_would_do(
    raw: dict[str, object], near: str, instead: str
) -> None:
    with pytest.raises(UserError, match="is not covered") as raised:
        parse_hf_config(raw, PATH)
    assert ("Did you mean" in raised.value.hint) is bool(near) and near in raised.value.hint
    assert "--trace" in raised.value.hint and instead in raised.value.hint


def test_a_file_may_begin_with_a_byte_order_mark(tmp_path: Path) -> None:
    path = tmp_path / "config.json"
    path.write_text(json.dumps(LLAMA), "utf-8-sig")
    assert read_hf_config(path).family == "decoder"

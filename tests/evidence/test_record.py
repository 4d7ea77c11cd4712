"""Lines of any content give a record or a reason; files of any content end in a line for the user."""

from __future__ import annotations

import json
import math
import sys
import tracemalloc
from pathlib import Path

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from advisor.data.files import shipped
from advisor.errors import UserError
from advisor.evidence import record as module
from advisor.evidence.record import QUANTITIES, Record, Refusal, read_files, read_records, record_of

ROW = {
    "id": "one", "vendor": "nvidia", "accelerator": "A100-SXM4-80GB", "num_accelerators": 8,
    "family": "decoder", "model": "made up", "layers": 32, "hidden": 4096, "heads": 32, "kv_heads": 8,
    "seq_len": 2048, "global_batch": 64, "micro_batch": 2, "precision": "bf16", "step_time_s": 4.0,
}  # fmt: skip

NAMES = [*module._LIMITS, *module._FLAGS, *module._TEXTS]
SCALARS = st.one_of(
    st.none(), st.booleans(), st.integers(), st.integers(min_value=10**300, max_value=10**320),
    st.floats(allow_nan=True, allow_infinity=True), st.text(max_size=20),
    st.text(st.characters(categories=["Cs", "Cc"]), max_size=4),
    st.sampled_from([1e30, -1, 0, 2**63, "", "bf16", "8", "A100", "\ud800", "\x1b[31m"]),
)  # fmt: skip
VALUES = st.recursive(
    SCALARS,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner, max_size=3),
    max_leaves=8,
)
OBJECTS = st.dictionaries(st.sampled_from(NAMES) | st.text(max_size=8), VALUES, max_size=12)


def of(**more: object) -> Record | Refusal:
    return record_of(json.dumps({**ROW, **more}), "line 7")


def reason(**more: object) -> str:
    found = of(**more)
    assert isinstance(found, Refusal), found
    return found.reason


def sound(found: Record | Refusal) -> None:
    """What holds of every answer: it can be written as UTF-8, and its figures are within bounds."""
    assert 0 < len(found.id) <= 200
    assert found.id.isprintable()
    if isinstance(found, Refusal):
        assert found.reason.encode("utf-8")
        assert len(found.reason) < 400
        assert found.quantities
        assert set(found.quantities) <= set(QUANTITIES)
        return
    assert set(found.values) <= set(NAMES)
    for name, value in found.values.items():
        if name in module._LIMITS:
            low, high = module._LIMITS[name]
            assert math.isfinite(value)
            assert low <= value <= high
        elif name in module._TEXTS:
            assert value.encode("utf-8")
        else:
            assert isinstance(value, bool)


@given(
    st.binary(max_size=200) | st.text(max_size=200).map(lambda text: text.encode("utf-8", "surrogatepass"))
)
@example(b"{" * 100)
@example(b'{"id": "\xed\xa0\x80", "num_accelerators": 1}')
@example(b'\xef\xbb\xbf{"id": "with a byte order mark"}')
def test_any_line_is_a_record_or_refused(line: bytes) -> None:
    sound(record_of(line, "line 1"))


@given(OBJECTS)
def test_any_object_is_a_record_or_refused(raw: dict[str, object]) -> None:
    sound(record_of(json.dumps(raw), "line 1"))


@given(st.fixed_dictionaries({}, optional=dict.fromkeys(NAMES, VALUES)))
def test_any_change_of_a_good_row_is_a_record_or_refused(change: dict[str, object]) -> None:
    sound(of(**change))


@pytest.mark.parametrize("depth", [*range(200, 1000, 37), 5_000, 30_000])
@pytest.mark.parametrize("around", ["%s", '{"layers": %s}', '{"notes": %s}', '{"unknown": %s}'])
def test_nesting_of_any_depth_ends(depth: int, around: str) -> None:
    sound(record_of(around % ("[" * depth + "]" * depth), "line 1"))
    sound(record_of(around % ('{"a":' * depth + "1" + "}" * depth), "line 1"))


def test_nesting_just_within_the_parser_is_shown_too() -> None:
    """The text of a value nests deeper than its parsing did: both ways to fail are refusals."""
    for depth in range(sys.getrecursionlimit() - 150, sys.getrecursionlimit() + 20, 2):
        found = record_of('{"layers": ' + "[" * depth + "]" * depth + "}", "line 1")
        assert isinstance(found, Refusal)


def test_a_good_row_is_read_as_it_stands() -> None:
    found = of(notes="  text ", compile=False, unknown_field=[1], interconnect=None)
    assert isinstance(found, Record)
    assert found.number("layers") == 32.0
    assert found.flag("compile") is False
    assert found.flag("flash_attention") is None
    assert found.text("notes") == "text"
    assert found.text("interconnect") == ""
    assert found.number("params") is None


@pytest.mark.parametrize("name", sorted(module._LIMITS))
@pytest.mark.parametrize("value", [-1, 1e30, math.nan, math.inf, 10**400, "8", True, [8], {"a": 1}])
def test_every_figure_is_bounded_and_typed(name: str, value: object) -> None:
    assert name in reason(**{name: value})


@pytest.mark.parametrize(
    ("more", "words"),
    [
        ({"kv_heads": 64}, "kv_heads = 64 is more than heads = 32"),
        ({"active_params": 8e9, "params": 7e9}, "active_params"),
        ({"top_k": 9, "num_experts": 8}, "top_k"),
        ({"micro_batch": 65}, "micro_batch = 65 is more than global_batch = 64"),
        ({"pp": 33}, "pp = 33 is more than layers = 32"),
        ({"layers": 2.5}, "layers = 2.5 is not a whole number"),
        ({"num_accelerators": 1.5}, "not a whole number"),
        # 64 sequences of 2048 in 4 s on 8 devices are 4096 tokens a second on each
        ({"tokens_per_s_per_device": 40960.0}, "differ by a factor of 10"),
        ({"samples_per_s_per_device": 0.2}, "differ by a factor of 10"),
        ({"tp": 64}, "tp = 64 does not part heads = 32"),
        ({"cp": 3}, "cp = 3 does not part seq_len = 2048"),
        ({"num_experts": 8, "top_k": 2, "ep": 3}, "ep = 3 does not part num_experts = 8"),
        ({"pp": 1, "vpp": 2}, "vpp = 2 needs a pipeline, pp is 1"),
        ({"pp": 8, "vpp": 5}, "pp x vpp = 40 stages are more than layers = 32"),
        ({"dp": 8, "micro_batch": 16}, "micro_batch x dp = 128 is more than global_batch = 64"),
        ({"mfu": 1.2}, "mfu = 1.2 is outside"),
        ({"flash_attention": "yes"}, "neither true nor false"),
        ({"model": 7}, "model = 7 is not a text"),
        ({"model": "\ud83d"}, "not valid Unicode"),
    ],
)
def test_what_cannot_be_true_is_refused(more: dict[str, object], words: str) -> None:
    assert words in reason(**more)


def test_figures_that_agree_are_kept() -> None:
    found = of(tokens_per_s_per_device=4100.0, samples_per_s_per_device=2.0)
    assert isinstance(found, Record)


def test_a_field_that_stands_twice_is_refused() -> None:
    found = record_of('{"id": "a", "global_batch": 8, "global_batch": 16}', "line 3")
    assert found == Refusal("line 3", "the field 'global_batch' stands twice")


@pytest.mark.parametrize("given_id", ["", 7, None, "\x1b[2J", "a\nb", "x" * 201, "\ud800"])
def test_an_id_that_cannot_be_shown_becomes_its_line(given_id: object) -> None:
    assert of(id=given_id).id == "line 7"


def test_a_refused_row_is_refused_for_all_that_it_measured() -> None:
    found = of(layers=-1, peak_mem_gib=20.0, fits=True)
    assert isinstance(found, Refusal)
    assert found.quantities == ("step_time_s", "peak_mem_gib", "fits")
    alone = record_of('{"layers": -1, "total_time_h": 5}', "line 1")
    assert isinstance(alone, Refusal)
    assert alone.quantities == ("total_time_h",)


def test_a_pipeline_may_be_uneven_and_count_embedding_and_loss() -> None:
    assert isinstance(of(pp=6), Record)
    assert isinstance(of(pp=2, vpp=17), Record)
    assert isinstance(of(global_batch=63.98, dp=8, micro_batch=8), Record)  # a rounded mean


# ---- files --------------------------------------------------------------------------------------------


def written(tmp_path: Path, content: bytes) -> Path:
    path = tmp_path / "rows.jsonl"
    path.write_bytes(content)
    return path


@given(content=st.binary(max_size=300))
@example(content=b"")
@example(content=b"\n\n \n")
@example(content=b"\x1f\x8b\x08rest")
@example(content=b"\xff\xfe{\x00")
def test_any_file_gives_answers_or_one_error(
    tmp_path_factory: pytest.TempPathFactory, content: bytes
) -> None:
    path = written(tmp_path_factory.mktemp("any"), content)
    try:
        for found in read_records(path):
            sound(found)
    except UserError as error:
        assert str(path) in error.message
        assert error.hint


@pytest.mark.parametrize("end", [b"", b"\n", b"\r\n", b"\n\n\n"])
def test_lines_end_as_they_like(tmp_path: Path, end: bytes) -> None:
    line = json.dumps(ROW).encode()
    found = list(read_records(written(tmp_path, line + b"\n" + line + end)))
    assert [type(one) for one in found] == [Record, Record]


def test_a_line_too_long_is_refused_and_the_next_one_read(tmp_path: Path) -> None:
    long = json.dumps({**ROW, "notes": "x" * 200_000}).encode()
    found = list(read_records(written(tmp_path, long + b"\n" + json.dumps(ROW).encode())))
    assert isinstance(found[0], Refusal)
    assert "longer than" in found[0].reason
    assert isinstance(found[1], Record)


def test_a_line_without_end_is_an_error(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "_LONGEST_SKIPPED", 3 * module.MAX_LINE_BYTES)
    with pytest.raises(UserError, match="a line of more than"):
        list(read_records(written(tmp_path, b"x" * 6 * module.MAX_LINE_BYTES)))


def test_a_million_lines_are_refused_before_any_is_read(tmp_path: Path) -> None:
    path = written(tmp_path, b"{}\n" * 1_000_000)
    with pytest.raises(UserError, match="more than 200,000 lines"):
        next(read_records(path))


@pytest.mark.parametrize(
    ("content", "words"),
    [(b"\x1f\x8b\x08", "packed"), (b"PK\x03\x04", "packed"), (b"\x7fELF\x00", "not a text file")],
)
def test_binary_files_are_errors(tmp_path: Path, content: bytes, words: str) -> None:
    with pytest.raises(UserError, match=words):
        list(read_records(written(tmp_path, content)))


def test_an_id_that_stands_twice_is_refused_the_second_time(tmp_path: Path) -> None:
    lines = [
        ROW,
        {**ROW, "peak_mem_gib": 20.0},
        {**ROW, "layers": -1},
        {**ROW, "id": None},
        {**ROW, "id": None},
    ]
    path = written(tmp_path, "\n".join(json.dumps(line) for line in lines).encode())
    found = list(read_files([path, path]))
    good = [one.id for one in found if isinstance(one, Record)]
    assert good == ["one", *["line 4", "line 5"] * 2]
    told = [one for one in found if isinstance(one, Refusal) and "stands before" in one.reason]
    assert [one.quantities for one in told] == [
        ("step_time_s", "peak_mem_gib"), ("step_time_s",), ("step_time_s", "peak_mem_gib"),
    ]  # fmt: skip
    assert told[0].reason == "a record of this id stands before, in rows.jsonl"


def test_a_line_of_ten_megabytes_costs_no_memory(tmp_path: Path) -> None:
    path = written(tmp_path, b'{"id": "' + b"x" * 10_000_000 + b'"}\n' + json.dumps(ROW).encode())
    tracemalloc.start()
    found = list(read_records(path))
    assert tracemalloc.get_traced_memory()[1] < 3_000_000
    tracemalloc.stop()
    assert [type(one) for one in found] == [Refusal, Record]


@pytest.mark.parametrize("start", [b"\xef\xbb\xbf", b""])
def test_a_byte_order_mark_is_no_part_of_the_record(tmp_path: Path, start: bytes) -> None:
    found = list(read_records(written(tmp_path, start + json.dumps(ROW).encode() + b"\r\n")))
    assert [one.id for one in found] == ["one"]


def test_a_folder_and_a_missing_file_are_errors(tmp_path: Path) -> None:
    for path in (tmp_path, tmp_path / "none.jsonl"):
        with pytest.raises(UserError, match="cannot read"):
            list(read_records(path))


def test_every_shipped_row_is_a_record() -> None:
    found = [one for path in (shipped("rules") / "evidence").glob("*.jsonl") for one in read_records(path)]
    assert len(found) > 2500
    assert [one for one in found if isinstance(one, Refusal)] == []

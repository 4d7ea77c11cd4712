# ruff: noqa: E501 - a kind of value an item
"""The fast reader of plain TOML says what the full parser says, or nothing."""

from __future__ import annotations

import tomllib

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from advisor.data.files import shipped
from advisor.data.flat import flat_toml

WORDS = st.sampled_from(
    ["a", "b-1", "c_2", "7", "[t]", "[[t]]", "[a]", "=", '"x"', '"', "#", "\\", "\t", " ", "\r"]
)
VALUES = st.sampled_from(
    ["1", "-2", "+3", "01", "1_0", "1.5", "1.", ".5", "1e3", "1E+3", "0x1", "inf", "true", "True", '"t # u"', '"\\n"', '"a\\"b\\\\"', '"\\\\n"', "'q'",
     "[]", '["a"]', '["a", "b"]', '["a",]', "[1]", "2026-01-02", "{}", '""', '"""x"""', '"é"', '"\x7f"']
)  # fmt: skip
LINES = st.one_of(
    st.builds(lambda key, value, tail: f"{key} = {value}{tail}", st.sampled_from("abc"), VALUES, st.sampled_from(["", " # z", "#"])),
    st.sampled_from(["", "# c", "[t]", "[[t]]", "[u]", "[t.u]", " [t]", "[[ t ]]", "# \x01", "a.b = 1", '"a" = 1']),
    st.lists(WORDS, max_size=6).map("".join),
)  # fmt: skip


@settings(max_examples=600, deadline=None)
@given(st.lists(LINES, max_size=6).map("\n".join))
def test_it_agrees_with_the_full_parser_or_is_silent(text: str) -> None:
    found = flat_toml(text)
    if found is not None:
        full = tomllib.loads(text)
        assert found == full
        assert repr(found) == repr(full)  # 1 is not 1.0, and the order is the same


@pytest.mark.parametrize("part", ["models", "accelerators", "workloads"])
def test_every_shipped_file_reads_the_same(part: str) -> None:
    answered = 0
    paths = sorted((shipped("rules") / part).glob("*.toml"))
    for path in paths:
        text = path.read_text("utf-8")
        found = flat_toml(text)
        assert found is None or found == tomllib.loads(text), path.name
        answered += found is not None
    assert answered > 0 or part != "models"
    if part == "models":
        assert answered == len(paths)


def test_a_list_is_not_an_array_of_tables() -> None:
    assert flat_toml('t = ["a"]\n[[t]]\na = 1') is None
    assert flat_toml("t = []\n[[t]]\na = 1") is None
    assert flat_toml("[t]\n[t]") is None

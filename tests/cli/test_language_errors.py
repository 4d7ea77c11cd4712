"""Errors in Chinese say what is wrong whole: no half sentence, no id of a job taken for a word."""

from __future__ import annotations

import re
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "request"))
import made
import test_site

from advisor.cli.language import speak, told, told_error
from advisor.data.advice import read_advice
from advisor.errors import AdvisorError, DataError
from advisor.request import load_site, pick

SITES = next(mark.args[1] for mark in test_site.test_what_is_wrong_is_named.pytestmark)


@pytest.fixture(autouse=True)
def chinese() -> Iterator[None]:
    speak("zh")
    yield
    speak("en")


def english_in(text: str) -> str:
    """Two plain English words beside each other, outside of what is quoted."""
    return " ".join(
        re.findall(r"\b[a-z]{2,} [a-z]{2,}\b", re.sub(r"'.*'|\".*\"|= \{.*\}|[(（].*[)）]", "", text))
    )


@pytest.mark.parametrize("body", [body for body, _ in SITES])
def test_what_is_wrong_of_a_site_and_what_to_do_are_told(tmp_path: Path, body: str) -> None:
    path = tmp_path / "site.toml"
    path.write_text(body)
    with pytest.raises(DataError) as caught:
        load_site(path)
    problem = told_error(caught.value.message).removeprefix(str(path))
    assert re.search("[一-鿿]", problem) and not english_in(problem)
    assert not english_in(told(caught.value.hint)) or '"' in caught.value.hint


@pytest.mark.parametrize("text", ['{"a": "b', "[1,"])
def test_a_file_that_is_cut_off_is_told_whole(text: str) -> None:
    with pytest.raises(DataError) as caught:
        read_advice(Path("a/advice.json"), text)
    assert told_error(caught.value.message).startswith("a/advice.json: 不是完整的 JSON（")


def test_a_job_s_id_is_no_word() -> None:
    for workload, target in ((None, "zz"), ("zz", None)):
        with pytest.raises(AdvisorError) as caught:
            pick(made.advice(), workload, target)
        said = told_error(caught.value.message) + told(caught.value.hint)
        assert "own" in said and "购置" not in said

"""Figures within English sentences, in Chinese units and one style of numbers."""

from __future__ import annotations

import pytest

from advisor.render.figures_told import own_number, told_figure
from advisor.render.texts import load_texts

WORDS = load_texts("zh").words


@pytest.mark.parametrize(
    ("english", "told"),
    [
        ("12 days", "12 天"),
        ("9.3 min", "9.3 分钟"),  # not 9 minutes and 18 seconds: the digits stay
        ("7.3–12 min", "7.3～12 分钟"),
        ("3 h 20 min", "3 小时 20 分钟"),
        ("1 year", "1 年"),
        ("1.2 million tokens", "120 万"),
        ("1.1–1.5 billion", "11 亿～15 亿"),
        ("USD 12.3k", "1.23 万美元"),
        ("USD 2.49/h", "2.49 美元/小时"),
        ("12,000", "1.2 万"),
        ("1,397", "1,397"),
        ("131,072", "131,072"),  # an exact length: nothing of it is lost
    ],
)
def test_figures_of_sentences(english, told):
    shown = told_figure(english, WORDS)
    assert shown is not None and shown.replace("万 美", "万美") == told


@pytest.mark.parametrize("text", ["12 parsecs", "x 3", "1.5.2", "USD", "v2 days"])
def test_what_is_no_figure(text):
    assert told_figure(text, WORDS) is None and own_number(text, WORDS) == text


def test_a_large_number_of_a_sentence_is_told_as_the_tables_tell_it():
    texts = load_texts("zh")
    assert texts.number(12_000.0, "1") == own_number("12,000", WORDS)

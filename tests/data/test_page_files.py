"""Files in an HTML page: markup can neither come out of them nor hide in them, and damage is told."""

from __future__ import annotations

import base64
import gzip
import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from advisor.data import page_files
from advisor.data.page_files import files_in, link, packed, unpacked

HOSTILE = "</a></script><!--]]>\"'><img src=x>\x00\u202e" * 3


@given(st.text() | st.just(HOSTILE))
def test_any_text_comes_back_as_it_was(text):
    assert files_in(f"<p>{link('advice.json', text)}</p>") == {"advice.json": text.encode()}
    assert link("advice.json", text) == link("advice.json", text)


@given(st.text())
def test_nothing_of_a_text_is_markup(text):
    shown = link("advice.json", text)
    assert re.fullmatch(
        r'<a class="file" download="advice\.json\.gz" '
        r'href="data:application/gzip;base64,[A-Za-z0-9+/=]*">advice\.json\.gz</a>',
        shown,
    )


def test_what_a_browser_saves_any_program_unpacks():
    assert gzip.decompress(packed(HOSTILE)) == HOSTILE.encode()


def test_a_page_without_files():
    assert files_in("<p>advice.json</p>") == {}


@pytest.mark.parametrize(
    ("page", "words"),
    [
        (link("a.json", "x") + link("a.json", "y"), "twice"),
        (link("a.json", "x").replace("base64,", "base64,A"), "a.json"),
        (link("a.json", "x").replace("H4sI", "AAAA"), "a.json"),
    ],
)
def test_damage_is_told(page, words):
    with pytest.raises(ValueError, match=words):
        files_in(page)


def test_data_cut_short_or_lengthened_is_told():
    whole = packed("some text" * 50)
    with pytest.raises(ValueError, match="cut short"):
        unpacked(whole[:-9])
    with pytest.raises(ValueError, match="follows"):
        unpacked(whole + b"more")


def test_what_unpacks_to_more_than_is_read_is_refused(monkeypatch):
    monkeypatch.setattr(page_files, "MOST_BYTES", 10_000)
    bomb = base64.b64encode(packed("0" * 1_000_000)).decode()
    with pytest.raises(ValueError, match="more than"):
        files_in(re.sub(r"base64,[^\"]*", f"base64,{bomb}", link("a.json", "")))

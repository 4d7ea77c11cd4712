"""Compiled templates are kept for the user, and believed only where nobody else can have written them."""

from __future__ import annotations

from pathlib import Path

import pytest
from jinja2 import DictLoader, Environment

from advisor.render.compiled import Compiled
from advisor.store import place


@pytest.fixture
def kept(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The user's folder, for this test alone."""
    folder = tmp_path / "store"
    monkeypatch.setenv(place.STATED, str(folder))
    return folder


def said(source: str = "{{ word }}!") -> str:
    """What a process of its own would print."""
    page = Environment(loader=DictLoader({"page": source}), bytecode_cache=Compiled(), autoescape=True)
    return page.get_template("page").render(word="<yes>")


def test_a_template_is_compiled_once(kept: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    assert said() == "&lt;yes&gt;!"
    assert len(list(kept.iterdir())) == 1
    monkeypatch.setattr(Environment, "compile", lambda *_, **__: pytest.fail("compiled again"))
    assert said() == "&lt;yes&gt;!"


def test_another_source_is_compiled_anew(kept: Path) -> None:
    assert said() == "&lt;yes&gt;!"
    assert said("{{ word }}?") == "&lt;yes&gt;?"


@pytest.mark.parametrize("keep", [0, 3, 30])
def test_what_was_cut_off_is_made_again(kept: Path, keep: int) -> None:
    said()
    (file,) = kept.iterdir()
    file.write_bytes(file.read_bytes()[:keep])
    assert said() == "&lt;yes&gt;!"


def test_what_others_could_have_written_is_not_run(kept: Path) -> None:
    said()
    (file,) = kept.iterdir()
    forged = file.read_bytes().replace(b"!", b"?")
    file.write_bytes(forged)
    file.chmod(0o666)
    assert said() == "&lt;yes&gt;!"


def test_nothing_is_kept_where_nothing_shall_be(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(place.STATED, "0")
    assert said() == "&lt;yes&gt;!"

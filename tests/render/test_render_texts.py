"""The language seam: every text has one key, and language files have no other keys or placeholders."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest
import sample

from advisor.data.files import shipped
from advisor.errors import DataError
from advisor.render.fonts import shipped_characters
from advisor.render.html import render_html
from advisor.render.texts import Texts, collect, languages, load_texts, placeholders

ROOT = Path(__file__).resolve().parents[2]
sys.path.insert(0, str(ROOT / "tools"))

from list_texts import sources  # noqa: E402


@pytest.fixture(scope="module")
def english() -> dict[str, str]:
    return collect(sources())


def test_every_text_has_one_key_and_one_wording(english):
    assert len(english) > 250
    assert all(key == key.strip() and " " not in key for key in english)


@pytest.mark.parametrize("code", languages())
def test_language_files_fit_the_templates(code, english):
    texts = load_texts(code).texts
    assert set(texts) <= set(english), sorted(set(texts) - set(english))
    for key, text in texts.items():
        assert placeholders(text) == placeholders(english[key]), key


def test_templates_hold_no_bare_wording():
    """Words outside {{ t(...) }} could not be translated."""
    import re

    allowed = {"Python", "fp32", "hwadvisor", "RDMA"}
    for path in [*(shipped("templates") / "sections").glob("*.html"), shipped("templates") / "macros.html"]:
        text = re.sub(r"\{[%{#].*?[%}#]\}", "", path.read_text(encoding="utf-8"), flags=re.DOTALL)
        words = set(re.findall(r"[A-Za-z]{3,}[0-9]*", re.sub(r"<[^>]*>", " ", text)))
        assert words <= allowed, f"{path.name}: {words - allowed}"


def test_another_language_takes_over_and_is_escaped():
    texts = Texts(
        code="xx",
        texts={"machine.title": "Die <Maschine>", "answer.some": "{count} von {total}: {title} {time}"},
    )
    page = render_html(sample.gpu_machine(), texts, {})
    assert "Die &lt;Maschine&gt;</h2>" in page
    assert 'lang="xx"' in page and "6 von 9:" in page


def test_one_key_for_two_texts_is_an_error():
    with pytest.raises(DataError, match="elsewhere"):
        collect({"a.html": '{{ t("k", "one") }}', "b.html": '{{ t("k", "two") }}'})
    with pytest.raises(DataError, match="literal"):
        collect({"a.py": "t('k', variable)"})


def test_broken_language_file_names_the_key(tmp_path):
    (tmp_path / "de.toml").write_text('[texts]\n"machine.title" = 3\n')
    with pytest.raises(DataError, match=r"machine\.title"):
        load_texts("de", tmp_path)


def test_shipped_font_has_every_character_of_english(english):
    wording = set("".join(english.values()))
    for advice in (sample.cpu_machine(), sample.gpu_machine()):
        from advisor.render.pdf import visible_text

        wording |= visible_text(render_html(advice, Texts(), {}))
    assert not {c for c in wording - shipped_characters() if not c.isspace()}


def test_a_translation_with_other_places_stands_in_english_and_is_listed():
    t = Texts(code="de", texts={"a": "{anzahl} Kerne", "b": "{", "c": "{count} Kerne"})
    assert t("a", "{count} cores", count=8) == "8 cores"
    assert t.plain("b", "{count} chips", count=2) == "2 chips"
    assert t("c", "{count} cores", count=8) == "8 Kerne"
    assert list(t.left) == ["{count} cores", "{count} chips"]
    with pytest.raises(KeyError):  # a mistake of the program
        Texts()("a", "{count} cores", number=8)

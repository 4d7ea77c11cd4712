"""What the catalogue says of systems, and the operators of a trace, are told in Chinese."""

from __future__ import annotations

import re
import tomllib
from collections.abc import Iterator
from pathlib import Path

import pytest
from click.testing import CliRunner

from advisor.cli import cli
from advisor.cli.language import speak
from advisor.render.texts import terminal_texts

RULES = Path(__file__).resolve().parents[2] / "rules"
TOLD = terminal_texts("zh")[0]


def test_every_reason_and_remark_of_a_system_is_told() -> None:
    left: dict[str, None] = {}
    for path in sorted((RULES / "systems").glob("*.toml")):
        raw = tomllib.loads(path.read_text(encoding="utf-8"))
        for text in (*raw.get("unknown", {}).values(), raw.get("notes", ""), raw.get("cooling", "")):
            TOLD.tell(str(text), left)
        assert TOLD.find(f"kind {raw['kind']}") is not None
    assert not left, "wording for templates/lang/terminal/zh.toml"


def test_every_operator_of_the_rules_is_told() -> None:
    found = {
        name
        for path in RULES.rglob("*.toml")
        for name in re.findall(r'\[\[operator\]\]\nid = "(\w+)"', path.read_text(encoding="utf-8"))
    }
    assert len(found) > 20
    assert not {name for name in found if TOLD.find(f"op {name}".replace("_", " ")) is None}


@pytest.fixture(autouse=True)
def english_again() -> Iterator[None]:
    yield
    speak("en")


@pytest.mark.parametrize("name", ["dgx-h100", "cs-3", "workstation-2x-rtx-4090"])
def test_a_system_is_shown_in_chinese_and_in_english(name: str) -> None:
    english = CliRunner().invoke(cli, ["--lang", "en", "hardware", "show", name]).output
    assert "  cpu: " in english and "rack units: " in english
    chinese = CliRunner().invoke(cli, ["--lang", "zh", "hardware", "show", name])
    assert chinese.exit_code == 0
    bare = re.sub(r"\[[^\]]*\]|\([^)]*\)", "", chinese.output)
    assert "处理器：" in bare and "not known" not in bare and "rack units" not in bare

"""What the documents say is what the code does."""

from __future__ import annotations

import importlib.util
import json
import re
from pathlib import Path
from typing import Any

import jsonschema

import advisor
from advisor.app import advice_of_machine
from advisor.data.advice import dump_advice
from advisor.probe import detect

REPO = Path(__file__).resolve().parent.parent


def tool_of(name: str) -> Any:
    """A script of tools/, which is no package."""
    spec = importlib.util.spec_from_file_location(name, REPO / "tools" / f"{name}.py")
    assert spec is not None and spec.loader is not None
    tool = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(tool)
    return tool


def test_published_schema_is_current_and_holds_a_real_probe() -> None:
    tool = tool_of("make_json_schema")
    published = (REPO / "docs/advice.schema.json").read_text(encoding="utf-8")
    assert published == tool.schema_text(), "run: python tools/make_json_schema.py"
    real = json.loads(dump_advice(advice_of_machine(detect(ask_frameworks=False))))
    jsonschema.validate(real, json.loads(published))


def test_public_names_are_what_all_says() -> None:
    assert set(advisor.__all__) == {"__version__", *advisor._WHERE}
    for name in advisor.__all__:
        assert getattr(advisor, name) is not None


def test_public_names_survive_any_order_of_import() -> None:
    import advisor.calibrate
    import advisor.render

    assert callable(advisor.render_report)
    assert callable(advisor.run_calibration)


def test_changelog_names_this_version_or_unreleased() -> None:
    text = (REPO / "CHANGELOG.md").read_text(encoding="utf-8")
    assert "## [Unreleased]" in text or f"## [{advisor.__version__}]" in text


def test_readme_names_only_commands_that_exist() -> None:
    from advisor.cli import COMMANDS

    text = (REPO / "README.md").read_text(encoding="utf-8")
    named = set(re.findall(r"`?hwadvisor ([a-z]+)", text))
    assert named <= set(COMMANDS), named - set(COMMANDS)
    assert "make scan" in text and "make test" in text


def test_readme_links_exist() -> None:
    text = (REPO / "README.md").read_text(encoding="utf-8")
    for target in re.findall(r"\]\(([^)#]+)\)", text):
        if "://" not in target:
            assert (REPO / target).exists(), target


def test_accuracy_is_told_of_the_shipped_constants_and_neighbours() -> None:
    """Tables of other constants are no word on these: run tools/accuracy.py --write."""
    accuracy = tool_of("accuracy")
    text = (REPO / "docs" / "accuracy.md").read_text(encoding="utf-8")
    told = re.search(r"<!-- tools/accuracy\.py: (\w+) -->", text)
    assert told is not None
    assert told[1] == accuracy.digest(REPO)

"""`hwadvisor verify` as typed: three verdicts, their exit codes, in words, as JSON and for many files."""

from __future__ import annotations

import json
import sys
from pathlib import Path

import pytest
from click.testing import CliRunner, Result

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "request"))
sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "render"))
import made
import sample

from advisor.cli import cli
from advisor.cli.language import speak
from advisor.data.advice import save_advice
from advisor.errors import EXIT_UNCHECKED
from advisor.schema import Machine


def typed(*arguments: object) -> Result:
    return CliRunner().invoke(cli, [str(a) for a in arguments], catch_exceptions=True)


@pytest.fixture
def files(tmp_path: Path) -> dict[str, Path]:
    """One of each: sound, not to be checked (a page alone), broken."""
    sound, alone, broken = (tmp_path / name for name in ("sound.json", "report.html", "broken.json"))
    save_advice(
        made.advice(machine=Machine(probed_at=sample.WHEN), estimates=(), workloads=(), accelerators=()),
        sound,
    )
    alone.write_text("<html></html>")
    broken.write_text("{")
    return {"sound": sound, "alone": alone, "broken": broken}


@pytest.mark.parametrize(
    ("names", "code"),
    [
        (("sound",), 0),
        (("alone",), EXIT_UNCHECKED),
        (("sound", "alone"), EXIT_UNCHECKED),
        (("alone", "broken", "sound"), 2),
    ],
)
def test_the_exit_code_is_that_of_the_worst(files, names, code) -> None:  # type: ignore[no-untyped-def]
    done = typed("verify", *(files[name] for name in names))
    assert done.exit_code == code, done.output
    words = {"sound": ": sound: ", "alone": ": could not be checked: ", "broken": ": not sound: "}
    lines = [line for line in done.stdout.splitlines() if line.startswith("/")]
    assert len(lines) == len(names)
    assert all(words[name] in line for name, line in zip(names, lines, strict=True))


def test_json_tells_the_verdict_and_why(files) -> None:  # type: ignore[no-untyped-def]
    told = json.loads(typed("verify", files["alone"], "--json").stdout)["files"][0]
    assert told["verdict"] == "could not be checked" and told["sound"] is False
    assert "carries no data" in told["unchecked"][0] and ": could not be checked: " in told["line"]


def test_chinese_has_no_english_sentence_left(files) -> None:  # type: ignore[no-untyped-def]
    try:
        done = typed("--lang", "zh", "verify", files["alone"], files["sound"])
    finally:
        speak("en")
    assert "：无法核对：" in done.stdout and "：核对一致：" in done.stdout
    assert not any(word in done.stdout for word in ("could", " sound", "carries", "signed", "consistent"))


def test_what_a_single_file_holds_is_told_in_chinese_too(real_file) -> None:  # type: ignore[no-untyped-def]
    try:
        done = typed("--lang", "zh", "verify", real_file)
    finally:
        speak("en")
    assert "用户给定（" in done.stdout and "假定（" in done.stdout
    assert not any(word in done.stdout for word in ("asked for", "method，", " (3)", "e+0", "):"))


@pytest.fixture
def real_file(tmp_path: Path) -> Path:
    """A true estimate."""
    done = typed("estimate", "--hardware", "h100-sxm", "--model", "gpt2-124m", "--tokens", "1B", "--json")
    path = tmp_path / "advice.json"
    path.write_text(done.stdout, encoding="utf-8")
    return path


def test_a_missing_file_could_not_be_opened(tmp_path: Path) -> None:
    done = typed("verify", tmp_path / "none.json")
    assert done.exit_code == 2 and "none.json: could not be opened: cannot read" in done.stdout
    assert "sound" not in done.stdout.splitlines()[0]
    told = json.loads(typed("verify", tmp_path / "none.json", "--json").stdout)["files"][0]
    assert told["verdict"] == "could not be opened" and told["sound"] is False


def test_the_headings_of_a_comparison_are_chinese_too() -> None:
    from advisor.cli.language import told
    from advisor.compare import GROUPS

    speak("zh")
    try:
        assert all(told(group) != group for group in GROUPS)
    finally:
        speak("en")

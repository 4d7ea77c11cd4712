"""`hwadvisor why` and the language of the locale."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest
from click.testing import CliRunner
from rich.cells import cell_len

from advisor.cli.language import of_locale as language_of_locale
from advisor.cli.why import why, wrapped
from advisor.data.advice import save_advice
from advisor.schema import Advice

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "render"))

import sample


@pytest.fixture
def reports(tmp_path: Path) -> Path:
    """A folder with an older and a newer report."""
    for name, advice in (("old", sample.cpu_machine()), ("new", sample.gpu_machine())):
        (tmp_path / name).mkdir()
        save_advice(advice, tmp_path / name / "advice.json")
    import os

    os.utime(tmp_path / "old" / "advice.json", (1, 1))
    return tmp_path


def run(*arguments: str | Path) -> str:
    done = CliRunner().invoke(why, [str(part) for part in arguments])
    assert done.exit_code == 0, done.output
    return done.output


def test_the_newest_report_is_told_from_and_named(reports: Path) -> None:
    told = run("--reports", reports, "--lang", "en")
    assert "NVIDIA H200" in told and str(Path("new", "advice.json")) in told.replace("\n", "")
    assert "[M]" in told and "measured here" in told
    assert "What changes with several devices?" in told and "Ascend" in told and "Cerebras" in told


def test_a_newest_report_that_cannot_be_read_gives_way_to_an_older_one(reports: Path) -> None:
    (reports / "broken").mkdir()
    (reports / "broken" / "advice.json").write_text("{", encoding="utf-8")
    assert str(Path("new", "advice.json")) in run("--reports", reports).replace("\n", "")


def test_a_given_report_in_chinese(reports: Path) -> None:
    told = run(reports / "old", "--lang", "zh")
    assert "为什么要用 GPU" in told and "本机实测" in told and "流水线并行" in told
    assert "Why a GPU" not in told


def test_without_a_report_it_probes_and_says_that_nothing_was_measured(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    machine = sample.cpu_machine().machine
    monkeypatch.setattr("advisor.probe.detect", lambda: machine)
    told = run("--reports", tmp_path, "--lang", "en")
    assert "Nothing has been measured on this machine yet" in told.replace("\n", " ")
    assert "[M]" not in told and "[V]" in told and "H100" in told


def test_an_advice_without_a_machine_is_told_too(tmp_path: Path) -> None:
    save_advice(Advice(), tmp_path / "advice.json")
    assert "Why a GPU?" in run(tmp_path / "advice.json", "--lang", "en")


def test_lines_break_between_chinese_characters_but_not_before_a_full_stop() -> None:
    text = "训练神经网络是另一种工作。GPU 同时算成千上万个数，CPU 和磁盘只要跟得上就行。" * 3
    lines = wrapped(text, 30)
    assert max(cell_len(line) for line in lines) <= 31
    assert not [line for line in lines if line[0] in "。，"]
    assert "".join(lines).replace(" ", "") == text.replace(" ", "")
    named = wrapped("每秒能算多少次（FLOP/s，也就是算力）决定了最快多久", 22)
    assert not [line for line in named if line[0] in "。，"], "nor before one behind a Latin word"


@pytest.mark.parametrize(
    ("set_to", "code"),
    [
        ({"LANG": "zh_CN.UTF-8"}, "zh"),
        ({"LANG": "zh_CN.UTF-8", "LC_ALL": "C.UTF-8"}, "en"),
        ({"LANG": "de_DE.UTF-8"}, "en"),
        ({"LC_MESSAGES": "zh_CN", "LANG": "en_GB"}, "zh"),
        ({}, "en"),
    ],
)
def test_language_of_the_locale(set_to: dict[str, str], code: str, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("LC_ALL", "LC_MESSAGES", "LANG"):
        monkeypatch.delenv(name, raising=False)
    for name, value in set_to.items():
        monkeypatch.setenv(name, value)
    assert language_of_locale() == code

"""`hwadvisor plan` at the command line: what is printed, how wide, exit codes, bad input."""

from __future__ import annotations

import json
from pathlib import Path

import click
import pytest

from advisor.cli import cli
from advisor.cli.failures import run_guarded
from advisor.data.advice import load_advice

SMALL = ["--model", "llama-3-8b", "--method", "lora", "--tokens", "10M", "--only", "nvidia-rtx-4090-24gb"]


def run(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch, *args: str
) -> tuple[int, str, str]:
    """Exit code, stdout and stderr of `hwadvisor plan ARGS`."""
    monkeypatch.setattr("sys.argv", ["hwadvisor", "plan", *args])
    code = run_guarded(cli)
    out, err = capsys.readouterr()
    return code, out, err


@pytest.mark.parametrize("columns", [80, 120])
def test_text_is_as_wide_as_the_terminal(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch, columns: int
) -> None:
    monkeypatch.setenv("COLUMNS", str(columns))
    args = ["--model", "llama-3-8b", "--tokens", "1B", "--method", "full", "--deadline", "3d"]
    code, out, _ = run(capsys, monkeypatch, *args, "--max-devices", "64", "--vendor", "nvidia,amd")
    assert code == 0
    assert max(len(line) for line in out.splitlines()) <= columns
    for word in ("Best:", "P50", "P90", "chance", "More or fewer", "Left out:", "--why-not"):
        assert word in out
    assert ("power" in out.split("Best of each accelerator")[1].splitlines()[1]) == (columns == 120)


def test_json_is_one_document_that_every_command_reads(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    code, out, err = run(capsys, monkeypatch, *SMALL, "--json", "--why-not", "nvidia-t4-16gb")
    assert code == 0
    assert "not asked for" in err
    path = tmp_path / "advice.json"
    path.write_text(out, encoding="utf-8")
    advice = load_advice(path)
    assert advice.plan is not None
    assert advice.plan.limits.deadline_assumed
    assert json.loads(out)["plan"]["options"][0]["accelerator_id"] == "nvidia-rtx-4090-24gb"


def test_nothing_within_the_limits_ends_in_1_with_the_nearest(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    code, out, _ = run(capsys, monkeypatch, *SMALL, "--deadline", "60s")
    assert code == 1
    assert "Nothing keeps the limits." in out
    assert "It would do with --deadline" in " ".join(out.split())


@pytest.mark.parametrize(
    ("args", "said"),
    [
        (["--model", "llama-3-8c"], "unknown model"),
        ([], "no network is named"),
        (["--model", "llama-3-8b", "--params", "7B"], "exclude each other"),
        ([*SMALL, "--budget", "-5"], "not above zero"),
        ([*SMALL, "--budget", "much"], "write for example 50000"),
        ([*SMALL, "--deadline", "7 kg"], "write for example 7d"),
        ([*SMALL, "--max-power", "0"], "not above zero"),
        ([*SMALL, "--why-not", "nvidia-h999"], "unknown accelerator"),
        ([*SMALL, "--vendor", "amd"], "contradict each other"),
        ([*SMALL, "--owned", "nowhere.json"], "nowhere.json"),
    ],
)
def test_bad_input_ends_in_2_with_one_line(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch, args: list[str], said: str
) -> None:
    code, out, err = run(capsys, monkeypatch, *args)
    assert code == 2
    assert not out
    assert said in err
    assert "Traceback" not in err


@pytest.mark.parametrize(
    ("unit", "text", "value"),
    [("USD", "50000", 5e4), ("USD", "$50k", 5e4), ("USD", "1.5M", 1.5e6), ("USD", "50,000", 5e4),
     ("s", "7d", 604800.0), ("s", "7", 604800.0), ("s", "12 h", 43200.0), ("W", "40kW", 4e4),
     ("W", "900", 900.0)],
)  # fmt: skip
def test_amounts_are_read_as_people_write_them(unit: str, text: str, value: float) -> None:
    from advisor.cli.plan import amount

    plain = {"USD": "USD", "s": "day", "W": "W"}[unit]
    read = amount(unit, plain, "1")
    command = click.Command("x")
    assert read(click.Context(command), click.Option(["--x"]), text) == pytest.approx(value)


def test_a_file_holds_flags(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    job = tmp_path / "job.toml"
    job.write_text(
        'model = "llama-3-8b"\nmethod = "lora"\ntokens = "10M"\ndeadline = "60s"\n', encoding="utf-8"
    )
    only = ["--only", "nvidia-rtx-4090-24gb"]
    assert run(capsys, monkeypatch, "--workload", str(job), *only)[0] == 1
    assert run(capsys, monkeypatch, "--workload", str(job), *only, "--deadline", "30d")[0] == 0

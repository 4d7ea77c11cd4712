"""`hwadvisor validate` as a user types it."""

from __future__ import annotations

import gzip
import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner

from advisor.cli.validate import validate
from advisor.errors import UserError

REPO = Path(__file__).resolve().parents[2]
ROW: dict[str, Any] = {
    "id": "made-up", "source_key": "[bold]made-up[/nothing]\x1b[31m", "vendor": "nvidia",
    "accelerator": "A100-SXM4-80GB", "num_accelerators": 8, "family": "decoder", "model": "made up",
    "layers": 24, "hidden": 2048, "heads": 16, "seq_len": 2048, "global_batch": 32, "micro_batch": 4,
    "precision": "bf16", "step_time_s": 1.0,
}  # fmt: skip


def run(*arguments: str | Path) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", "advisor", "validate", *map(str, arguments)],
        capture_output=True,
        text=True,
        timeout=300,
        env={**os.environ, "PYTHONPATH": str(REPO)},
        check=False,
    )


def written(path: Path, *rows: dict[str, Any]) -> Path:
    path.write_text("".join(json.dumps(row) + "\n" for row in rows), "utf-8")
    return path


def told(*arguments: str | Path) -> Any:
    """Exit code and output, in this process: quick."""
    return CliRunner().invoke(validate, [str(argument) for argument in arguments], catch_exceptions=False)


def test_json_is_one_document_on_stdout_and_nothing_else(tmp_path: Path) -> None:
    path = written(tmp_path / "a.jsonl", ROW, {**ROW, "id": "two", "tp": 16}, {"id": "thrée"})
    done = run("--json", path)
    assert (done.returncode, done.stderr) == (0, "")
    document = json.loads(done.stdout)
    assert set(document) == {"rows", "summary"}
    by_id = {row["id"]: row for row in document["rows"]}
    assert set(by_id) == {"made-up", "two", "thrée"}
    answered = by_id["made-up"]
    assert answered["low"] <= answered["predicted"] <= answered["high"]
    assert answered["error"] == pytest.approx(answered["predicted"] - 1.0)
    assert by_id["two"] == {
        "id": "two", "quantity": "step_time_s", "refused": "its layout needs 16 devices, the row has 8",
    }  # fmt: skip
    assert document["summary"]["quantities"]["step_time_s"]["refused"] == 2


def test_records_are_read_from_standard_input() -> None:
    lines = "".join(json.dumps(row) + "\n" for row in (ROW, {**ROW, "id": "two", "tp": 16}))
    done = CliRunner().invoke(validate, ["--json", "-"], input=lines, catch_exceptions=False)
    assert {row["id"] for row in json.loads(done.stdout)["rows"]} == {"made-up", "two"}
    with pytest.raises(UserError, match="standard input is packed"):
        CliRunner().invoke(validate, ["-"], input=b"\x1f\x8b\x08", catch_exceptions=False)


@pytest.mark.slow
def test_leaving_out_talks_on_stderr_alone(tmp_path: Path, way: str = "source") -> None:
    path = written(tmp_path / "a.jsonl", ROW)
    done = run("--json", "--leave-out", way, path)
    assert done.returncode == 0, done.stderr
    document = json.loads(done.stdout)
    assert document["summary"]["leave_out"] == way
    assert document["rows"][0]["predicted"] > 0
    assert done.stderr.startswith(f"Each {way} leaves in turn")
    assert "\x1b" not in done.stderr


def test_text_of_errors_slices_reasons_and_the_worst_rows(tmp_path: Path) -> None:
    path = written(
        tmp_path / "a.jsonl", ROW, {**ROW, "id": "two", "precision": None}, {**ROW, "id": "3", "fits": True}
    )
    done = told(path, "--worst", "1", "--depth", "0")
    assert done.exit_code == 0, done.output
    for words in (
        "Time of a step (step_time_s): 2 rows told, 1 refused, nothing left out",
        "the row gives no precision", "Fits into the memory (fits): 1 rows told", "Predicted worst:",
        "made up on 8 x NVIDIA A100",
        "[rule step-time, rules/time/step.toml",
    ):  # fmt: skip
        assert words in done.output
    # a stranger's name is text: no mark-up of it is obeyed, no control sequence gets through
    assert "[bold]made-up[/nothing]\\x1b[31m" in done.output
    assert "\x1b" not in done.output


def test_no_trace_and_no_worst_rows_on_request(tmp_path: Path) -> None:
    done = told(written(tmp_path / "a.jsonl", ROW), "--worst", "0")
    assert "Predicted worst" not in done.output


@pytest.mark.parametrize("columns", [50, 80, 140])
def test_nothing_is_wider_than_the_terminal(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, columns: int
) -> None:
    monkeypatch.setenv("COLUMNS", str(columns))
    rows = [{**ROW, "id": str(at), "source_key": f"{'a long name of a source ' * 4}{at}"} for at in range(3)]
    done = told(written(tmp_path / "a.jsonl", *rows, {**ROW, "layers": None}), "--worst", "0")
    assert max(len(line) for line in done.output.splitlines()) <= max(
        columns, 62
    )  # six figures and a short label


def test_an_empty_file_says_so(tmp_path: Path) -> None:
    path = written(tmp_path / "a.jsonl")
    assert told(path).output == "The files hold no records.\n"
    assert json.loads(told("--json", path).output) == {
        "rows": [], "summary": {"leave_out": "none", "quantities": {}},
    }  # fmt: skip


@pytest.mark.parametrize(
    ("content", "words"),
    [
        (gzip.compress(b'{"id": "a"}\n', mtime=0), "gunzip"), (b"\x00\x01\x02", "not a text file"),
        (b"{}\n" * 1_000_000, "more than 200,000 lines"),
    ],
)  # fmt: skip
def test_files_that_are_none_end_in_one_line(tmp_path: Path, content: bytes, words: str) -> None:
    path = tmp_path / "a.jsonl"
    path.write_bytes(content)
    fails(run(path), words)


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["nowhere.jsonl"], "does not exist"), ([REPO], "is a directory"),
        (["--leave-out", "row"], "--leave-out"), (["--worst", "-1"], "--worst"),
    ],
)  # fmt: skip
def test_wrong_arguments_end_in_one_line(arguments: list[str | Path], words: str) -> None:
    fails(run(*arguments), words)


def fails(done: subprocess.CompletedProcess[str], words: str) -> None:
    assert done.returncode == 2, done.stderr
    lines = done.stderr.strip().splitlines()
    assert lines[0].startswith("hwadvisor: ")
    assert len(lines) <= 2
    assert words in done.stderr
    assert done.stdout == ""


def test_any_line_at_all_is_a_refusal_and_not_an_end(tmp_path: Path) -> None:
    path = tmp_path / "a.jsonl"
    path.write_bytes(
        b'\xff\xfe\n{"id": "\\ud800", "step_time_s": 1}\n{"a":' * 3 + b"[" * 5000 + b"\n" + b"x" * 100_000
        + b'\n{"id": "n", "step_time_s": NaN}\n{"id": "i", "layers": 1' + b"0" * 5000 + b"}\n"
        + json.dumps({**ROW, "model": "\ud800"}).encode() + b"\n" + json.dumps(ROW).encode()
    )  # fmt: skip
    done = run("--json", path)
    assert done.returncode == 0, done.stderr
    rows = json.loads(done.stdout)["rows"]
    assert len(rows) == sum(1 for line in path.read_bytes().split(b"\n") if line.strip())
    assert [row["id"] for row in rows if "predicted" in row] == ["made-up"]


def test_fields_that_nobody_reads_are_told_once_each(tmp_path: Path) -> None:
    rows = [{**ROW, "id": str(at), "model_family": "x", "batch_size": 4} for at in range(3)]
    path = written(tmp_path / "a.jsonl", *rows, {**ROW, "id": "tp", "tp": 16, "step_time": 2.0, "zz\x1b": 1})
    done = told(path, "--worst", "0")
    for words in ("3  model_family; did you mean family?", "3  batch_size; did you mean global_batch?",
                  "1  step_time; did you mean step_time_s?", "1  zz\\x1b\n"):  # fmt: skip
        assert done.output.count(words) == 1, words
    fields = json.loads(told("--json", path).output)["fields_not_read"]
    assert {"field": "step_time", "records": 1, "nearest": "step_time_s"} in fields
    assert len(fields) == 4


def test_a_known_network_needs_no_family(tmp_path: Path) -> None:
    named = {**ROW, "model": "llama-3-8b", "layers": None, "hidden": None, "heads": None, "step_time_s": 4.0}
    unknown = {**named, "model": "made up", "family": None, "id": "unknown"}
    path = written(tmp_path / "a.jsonl", named, {**named, "id": "two", "family": None}, unknown)
    rows = {row["id"]: row for row in json.loads(told("--json", path).output)["rows"]}
    assert rows["two"]["predicted"] == rows["made-up"]["predicted"]
    assert rows["unknown"]["refused"].startswith("the row gives no family (one of decoder, moe-decoder, ")

"""`request`, `verify` and `compare` as typed: files written, exit codes, one line for what is wrong."""

from __future__ import annotations

import json
import sys
from pathlib import Path

import pytest
from click.testing import CliRunner, Result

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "request"))
sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "render"))
import made
import pypdf
import sample

from advisor.cli import cli
from advisor.cli.failures import run_guarded
from advisor.data.advice import dump_advice, save_advice
from advisor.data.page_files import files_in
from advisor.schema import Fact, Host, Machine, Status


def typed(*arguments: object) -> Result:
    return CliRunner().invoke(cli, [str(a) for a in arguments], catch_exceptions=True)


def guarded(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], *arguments: object
) -> tuple[int, str]:
    """Exit code and stderr, as a shell would see them."""
    monkeypatch.setattr(sys, "argv", ["hwadvisor", *map(str, arguments)])
    code = run_guarded(cli)
    return code, capsys.readouterr().err


@pytest.fixture
def advice(tmp_path: Path) -> Path:
    host = Host(hostname=Fact(value="node-of-jane", status=Status.ok, source="uname"))
    machine = Machine(probed_at=sample.WHEN, host=host)
    held = made.advice(machine=machine)
    save_advice(held, tmp_path / "advice.json")
    return tmp_path / "advice.json"


@pytest.mark.parametrize(
    ("flag", "name", "page_name"),
    [
        ("--slurm", "job.sbatch", "request.html"),
        ("--k8s", "job.yaml", "request-k8s.html"),
        ("--skypilot", "sky.yaml", "request-skypilot.html"),
    ],
)
def test_a_request_is_written_beside_the_advice_without_names(
    advice: Path, flag: str, name: str, page_name: str
) -> None:
    done = typed("request", advice, flag, "--format", "html", "--lang", "en")
    assert done.exit_code == 0, done.output
    page = advice.with_name(page_name).read_text()
    assert advice.with_name(name).exists() and "Request: 16" in page
    assert "node-of-jane" not in page


def test_a_request_as_json_is_one_document(advice: Path, tmp_path: Path) -> None:
    done = typed("request", advice, "--slurm", "--json", "--format", "html", "--output", tmp_path / "out",
                 "--wall-limit", "1 day")  # fmt: skip
    told = json.loads(done.stdout)
    assert told["gpus"] == 16 and told["nodes"] == 2 and told["jobs"] > 1 and told["job_wall_s"] == 86400
    assert told["needs"]["wall"]["why"] and told["files"]["job.sbatch"].startswith("#!/bin/bash")


@pytest.mark.parametrize(
    ("arguments", "code", "words"),
    [
        (("request", "ADVICE"), 2, "--slurm, --k8s or --skypilot"),
        (("request", "ADVICE", "--slurm", "--k8s"), 2, "--slurm, --k8s or --skypilot"),
        (("request", "ADVICE", "--slurm", "--wall-limit", "two"), 2, "--wall-limit"),
        (("request", "ADVICE", "--slurm", "--command", "a 'b"), 2, "--command"),
        (("request", "ADVICE", "--slurm", "--site", "none.toml"), 2, "cannot read none.toml"),
        (("request", "ADVICE", "--slurm", "--target", "tpu"), 2, "no estimate on 'tpu'"),
        (("request", "ADVICE", "--slurm", "--wall-limit", "10 min"), 1, "is over before"),
        (("request", "ADVICE", "--slurm", "--output", "/proc/nowhere"), 2, "cannot write"),
        (("request", "none.json", "--slurm"), 2, "cannot read"),
        (("verify", "ADVICE", "--signer", "none.pub"), 2, "cannot read none.pub"),
        (("compare", "ADVICE", "none.json"), 2, "cannot read"),
        (("compare", "ADVICE", "ADVICE", "--output", "/proc/nowhere"), 2, "cannot write"),
        (("report", "none.pdf"), 2, "cannot read"),
    ],
)
def test_what_is_wrong_ends_in_one_line_with_a_hint(  # noqa: PLR0917 - what was typed and said
    advice, monkeypatch, capsys, arguments, code, words
) -> None:  # type: ignore[no-untyped-def]
    given = [advice if a == "ADVICE" else a for a in arguments]
    got, said = guarded(monkeypatch, capsys, *given)
    assert got == code, said
    lines = said.strip().splitlines()
    assert (
        words in lines[0]
        and lines[0].startswith("hwadvisor: ")
        and len(lines) <= 2
        and "Traceback" not in said
    )


def test_many_files_are_one_line_each_and_one_bad_one_is_2(advice: Path, tmp_path: Path) -> None:
    broken = tmp_path / "broken.json"
    broken.write_text("{")
    done = typed("verify", broken, tmp_path / "none.json", broken)
    assert done.exit_code == 2
    lines = done.stdout.splitlines()
    assert [line.split(": ")[1] for line in lines[:3]] == ["not sound", "could not be opened", "not sound"]
    assert "not who measured" in " ".join(lines[3:])


def test_verify_as_json(advice: Path) -> None:
    done = typed("verify", advice, "--json")
    told = json.loads(done.stdout)
    assert set(told) == {"files", "note"} and told["files"][0]["kind"] == "data"
    assert set(told["files"][0]["inputs"]) == {"stated", "measured", "overridden", "assumed"}


def test_two_files_side_by_side(tmp_path: Path) -> None:
    paths = []
    for name, held in (("a", sample.cpu_machine()), ("b", sample.gpu_machine())):
        (tmp_path / name).mkdir()
        save_advice(held, tmp_path / name / "advice.json")
        paths.append(tmp_path / name)
    done = typed("compare", *paths, "--output", tmp_path / "out", "--format", "html")
    assert done.exit_code == 0, done.output
    assert "synthetic-gpu" in done.stdout and "H200" in done.stdout
    assert (tmp_path / "out" / "compare.html").exists()
    alike = typed("compare", paths[0], paths[0])
    assert alike.stdout.startswith("No line differs") and "Lines that are alike: " in alike.stdout
    assert "second to first" not in alike.stdout, "no heading above no lines"
    assert "second to first" in typed("compare", paths[0], paths[0], "--all").stdout
    hidden = typed("compare", *paths, "--json", "--redact")
    told = json.loads(hidden.stdout)
    assert told["rows"] and "synthetic-gpu" not in hidden.stdout
    for path, name in zip(paths, ("lab-7.json", "lab-8.json"), strict=True):
        (path / "advice.json").rename(path / name)
    files = [path / name for path, name in zip(paths, ("lab-7.json", "lab-8.json"), strict=True)]
    alone = typed("compare", *files, "--redact", "--output", tmp_path / "redacted", "--format", "html")
    page = (tmp_path / "redacted" / "compare.html").read_text(encoding="utf-8")
    carried = b"".join(files_in(page).values()).decode()
    for text in (alone.stdout, page, carried):
        assert "lab-" not in text and "synthetic-gpu" not in text


@pytest.mark.parametrize("command", [("report",), ("request", "--slurm")])
def test_a_pdf_is_never_written_over_itself(tmp_path, monkeypatch, capsys, command) -> None:  # type: ignore[no-untyped-def]
    path = tmp_path / f"{command[0]}.pdf"
    writer = pypdf.PdfWriter()
    writer.add_blank_page(10, 10)
    writer.add_attachment("advice.json", dump_advice(made.advice()).encode())
    with path.open("wb") as file:
        writer.write(file)
    before = path.read_bytes()
    code, said = guarded(monkeypatch, capsys, command[0], path, *command[1:], "--format", "html")
    assert code == 2 and "written over itself" in said and path.read_bytes() == before
    assert (
        typed(command[0], path, *command[1:], "--format", "html", "--output", tmp_path / "out").exit_code == 0
    )
    assert (tmp_path / "out" / f"{command[0]}.html").exists()


def test_a_report_without_names(tmp_path: Path) -> None:
    save_advice(sample.gpu_machine(), tmp_path / "advice.json")
    done = typed(
        "report", tmp_path, "--redact", "--format", "html", "--output", tmp_path / "out", "--lang", "en"
    )
    assert done.exit_code == 0, done.output
    page = (tmp_path / "out" / "report.html").read_text()
    assert "[host]" in page and "synthetic-gpu" not in page
    carried = files_in(page)["advice.json"].decode()
    assert "[host]" in carried and "synthetic-gpu" not in carried

"""`hwadvisor plan --quote` and `hwadvisor hardware …` at the command line."""

from __future__ import annotations

import datetime
import json
from pathlib import Path

import pytest

from advisor.cli import cli
from advisor.cli.failures import run_guarded
from advisor.data.files import shipped

JOB = ["plan", "--model", "llama-3-8b", "--tokens", "1B", "--method", "full"]
QUOTE = 'currency = "USD"\n[[item]]\nkind = "nodes"\nsystem = "dgx-h100"\nunit_price = 250000\n'


def run(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch, *args: str
) -> tuple[int, str, str]:
    monkeypatch.setenv("COLUMNS", "100")
    monkeypatch.setattr("sys.argv", ["hwadvisor", *args])
    code = run_guarded(cli)
    out, err = capsys.readouterr()
    return code, out, err


def test_two_quotes_behind_one_flag(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    paths = []
    for name, price in (("dear", "350000"), ("cheap", "250000")):
        paths.append(str(tmp_path / f"{name}.toml"))
        Path(paths[-1]).write_text(f'seller = "{name}"\n' + QUOTE.replace("250000", price), encoding="utf-8")
    code, out, _ = run(capsys, monkeypatch, *JOB, "--quote", *paths)
    assert code == 0
    for word in ("2 quotes over 5 years", "a billion tokens", "missing: storage", "accept: ", "--assume"):
        assert word in out
    code, out, _ = run(capsys, monkeypatch, *JOB, "--quote", *paths, "--json")
    assert [one["title"] for one in json.loads(out)["quotes"]] == ["cheap", "dear"]
    code, out, _ = run(capsys, monkeypatch, *JOB, "--quote", *paths, "--budget", "1000")
    assert code == 1 and "budget" in out


def test_arguments_without_quote_are_refused(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    code, _, err = run(capsys, monkeypatch, *JOB, "a.toml")
    assert code == 2 and "a.toml" in err


@pytest.mark.parametrize(
    ("flags", "told"),
    [
        (["--rate", "EUR"], "EUR"), (["--rate", "EUR=0"], "above zero"), (["--years", "0"], "years"),
        (["--years", "nan"], "years"), (["--quote", "missing.toml"], "missing.toml"),
    ],
)  # fmt: skip
def test_money_that_cannot_be(
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
    tmp_path: Path,
    flags: list[str],
    told: str,
) -> None:
    path = tmp_path / "a.toml"
    path.write_text(QUOTE, encoding="utf-8")
    code, _, err = run(capsys, monkeypatch, *JOB, "--quote", str(path), *flags)
    assert code == 2 and told in err


def test_hardware_lists_shows_and_checks(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    code, out, _ = run(capsys, monkeypatch, "hardware", "list", "--systems", "--json")
    assert code == 0 and any(one["id"] == "dgx-h100" for one in json.loads(out))
    code, out, _ = run(capsys, monkeypatch, "hardware", "list", "--offers", "--json")
    offers = json.loads(out)
    assert {one["kind"] for one in offers} == {"on_demand", "spot", "reserved"}
    code, out, _ = run(capsys, monkeypatch, "hardware", "show", "hgx-h200")
    assert code == 0 and "not known: the builder's choice" in out
    code, _, err = run(capsys, monkeypatch, "hardware", "show", "dgx-h10")
    assert code == 2 and "dgx-h100" in err
    (tmp_path / "systems").mkdir()
    (tmp_path / "systems" / "own.toml").write_text('id = "own"\nknd = "server"\n', encoding="utf-8")
    code, _, err = run(capsys, monkeypatch, "hardware", "check", str(tmp_path))
    assert code == 2 and "own.toml" in err and "kind" in err
    code, out, _ = run(capsys, monkeypatch, "hardware", "check", str(shipped("rules")))
    assert code == 0 and "Nothing wrong" in out


def test_a_system_can_be_estimated(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    args = ["estimate", "--model", "llama-3-8b", "--tokens", "1B", "--hardware", "dgx-h100 x 4"]
    code, out, _ = run(capsys, monkeypatch, *args)
    assert code == 0 and "32 x nvidia-h100-sxm5-80gb" in out and "40.8 kW at most" in out


def test_several_jobs_of_a_file(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    path = tmp_path / "jobs.toml"
    path.write_text('[[job]]\nmodel = "gpt2-124m"\ntokens = "1B"\nper_year = 12\n', encoding="utf-8")
    args = ["plan", "--workloads", str(path), "--only", "nvidia-h100-sxm5-80gb", "--max-devices", "8"]
    code, out, _ = run(capsys, monkeypatch, *args)
    assert code == 0 and "12 runs a year" in out and "nvidia-h100-sxm5-80gb" in out
    code, out, _ = run(capsys, monkeypatch, *args, "--budget", "0.01", "--json")
    assert code == 1 and json.loads(out)["fleet"]["miss"]


def test_space_and_sensitivity_are_told(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    args = ["--only", "dgx-h100", "--max-rack-units", "50", "--sensitivity"]
    code, out, _ = run(capsys, monkeypatch, *JOB, *args)
    assert code == 0
    for word in ("x dgx-h100", "rack units", "If one thing is otherwise", "2 times the work"):
        assert word in out


@pytest.mark.parametrize(("days", "flagged"), [(170, False), (190, True)])
def test_an_old_price_is_flagged_in_an_estimate(
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
    tmp_path: Path,
    days: int,
    flagged: bool,
) -> None:
    day = datetime.datetime.now(datetime.UTC).date() - datetime.timedelta(days=days)
    (tmp_path / "offers").mkdir()
    text = (
        'provider = "aws"\n[[offer]]\naccelerator = "nvidia-v100-pcie-32gb"\ninstance = "mine"\n'
        f'kind = "on_demand"\ncurrency = "USD"\nprice_per_hour = 1.0\nas_of = "{day}"\nsource = "page"\n'
    )
    (tmp_path / "offers" / "own.toml").write_text(text, encoding="utf-8")
    args = ["estimate", "--model", "gpt2-124m", "--tokens", "1B", "--rules", str(tmp_path)]
    _, out, _ = run(capsys, monkeypatch, *args, "--hardware", "nvidia-v100-pcie-32gb")
    assert (f"{day}: older than 180 days" in " ".join(out.split())) == flagged

"""`hwadvisor estimate` and the tree of `explain`, as a user types them."""

from __future__ import annotations

import json
import re
import subprocess
import sys
from pathlib import Path

import pytest

from advisor.cli import cli
from advisor.cli.failures import run_guarded
from advisor.cli.tree import Tree, tree_of
from advisor.data.advice import load_advice, save_advice
from advisor.schema import (
    Advice,
    Calibration,
    Device,
    Fact,
    Grade,
    Machine,
    Measurement,
    Status,
    TraceStep,
)

JOB = ("--model", "llama-3-8b", "--method", "full", "--tokens", "100M", "--batch", "64")
TOO_LARGE = ("--model", "llama-3-70b", *JOB[2:])
HARDWARE = ("--hardware", "8 x nvidia-h100-sxm5-80gb")


@pytest.fixture
def typed(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]):  # type: ignore[no-untyped-def]
    """Run a command line; gives exit code, stdout, stderr."""
    monkeypatch.setenv("COLUMNS", "80")

    def run(*arguments: str) -> tuple[int, str, str]:
        monkeypatch.setattr(sys, "argv", ["hwadvisor", *arguments])
        capsys.readouterr()
        code = run_guarded(cli)
        said = capsys.readouterr()
        return code, said.out, said.err

    return run


def test_everything_is_told_in_80_columns(typed) -> None:  # type: ignore[no-untyped-def]
    code, out, err = typed("estimate", *JOB, *HARDWARE, "--explain")
    assert (code, err) == (0, "")
    for words in (
        "tokens/s, each device", "MFU", "P50", "P90", "activations", "rent", "energy", "Layout:", "Assumed:",
        "Nearest published runs", "rules/time/", "neighbour_factor", "operator",
    ):  # fmt: skip
        assert words in out, words
    assert max(len(line) for line in out.splitlines() if "https://" not in line) <= 80  # no address is broken
    assert "\x1b" not in out


def test_the_json_is_an_advice_that_other_commands_read(typed, tmp_path: Path) -> None:  # type: ignore[no-untyped-def]
    code, out, _ = typed("estimate", *JOB, *HARDWARE, "--json")
    assert code == 0
    file = tmp_path / "advice.json"
    file.write_text(out, encoding="utf-8")
    advice = load_advice(file)
    assert advice.command == "estimate"
    assert [w.id for w in advice.workloads] == [e.workload for e in advice.estimates]
    for quantity in ("optimizer_step_s", "memory_bytes", "rent_usd", "mfu"):
        code, told, err = typed("explain", str(file), quantity, "--depth", "2")
        assert code == 0, err
        assert f"{quantity} = " in told


def test_a_file_holds_the_flags_and_the_command_line_goes_before_it(typed, tmp_path: Path) -> None:  # type: ignore[no-untyped-def]
    file = tmp_path / "job.toml"
    file.write_text(
        'model = "llama-3-8b"\nmethod = "full"\ntokens = "100M"\nbatch = 64\nflash = false\n'
        'hardware = "8 x nvidia-h100-sxm5-80gb"\nmicro-batch = 2\n',
        encoding="utf-8",
    )
    choices = json.loads(typed("estimate", "--workload", str(file), "--json")[1])["estimates"][0]["choices"]
    assert choices["micro_batch"] == "2"
    code, out, _ = typed("estimate", "--workload", str(file), "--micro-batch", "1", "--json")
    assert code == 0
    assert json.loads(out)["estimates"][0]["choices"]["micro_batch"] == "1"


@pytest.mark.parametrize(
    ("body", "words"),
    [
        ('modl = "x"', "model"),
        ("model = [1]", "no text or number"),
        ("model = ", "is not valid TOML"),
        ('rules = "x"', "is no known flag"),
        ('batch = "many"', "batch"),
    ],
)
def test_a_broken_file_of_flags(typed, tmp_path: Path, body: str, words: str) -> None:  # type: ignore[no-untyped-def]
    file = tmp_path / "job.toml"
    file.write_text(body, encoding="utf-8")
    code, out, err = typed("estimate", "--workload", str(file), *HARDWARE)
    assert (code, out) == (2, "")
    assert words in err
    assert "Traceback" not in err


def test_what_does_not_fit_exits_with_1_and_says_what_would(typed) -> None:  # type: ignore[no-untyped-def]
    code, out, _ = typed("estimate", *TOO_LARGE, "--hardware", "1 x nvidia-rtx-4090-24gb")
    assert code == 1
    assert "Does not fit" in out
    assert "What would help" in out
    code, out, _ = typed("estimate", *TOO_LARGE, "--hardware", "1 x nvidia-rtx-4090-24gb", "--json")
    assert code == 1
    assert json.loads(out)["estimates"][0]["fits"] is False


def test_what_fits_only_by_the_hosts_memory_says_how_much_of_it(typed) -> None:  # type: ignore[no-untyped-def]
    code, out, _ = typed("estimate", *JOB, "--hardware", "1 x nvidia-rtx-4090-24gb")
    assert code == 0
    assert re.search(r"Fits, if each server of 1 has 1\d\d GiB for what is offloaded", out)


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        ((), "no network"),
        (("--model", "lama-3-8b"), "llama-3-8b"),
        (("--model", "llama-3-8b", "--params", "7B"), "exclude"),
        (("--params", "many"), "not a count"),
        ((*JOB, "--recompute", "ful"), "full"),
        ((*JOB, "--sharding", "zero3"), "zero2"),
        ((*JOB, "--optimizer", "adam"), "adamw"),
        ((*JOB, "--stack", "torsh"), "torch"),
        ((*JOB, "--precision", "bf8"), "bf16"),
        ((*JOB, "--lora-rank", "8"), "--method"),
        ((*JOB, "--tp", "16"), "needs 16 devices"),
        ((*JOB, "--tp", "0"), "--tp"),
        ((*JOB, "--explain", "tim_s"), "time_s"),
        ((*JOB, "--calibration", "none.json"), "another"),
    ],
)
def test_bad_flags_end_in_one_line_with_a_hint(typed, arguments: tuple[str, ...], words: str) -> None:  # type: ignore[no-untyped-def]
    code, _, err = typed("estimate", *arguments, *HARDWARE)
    assert code == 2
    assert words in err
    assert "Traceback" not in err
    assert len(err.strip().splitlines()) == 2


def test_a_hundred_thousand_devices_are_a_guess_that_says_so(typed) -> None:  # type: ignore[no-untyped-def]
    code, out, _ = typed(
        "estimate", *JOB[:4], "--batch", "200000", "--hardware", "100000 x nvidia-h100-sxm5-80gb"
    )
    assert code == 0
    assert "No published run here has more than" in out


# ---- the tree -----------------------------------------------------------------------------------------


def step(name: str, value: float | None, expr: str = "", *inputs: str, unit: str = "1") -> TraceStep:
    rule = f"rule-{name}" if expr else ""
    return TraceStep(
        quantity=name, value=value, unit=unit, kind="rule" if rule else "stated", rule=rule, expr=expr,
        source="flags", inputs=inputs, file="rules/x.toml:1" if rule else "",
    )  # fmt: skip


def told(capsys: pytest.CaptureFixture[str], steps: list[TraceStep], depth: int = 9) -> str:
    Tree({one.quantity: one for one in steps}, depth=depth).tell(steps[0].quantity)
    return capsys.readouterr().out


def test_a_formula_has_the_numbers_and_only_the_branch_that_holds(capsys: pytest.CaptureFixture[str]) -> None:
    out = told(
        capsys,
        [
            step("a", 14.0, "(b + c) * 2 - (d if known(d) else 0 * b) if e > 1 else f / (b - c)", *"bcdef"),
            step("b", 3.0), step("c", 4.0), step("d", None), step("e", 2.0), step("f", 9.0),
        ],
    )  # fmt: skip
    assert "= (3 + 4) × 2 − 0" in out
    assert "f = 9" not in out
    assert "e = 2" not in out


def test_brackets_stay_where_they_matter(capsys: pytest.CaptureFixture[str]) -> None:
    out = told(
        capsys,
        [step("a", 1.0, "b - (c - b) / (c * (b ** 2)) ** 0.5", "b", "c"), step("b", 3.0), step("c", 4.0)],
    )
    assert "= 3 − (4 − 3) / (4 × 3 ^ 2) ^ 0.5" in out


def test_what_was_told_is_not_told_again(capsys: pytest.CaptureFixture[str]) -> None:
    steps = [
        step("a", 6.0, "b * c", "b", "c"),
        step("b", 2.0, "c - 1", "c"),
        step("c", 3.0, "d + 1", "d"),
        step("d", 2.0),
    ]
    out = told(capsys, steps)
    assert out.count("d = 2") == 1
    assert re.search(r"c = 3 +\(see above\)", out)


def test_the_depth_is_kept(capsys: pytest.CaptureFixture[str]) -> None:
    steps = [
        step("a", 6.0, "b * 2", "b"),
        step("b", 3.0, "c + 1", "c"),
        step("c", 2.0, "d", "d"),
        step("d", 2.0),
    ]
    out = told(capsys, steps, depth=1)
    assert "b = 3" in out and "c = 2" not in out
    assert "1 below: --depth 2" in out


def test_operators_stand_in_a_table_with_their_shares(capsys: pytest.CaptureFixture[str]) -> None:
    total = step("t", 4.0, "sum over operators of op_s: q 3 s, r 1 s", "q__op_s", "r__op_s", unit="s")
    parts = [step("q__op_s", 3.0, unit="s"), step("r__op_s", 1.0, unit="s")]
    out = told(capsys, [total, *parts], depth=0)
    assert re.search(r"q +3 s +75.0%", out)
    assert re.search(r"r +1 s +25.0%", out)


def test_a_circle_or_nonsense_in_a_stranger_s_file_ends(capsys: pytest.CaptureFixture[str]) -> None:
    steps = [step("a", 1.0, "b + 1", "b"), step("b", 0.0, "a - 1", "a"), step("c", 1.0, "import os", "a")]
    assert "a = 1" in told(capsys, steps)
    assert "c = 1" in told(capsys, [steps[2], steps[0], steps[1]])


def test_a_quantity_without_steps_is_an_error() -> None:
    from advisor.errors import UserError
    from advisor.schema import Estimate, Target

    with pytest.raises(UserError):
        tree_of([step("a", 1.0)], Estimate(workload="own", target=Target(label="x")), "b", 3)


# ---- this machine as a file holds it --------------------------------------------------------------------


def known(value: object) -> Fact:  # type: ignore[type-arg]
    return Fact(value=value, status=Status.ok, source="test")


def gpu(index: int) -> Device:
    return Device(
        vendor="nvidia", index=index, name=known("NVIDIA H200"), uuid=known(f"GPU-{index}"),
        memory_total_bytes=known(143771 * 2**20), framework_name=known(f"cuda:{index}"),
    )  # fmt: skip


def scanned(folder: Path, count: int, rate: float | None) -> Path:
    """An advice.json of a machine with H200s whose training rate was measured."""
    measured = Measurement(
        id="train_rate.decoder.bf16.cuda:0", bench="train_rate", device="cuda:0", unit="FLOP/s",
        params={"family": "decoder", "dtype": "bf16", "hidden": 4096}, value=rate,
        low=None if rate is None else rate * 0.95, high=None if rate is None else rate * 1.05,
        grade=Grade.A if rate else Grade.C,
    )  # fmt: skip
    machine = Machine(probed_at="2026-01-01T00:00:00Z", devices=tuple(gpu(at) for at in range(count)))
    calibration = Calibration(measurements=(measured,))
    file = folder / "advice.json"
    save_advice(Advice(stage="complete", machine=machine, calibration=calibration), file)
    return file


def test_measured_rates_of_a_file_set_the_time(typed, tmp_path: Path) -> None:  # type: ignore[no-untyped-def]
    times = []
    for rate in (2e14, 4e14):
        code, out, err = typed(
            "estimate", *JOB, "--method", "lora", "--calibration", str(scanned(tmp_path, 1, rate)), "--json"
        )
        assert code == 0, err
        (estimate,) = json.loads(out)["estimates"]
        assert estimate["calibrated"] and estimate["target"]["here"]
        assert estimate["near"] == []
        times.append(estimate["quantities"]["time_s"]["value"])
    assert times[0] / times[1] == pytest.approx(2, rel=0.05)


def test_all_alike_devices_of_a_machine_train_together(typed, tmp_path: Path) -> None:  # type: ignore[no-untyped-def]
    file = scanned(tmp_path, 4, 4e14)
    (estimate,) = json.loads(typed("estimate", *JOB, "--calibration", str(file), "--json")[1])["estimates"]
    assert estimate["target"]["devices"] == 4
    assert estimate["fits"] is True


def test_a_file_without_measurements_is_refused(typed, tmp_path: Path) -> None:  # type: ignore[no-untyped-def]
    file = tmp_path / "advice.json"
    save_advice(Advice(machine=Machine(probed_at="2026-01-01T00:00:00Z")), file)
    code, _, err = typed("estimate", *JOB, "--calibration", str(file))
    assert code == 2
    assert "no calibration" in err


def test_a_report_is_made_of_an_estimate(typed, tmp_path: Path) -> None:  # type: ignore[no-untyped-def]
    file = tmp_path / "advice.json"
    file.write_text(typed("estimate", *JOB, *HARDWARE, "--json")[1], encoding="utf-8")
    code, _, err = typed("report", str(file), "--format", "html")
    assert code == 0
    assert "left out" not in err
    assert "nvidia-h100-sxm5-80gb" in (tmp_path / "report.html").read_text(encoding="utf-8")


def test_one_estimate_imports_nothing_heavy() -> None:
    code = (
        "import sys\n"
        "sys.argv = ['hwadvisor', 'estimate', '--model', 'gpt2', '--hardware', 'nvidia-a100-sxm4-80gb']\n"
        "from advisor.cli.failures import run_guarded\n"
        "from advisor.cli import cli\n"
        "assert run_guarded(cli) == 0\n"
        "slow = {'torch', 'rich', 'weasyprint', 'altair', 'vl_convert', 'pynvml', 'jinja2'}\n"
        "heavy = slow & set(sys.modules)\n"
        "assert not heavy, heavy\n"
        "for name in ('probe', 'schema.machine', 'schema.plan', 'data.systems'):\n"
        "    assert f'advisor.{name}' not in sys.modules, name\n"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr


# ---- details of the recipe ----------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("flags", "words"),
    [
        (("--loss", "fuzed"), "--loss 'fuzed' is none of plain, chunked, fused"),
        (("--attention", "flsh"), "Did you mean flash?"),
        (("--ema", "-1"), "'--ema': -1 is not in the range"),
        (("--train-only", "9B"), "--train-only 9e+09 is more than the 8.03026e+09 weights"),
        (("--image-size", "224"), "--image-size 224 says nothing of Llama 3 8B"),
        (("--accumulate", "3", "--micro-batch", "1"), "3 x --micro-batch 1 x 8 replicas are 24 samples"),
        (("--flash", "--attention", "eager"), "--attention exclude each other"),
        (("--optimizer", "adem"), "unknown optimizer 'adem'"),
        (("--frozen", "below"), "--frozen below needs --train-only"),
    ],
)  # fmt: skip
def test_a_wrong_detail_names_flag_and_value(typed, flags: tuple[str, ...], words: str) -> None:  # type: ignore[no-untyped-def]
    code, out, err = typed("estimate", *JOB, *HARDWARE, *flags)
    assert (code, out) == (2, "")
    assert words in err
    assert len(err.strip().splitlines()) <= 2


def test_details_stand_in_a_file_and_in_the_tree(typed, tmp_path: Path) -> None:  # type: ignore[no-untyped-def]
    file = tmp_path / "job.toml"
    file.write_text(
        'model = "llama-3-8b"\nmethod = "full"\nema = 1\nloss = "fused"\ntrain-only = "50%"\n'
        'hardware = "8 x nvidia-h100-sxm5-80gb"\nmicro-batch = 1\nstack = "torch"\nsharding = "fsdp"\n',
        encoding="utf-8",
    )
    for quantity, words in (
        ("memory_bytes", ("ema_copies = 1", "stated_trained_share = 0.5", "[stated] flags")),
        ("loss_bytes", ("bytes_loss_fused = 0.5 B",)),
    ):
        code, out, err = typed("estimate", "--workload", str(file), "--explain", quantity, "--depth", "12")
        assert (code, err) == (0, "")
        assert [word for word in words if word not in out] == []


def test_accumulation_makes_the_batch(typed) -> None:  # type: ignore[no-untyped-def]
    code, out, _ = typed(
        "estimate", "--model", "llama-3-8b", "--method", "full", *HARDWARE, "--micro-batch", "1",
        "--accumulate", "6", "--json",
    )  # fmt: skip
    assert code == 0
    recipe = json.loads(out)["workloads"][0]["recipe"]
    assert recipe["global_batch"] == 48
    assert "global_batch" in recipe["stated"]


@pytest.mark.parametrize(
    ("name", "quantity"),
    [("step", "optimizer_step_s"), ("step_time_s", "optimizer_step_s"), ("Activations", "activation_bytes")],
)
def test_printed_names_and_those_of_records_can_be_explained(typed, name: str, quantity: str) -> None:  # type: ignore[no-untyped-def]
    code, out, err = typed("estimate", *JOB, *HARDWARE, "--explain", name, "--depth", "1")
    assert (code, err) == (0, "")
    assert f"{quantity} = " in out


def test_a_name_that_nothing_prints_is_still_unknown(typed) -> None:  # type: ignore[no-untyped-def]
    code, _, err = typed("estimate", *JOB, *HARDWARE, "--explain", "stepping stones")
    assert code == 2
    assert "no quantity 'stepping stones' here" in err

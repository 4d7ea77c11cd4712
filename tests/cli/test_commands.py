"""The commands as a user types them, in a process of their own."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path

import pytest

from advisor.cli import COMMANDS, cli
from advisor.data.advice import load_advice

REPO = Path(__file__).resolve().parents[2]


HWADVISOR = (sys.executable, "-m", "advisor")
LITTLE = (sys.executable, str(REPO / "tests/few.py"))
"""The same with few workloads and devices to go through."""


def run(
    *arguments: str, cwd: Path | None = None, program: Sequence[str] = HWADVISOR, **env: str
) -> subprocess.CompletedProcess[str]:
    """`hwadvisor ARGUMENTS` with PYTHONPATH pointing here, so that any folder can be the current one."""
    return subprocess.run(
        [*program, *arguments],
        capture_output=True,
        text=True,
        cwd=cwd,
        timeout=300,
        env={**os.environ, "PYTHONPATH": str(REPO), **env},
        check=False,
    )


def fails(done: subprocess.CompletedProcess[str], *words: str) -> None:
    """Exit 2, one line, at most one hint, no traceback, nothing on stdout."""
    assert done.returncode == 2, done.stderr
    lines = done.stderr.strip().splitlines()
    assert lines[0].startswith("hwadvisor: "), done.stderr
    assert len([line for line in lines if line.startswith("hwadvisor: ")]) == 1
    assert "Traceback" not in done.stderr
    for word in words:
        assert word in done.stderr


def test_every_command_in_the_table_exists_and_has_the_help_the_table_promises() -> None:
    for name in COMMANDS:
        command = cli.get_command(None, name)  # type: ignore[arg-type]
        assert command is not None
        assert command.name == name


@pytest.mark.parametrize("name", list(COMMANDS))
def test_help_of_every_command(name: str) -> None:
    done = run(name, "--help")
    assert done.returncode == 0
    assert "Usage:" in done.stdout


def test_help_imports_nothing_heavy() -> None:
    code = (
        "import sys, advisor.cli as c\n"
        "try: c.cli.main(['--help'], standalone_mode=False)\n"
        "except SystemExit: pass\n"
        "slow = {'torch', 'numpy', 'pydantic', 'weasyprint', 'altair', 'vl_convert', 'pynvml', 'rich'}\n"
        "heavy = slow & set(sys.modules)\n"
        "assert not heavy, heavy\n"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr


def test_unknown_command_offers_the_nearest() -> None:
    fails(run("scann"), "scann", "scan")


def test_probe_json_is_one_document_and_nothing_else() -> None:
    done = run("probe", "--json")
    assert done.returncode == 0, done.stderr
    advice = json.loads(done.stdout)
    assert advice["machine"]["cpu"]["threads"]["value"] >= 1
    assert advice["machine"]["memory"]["total_bytes"]["status"] == "ok"


def test_probe_never_imports_torch_in_the_parent() -> None:
    code = (
        "import sys\nfrom advisor.probe import detect\n"
        "detect(ask_frameworks=False)\nassert 'torch' not in sys.modules and 'pynvml' not in sys.modules\n"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False, cwd=REPO)
    assert done.returncode == 0, done.stderr


def test_raw_answers_can_be_saved_and_replayed(tmp_path: Path) -> None:
    raw = tmp_path / "raw.json"
    first = run("probe", "--json", "--save-raw", str(raw))
    assert first.returncode == 0, first.stderr
    second = run("probe", "--json", "--replay", str(raw))
    assert second.returncode == 0, second.stderr
    a, b = (json.loads(done.stdout)["machine"] for done in (first, second))
    assert a["cpu"] == b["cpu"]
    assert a["memory"] == b["memory"]


def test_a_quiet_probe_writes_its_file_and_says_nothing(tmp_path: Path) -> None:
    raw = tmp_path / "raw.json"
    done = run("probe", "--quiet", "--no-frameworks", "--save-raw", str(raw))
    assert (done.returncode, done.stdout, done.stderr) == (0, "", "")
    assert "host" in json.loads(raw.read_text())
    again = run("probe", "--quiet", "--json", "--replay", str(raw))
    assert "machine" in json.loads(again.stdout)


def test_replay_of_something_else(tmp_path: Path) -> None:
    bad = tmp_path / "x.json"
    bad.write_text("[1, 2")
    fails(run("probe", "--replay", str(bad)), "x.json")


def test_unknown_model_offers_the_nearest_names(tmp_path: Path) -> None:
    done = run("scan", "--model", "lama-3-8b", "--output", str(tmp_path / "out"))
    fails(done, "lama-3-8b", "llama-3-8b")
    assert not (tmp_path / "out").exists() or not any((tmp_path / "out").iterdir())


def test_flags_of_a_workload_need_a_model() -> None:
    fails(run("scan", "--tokens", "1B"), "--model")


@pytest.mark.parametrize("count", ["abc", "-5", "nan", "inf", "", "5Q"])
def test_a_count_that_is_none(count: str) -> None:
    fails(run("scan", "--model", "gpt2-124m", "--tokens", count), "count")


@pytest.mark.skipif(os.name != "posix", reason="needs /proc or /sys")
def test_unwritable_output_folder() -> None:
    fails(run("scan", "--output", "/proc/hwadvisor"), "/proc/hwadvisor", "--output")


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="needs /dev/full")
def test_output_that_is_a_file(tmp_path: Path) -> None:
    target = tmp_path / "file"
    target.write_text("")
    fails(run("scan", "--output", str(target)), str(target.name))


def test_python_that_is_none(tmp_path: Path) -> None:
    fails(run("scan", "--python", str(tmp_path / "nowhere"), "--output", str(tmp_path)), "nowhere")
    assert not any(tmp_path.iterdir())


def test_device_asked_for_and_absent_is_an_error_never_a_cpu_run(tmp_path: Path) -> None:
    done = run("scan", "--device", "cuda", "--output", str(tmp_path), CUDA_VISIBLE_DEVICES="")
    fails(done, "cuda")
    assert not any(tmp_path.iterdir())


def test_unknown_format() -> None:
    fails(run("scan", "--format", "docx"), "docx", "html")


def test_quick_and_thorough_exclude_each_other() -> None:
    fails(run("scan", "--quick", "--thorough"), "exclude")


def test_broken_rule_file_is_named_with_its_line(tmp_path: Path) -> None:
    rules = tmp_path / "mine"
    rules.mkdir()
    (rules / "broken.toml").write_text('[[rule]]\nid = "x"\ngives = "y"\nexpr = "1 +"\n')
    done = run("scan", "--rules", str(rules), "--output", str(tmp_path / "out"))
    fails(done, "broken.toml")
    assert not (tmp_path / "out").exists()
    check = run("rules", "check", str(rules))
    assert check.returncode == 2
    assert "broken.toml" in check.stderr


def test_report_of_a_newer_version(tmp_path: Path) -> None:
    file = tmp_path / "advice.json"
    file.write_text('{"schema_version": 99, "versions": {"tool": "9.9.9"}}')
    fails(run("report", str(file)), "9.9.9", "newer")


@pytest.mark.parametrize(
    "content", ["", "{", "[]", "null", '{"schema_version": "x"}', '{"schema_version": 1, "stge": 1}', "\x00"]
)
def test_report_of_something_else(tmp_path: Path, content: str) -> None:
    file = tmp_path / "advice.json"
    file.write_text(content)
    fails(run("report", str(file)), "advice.json")
    assert [p.name for p in tmp_path.iterdir()] == ["advice.json"]


def test_report_of_nothing(tmp_path: Path) -> None:
    fails(run("report", str(tmp_path / "gone.json")), "gone.json")


def test_doctor_says_what_it_checked() -> None:
    done = run("doctor", "--json")
    names = [check["name"] for check in json.loads(done.stdout)["checks"]]
    assert {"Python", "Rules", "torch"} <= set(names)


def test_rules_hold_their_own_cases() -> None:
    done = run("rules", "test")
    assert done.returncode == 0, done.stderr


def test_a_model_that_nobody_knows_or_a_file_that_is_none(tmp_path: Path) -> None:
    out = ("--no-calibrate", "--output", str(tmp_path))
    fails(run("scan", "--model", "lama-3-8b", *out), "llama-3-8b")
    fails(run("scan", "--model", "org/name", *out, HF_HOME=str(tmp_path)), "unknown model")
    config = tmp_path / "config.json"
    config.write_text('{"architectures": ["LlamaForCausalLM"], "hidden_size": -1}', "utf-8")
    fails(run("scan", "--model", str(config), *out), "config.json: hidden_size = -1")
    fails(run("scan", "--model", "gpt2", "--params", "7B", *out), "exclude each other")
    fails(run("scan", "--params", "1", *out), "--params")


def test_a_config_in_the_hub_cache_and_a_bare_size_become_workloads(tmp_path: Path) -> None:
    folder = tmp_path / "hub" / "models--org--tiny" / "snapshots" / "abc"
    folder.mkdir(parents=True)
    fields = {"n_embd": 128, "n_head": 2, "n_layer": 2, "vocab_size": 1000}
    text = json.dumps({"architectures": ["GPT2LMHeadModel"], **fields})
    (folder / "config.json").write_text(text, "utf-8")
    out = tmp_path / "out"
    flags = ("--no-calibrate", "--output", str(out), "--format", "html")
    # The first also prints all that a scan prints, to a terminal that knows only ASCII.
    done = run("scan", "--model", "org/tiny", *flags, program=LITTLE, HF_HOME=str(tmp_path),
               PYTHONIOENCODING="ascii")  # fmt: skip
    assert done.returncode == 0, done.stderr
    assert done.stdout.isascii() and "org/tiny" in done.stdout
    [report] = out.iterdir()
    quiet = run("scan", "--params", "125M", *flags, "--json", "--quiet", program=LITTLE)
    assert quiet.returncode == 0, quiet.stderr
    for advice, name in (
        (load_advice(report).model_dump(mode="json"), "org/tiny"),
        (json.loads(quiet.stdout), "1.25e+08"),
    ):
        assert name in advice["workloads"][0]["title"]
        (here, *_) = [e for e in advice["estimates"] if e["workload"] == "own" and e["target"]["here"]]
        assert here["quantities"]["memory_bytes"]["value"] and here["quantities"]["time_s"]["value"]


def test_without_a_command_the_help_is_shown() -> None:
    done = run()
    assert done.returncode == 0
    assert "Commands:" in done.stdout and "scan" in done.stdout
    assert done.stderr == ""


def test_a_closed_pipe_does_not_stop_a_scan(tmp_path: Path) -> None:
    process = subprocess.Popen(
        [*LITTLE, "scan", "--no-calibrate", "--format", "html", "--output", str(tmp_path)],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        env={**os.environ, "PYTHONPATH": str(REPO)},
    )
    assert process.stdout is not None
    process.stdout.readline()
    process.stdout.close()
    assert process.wait(timeout=120) == 0
    assert list(tmp_path.glob("*/report.html"))
    if process.stderr is not None:
        process.stderr.close()


def test_json_is_utf_8_whatever_the_terminal_knows() -> None:
    done = run("probe", "--json", "--no-frameworks", PYTHONIOENCODING="ascii")
    assert done.returncode == 0, done.stderr
    json.loads(done.stdout)


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="needs /dev/full")
def test_a_full_standard_output() -> None:
    with Path("/dev/full").open("w") as full:
        done = subprocess.run(
            [sys.executable, "-m", "advisor", "models"],
            stdout=full,
            stderr=subprocess.PIPE,
            text=True,
            check=False,
            env={**os.environ, "PYTHONPATH": str(REPO)},
        )
    assert done.returncode == 2
    assert "no space left" in done.stderr and "Traceback" not in done.stderr


@pytest.mark.skipif(os.name != "posix", reason="a current folder cannot be deleted here")
def test_a_current_folder_that_is_gone(tmp_path: Path) -> None:
    gone = tmp_path / "gone"
    gone.mkdir()
    script = f"cd {gone} && rmdir {gone} && exec {sys.executable} -m advisor probe"
    done = subprocess.run(
        ["sh", "-c", script],
        capture_output=True,
        text=True,
        check=False,
        env={**os.environ, "PYTHONPATH": str(REPO)},
    )
    fails(done, "current folder")


def test_rules_check_looks_at_data_and_cases_too(tmp_path: Path) -> None:
    empty = tmp_path / "empty"
    empty.mkdir()
    fails(run("rules", "check", str(empty)), "no TOML file")
    bad = tmp_path / "bad" / "models"
    bad.mkdir(parents=True)
    (bad / "mine.toml").write_text('id = "mine"\nfamily = "decodr"\n')
    done = run("rules", "check", str(tmp_path / "bad"))
    assert done.returncode == 2
    assert 'mine.toml: title: is missing. Write title = "…".' in done.stderr
    assert "1 problem in" in done.stderr


def test_words_that_are_near_none_are_answered_with_the_list() -> None:
    fails(run("estimate", "--model", "bert-base", "--precision", "int3"), "It is one of fp32, tf32,")
    fails(run("estimate", "--model", "bert-base", "--method", "foo"), "lora, qlora, dpo, dpo-lora")


def test_raw_answers_that_cannot_be_kept_name_their_own_option(tmp_path: Path) -> None:
    done = run("probe", "--quiet", "--no-frameworks", "--save-raw", str(tmp_path / "none" / "raw.json"))
    fails(done, "with --save-raw.")
    assert "--output" not in done.stderr


def test_escape_sequences_of_a_stranger_stay_text() -> None:
    from advisor.cli.screen import plain

    assert "\x1b" not in plain("\x1b]52;c;AAAA\x07")
    assert plain("a\nb\tc – 汉字") == "a\nb\tc – 汉字"


def test_a_bench_that_has_no_part_in_the_run_is_said_so() -> None:
    fails(run("calibrate", "--only", "host_device_copy", "--device", "cpu"), "host_device_copy")


def test_calibrate_checks_its_python_and_its_output_first(tmp_path: Path) -> None:
    fails(run("calibrate", "--python", str(tmp_path / "nowhere")), "nowhere")
    fails(run("calibrate", "--only", "disk_read", "--output", str(tmp_path / "no" / "a.json")), "no/a.json")

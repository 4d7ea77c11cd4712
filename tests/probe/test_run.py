"""The runner: children that hang, crash, flood, raise or cannot be killed cost their own answers only."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import textwrap
import threading
import time
from pathlib import Path
from typing import Any

import pytest

from advisor.probe import run
from advisor.probe.reading import ask_tool
from advisor.probe.run import CHILD, Job, Place, Raw, gather

REPO = Path(__file__).resolve().parents[2]


class Lab:
    """Writes probe modules into a folder and runs them by the real runner in real children."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.place = Place(probes=(folder, CHILD.parent))

    def write(self, name: str, body: str) -> None:
        """A probe module whose `read(root, say)` has this body."""
        lines = textwrap.indent(textwrap.dedent(body).strip(), "    ")
        text = f"import os, signal, sys, time\n\ndef read(root, say):\n{lines}\n"
        (self.folder / f"{name}.py").write_text(text, encoding="utf-8")

    def run(self, *groups: tuple[str, ...], deadline_s: float = 5.0) -> Raw:
        """Each group in a child of its own."""
        return gather([Job("-".join(names), names, deadline_s) for names in groups], self.place)


@pytest.fixture
def lab(tmp_path: Path) -> Lab:
    return Lab(tmp_path)


def test_answers_of_any_json_type_come_through(lab: Lab) -> None:
    lab.write("fine", 'say("n", 1)\nsay("t", "Größe \\ud800")\nsay("l", [None, True, {"x": 1.5}])')
    raw = lab.run(("fine",))["fine"]
    assert raw["answers"] == {"n": 1, "t": "Größe \ud800", "l": [None, True, {"x": 1.5}]}
    assert (raw["status"], raw["reason"]) == ("ok", "")
    assert 0 <= raw["seconds"] < 5


def test_a_probe_that_raises_leaves_its_neighbours(lab: Lab) -> None:
    lab.write("bad", 'say("before", 1)\nraise ValueError("two\\nlines")')
    lab.write("exits", "sys.exit(3)")
    lab.write("good", 'say("k", 2)')
    raw = lab.run(("bad", "exits", "missing_module", "good"))
    assert raw["bad"]["answers"] == {"before": 1}
    assert raw["bad"]["status"] == "failed"
    assert raw["bad"]["reason"].startswith("ValueError: two lines (bad.py:")
    assert raw["exits"]["status"] == raw["missing_module"]["status"] == "failed"
    assert raw["good"] == {
        "answers": {"k": 2},
        "status": "ok",
        "reason": "",
        "seconds": raw["good"]["seconds"],
    }


def test_what_a_library_prints_is_no_answer(lab: Lab) -> None:
    lab.write("noisy", 'os.write(1, b\'{"k": "fake", "v": 1}\\nwarning\\n\')\nprint("hello")\nsay("k", 2)')
    assert lab.run(("noisy",))["noisy"]["answers"] == {"k": 2}


def test_a_hang_costs_the_deadline_and_its_own_call(lab: Lab) -> None:
    lab.write("hangs", 'say("a", 1)\nsay.begin("the call")\ntime.sleep(60)\nsay("b", 2)')
    lab.write("after", 'say("c", 3)')
    lab.write("other", 'say("d", 4)')
    started = time.monotonic()
    raw = lab.run(("hangs", "after"), ("other",), deadline_s=1.0)
    assert time.monotonic() - started < 2.0
    assert raw["hangs"]["answers"] == {"a": 1}
    assert (raw["hangs"]["status"], raw["hangs"]["reason"]) == (
        "timeout",
        "the call gave no answer within 1 s; everything else was asked",
    )
    assert raw["after"]["answers"] == {"c": 3}
    assert raw["after"]["status"] == "ok"
    assert raw["other"]["answers"] == {"d": 4}


def test_a_slow_call_that_ends_in_time_is_no_hang(lab: Lab) -> None:
    lab.write("slow", 'say.begin("the call")\ntime.sleep(0.8)\nsay("a", 1)')
    raw = lab.run(("slow",), deadline_s=1.2)
    assert raw["slow"]["answers"] == {"a": 1}
    assert raw["slow"]["status"] == "ok"


def test_a_hang_without_a_call_leaves_out_the_whole_probe(lab: Lab) -> None:
    lab.write("hangs", "time.sleep(60)")
    lab.write("after", 'say("c", 3)')
    raw = lab.run(("hangs", "after"), deadline_s=0.8)
    assert raw["hangs"]["status"] == "timeout"
    assert raw["after"]["answers"] == {"c": 3}


def test_many_hangs_cost_one_deadline(lab: Lab) -> None:
    lab.write("hangs", 'say.begin("x", needed=True)\ntime.sleep(60)')
    started = time.monotonic()
    raw = gather([Job(f"g{n}", ("hangs",), 0.8) for n in range(5)], lab.place)
    assert time.monotonic() - started < 2.0
    assert raw["hangs"]["status"] == "timeout"


@pytest.mark.parametrize("name", ["SIGSEGV", "SIGABRT", "SIGKILL", "SIGILL"])
def test_a_crash_is_named_and_the_rest_is_read(lab: Lab, name: str) -> None:
    lab.write(
        "crashes",
        f"""
        say("a", 1)
        try:
            say.begin("bad call")
            os.kill(os.getpid(), signal.{name})
            time.sleep(5)
        except Exception as skipped:
            say("skipped", str(skipped))
        say("b", 2)
        """,
    )
    lab.write("after", 'say("c", 3)')
    started = time.monotonic()
    raw = lab.run(("crashes", "after"))
    assert time.monotonic() - started < 2.5
    assert raw["crashes"]["status"] == "failed"
    assert f"bad call crashed with {name}" in raw["crashes"]["reason"]
    assert raw["crashes"]["answers"] == {"a": 1, "b": 2, "skipped": f"bad call crashed with {name}"}
    assert raw["after"]["answers"] == {"c": 3}


def test_a_crash_in_a_needed_call_is_final(lab: Lab) -> None:
    lab.write(
        "crashes",
        'open(os.path.join(os.path.dirname(__file__), "log"), "a").write("x")\n'
        'say.begin("init", needed=True)\nos.kill(os.getpid(), signal.SIGSEGV)',
    )
    lab.write("after", 'say("c", 3)')
    raw = lab.run(("crashes", "after"))
    assert raw["crashes"]["reason"] == "init crashed with SIGSEGV"
    assert (lab.folder / "log").read_text() == "x"
    assert raw["after"]["status"] == "failed"
    assert "never had its turn" in raw["after"]["reason"]


def test_a_thing_on_which_two_calls_fail_is_left_out(lab: Lab) -> None:
    lab.write(
        "device",
        """
        for thing in ("device 0", "device 1"):
            for call in ("a", "b", "c", "d"):
                try:
                    say.begin(f"{thing}: {call}")
                except Exception:
                    continue
                if thing == "device 0" and call != "a":
                    os.kill(os.getpid(), signal.SIGSEGV)
                say(f"{thing}.{call}", 1)
        """,
    )
    answers = lab.run(("device",))["device"]["answers"]
    assert set(answers) == {"device 0.a", *(f"device 1.{call}" for call in "abcd")}


def test_a_flood_is_cut_off(lab: Lab, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(run, "MAX_SAID_BYTES", 200_000)
    lab.write("floods", 'say("first", 1)\nwhile True:\n    say("k", "x" * 10000)')
    lab.write("shouts", 'say("k", 1)\nfor _ in range(300):\n    os.write(2, b"y" * 65536)')
    started = time.monotonic()
    raw = lab.run(("floods",), ("shouts",), deadline_s=4.0)
    assert time.monotonic() - started < 4.5
    assert raw["floods"]["status"] == "failed"
    assert "said more than" in raw["floods"]["reason"]
    assert raw["floods"]["answers"]["first"] == 1
    assert raw["shouts"]["status"] == "ok"


def test_the_child_is_isolated(lab: Lab) -> None:
    lab.write("paths", 'say("path", sys.path)\nsay("flags", [sys.flags.isolated, sys.flags.no_site])')
    answers = lab.run(("paths",))["paths"]["answers"]
    assert answers["flags"] == [1, 1]
    assert "" not in answers["path"]
    assert str(REPO) not in answers["path"]


def test_the_working_folder_is_named_to_the_child_and_not_entered(lab: Lab, tmp_path: Path) -> None:
    lab.write(
        "where",
        'say("cwd", os.getcwd())\nsay("env", [os.environ.get(f"HWADVISOR_{n}") for n in ("X", "WORKDIR")])',
    )
    place = Place(workdir=tmp_path / "gone", env={"HWADVISOR_X": "1"}, probes=lab.place.probes)
    answers = gather([Job("g", ("where",), 5.0)], place)["where"]["answers"]
    assert answers == {"cwd": str(Path.cwd()), "env": ["1", str(tmp_path / "gone")]}


def test_a_working_folder_that_may_not_be_entered_or_hangs_stops_no_child(
    lab: Lab, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The parent never looks at it: on a dead file server even that would hang."""
    lab.write("fine", 'say("k", 1)')

    class Dead(type(Path())):  # type: ignore[misc]
        def is_dir(self) -> bool:
            raise PermissionError(13, "Permission denied")

        stat = exists = resolve = is_dir

    place = Place(workdir=Dead("/dead"), probes=lab.place.probes)
    assert gather([Job("g", ("fine",), 5.0)], place)["fine"]["answers"] == {"k": 1}


def test_a_hang_beside_a_group_that_goes_on_is_a_timeout_and_no_crash(
    lab: Lab, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The hung child ends itself when its own guard strikes, while the other group is still at work."""
    lab.write("hangs", 'say.begin("nvmlInit", needed=True)\ntime.sleep(60)')
    lab.write("long", 'time.sleep(2.5)\nsay("k", 1)')
    dumps = run.json.dumps
    monkeypatch.setattr(
        run.json,
        "dumps",
        lambda order, **options: dumps({**order, "limit_s": order["limit_s"] - 4.7}, **options),
    )
    raw = gather([Job("a", ("hangs",), 1.0), Job("b", ("long",), 10.0)], lab.place)
    assert (raw["hangs"]["status"], raw["hangs"]["reason"]) == (
        "timeout",
        "nvmlInit gave no answer within 1 s",
    )
    assert raw["long"]["answers"] == {"k": 1}


# --- patience: a driver that starts its devices one after the other --------------------------------------


def test_a_slow_start_is_waited_for_where_the_job_has_patience(lab: Lab) -> None:
    lab.write(
        "slow", 'say.begin("init", needed=True)\ntime.sleep(1.0)\nsay("k", 1)\nsay.begin("x")\nsay("l", 2)'
    )
    assert gather([Job("g", ("slow",), 0.6)], lab.place)["slow"]["status"] == "timeout"
    raw = gather([Job("g", ("slow",), 0.6, 2.0)], lab.place)["slow"]
    assert (raw["status"], raw["answers"]) == ("ok", {"k": 1, "l": 2})


def test_slow_steps_that_make_progress_use_the_patience(lab: Lab) -> None:
    lab.write(
        "steps",
        'for n in range(5):\n    say.begin(f"device {n}: handle")\n    time.sleep(0.3)\n    say(f"{n}", n)',
    )
    raw = gather([Job("g", ("steps",), 1.0, 3.0)], lab.place)["steps"]
    assert (raw["status"], len(raw["answers"])) == ("ok", 5)


def test_a_hung_call_costs_the_deadline_and_not_the_patience(lab: Lab) -> None:
    lab.write("hangs", 'say("a", 1)\nsay.begin("device 0: name")\ntime.sleep(60)\nsay("b", 2)')
    started = time.monotonic()
    raw = gather([Job("g", ("hangs",), 2.0, 20.0)], lab.place)["hangs"]
    assert time.monotonic() - started < 6.0
    assert raw["status"] == "timeout"
    assert "gave no answer within 2 s; everything else was asked" in raw["reason"]


def test_a_hung_start_costs_deadline_and_patience(lab: Lab) -> None:
    lab.write("hangs", 'say.begin("init", needed=True)\ntime.sleep(60)')
    raw = gather([Job("g", ("hangs",), 0.5, 0.7)], lab.place)["hangs"]
    assert raw["reason"] == "init gave no answer within 1.2 s"


def test_a_child_that_cannot_be_started_is_told(lab: Lab, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "executable", str(lab.folder / "nopython"))
    raw = gather([Job("g", ("any",), 5.0)], lab.place)
    assert raw["any"]["status"] == "failed"
    assert "could not be started" in raw["any"]["reason"]


def test_a_user_who_may_start_no_more_threads(lab: Lab, monkeypatch: pytest.MonkeyPatch) -> None:
    """As with a low `ulimit -u` on a login node."""
    lab.write("fine", 'say("k", 1)')

    def refuse(_: threading.Thread) -> None:
        raise RuntimeError("can't start new thread")

    monkeypatch.setattr(threading.Thread, "start", refuse)
    raw = gather([Job("g", ("fine",), 5.0)], lab.place)
    assert (raw["fine"]["status"], raw["fine"]["answers"]) == ("failed", {})
    assert "can't start new thread" in raw["fine"]["reason"]
    answer = ask_tool([sys.executable, "-c", "print(1)"], 5.0)
    assert (answer["status"], answer["out"]) == ("failed", "")


def _alive(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    return "Z" not in Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0]


def test_an_interrupt_leaves_no_child_and_no_grandchild(lab: Lab) -> None:
    lab.write(
        "hangs",
        """
        import subprocess
        child = subprocess.Popen(["sleep", "60"])
        where = os.path.join(os.path.dirname(__file__), "pids")
        open(where + ".new", "w").write(f"{os.getpid()} {child.pid}")
        os.rename(where + ".new", where)
        time.sleep(60)
        """,
    )

    def interrupt() -> None:
        until = time.monotonic() + 5
        while not (lab.folder / "pids").exists() and time.monotonic() < until:
            time.sleep(0.01)
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        gather([Job("g", ("hangs",), 30.0)], lab.place, interrupt)
    pids = [int(pid) for pid in (lab.folder / "pids").read_text().split()]
    until = time.monotonic() + 2
    while any(_alive(pid) for pid in pids) and time.monotonic() < until:
        time.sleep(0.01)
    assert not any(_alive(pid) for pid in pids)


UNKILLABLE = """
import sys, time
from pathlib import Path
from advisor.probe import run
run._kill = lambda look: None  # a child in D state: no signal ends it
raw = run.gather([run.Job("g", ("hangs",), 0.5)], run.Place(probes=(Path(sys.argv[1]), run.CHILD.parent)))
print(raw["hangs"]["status"], [p.pid for p in run._abandoned][0], flush=True)
"""


def test_a_child_that_cannot_be_killed_holds_up_neither_the_answer_nor_the_exit(lab: Lab) -> None:
    lab.write("hangs", 'say.begin("x", needed=True)\ntime.sleep(20)')
    started = time.monotonic()
    done = subprocess.run(
        [sys.executable, "-W", "error", "-c", UNKILLABLE, str(lab.folder)],
        capture_output=True,
        text=True,
        timeout=15,
        env={**os.environ, "PYTHONPATH": str(REPO)},
        check=False,
    )
    took = time.monotonic() - started
    status, pid = done.stdout.split()
    os.kill(int(pid), signal.SIGKILL)
    assert done.returncode == 0, done.stderr
    assert done.stderr == ""
    assert status == "timeout"
    assert took < 3.0


def test_a_child_whose_parent_is_gone_ends_by_itself(lab: Lab) -> None:
    lab.write("hangs", "time.sleep(60)")
    order: dict[str, Any] = {"modules": ["hangs"], "root": "/", "skip": {}, "paths": [], "limit_s": 0.3}
    order["probes"] = [str(lab.folder), str(CHILD.parent)]
    import json

    done = subprocess.run(
        [sys.executable, "-I", "-S", str(CHILD), json.dumps(order)],
        capture_output=True,
        timeout=10,
        check=False,
    )
    assert done.returncode == 1

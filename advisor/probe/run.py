"""Runs the probes: one child process a group, all at once, each with a deadline that holds.

A driver call may hang for ever in D state, where not even SIGKILL ends the process, or take the process
down. So nothing here ever waits without a bound: pipes are read by daemon threads, a child past its
deadline is killed and left alone, what it said until then is kept, and the call it had begun is blamed.

A job with patience (a driver that first starts its devices) may take longer in all, as long as it is not
silent for its deadline; only the call that all others need is waited for to the end of that patience.

A child that hangs or crashes in one call is looked at again without that call, while the first one may
still answer: at half of the time left for a hang, at once for a crash. One hung call therefore costs the
deadline and its own field.
"""

from __future__ import annotations

import json
import os
import queue
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from functools import cache
from importlib.util import find_spec
from pathlib import Path
from typing import IO, Any

from advisor.probe.pipes import start_reader

CHILD = Path(__file__).with_name("child.py")
WORKDIR_VARIABLE = "HWADVISOR_WORKDIR"  # tells the storage probe which folder is meant
MAX_LOOKS = 6  # the time left is halved by each hang, and a crash costs 0.1 s
MAX_SAID_BYTES = 16 * 1024 * 1024  # of one child; the largest honest answer is /proc/cpuinfo, about 1 MB
MAX_NOISE_BYTES = 4000
REAP_S = 0.25  # how long the end of all killed children is waited for, together
BINDINGS = ("pynvml", "psutil", "cpuinfo")  # the libraries that probes may import in their children

Raw = dict[str, dict[str, Any]]
"""{probe: {"answers": {key: value}, "status", "reason", "seconds"}}"""


@dataclass(frozen=True)
class Job:
    """One child process: the probes it runs, in order, and when its time is up.

    `patience_s`: what it may take beyond `deadline_s` while it makes progress, or in a needed call.
    """

    group: str
    modules: tuple[str, ...]
    deadline_s: float
    patience_s: float = 0.0


@dataclass(frozen=True)
class Place:
    """Where the children look, and what they are given. They are not started in `workdir`, which may hang."""

    root: Path = Path("/")
    workdir: Path | None = None
    env: dict[str, str] = field(default_factory=dict)
    probes: tuple[Path, ...] = (CHILD.parent,)  # the folders that hold the probe modules


@dataclass
class _Look:
    """One child process of a group and what it has said so far."""

    job: Job
    skip: dict[str, dict[str, list[str]]]
    until: float
    process: subprocess.Popen[bytes] | None = None
    heard_at: float = 0.0
    rest: bytes = b""
    noise: bytes = b""
    probe: str = ""
    probe_since: float = 0.0
    call: str = ""
    needed: bool = False
    answers: dict[str, dict[str, Any]] = field(default_factory=dict)
    ended: dict[str, dict[str, Any]] = field(default_factory=dict)
    done: bool = False  # said that it has finished
    over: bool = False  # nothing more will come
    verdict: tuple[str, str] = ("", "")  # status and reason when it ended before its time
    followed: bool = False  # another look was started because of this one


_abandoned: list[subprocess.Popen[bytes]] = []


def gather(jobs: Iterable[Job], place: Place, meanwhile: Callable[[], object] | None = None) -> Raw:
    """Run all jobs at once and return what every probe said. Never raises because of a child.

    `meanwhile` is called once the children have started (the caller's own slow imports).
    """
    _reap(0.0)
    events: queue.Queue[tuple[_Look, str, bytes]] = queue.Queue()
    groups: list[list[_Look]] = []
    started = time.monotonic()
    try:
        for job in jobs:
            groups.append([_start(job, {}, started + job.deadline_s + job.patience_s, place, events)])
        if meanwhile is not None:
            meanwhile()
        _listen(groups, place, events)
    finally:
        for look in (look for looks in groups for look in looks):
            _end(look)
        _reap(REAP_S)
    return {name: _conclude(looks, name) for looks in groups for name in looks[0].job.modules}


def _listen(groups: list[list[_Look]], place: Place, events: queue.Queue[tuple[_Look, str, bytes]]) -> None:
    """Take what the children say until each group has its answers or its deadline."""
    while True:
        now = time.monotonic()
        waits = [_tend(looks, now, place, events) for looks in groups]
        left = [wait for wait in waits if wait is not None]
        if not left:
            return
        try:
            look, kind, data = events.get(timeout=max(min(left), 0.001))
        except queue.Empty:
            continue
        while True:
            _take(look, kind, data)
            try:
                look, kind, data = events.get_nowait()
            except queue.Empty:
                break


def _tend(
    looks: list[_Look], now: float, place: Place, events: queue.Queue[tuple[_Look, str, bytes]]
) -> float | None:
    """Start, stop and judge the looks of one group; seconds until it must be tended again, None: finished."""
    first, last = looks[0], looks[-1]
    if first.done or (all(look.over for look in looks) and not _may_follow(last)):
        return None
    limit = _limit(first)
    if now >= limit:
        for look in looks:
            if not look.over:  # at once: a child that ended itself later would be told as a crash
                look.verdict = ("timeout", _silence(look))
                look.over = True
                _kill(look)
        return None
    stalled_at = last.heard_at + (_limit(last) - last.heard_at) / 2
    if _may_follow(last) and (last.over or now >= stalled_at):
        last.followed = True
        looks.append(_start(first.job, _skips(looks), limit, place, events))
        return 0.0
    return (min(stalled_at, limit) if not last.followed and now < stalled_at else limit) - now


def _limit(look: _Look) -> float:
    """When a look's time is up if it says no more."""
    if look.skip:
        return look.until
    return min(look.until, look.heard_at + _patient_s(look))


def _patient_s(look: _Look) -> float:
    """How long a first look may be silent."""
    return look.job.deadline_s + (look.job.patience_s if look.needed else 0.0)


def _may_follow(look: _Look) -> bool:
    """Whether another look makes sense after this one hung or crashed."""
    if look.followed or look.done or look.needed or not look.probe or look.process is None:
        return False
    return len([key for calls in look.skip.values() for key in calls]) < MAX_LOOKS - 1


def _skips(looks: list[_Look]) -> dict[str, dict[str, list[str]]]:
    """The calls the next look leaves out, with the status and reason their fields get."""
    out: dict[str, dict[str, list[str]]] = {}
    for look in looks:
        status, how = look.verdict if look.over else ("timeout", _silence(look))
        why = [status, f"{look.call or look.probe} {how}"]  # without a call the whole probe is left out
        calls = out.setdefault(look.probe, {})
        thing, colon, _ = look.call.partition(": ")
        known = any(call.startswith(thing + colon) for call in calls) if colon else False
        calls[thing + colon if known else look.call] = why
    return out


def _silence(look: _Look) -> str:
    """How long a silent look is waited for: the first one all its time, a later one what is left."""
    limit = look.until - look.heard_at if look.skip else _patient_s(look)
    return f"gave no answer within {limit:.2g} s"


def _take(look: _Look, kind: str, data: bytes) -> None:
    """Note what one of the two pipes brought."""
    if kind == "noise":
        look.noise = (look.noise + data)[-MAX_NOISE_BYTES:]
    elif kind == "said":
        look.heard_at = time.monotonic()
        *lines, look.rest = (look.rest + data).split(b"\n") if b"\n" in data else (look.rest + data,)
        for line in lines:
            _hear(look, line)
    elif kind == "flood" and not look.over:
        look.verdict = ("failed", f"said more than {MAX_SAID_BYTES // 2**20} MB")
        look.over = True
        _kill(look)
    elif kind == "end" and not look.over:
        look.over = True
        if not look.done:
            look.verdict = ("failed", _how_ended(look))


def _hear(look: _Look, line: bytes) -> None:
    """One line of the child. Anything that is not one of ours is noise: drivers write where they like."""
    try:
        said = json.loads(line)
        if "k" in said:
            look.answers.setdefault(look.probe, {})[str(said["k"])] = said["v"]
        elif "b" in said:
            look.call, look.needed = str(said["b"]), bool(said["n"])
        elif "p" in said:
            look.probe, look.probe_since = str(said["p"]), time.monotonic()
            look.call, look.needed = "", False
        elif "e" in said:
            look.ended[str(said["e"])] = {"status": said["s"], "reason": said["r"], "seconds": said["t"]}
            look.probe, look.call = "", ""
        elif said.get("x"):
            look.done = True
    except (ValueError, KeyError, TypeError, AttributeError, RecursionError):
        look.noise = (look.noise + line)[-MAX_NOISE_BYTES:]


def _conclude(looks: list[_Look], name: str) -> dict[str, Any]:
    """What one probe said over all looks: the earlier look wins, a later one fills in."""
    first = looks[0]
    answers: dict[str, Any] = {}
    for look in looks:
        answers = look.answers.get(name, {}) | answers
    ended = first.ended.get(name)
    if ended is not None:
        return {"answers": answers, **ended}
    seconds = round(max(time.monotonic() - first.probe_since, 0.0), 4) if first.probe == name else 0.0
    later = next((look.ended[name] for look in looks[1:] if name in look.ended), None)
    if first.probe != name:  # a neighbour in the same child failed before this one had its turn
        if later is not None:
            return {"answers": answers, **later}
        blamed = f" ({first.probe}: {first.call or 'before any call'})" if first.probe else ""
        return {
            "answers": answers,
            "status": first.verdict[0] or "failed",
            "reason": f"never had its turn: the child {first.verdict[1]}{blamed}",
            "seconds": 0.0,
        }
    status, how = first.verdict
    reason = f"{first.call or name} {how}"
    others = [f"{look.call or look.probe} {look.verdict[1]}" for look in looks[1:] if look.verdict[0]]
    reason += "".join(f"; {other}" for other in others)
    if later is not None:
        reason += "; everything else was asked"
    return {"answers": answers, "status": status or "failed", "reason": reason, "seconds": seconds}


# --- processes ------------------------------------------------------------------------------------------


def _start(
    job: Job,
    skip: dict[str, dict[str, list[str]]],
    until: float,
    place: Place,
    events: queue.Queue[tuple[_Look, str, bytes]],
) -> _Look:
    """Start one child in a session of its own, with a daemon thread on each of its pipes."""
    look = _Look(job, skip, until, heard_at=time.monotonic())
    order = {
        "modules": job.modules,
        "root": str(place.root),
        "skip": skip,
        "paths": _binding_folders(tuple(sys.path)),
        "probes": [str(folder) for folder in place.probes],
        "limit_s": job.deadline_s + job.patience_s + 5.0,
    }
    workdir = {} if place.workdir is None else {WORKDIR_VARIABLE: str(place.workdir)}
    command = [sys.executable, "-I", "-S", *(["-B"] if sys.dont_write_bytecode else [])]
    try:
        look.process = subprocess.Popen(
            [*command, str(CHILD), json.dumps(order)],
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            bufsize=0,
            env={**os.environ, **workdir, **place.env},
            start_new_session=True,
        )
    except (OSError, ValueError) as error:
        look.over = True
        look.verdict = ("failed", f"could not be started: {error}")
        return look
    try:
        for kind, stream in (("said", look.process.stdout), ("noise", look.process.stderr)):
            if stream is not None:
                start_reader(_pump, look, kind, stream, events)
    except OSError as error:
        look.over = True
        look.verdict = ("failed", f"could not be listened to: {error.strerror}")
        _kill(look)
    return look


def _pump(look: _Look, kind: str, stream: IO[bytes], events: queue.Queue[tuple[_Look, str, bytes]]) -> None:
    """Read a pipe to its end. The thread owns the stream, so that its descriptor is never reused under it."""
    said = 0
    with stream:
        while True:
            try:
                data = os.read(stream.fileno(), 65536)
            except OSError:
                data = b""
            if kind == "said":
                said += len(data)
                if said > MAX_SAID_BYTES:
                    events.put((look, "flood", b""))
                    return
                events.put((look, "said" if data else "end", data))
            elif data:
                events.put((look, "noise", data[-MAX_NOISE_BYTES:]))
            if not data:
                return


def _how_ended(look: _Look) -> str:
    """How a child ended that closed its pipe before it was done. Waits a moment for its exit code."""
    code: int | None = None
    if look.process is not None:
        try:
            code = look.process.wait(timeout=0.2)
        except subprocess.TimeoutExpired:
            return "fell silent"
    if code is not None and code < 0:
        try:
            return f"crashed with {signal.Signals(-code).name}"
        except ValueError:
            return f"crashed with signal {-code}"
    lines = look.noise.decode("utf-8", "replace").strip().splitlines()
    return f"ended with {code}" + (f": {lines[-1][:300]}" if lines else "")


def _end(look: _Look) -> None:
    """Make sure that a look's process goes away, and what it started with it; it is not waited for here."""
    if look.process is not None and look.process.returncode is None:
        _kill(look)  # before it is reaped: until then its process group cannot be another's
        _abandoned.append(look.process)


def _kill(look: _Look) -> None:
    """Kill the child and what it started."""
    if look.process is None or look.process.returncode is not None:
        return
    try:
        if os.name == "posix":
            os.killpg(look.process.pid, signal.SIGKILL)
        else:
            look.process.kill()
    except OSError:
        return  # it has just ended by itself


def _reap(limit_s: float) -> None:
    """Collect the killed children that have ended; those in D state stay on the list for the next time."""
    until = time.monotonic() + limit_s
    while True:
        _abandoned[:] = [process for process in _abandoned if process.poll() is None]
        if not _abandoned or time.monotonic() >= until:
            return
        time.sleep(0.002)


@cache
def _binding_folders(_path: tuple[str, ...]) -> list[str]:
    """The folders of this `sys.path` that hold the vendor bindings, found without importing them."""
    folders: list[str] = []
    for name in BINDINGS:
        try:
            spec = find_spec(name)
        except (ImportError, ValueError):
            continue
        if spec is None or not spec.origin:
            continue
        file = Path(spec.origin)
        folder = str(file.parent.parent if file.name == "__init__.py" else file.parent)
        if folder not in folders:
            folders.append(folder)
    return folders

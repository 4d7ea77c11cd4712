"""What the vendor probes share: reading sysfs below a root, asking a tool with a deadline, cleaning text.

Standard library only: this runs in the probe's child processes. Nothing here raises because of what a
device, a driver or a tool answers; it returns None or a reason instead.
"""

from __future__ import annotations

import json
import math
import os
import re
import shutil
import subprocess
import time
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from advisor.probe.facts import CallSkipped
from advisor.probe.pipes import Pipes

if TYPE_CHECKING:
    from advisor.probe.facts import Say

MAX_FILE_BYTES = 256 * 1024
# A tool that says more is killed. What it said goes on as JSON, where a byte may become six, through a
# pipe that the runner cuts at run.MAX_SAID_BYTES, 16 MiB.
MAX_TOOL_BYTES = 2 * 1024 * 1024
MAX_NAME = 200  # characters of a device name kept: names come from firmware and are not to be trusted

_FORBIDDEN = re.compile("[\x00-\x1f\x7f-\x9f\u200b-\u200f\u2028-\u202f\u2066-\u206f\ufeff]")
_ABSENT = frozenset(
    {"", "-", "--", "n/a", "na", "none", "unknown", "not supported", "[n/a]", "[not supported]"}
)
_NUMBER = re.compile(r"[-+]?\d+(?:\.\d+)?(?:[eE][-+]?\d+)?")
_BDF = re.compile(r"(?:([0-9a-fA-F]{4,8}):)?([0-9a-fA-F]{2}):([0-9a-fA-F]{2})\.([0-7])")


def read_text(path: Path, limit: int = MAX_FILE_BYTES) -> str | None:
    """The text of a small file, stripped; None when it is not there or cannot be read."""
    try:
        with path.open("rb") as file:
            return file.read(limit).decode("utf-8", "replace").strip()
    except OSError:
        return None


def read_int(path: Path) -> int | None:
    """The whole number in a sysfs file (decimal or 0x…), or None."""
    return whole(read_text(path, 4096))


def whole(text: object) -> int | None:
    """A whole number out of "123", "0x7b" or 123; None for anything else and beyond 64 bits."""
    if isinstance(text, bool) or text is None:
        return None
    digits = str(text).strip()
    try:
        value = int(digits, 0)
    except ValueError:
        try:
            value = int(digits, 10)  # "007" is decimal to a driver, an error to base 0
        except ValueError:
            return None
    return value if abs(value) < 2**64 else None


def number(text: object) -> float | None:
    """The first number in a text such as "178.5 W" or "131072 MiB"; None for "-", "N/A" and the like."""
    if isinstance(text, bool) or text is None:
        return None
    if isinstance(text, (int, float)):
        return finite(float(text))
    if absent(text):
        return None
    found = _NUMBER.search(str(text)[:200])
    return finite(float(found.group())) if found else None


def finite(value: float) -> float | None:
    """`value`, or None when it is infinite or not a number."""
    return value if math.isfinite(value) else None


def absent(text: object) -> bool:
    """Whether a tool's way of saying "I do not know" stands here."""
    return text is None or str(text).strip().lower() in _ABSENT


def clean(text: object, limit: int = MAX_NAME) -> str:
    """A name fit to be shown: no control, zero-width or direction marks, one line, at most `limit` long."""
    if isinstance(text, bytes):
        text = text.decode("utf-8", "replace")
    line = _FORBIDDEN.sub(" ", str(text)).encode("utf-8", "replace").decode("utf-8")
    line = " ".join(line.split())
    return line if len(line) <= limit else line[: limit - 1] + "…"


def pci_address(text: object) -> str:
    """A PCI address in sysfs's form, "0000:9d:00.0", from any tool's spelling; "" when it is none."""
    found = _BDF.fullmatch(str(text).strip()) if text is not None else None
    if not found:
        return ""
    domain, bus, device, function = found.groups()
    return f"{int(domain or '0', 16):04x}:{bus}:{device}.{function}".lower()


def pcie_gen(speed: object) -> int | None:
    """PCIe generation from the transfer rate sysfs prints ("32.0 GT/s PCIe"), PCI-SIG's numbering."""
    rate = number(speed)
    return {2.5: 1, 5.0: 2, 8.0: 3, 16.0: 4, 32.0: 5, 64.0: 6}.get(rate) if rate is not None else None


def pci_functions(root: Path) -> Iterator[dict[str, str]]:
    """Address, class, vendor, device, driver of each PCI function, hexadecimal without 0x, lower case."""
    for entry in sorted(children(root / "sys/bus/pci/devices")):
        row = {"address": entry.name.lower()}
        for key in ("class", "vendor", "device"):
            row[key] = (read_text(entry / key, 64) or "").lower().removeprefix("0x")
        uevent = keyed(read_text(entry / "uevent", 4096) or "", "=")
        row["driver"] = uevent.get("DRIVER", "")
        yield row


def children(folder: Path) -> list[Path]:
    """The entries of a folder; none when it is not there or may not be listed."""
    try:
        return list(folder.iterdir())
    except OSError:
        return []


def listed(folder: Path) -> list[Path]:
    """As `children`, for a list that is all a probe has: PermissionError where it may not be read."""
    try:
        return list(folder.iterdir())
    except PermissionError:
        raise
    except OSError:
        return []


def not_found(root: Path) -> str:
    """ "" for a `present` that found nothing; PermissionError where it could not look at the PCI bus."""
    listed(root / "sys/bus/pci/devices")
    return ""


def keyed(text: str, separator: str) -> dict[str, str]:
    """{"KEY": "value"} from lines of `KEY<separator>value`; later lines win."""
    out = {}
    for line in text.splitlines():
        key, found, value = line.partition(separator)
        if found and key.strip():
            out[key.strip()] = value.strip()
    return out


def find_tool(name: str, *folders: Path) -> str:
    """Path of a vendor's tool: PATH first, then its usual folders; "" when it is not installed."""
    found = shutil.which(name)
    if found:
        return found
    for folder in folders:
        found = shutil.which(name, path=str(folder))
        if found:
            return found
    return ""


def ask_tool(argv: Sequence[str], timeout_s: float, env: dict[str, str] | None = None) -> dict[str, Any]:
    """Run a tool: {"out", "err", "rc", "status", "reason", "seconds"}; status "ok" when it ended with 0.

    The wait is bounded even when the tool cannot be killed (a driver call in D state): after the kill it
    is abandoned, and what it had written by then is kept. One that floods us is killed at MAX_TOOL_BYTES.
    """
    started = time.monotonic()
    answer: dict[str, Any] = {"argv": list(argv), "out": "", "err": "", "rc": None}
    try:
        process = subprocess.Popen(
            list(argv),
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            env={**os.environ, "LC_ALL": "C", "LANG": "C", **(env or {})},
        )
        pipes = Pipes(process, MAX_TOOL_BYTES)
    except OSError as error:
        return answer | {"status": unstarted(error), "reason": f"{argv[0]}: {error.strerror}", "seconds": 0.0}
    until = started + max(timeout_s, 0.01)
    how = pipes.listen(until)
    code = pipes.end(until) if how == "ended" else None
    answer |= {"out": _text(pipes.out), "err": _text(pipes.err), "rc": code}
    if how == "flood":
        reason = f"{_shown(argv)} said more than {MAX_TOOL_BYTES // 2**20} MiB and was stopped"
        answer |= {"out": "", "status": "failed", "reason": reason}
    elif code is None:
        answer |= {"status": "timeout", "reason": f"{_shown(argv)} gave no answer within {timeout_s:.3g} s"}
    else:
        answer |= _verdict(argv, answer)
    answer["seconds"] = round(time.monotonic() - started, 3)
    return answer


def unstarted(error: OSError) -> str:
    """Status of a program that could not be started."""
    if isinstance(error, PermissionError):
        return "no_permission"
    return "lib_missing" if isinstance(error, FileNotFoundError) else "failed"


def may_ask(say: Say, key: str, call: str) -> bool:
    """Begin a call. False when it hung or crashed the child before this one: told under "skipped:KEY"."""
    try:
        say.begin(call)
    except CallSkipped as skip:
        say(f"skipped:{key}", {"status": skip.status, "reason": skip.reason})
        return False
    return True


def tell_tool(say: Say, key: str, argv: Sequence[str], timeout_s: float) -> str:
    """Ask a tool and report {"out", "status", "reason"} under `key`; returns what it printed."""
    if not may_ask(say, key, _shown(argv)):
        return ""
    answer = ask_tool(argv, timeout_s)
    say(key, {name: answer[name] for name in ("out", "status", "reason")})
    return str(answer["out"])


def left_out(raw: dict[str, Any], key: str) -> tuple[str, str]:
    """(status, reason) of a call that the runner left out after it had hung; ("", "") when it was asked."""
    told = section(raw, f"skipped:{key}")
    return (str(told["status"]), clean(told.get("reason", ""), 300)) if told.get("status") else ("", "")


def _verdict(argv: Sequence[str], answer: dict[str, Any]) -> dict[str, str]:
    """Status and reason of a tool that ended by itself."""
    code = answer["rc"]
    if code == 0:
        return {"status": "ok", "reason": ""}
    said = clean(answer["err"] or answer["out"], 300)
    how = f"was killed by signal {-code}" if code < 0 else f"ended with {code}"
    denied = re.search(r"permission denied|not permitted|required groups", said, re.IGNORECASE)
    status = "no_permission" if denied else "failed"
    return {"status": status, "reason": f"{_shown(argv)} {how}" + (f": {said}" if said else "")}


def _shown(argv: Sequence[str]) -> str:
    return " ".join([Path(argv[0]).name, *argv[1:]])


def _text(data: bytes | bytearray) -> str:
    return data.decode("utf-8", "replace").replace("\r\n", "\n")


# --- raw answers: saved to files, replayed, and so never to be trusted as to their shape ------------------


def section(raw: dict[str, Any], key: str) -> dict[str, Any]:
    """The object under `key`, or an empty one."""
    value = raw.get(key)
    return value if isinstance(value, dict) else {}


def rows(raw: dict[str, Any], key: str) -> list[dict[str, Any]]:
    """The objects in the list under `key`."""
    value = raw.get(key)
    return [row for row in value if isinstance(row, dict)] if isinstance(value, list) else []


def output(raw: dict[str, Any], key: str) -> str:
    """What a tool printed, when it ended well."""
    answer = section(raw, key)
    return str(answer.get("out", "")) if answer.get("status") == "ok" else ""


def tool_failures(raw: dict[str, Any], probe: str, *tools: str) -> list[dict[str, str]]:
    """`skipped` entries for the tools that were asked and failed, or were left out after a hang."""
    out = []
    for tool in tools:
        answer = section(raw, tool) or section(raw, f"skipped:{tool}")
        if answer.get("status", "ok") != "ok":
            reason = clean(answer.get("reason", ""), 300)
            out.append(
                {"probe": f"{probe} ({tool})", "status": str(answer["status"]), "reason": reason, "hint": ""}
            )
    return out


def parsed_json(text: object) -> Any:
    """The value of a JSON text, or None."""
    try:
        return json.loads(str(text))
    except (ValueError, RecursionError):
        return None

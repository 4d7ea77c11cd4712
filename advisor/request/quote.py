"""Names from files, drivers and flags made safe for shells, batch scripts and YAML."""

from __future__ import annotations

import math
import re
import shlex
import unicodedata

from advisor.errors import UserError


def job_name(text: str, limit: int = 48) -> str:
    """A name that Slurm, Kubernetes and SkyPilot all take: small letters, digits and hyphens, or "train"."""
    plain = unicodedata.normalize("NFKD", text[:400]).encode("ascii", "ignore").decode()
    name = re.sub(r"[^a-z0-9]+", "-", plain.lower()).strip("-")[:limit].strip("-")
    if not name or not name[0].isalpha():
        name = f"train-{name}".strip("-")[:limit]
    return name


def remark(text: str, limit: int = 200) -> str:
    """One line for a comment: nothing that ends the line, hides or reorders text."""
    shown = " ".join(text[: limit * 2].split())
    shown = "".join(c if c.isprintable() and unicodedata.category(c) != "Cf" else "?" for c in shown)
    return shown if len(shown) <= limit else shown[: limit - 1] + "…"


def shell(text: str) -> str:
    """One word for bash, on one line. Raises UserError for what no shell can be given."""
    if "\0" in text:
        raise UserError(f"{text[:40]!r} holds a NUL character", "Take it out.")
    if text.isprintable():
        return shlex.quote(text)
    return "$'" + "".join(_escaped(c) for c in text) + "'"  # line ends and hidden signs stand as their bytes


def _escaped(character: str) -> str:
    if character in "\\'":
        return "\\" + character
    if character.isprintable():
        return character
    return "".join(f"\\x{byte:02x}" for byte in character.encode("utf-8", "replace"))


def words(command: str) -> tuple[str, ...]:
    """A command as typed, split as a shell would; raises UserError where quotes do not match."""
    if "\0" in command or "\n" in command:
        raise UserError("--command holds a line end or a NUL character", "Write it on one line.")
    try:
        found = tuple(shlex.split(command))
    except ValueError as error:
        raise UserError(f"--command cannot be read: {error}", "Close its quotes.") from error
    if not found:
        raise UserError("--command is empty", "Leave it away, or give for example 'train.py --lr 3e-4'.")
    return found


_PARTS = re.compile(r"(?:(\d{1,6})-)?(\d{1,8})(?::(\d{1,2}))?(?::(\d{1,2}))?")


def slurm_time(text: str) -> float | None:
    """Seconds of a time as Slurm writes it: M:SS, H:MM:SS, D-HH, D-HH:MM, D-HH:MM:SS; None: not of these.

    A bare number is none of them here: Slurm means minutes by it, and everybody else something else.
    """
    found = _PARTS.fullmatch(text.strip())
    if found is None or not (found[1] or found[3]):
        return None
    days, first, second, third = (int(part or 0) for part in found.groups())
    if second > 59 or third > 59:
        return None
    if found[1] is None and found[4] is None:
        return 60.0 * first + second
    return 86400.0 * days + 3600.0 * first + 60.0 * second + third


def clock(seconds: float) -> str:
    """Slurm's D-HH:MM:SS, rounded up to the minute."""
    minutes = max(1, math.ceil(seconds / 60 - 1e-9))
    days, rest = divmod(minutes, 24 * 60)
    return f"{days}-{rest // 60:02d}:{rest % 60:02d}:00"

"""Makes raw probe answers fit to be kept as a recorded machine: identities hashed, places renamed.

    hwadvisor probe --save-raw raw.json
    python tools/anonymise_raw.py raw.json "what this machine is" > tests/machines/NAME.json

UUIDs, serial numbers, MAC addresses and long hexadecimal ids become hashes of the same form (the same id
gives the same hash, so that joins still hold); host, user and control-group names and folders are replaced.
Read the result before it is committed.
"""

from __future__ import annotations

import hashlib
import json
import re
import sys
from pathlib import Path
from typing import Any

UUID = re.compile(r"\b[0-9a-fA-F]{8}-(?:[0-9a-fA-F]{4}-){3}[0-9a-fA-F]{12}\b")
MAC = re.compile(r"\b(?:[0-9a-fA-F]{2}:){5}[0-9a-fA-F]{2}\b")
LONG = re.compile(r"\b(?=[0-9a-fA-F]*[a-fA-F])[0-9a-fA-F]{16,}\b")
SERIAL = re.compile(r"^(\d+\.)?serial$|serial_number|unique_id")
PRIVATE = frozenset({"hostname", "user", "nodename"})
# Flags of a processor are long words too, and no ids
KEEP = re.compile(r"^[a-z_0-9 ]+$")


def main() -> int:
    """Read the file named first, describe it with the second argument, print the recorded machine."""
    if len(sys.argv) != 3:
        sys.stderr.write(__doc__ or "")
        return 2
    raw = json.loads(Path(sys.argv[1]).read_text(encoding="utf-8"))
    clean = _walk(raw, "", _places(raw))
    about = {**clean.get("_about", {}), "what": sys.argv[2], "recorded": "on the machine itself, ids hashed"}
    about["expect"] = _expect(clean)
    sys.stdout.write(json.dumps({**clean, "_about": about}, indent=1, ensure_ascii=True) + "\n")
    return 0


def _expect(raw: dict[str, Any]) -> dict[str, Any]:
    """What the recorded machine is to give: devices' names and notices' codes. To be read and corrected."""
    from advisor.probe import detect

    machine = detect(replay=raw)
    return {
        "devices": [device.name.value for device in machine.devices],
        "notices": sorted({notice.code for notice in machine.notices}),
    }


def _places(raw: dict[str, Any]) -> list[tuple[str, str]]:
    """(private text, what stands for it), longest first."""
    found: dict[str, str] = {str(Path.home()): "/home/user", str(Path(__file__).parents[1]): "/opt/hwadvisor"}

    def look(value: Any, key: str) -> None:
        if isinstance(value, dict):
            for inner, below in value.items():
                look(below, inner)
        elif isinstance(value, list):
            for below in value:
                look(below, key)
        elif isinstance(value, str) and value.startswith("/"):
            if key == "prefix":
                found[value] = "/opt/env"
            elif key == "folder":
                found[value] = "/home/user/job"
        elif isinstance(value, str) and key in PRIVATE and len(value) > 1:
            found[value] = "user" if key == "user" else "recorded"

    look(raw, "")
    known = [(old, new) for old, new in found.items() if old != "/"]
    return sorted(known, key=lambda pair: len(pair[0]), reverse=True)


def _walk(value: Any, key: str, places: list[tuple[str, str]]) -> Any:
    if isinstance(value, dict):
        return {k: _walk(v, k, places) for k, v in value.items()}
    if isinstance(value, list):
        return [_walk(item, key, places) for item in value]
    if not isinstance(value, str):
        return value
    if key in PRIVATE:
        return "user" if key == "user" else "recorded"
    for old, new in places:
        value = re.sub(rf"(?<![A-Za-z0-9]){re.escape(old)}(?![A-Za-z0-9])", new, value)
    if SERIAL.search(key):
        return _hash(value)
    if key in ("self", "pid1_cgroup"):
        value = re.sub(r"(?m)^(\d+:[^:]*:)/(?!$)\S+", r"\1/job/recorded", value)
    value = UUID.sub(lambda found: _hash(found.group()), value)
    value = MAC.sub("02:00:00:00:00:01", value)
    return (
        value if KEEP.match(value) and " " in value else LONG.sub(lambda found: _hash(found.group()), value)
    )


def _hash(text: str) -> str:
    """Letters and digits replaced by those of a SHA-256, everything else kept."""
    digits = iter(hashlib.sha256(text.lower().encode()).hexdigest() * 4)
    numeric = text.isdigit()
    return "".join(
        (str(int(next(digits), 16) % 10) if numeric else next(digits)) if character.isalnum() else character
        for character in text
    )


if __name__ == "__main__":
    sys.exit(main())

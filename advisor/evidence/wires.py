"""The network between servers as the text of a published run tells it, per device."""

from __future__ import annotations

import re

_GIGABIT = 1e9 / 8
_OMNI_PATH = 100 * _GIGABIT  # of one port; there was one generation of it
_SERVER = 8.0  # devices of a server where the text does not say
_DEVICES = re.compile(
    r"\b(\d+) (?:GPUs|devices|cards) per node|nodes of (\d+)\b|\d+ nodes x (\d+) GPUs"
    r"|\d+ node\(s\) x (\d+)\b",
    re.I,
)
_GIGABYTES = re.compile(r"(\d+) ?x ?(\d+(?:\.\d+)?) ?GB/s per node", re.I)
_PORTS = re.compile(r"(\d+) ?x ?(\d+) ?(?:G|Gb/s|Gbps)\b(?! Ethernet)", re.I)
_OMNI_PATHS = re.compile(r"(\d+) ?x Omni-?Path", re.I)
# adapters of AWS's servers of eight GPUs, Gb/s: docs.aws.amazon.com, accelerated computing instances
_INSTANCES = (
    (re.compile(r"\bp3dn\b", re.I), 100.0),
    (re.compile(r"\bp4de?\b", re.I), 400.0),
    (re.compile(r"\bp5(?:e|en)?\b", re.I), 3200.0),
)
_TOTAL = re.compile(r"^(\d+) ?Gb(?:ps|/s)$|(\d+) ?Gb(?:ps|/s) (?:node-node|between nodes|per node)", re.I)


def network_of_text(text: str) -> float | None:
    """B/s that one device's share of its server's adapters gives, one direction; None where not said.

    Ports count as adapters of a server ("8x 200 Gbps HDR InfiniBand"), except Ethernet ports on the devices
    themselves (Gaudi), which the accelerator's own file tells.
    """
    server = _of_server(text)
    if server is None:
        return None
    return server / (devices_of_server(text) or _SERVER)


def devices_of_server(*texts: str) -> float | None:
    """How many devices one server has ("4 GPUs per node", "2 node(s) x 2"); None where no text says it."""
    found = next((match for text in texts if (match := _DEVICES.search(text))), None)
    return float(next(n for n in found.groups() if n)) if found else None


def network_of_instance(name: str) -> float | None:
    """B/s of one device's share, of a device named with its cloud server ("A100 (AWS p4d)")."""
    if not re.search(r"\baws\b", name, re.I):
        return None
    return next((total * _GIGABIT / _SERVER for word, total in _INSTANCES if word.search(name)), None)


def _of_server(text: str) -> float | None:
    if match := _GIGABYTES.search(text):
        return float(match[1]) * float(match[2]) * 1e9
    if match := _PORTS.search(text):
        return float(match[1]) * float(match[2]) * _GIGABIT
    if match := _OMNI_PATHS.search(text):
        return float(match[1]) * _OMNI_PATH
    if match := _TOTAL.search(text):
        return float(match[1] or match[2]) * _GIGABIT
    return None

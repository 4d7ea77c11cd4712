"""A site's policy (`site.toml`): its node shapes, partitions, names and limits; see docs/request.md."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from advisor.data.files import read_toml
from advisor.errors import DataError, NothingFits, UserError, did_you_mean
from advisor.request.quote import slurm_time
from advisor.units import parse_as

_SEE = "The format of a site's file is in docs/request.md."
_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9_.+@/-]{0,62}")
IMAGE = re.compile(
    r"((docker|skypilot):)?[A-Za-z0-9][\w.-]*(:\d{1,5})?(/[A-Za-z0-9][\w.-]*)*(:[\w.-]{1,128})?"
    r"(@sha256:[0-9a-f]{64})?"
)
IMAGE_LIKE = "Write for example nvcr.io/nvidia/pytorch:25.10-py3."
_BUCKET = re.compile(
    r"(s3|gs|r2|cos|oci|nebius|cw)://[A-Za-z0-9][\w.-]*(/[A-Za-z0-9][\w.-]*)*/?"
    r"|https://[a-z0-9]+\.blob\.core\.windows\.net(/[A-Za-z0-9][\w.-]*)+/?"
)
_TOLERATION = {
    "key": re.compile(r"([a-z0-9.-]+/)?[A-Za-z0-9][\w.-]*"),
    "operator": re.compile("Exists|Equal"),
    "value": re.compile(r"([A-Za-z0-9][\w.-]*)?"),
    "effect": re.compile("NoSchedule|PreferNoSchedule|NoExecute"),
}
_ENDLESS = ("infinite", "unlimited")  # as sinfo and slurm.conf write it
_CONSTRAINT = re.compile(r"[\w(\[][\w.&|*()\[\]-]{0,120}")  # features, joined as sbatch(1) joins them
_GRES = re.compile(r"[A-Za-z0-9][\w.-]{0,62}(:[\w.-]{1,62})?")


@dataclass(frozen=True)
class Node:
    """One shape of node."""

    name: str
    accelerator: str = ""
    gpus: int = 8
    cpus: int | None = None
    memory_bytes: float | None = None
    gres: str = ""  # "gpu:h100"
    constraint: str = ""
    node_selector: dict[str, str] = field(default_factory=dict)  # Kubernetes labels of such nodes


@dataclass(frozen=True)
class Partition:
    """A queue: which node shapes it has and for how long one may have them."""

    name: str
    nodes: tuple[str, ...] = ()
    max_wall_s: float | None = None
    max_nodes: int | None = None
    qos: str = ""
    account: str = ""


@dataclass(frozen=True)
class Site:
    """All that a site says; an empty one where nobody was asked."""

    name: str = ""
    account: str = ""
    qos: str = ""
    folder: str = ""  # shared storage for checkpoints
    chain: str = "array"  # or dependency
    setup: tuple[str, ...] = ()  # lines of shell before the launch on the cluster: modules, environments
    nodes: tuple[Node, ...] = ()
    partitions: tuple[Partition, ...] = ()
    kubernetes: dict[str, Any] = field(default_factory=dict)
    skypilot: dict[str, Any] = field(default_factory=dict)

    def node_of(self, accelerator_id: str) -> Node | None:
        """The shape that holds an accelerator; None where the site tells of no nodes at all."""
        if not self.nodes:
            return None
        for node in self.nodes:
            if node.accelerator == accelerator_id or not node.accelerator:
                return node
        there = ", ".join(sorted({node.accelerator for node in self.nodes})[:6])
        raise NothingFits(
            f"{self.name or 'the site'} has no {accelerator_id}", f"It has {there}; plan with --only."
        )

    def partition_for(self, node: Node | None, nodes: int, wall_s: float) -> Partition | None:
        """The partition with the shortest limit that is long enough, else the longest; None: none named."""
        fit = [p for p in self.partitions if node is None or not p.nodes or node.name in p.nodes]
        if not self.partitions:
            return None
        if not fit:
            what = node.name if node else "such nodes"
            raise NothingFits(
                f"no partition of {self.name or 'the site'} has {what}", "Name its nodes in site.toml."
            )
        wide = [p for p in fit if p.max_nodes is None or p.max_nodes >= nodes]
        if not wide:
            told, own = ", ".join(f"{p.name}: {p.max_nodes}" for p in fit), self.name or "the site"
            raise NothingFits(
                f"{nodes} nodes are more than a partition of {own} gives one job ({told})",
                "Plan again with --max-devices.",
            )
        endless = float("inf")
        enough = [p for p in wide if (p.max_wall_s or endless) >= wall_s]
        if enough:
            return min(enough, key=lambda p: p.max_wall_s or endless)
        return max(wide, key=lambda p: p.max_wall_s or endless)


_TOP = {"name", "account", "qos", "folder", "chain", "setup", "node", "partition", "kubernetes", "skypilot"}
_NODE = {"name", "accelerator", "gpus", "cpus", "memory", "gres", "constraint", "node_selector"}
_KUBERNETES = {
    "namespace": str,
    "resource": str,
    "node_selector": dict,
    "storage_class": str,
    "claim": str,
    "image": str,
    "max_wall": str,
    "kind": str,
    "priority_class": str,
    "queue": str,
    "tolerations": list,
}
_SKYPILOT = {"accelerator": str, "infra": str, "use_spot": bool, "bucket": str, "image": str, "setup": list}


def load_site(path: Path) -> Site:
    """Read a site's file. Raises DataError that names file, key and value."""
    return site_of(path, read_toml(path))


def site_of(path: Path, raw: dict[str, Any]) -> Site:
    """The same of what the file holds."""
    _known(path, "", raw, _TOP)
    chain = raw.get("chain", "array")
    if chain not in ("array", "dependency"):
        raise DataError.at(path, "chain", chain, "is neither array nor dependency", _SEE)
    setup = _lines(path, "setup", raw)
    nodes = tuple(_node(path, entry) for entry in _tables(path, "node", raw))
    partitions = tuple(_partition(path, entry) for entry in _tables(path, "partition", raw))
    known = {node.name for node in nodes}
    for partition in partitions:
        for name in partition.nodes:
            if name not in known:
                hint = did_you_mean(name, known) or "Describe it in a [[node]]."
                raise DataError.at(
                    path, f"partition {partition.name}: nodes", name, "is no [[node]] here", hint
                )
    return Site(
        name=_text(path, "name", raw.get("name", "")),
        account=_named(path, "account", raw),
        qos=_named(path, "qos", raw),
        folder=_text(path, "folder", raw.get("folder", "")),
        chain=chain,
        setup=setup,
        nodes=nodes,
        partitions=partitions,
        kubernetes=_typed(path, "kubernetes", raw, _KUBERNETES),
        skypilot=_typed(path, "skypilot", raw, _SKYPILOT),
    )


def _node(path: Path, raw: dict[str, Any]) -> Node:
    _known(path, "node.", raw, _NODE)
    gres = _text(path, "node.gres", raw.get("gres", ""))
    if gres and not _GRES.fullmatch(gres):
        raise DataError.at(path, "node.gres", gres, "is no GRES name", 'Write for example "gpu:h100".')
    constraint = _text(path, "node.constraint", raw.get("constraint", ""))
    if constraint and not _CONSTRAINT.fullmatch(constraint):
        raise DataError.at(path, "node.constraint", constraint, "is no constraint", 'For example "h100&ib".')
    memory = raw.get("memory")
    return Node(
        name=_named(path, "name", raw, "node.", needed=True),
        accelerator=_named(path, "accelerator", raw, "node."),
        gpus=_count(path, "node.gpus", raw.get("gpus", 8)) or 8,
        cpus=_count(path, "node.cpus", raw.get("cpus")),
        memory_bytes=None if memory is None else _amount(path, "node.memory", memory, "B"),
        gres=gres,
        constraint=constraint,
        node_selector=_labels(path, "node.node_selector", raw.get("node_selector", {})),
    )


def _labels(path: Path, key: str, value: object) -> dict[str, str]:
    if not isinstance(value, dict) or not all(isinstance(text, str) for text in value.values()):
        raise DataError.at(path, key, value, "is no table of texts", _SEE)
    return {_text(path, key, name): _text(path, key, text) for name, text in value.items()}


def _partition(path: Path, raw: dict[str, Any]) -> Partition:
    _known(path, "partition.", raw, {"name", "nodes", "max_wall", "max_nodes", "qos", "account"})
    nodes = raw.get("nodes", [])
    if not isinstance(nodes, list) or not all(isinstance(name, str) for name in nodes):
        raise DataError.at(path, "partition.nodes", nodes, "is no list of names of [[node]]", _SEE)
    wall = raw.get("max_wall")
    return Partition(
        name=_named(path, "name", raw, "partition.", needed=True),
        nodes=tuple(nodes),
        max_wall_s=_wall(path, "partition.max_wall", wall),
        max_nodes=_count(path, "partition.max_nodes", raw.get("max_nodes")),
        qos=_named(path, "qos", raw, "partition."),
        account=_named(path, "account", raw, "partition."),
    )


def _known(path: Path, where: str, raw: dict[str, Any], keys: set[str]) -> None:
    for key in raw:
        if key not in keys:
            hint = did_you_mean(key, keys) or f"Known are {', '.join(sorted(keys))}."
            raise DataError.at(path, where + key, None, "is not known here", hint)


def _tables(path: Path, key: str, raw: dict[str, Any]) -> list[dict[str, Any]]:
    found = raw.get(key, [])
    if not isinstance(found, list) or not all(isinstance(entry, dict) for entry in found):
        raise DataError.at(path, key, None, f"must be written as [[{key}]]", _SEE)
    return found


def _text(path: Path, key: str, value: object) -> str:
    if not isinstance(value, str) or any(not c.isprintable() for c in value):
        raise DataError.at(path, key, value, "is no text on one line", _SEE)
    return value


def _named(path: Path, key: str, raw: dict[str, Any], where: str = "", *, needed: bool = False) -> str:
    value = raw.get(key, "")
    if not value and not needed:
        return ""
    if not isinstance(value, str) or not _NAME.fullmatch(value):
        raise DataError.at(path, where + key, value, "is no name", "Letters, digits and _ . + @ / - only.")
    return value


def _lines(path: Path, key: str, raw: dict[str, Any], where: str = "") -> tuple[str, ...]:
    """Lines of shell."""
    found = raw.get(key, [])
    if not isinstance(found, list) or not all(
        isinstance(s, str) and "\n" not in s and "\0" not in s for s in found
    ):
        hint = 'setup = ["module load cuda"]'
        raise DataError.at(path, where + key, found, "is no list of one-line commands", hint)
    return tuple(found)


def _count(path: Path, key: str, value: object) -> int | None:
    if value is None:
        return None
    if not isinstance(value, int) or isinstance(value, bool) or not 0 < value < 1_000_000:
        raise DataError.at(path, key, value, "is no count above zero", _SEE)
    return value


def _amount(path: Path, key: str, value: object, unit: str) -> float:
    example = '"2 days" (1-12:00:00 in Slurm)' if unit == "s" else '"2 TB"'
    if not isinstance(value, str):
        raise DataError.at(path, key, value, "is no amount with its unit", f"Write for example {example}.")
    try:
        amount = (slurm_time(value) if unit == "s" else None) or parse_as(value, unit)
    except UserError as error:
        raise DataError.at(path, key, value, error.message, f"Write for example {example}.") from error
    if not 0 < amount < 1e18:
        raise DataError.at(path, key, value, "is not above zero", _SEE)
    return amount


def _wall(path: Path, key: str, value: object) -> float | None:
    """A longest time, also as `sinfo` prints it; None where there is none."""
    if value is None or (isinstance(value, str) and value.lower() in _ENDLESS):
        return None
    if isinstance(value, str) and value.strip().isdigit():
        raise DataError.at(
            path,
            key,
            value,
            "has no unit (Slurm counts minutes)",
            f'Write for example "{value.strip()} min".',
        )
    return _amount(path, key, value, "s")


def _typed(path: Path, key: str, raw: dict[str, Any], kinds: Mapping[str, type]) -> dict[str, Any]:
    table = raw.get(key, {})
    if not isinstance(table, dict):
        raise DataError.at(path, key, table, f"must be written as [{key}]", _SEE)
    _known(path, f"{key}.", table, set(kinds))
    for name, value in table.items():
        if not isinstance(value, kinds[name]):
            raise DataError.at(path, f"{key}.{name}", value, f"is no {kinds[name].__name__}", _SEE)
        if isinstance(value, str):
            _text(path, f"{key}.{name}", value)
        if isinstance(value, dict) and not all(isinstance(v, str) for v in value.values()):
            raise DataError.at(path, f"{key}.{name}", value, "holds more than texts", _SEE)
    image, bucket = table.get("image"), table.get("bucket")
    if image and not IMAGE.fullmatch(image):
        raise DataError.at(path, f"{key}.image", image, "is no container image", IMAGE_LIKE)
    if bucket and not _BUCKET.fullmatch(bucket):
        raise DataError.at(path, f"{key}.bucket", bucket, "is no bucket", 'Write for example "s3://name".')
    _lines(path, "setup", table, f"{key}.")
    for entry in table.get("tolerations", ()):
        _toleration(path, entry)
    if key == "kubernetes" and "max_wall" in table:
        table = {**table, "max_wall_s": _wall(path, "kubernetes.max_wall", table["max_wall"])}
    return table


def _toleration(path: Path, entry: object) -> None:
    """One taint that the pods put up with, as Kubernetes writes it."""
    where = "kubernetes.tolerations"
    if not isinstance(entry, dict):
        raise DataError.at(path, where, entry, "must be written as [[kubernetes.tolerations]]", _SEE)
    _known(path, f"{where}.", entry, set(_TOLERATION))
    for name, value in entry.items():
        if not isinstance(value, str) or not _TOLERATION[name].fullmatch(value):
            raise DataError.at(path, f"{where}.{name}", value, "is not of the right shape", _SEE)
    if "key" not in entry and entry.get("operator") != "Exists":
        raise DataError.at(path, where, None, "has no key", 'Without one, operator = "Exists" is needed.')

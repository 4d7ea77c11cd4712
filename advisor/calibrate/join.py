"""What the child's devices are among those the probe found, and how much memory may be taken."""

from __future__ import annotations

from collections.abc import Iterable

from advisor.calibrate.plan import Seen
from advisor.schema import Machine


def device_uuids(machine: Machine, devices: Iterable[Seen]) -> dict[str, str]:
    """torch's name -> UUID in Machine.devices: the one torch tells where the probe knows it, else by name."""
    probed = {d.framework_name.value: d.uuid.value for d in machine.devices}
    known = {d.uuid.value for d in machine.devices if d.uuid.value}
    found: dict[str, str] = {}
    for seen in devices:
        slice_uuid = "MIG-" + seen.uuid.removeprefix("GPU-")  # torch gives a slice's without its prefix
        told = next((uuid for uuid in (seen.uuid, slice_uuid) if uuid in known), None)
        uuid = told or probed.get(seen.name) or seen.uuid
        if uuid:
            found[seen.name] = uuid
    return found


def host_free(machine: Machine) -> int | None:
    """What may be taken: the host's free memory, and what a cgroup leaves of its limit, if that is less."""
    memory = machine.memory
    usable, used = memory.usable_bytes.value, memory.cgroup_used_bytes.value
    limit = memory.cgroup_limit_bytes.value
    left = max(limit - used, 0) if limit is not None and used is not None else None
    known = [value for value in (memory.available_bytes.value, usable, left) if value is not None]
    return min(known) if known else None

"""`hwadvisor` with two reference workloads and four devices: for tests to which it is no matter which.

As a program it is the command line itself (`python tests/few.py scan …`), in a third of the time of a scan.
"""

from __future__ import annotations

from dataclasses import replace
from functools import cache

from advisor.app_knowledge import Knowledge, load_knowledge

DEVICES = ("nvidia-h100-sxm5-80gb", "nvidia-rtx-4090-24gb", "nvidia-a100-sxm4-80gb", "amd-mi300x-192gb")
WORKLOADS = ("gpt2-124m-10b", "resnet50-imagenet")


@cache
def shipped_knowledge() -> Knowledge:
    """The shipped rules, catalogue and published runs: read once a process, since none of it can change."""
    return load_knowledge()


def little_knowledge(*_: object) -> Knowledge:
    """All shipped rules and models, and few of what scans go through."""
    shipped = shipped_knowledge()
    catalogue = replace(
        shipped.catalogue,
        accelerators={name: shipped.catalogue.accelerators[name] for name in DEVICES},
        workloads=tuple(one for one in shipped.catalogue.workloads if one.id in WORKLOADS),
    )
    assert len(catalogue.workloads) == len(WORKLOADS)
    return replace(shipped, catalogue=catalogue)


if __name__ == "__main__":
    from advisor import app, cli

    app.load_knowledge = little_knowledge
    cli.main()

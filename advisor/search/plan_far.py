"""Where nothing keeps the limits: which accelerators are asked again, in any layout and on more devices."""

from __future__ import annotations

import numpy as np

from advisor.search.plan_options import Options
from advisor.search.plan_space import MAX_DEVICES, of_clusters

MOST_AGAIN = 12
"""Accelerators that are asked again; a search of all would take three times as long for what comes last."""


def is_late(options: Options) -> bool:
    """Whether nothing keeps the limits for want of time or memory: more devices might."""
    if options.kept.any():
        return False
    return not len(options) or "deadline" in options.breaks(options.nearest)


def promising(options: Options) -> list[int]:
    """Of the accelerators that clusters are built of those that may come nearest to the limits, in their own
    order: by how many times they are over one, or short of memory, and how many more there may be."""
    space = options.found.space
    over = np.where(options.found.least_need > 1, options.found.least_need, np.inf)
    np.minimum.at(over, options.device, np.where(options.worst > 1, options.worst, np.inf))
    over = over * space.limits / MAX_DEVICES
    clusters = [at for at, site in enumerate(space.sites) if of_clusters(site) and np.isfinite(over[at])]
    return sorted(sorted(clusters, key=lambda at: float(over[at]))[:MOST_AGAIN])

"""How much of a training step's memory on processors the system gives anew: page faults counted by phase.

    python benchmarks/page_faults.py PYTHON --traces FOLDER [--only bert,vit]

PYTHON has torch, transformers and diffusers; FOLDER is what benchmarks/calibrated.py kept (its traces). For
each case of that table: bytes of faults of a forward and backward pass (steps 3 to 6), over what lives at
most in it and results too large for the heap. rules/time/timed.toml, `fresh_share`, is their mean.
"""

from __future__ import annotations

import argparse
import json
import statistics
import subprocess
import sys
from pathlib import Path

from calibrated import REPO, Case, cases

from advisor.search.timed import new_bytes

STEPS = 6
CHILD = """
import contextlib, json, resource, sys
sys.path[:0] = [{repo!r}, {repo!r} + "/benchmarks"]
import torch
from advisor.trial.child.given import given
spec = {{"kind": "code", "name": "benchmarks/networks.py:{network}", "folder": {repo!r}, "inputs": []}}
recipe = {{"recompute": "none", "precision": {precision!r}, "method": "full"}}
half = torch.bfloat16 if "bf16" in {precision!r} else None
net = given(spec, recipe, "cpu", half).train()
update = torch.optim.AdamW(net.parameters(), lr=1e-4)
batch, found = net.data({batch}, "cpu"), []
faults = lambda: resource.getrusage(resource.RUSAGE_SELF).ru_minflt * resource.getpagesize()
for _ in range({steps}):
    update.zero_grad(set_to_none=True)
    before = faults()
    with torch.autocast("cpu", half) if half else contextlib.nullcontext():
        loss = net(*batch)
    loss.backward()
    found.append(faults() - before)
    update.step()
print(json.dumps(found))
"""


def counted(case: Case, python: str) -> list[int]:
    """Bytes of page faults of each pass."""
    code = CHILD.format(repo=str(REPO), steps=STEPS, **case._asdict())
    done = subprocess.run([python, "-c", code], check=True, capture_output=True, text=True)
    return [int(n) for n in json.loads(done.stdout.splitlines()[-1])]


def main() -> int:
    """One line a case, and the mean."""
    asks = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    asks.add_argument("python", help="torch, transformers and diffusers are there")
    asks.add_argument("--traces", type=Path, required=True, help="kept by calibrated.py")
    asks.add_argument("--only", default="", help="networks, by commas")
    given = asks.parse_args()
    shares = []
    for case in cases([name for name in given.only.split(",") if name]):
        path = given.traces / "traces" / f"{case.network}.{case.precision}.json"
        most = new_bytes(json.loads(path.read_text()), case.batch)
        new = statistics.mean(counted(case, given.python)[2:])
        shares.append(new / most)
        print(f"{case.name:26s} {new / 2**20:6.0f} of {most / 2**20:6.0f} MiB: {shares[-1]:.2f}", flush=True)
    shares.sort()
    tenth = len(shares) // 10
    print(f"mean {statistics.mean(shares):.2f}, middle {statistics.median(shares):.2f}, "
          f"eight of ten {shares[tenth]:.2f} to {shares[-1 - tenth]:.2f}")  # fmt: skip
    return 0


if __name__ == "__main__":
    sys.exit(main())

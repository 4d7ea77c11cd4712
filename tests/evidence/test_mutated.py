"""Real records changed at random: each is answered or refused, and the answer can be written as JSON."""

from __future__ import annotations

import json
import math
import random
from pathlib import Path
from typing import Any

import pytest
from few import shipped_knowledge

from advisor.evidence import record as module
from advisor.evidence.inputs import shipped_evidence
from advisor.evidence.summary import summary_of
from advisor.evidence.validate import judge

KNOWN = shipped_knowledge()
ROWS = [json.loads(line) for path in shipped_evidence() for line in path.read_text("utf-8").splitlines()]
NAMES = [*module._LIMITS, *module._FLAGS, *module._TEXTS]
ODD: list[Any] = [
    None, 0, -1, 1, 1e30, -1e30, 1e-30, math.nan, math.inf, True, False, "", "x" * 300, [], {}, [1], {"a": 1},
    2**70, 0.5, 3, 7, 1e6, "bf16", "fp8", "full", "lora", "none", "\ud800", "8", 10**400, "A100", "cerebras",
]  # fmt: skip


def mutated(chance: random.Random) -> bytes:
    """A shipped row with some fields odd, gone, another row's, or scaled, and perhaps a broken character."""
    row = dict(chance.choice(ROWS))
    for _ in range(chance.choice((1, 1, 1, 2, 3, 6))):
        kind, name = chance.random(), chance.choice(NAMES)
        if kind < 0.3:
            row[name] = chance.choice(ODD)
        elif kind < 0.5:
            row.pop(name, None)
        elif kind < 0.75:
            row[name] = chance.choice(ROWS).get(name)
        else:
            figures = [key for key, value in row.items() if isinstance(value, float) and math.isfinite(value)]
            if figures:
                name = chance.choice(figures)
                row[name] *= chance.choice((10, 1000, 1 / 7, -1, 1e12))
    text = json.dumps(row)
    if chance.random() < 0.1:
        at = chance.randrange(len(text))
        text = text[:at] + chance.choice('{"\\,é}') + text[at + 1 :]
    return text.encode("utf-8", "surrogatepass")


@pytest.mark.filterwarnings("error::RuntimeWarning")
@pytest.mark.parametrize("seed", range(4))
def test_mutated_records_are_answered_or_refused(tmp_path: Path, seed: int) -> None:
    chance = random.Random(seed)
    path = tmp_path / "rows.jsonl"
    path.write_bytes(b"\n".join(mutated(chance) for _ in range(250)))
    found = judge(KNOWN.book, KNOWN.published, [path])
    assert len(found) >= 250
    answered = [one for one in found if not one.refused]
    assert 25 < len(answered) < 240
    for one in answered:
        assert 0 <= one.low <= one.predicted <= one.high
        assert math.isfinite(one.high)
    json.dumps([one.as_json() for one in found], allow_nan=False)
    json.dumps(summary_of(found, "none"), allow_nan=False)

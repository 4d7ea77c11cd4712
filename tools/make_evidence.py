"""Write rules/evidence/*.jsonl from collected evidence files, without the rows that stand in two of them.

    python tools/make_evidence.py nvidia_llm.jsonl other.jsonl memory.jsonl [--out rules/evidence]

The same published measurement may have been collected twice, under another id or spelling. Rows are the
same when publisher, generation of device, count, batch, sequence length, method, precision and rate (or
peak memory) agree; the fuller row is kept.
"""

from __future__ import annotations

import argparse
import json
import re
from pathlib import Path
from typing import Any

Row = dict[str, Any]


def device_name(row: Row) -> str:
    """A spelling that is the same for "NVIDIA A100-SXM4-80GB" and "A100 80GB SXM4"."""
    words = re.findall(r"[a-z]+|\d+", str(row.get("accelerator", "")).lower())
    drop = {"nvidia", "geforce", "tesla", "sxm", "gb", "gpu", "dgx", "rtx"}
    return " ".join(sorted({word for word in words if word not in drop}))


def identity(row: Row) -> tuple[object, ...] | None:
    """What makes two rows the same measurement; None when the row has too little to tell."""
    rate = next(
        (
            row[key]
            for key in ("step_time_s", "tokens_per_s_per_device", "samples_per_s_per_device")
            if row.get(key)
        ),
        None,
    )
    memory = row.get("peak_mem_gib")
    if rate is None and memory is None:
        return None
    return (
        row.get("publisher"), device_name(row), row.get("num_accelerators"), row.get("micro_batch"),
        row.get("seq_len"), row.get("method"), row.get("precision"),
        None if rate is None else f"{float(rate):.4g}", None if memory is None else f"{float(memory):.4g}",
        row.get("layers"), row.get("hidden"), row.get("image_size"),
        re.sub(r"[^a-z0-9]", "", row.get("model", "").lower())[:6],
    )  # fmt: skip


def main() -> None:
    """Read, drop what stands twice, write."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("files", type=Path, nargs="+")
    parser.add_argument("--out", type=Path, default=Path("rules/evidence"))
    options = parser.parse_args()
    options.out.mkdir(parents=True, exist_ok=True)
    best: dict[tuple[object, ...], Row] = {}
    rows: list[tuple[Path, Row]] = []
    for path in options.files:
        for line in path.read_text(encoding="utf-8").splitlines():
            row = json.loads(line)
            rows.append((path, row))
            key = identity(row)
            if key is not None and len(row) > len(best.get(key, {})):
                best[key] = row
    kept: dict[str, list[str]] = {path.name: [] for path in options.files}
    ids: set[str] = set()
    for path, row in rows:
        key = identity(row)
        if (key is not None and best[key] is not row) or row["id"] in ids:
            continue
        ids.add(row["id"])
        kept[path.name].append(json.dumps(row, ensure_ascii=False))
    for name, lines in kept.items():
        (options.out / name).write_text("\n".join(lines) + "\n", encoding="utf-8")
        print(f"{name}: {len(lines)} rows")
    print(f"{len(rows) - sum(map(len, kept.values()))} of {len(rows)} rows stood twice")


if __name__ == "__main__":
    main()

"""Write rules/evidence/*.jsonl from collected evidence files, without the rows that stand in two of them.

    python tools/make_evidence.py nvidia_llm.jsonl other.jsonl memory.jsonl [--out rules/evidence]

The same published measurement may have been collected twice, under another id or spelling. Rows are the
same when publisher, generation of device, count, batch, sequence length, method, precision and rate (or
peak memory) agree, or when source, device and count and all of a printed rate agree and nothing that both
tell differs; the fuller row is kept, with what only the other tells.
"""

from __future__ import annotations

import argparse
import json
import re
from pathlib import Path
from typing import Any

from advisor.data.resolve import resolve_device

Row = dict[str, Any]


def device_name(row: Row) -> str:
    """A spelling that is the same for "NVIDIA A100-SXM4-80GB" and "A100 80GB SXM4"."""
    words = re.findall(r"[a-z]+|\d+", str(row.get("accelerator", "")).lower())
    drop = {"nvidia", "geforce", "tesla", "sxm", "gb", "gpu", "dgx", "rtx"}
    return " ".join(sorted({word for word in words if word not in drop}))


def spelt(row: Row) -> str:
    """Letters and digits of the network's name."""
    return re.sub(r"[^a-z0-9]", "", row.get("model", "").lower())


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
        spelt(row)[:6],
    )  # fmt: skip


_RATES = ("step_time_s", "tokens_per_s_per_device", "samples_per_s_per_device")
_TOLD = (
    "seq_len", "image_size", "global_batch", "micro_batch", "tp", "pp", "cp", "ep", "vpp", "recompute",
    "method", "precision", "lora_rank", "layers", "hidden", "peak_mem_gib", "compile", "offload",
    "flash_attention",
)  # fmt: skip


def same_figure(one: Row, other: Row) -> bool:
    """Two rows of one source and device that print one rate (three digits) and nothing apart."""
    shared = [key for key in _RATES if one.get(key) and other.get(key)]
    if not shared or any(f"{float(one[key]):.4g}" != f"{float(other[key]):.4g}" for key in shared):
        return False
    if all(len(f"{float(one[key]):.4g}".replace(".", "").strip("0")) < 3 for key in shared):
        return False
    names = sorted((spelt(one), spelt(other)), key=len)
    return names[1].startswith(names[0]) and all(
        one.get(key) is None or other.get(key) is None or one[key] == other[key] for key in _TOLD
    )


def merge(rows: list[tuple[Path, Row]]) -> list[tuple[Path, Row]]:
    """The rows without those that print a figure a second time (`same_figure`)."""
    alike: dict[tuple[object, ...], list[tuple[Path, Row]]] = {}
    for path, row in rows:
        device = resolve_device(row.get("vendor"), row.get("accelerator")).id or device_name(row)
        key = (row.get("source_key"), device, row.get("num_accelerators"))
        group = alike.setdefault(key, [])
        twin = next((at for at, (_, other) in enumerate(group) if same_figure(row, other)), None)
        if twin is None:
            group.append((path, row))
            continue
        first, second = sorted((group[twin], (path, row)), key=lambda pair: -len(pair[1]))
        added = {key: value for key, value in second[1].items() if key not in first[1]}
        if "peak_mem_gib" not in added:
            added.pop("memory_kind", None)
        group[twin] = (first[0], {**first[1], **added})
    ids = {row["id"]: (path, row) for group in alike.values() for path, row in group}
    return [ids[row["id"]] for _, row in rows if row["id"] in ids]


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
    once: list[tuple[Path, Row]] = []
    for path, row in rows:
        key = identity(row)
        if (key is None or best[key] is row) and row["id"] not in ids:
            ids.add(row["id"])
            once.append((path, row))
    for path, row in merge(once):
        kept[path.name].append(json.dumps(row, ensure_ascii=False))
    for name, lines in kept.items():
        (options.out / name).write_text("\n".join(lines) + "\n", encoding="utf-8")
        print(f"{name}: {len(lines)} rows")
    print(f"{len(rows) - sum(map(len, kept.values()))} of {len(rows)} rows stood twice")


if __name__ == "__main__":
    main()

"""The data that a recipe names: a file that lies here is counted, a name is told."""

from __future__ import annotations

from typing import Any

from advisor.errors import AdvisorError
from advisor.recipes.sharding import find_beside
from advisor.recipes.source import read_mapping
from advisor.recipes.taken import Taking, short

_FILES = (".json", ".jsonl", ".txt", ".parquet", ".csv", ".arrow")


def put_dataset(taking: Taking, key: str, folder_key: str = "", infos: bool = False) -> None:
    """One data set by name or path, or several. `infos`: LLaMA-Factory's dataset_info.json knows them."""
    told = taking.get(key)
    if told is None or told == "":
        return
    names = _names(told)
    if taking.whole("max_samples") is not None:
        taking.miss("max_samples", "all rows are counted")
    folder = taking.text(folder_key) if folder_key else None
    found = [_file(taking, name, folder, infos) for name in names]
    if len(found) == 1 and found[0] is not None:
        taking.put("dataset", found[0], key)
    elif names:
        told = f"{key} {short(', '.join(names))}"
        taking.notes.append(
            f"{told} is not counted: give its file with --dataset, or --tokens."
            if len(names) == 1
            else f"{told} are not counted: give its file with --dataset, or --tokens."
        )


def put_rows(taking: Taking, packed: tuple[str, ...], *, padded: str = "", always: bool = False) -> None:
    """How rows become samples: packed where one of these keys (or the method) says so, else each in its own
    length, padded to the longest of its pass, as the Trainer's collators do; `padded` is a key of one length.
    """
    told = [key for key in packed if taking.flag(key)]
    one_length = bool(padded) and taking.flag(padded) is True
    if told or always:
        taking.put("rows", "packed", *(told or packed))
    elif one_length:
        taking.put("rows", "padded", padded)
    else:
        taking.put("rows", "own", *packed)


def _names(told: Any) -> list[str]:
    if isinstance(told, str):
        return [part.strip() for part in told.split(",") if part.strip()]
    if isinstance(told, list):
        parts = [one.get("path") if isinstance(one, dict) else one for one in told]
        return [str(part) for part in parts if part]
    if isinstance(told, dict) and told.get("path"):
        return [str(told["path"])]
    return []


def _file(taking: Taking, name: str, folder: str | None, infos: bool) -> str | None:
    """The path of a data set that lies here."""
    if infos:
        index = find_beside(taking.path, f"{folder or 'data'}/dataset_info.json")
        if index is None:
            return None
        try:
            entry = read_mapping(index).get(name)
        except AdvisorError:
            return None
        file = entry.get("file_name") if isinstance(entry, dict) else None
        path = index.parent / str(file) if file else None
        return str(path) if path is not None and path.exists() else None
    if not name.lower().endswith(_FILES):
        return None
    found = find_beside(taking.path, name)
    return str(found) if found is not None else None

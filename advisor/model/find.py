"""Which config.json is meant by a name: a path, or an id in the local hub cache. Nothing is downloaded."""

from __future__ import annotations

from pathlib import Path

from advisor.errors import UserError

CONFIG = "config.json"


def find_config(name: str, hub: Path | None = None) -> Path | None:
    """The config.json that `name` means, or None when it is neither a path nor in the hub's cache.

    `name` is a file, a folder that holds one, or an id such as org/name; `hub` is the folder of the hub's
    cache (models--org--name/snapshots/<commit>/config.json). Raises UserError for a path ending in .json
    that is not there, and for a folder without a config.json.
    """
    try:
        path = Path(name).expanduser()
        if path.is_file():
            return path
        if path.is_dir() and (path.is_absolute() or name.startswith(".") or (path / CONFIG).is_file()):
            if (path / CONFIG).is_file():
                return path / CONFIG
            raise UserError(
                f"{path} holds no {CONFIG}", "Give the folder of one network, or the file itself."
            )
        if name.endswith(".json"):
            raise UserError(f"there is no file {path}", "Give the path of a config.json.")
        return _cached(name, hub) if hub is not None else None
    except (OSError, ValueError, RuntimeError) as error:  # too long for a path, a NUL, no such home
        raise UserError(f"cannot look for {name[:80]!r}: {error}", "Check the name.") from error


def _cached(name: str, hub: Path) -> Path | None:
    """The config of an id in the cache: the commit that main points to, else the newest there."""
    parts = name.split("/")
    if len(parts) > 2 or any(part in ("", ".", "..") or "\\" in part for part in parts):
        return None
    folder = hub / ("models--" + "--".join(parts))
    main = folder / "refs" / "main"
    if main.is_file():
        commit = main.read_text("utf-8", errors="replace").strip()[:100]
        found = folder / "snapshots" / commit / CONFIG
        if commit.isalnum() and found.is_file():
            return found
    all_ = [path for path in folder.glob(f"snapshots/*/{CONFIG}") if path.is_file()]
    return max(all_, key=lambda path: path.stat().st_mtime, default=None)

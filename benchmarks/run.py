"""`make bench`: every script of this folder, one after the other, each in its own process."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

HERE = Path(__file__).resolve().parent


def main() -> None:
    """Run the scripts named on the command line, or all of them."""
    wanted = sys.argv[1:]
    scripts = sorted(p for p in HERE.glob("*.py") if p.stem not in ("run", "calibrated", "__init__"))
    chosen = [p for p in scripts if not wanted or p.stem in wanted]
    if not chosen:
        raise SystemExit(f"no such benchmark; there are {', '.join(p.stem for p in scripts)}")
    failed = 0
    for script in chosen:
        print(f"== {script.stem}", flush=True)
        failed += subprocess.run([sys.executable, str(script)], check=False).returncode != 0
    sys.exit(1 if failed else 0)


if __name__ == "__main__":
    main()

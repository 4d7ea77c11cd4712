"""Print every text of the report with its key, as the skeleton of a language file.

python tools/list_texts.py > templates/lang/<code>.toml
"""

from __future__ import annotations

import json
from pathlib import Path

from advisor.render.texts import collect

ROOT = Path(__file__).resolve().parent.parent


def sources() -> dict[str, str]:
    """Name -> content of everything that holds texts: the templates and the render package."""
    files = [*(ROOT / "templates").rglob("*.html"), *(ROOT / "advisor" / "render").glob("*.py")]
    return {str(path.relative_to(ROOT)): path.read_text(encoding="utf-8") for path in sorted(files)}


def main() -> None:
    """Write the skeleton to stdout."""
    print('[language]\nname = ""\n\n[texts]')
    for key, english in collect(sources()).items():
        print(f"{json.dumps(key)} = {json.dumps(english, ensure_ascii=False)}")


if __name__ == "__main__":
    main()

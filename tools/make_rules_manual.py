"""All rules as a manual to read or print: `python tools/make_rules_manual.py OUT.md [RULE_FOLDER …]`."""

from __future__ import annotations

import sys
from pathlib import Path

from advisor.data.files import shipped
from advisor.rulebook import load_book, whole_manual


def main() -> None:
    """Write the manual of the shipped rules with the given folders laid over them."""
    if len(sys.argv) < 2:
        raise SystemExit(__doc__)
    book = load_book([shipped("rules"), *(Path(folder) for folder in sys.argv[2:])])
    Path(sys.argv[1]).write_text(whole_manual(book), encoding="utf-8")


if __name__ == "__main__":
    main()

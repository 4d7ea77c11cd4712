"""What rules say of themselves, and what of it a language lacks or still has of rules that are gone.

python tools/list_rule_texts.py zh          # what stands in English, by rule file, and what is out of date
python tools/list_rule_texts.py zh --all    # every text, for a new templates/lang/rules/<code>.toml
"""

from __future__ import annotations

import argparse
import json
import re
import tomllib
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parent.parent
WHYS = ("rule", "op_rule", "op_total")
TEXTS = ("constant", "constant_by", "curve", "column", "op_column", "operator")
_NUMBER = re.compile(r"\d+(?:[.,]\d+)*")


def rule_texts(tables: tuple[str, ...] = WHYS + TEXTS) -> dict[str, str]:
    """Every text of a rule, a constant or a column that a trace may print -> the first file with it."""
    found: dict[str, str] = {}
    for path in sorted((ROOT / "rules").rglob("*.toml")):
        document = tomllib.loads(path.read_text(encoding="utf-8"))
        for table in tables:
            for entry in _entries(document, table):
                if text := entry.get("why" if table in WHYS else "text"):
                    found.setdefault(text, str(path.relative_to(ROOT)))
                for pattern in _made_of(table, entry):
                    found.setdefault(pattern, str(path.relative_to(ROOT)))
    return found


def _entries(document: dict[str, Any], table: str) -> list[dict[str, Any]]:
    """The tables of an array; a file of data may have a value of the same name."""
    entries = document.get(table, [])
    return [entry for entry in entries if isinstance(entry, dict)] if isinstance(entries, list) else []


def _made_of(table: str, entry: dict[str, Any]) -> list[str]:
    """Patterns of texts that loading makes of an entry: constants of a category, columns of operators."""
    if table == "constant_by":
        return [f"{{what}} ({entry['by']} {{word}})"]
    return [f"{{operator}}: {entry['text']}"] if table == "op_column" else []


def told(code: str) -> dict[str, str]:
    """What the language has."""
    path = ROOT / "templates" / "lang" / "rules" / f"{code}.toml"
    return dict(tomllib.loads(path.read_text(encoding="utf-8"))["why"]) if path.is_file() else {}


def missing(code: str, tables: tuple[str, ...] = WHYS + TEXTS) -> dict[str, str]:
    """Texts that the language lacks -> their file."""
    known = told(code)
    return {text: place for text, place in rule_texts(tables).items() if text not in known}


def gone(code: str) -> list[str]:
    """Translations of what no rule says any more."""
    said = rule_texts()
    return [text for text in told(code) if text not in said]


def unlike_numbers(code: str) -> dict[str, set[str]]:
    """Texts whose translation has other numbers -> the numbers that only one of the two has."""
    pairs = {text: numbers(text) ^ numbers(own) for text, own in told(code).items()}
    return {text: apart for text, apart in pairs.items() if apart}


def numbers(text: str) -> set[str]:
    """The numbers written in digits."""
    return set(_NUMBER.findall(text))


def main() -> None:
    """Print what is asked for."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("code")
    parser.add_argument("--all", action="store_true")
    asked = parser.parse_args()
    place = ""
    for text, where in (rule_texts() if asked.all else missing(asked.code)).items():
        if where != place:
            print(f"# {where}")
            place = where
        print(f'{json.dumps(text, ensure_ascii=False)} = ""')
    if asked.all:
        return
    for text in gone(asked.code):
        print(f"# gone: {text}")
    for text, apart in unlike_numbers(asked.code).items():
        print(f"# other numbers ({', '.join(sorted(apart))}): {text}")


if __name__ == "__main__":
    main()

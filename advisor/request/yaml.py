"""Objects as YAML in which no text can be read as anything but that text.

YAML readers differ: `1e3`, `no` and `0o17` are numbers or booleans to some. Whatever is not plainly a word
stands in double quotes.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from typing import Any

_WORD = re.compile(r"[A-Za-z][A-Za-z0-9_./-]*")
_TAKEN = frozenset(("true", "false", "yes", "no", "on", "off", "null", "none", "nan", "inf", "y", "n"))


def documents(found: Iterable[dict[str, Any]]) -> str:
    """The objects as one text, parted by `---`."""
    import yaml

    class Plain(yaml.SafeDumper):  # type: ignore[misc]
        """Quotes all but plain words, folds nothing, and writes out what stands twice."""

        def ignore_aliases(self, data: Any) -> bool:  # noqa: ARG002 - the base class's signature
            return True

    def text(dumper: yaml.SafeDumper, value: str) -> yaml.ScalarNode:
        return dumper.represent_scalar("tag:yaml.org,2002:str", value, style=_style(value))

    Plain.add_representer(str, text)
    return str(
        yaml.dump_all(
            list(found),
            Dumper=Plain,
            sort_keys=False,
            allow_unicode=True,
            width=10_000,
            default_flow_style=False,
        )
    )


def _style(value: str) -> str | None:
    """Block for scripts, nothing for words, double quotes for all else."""
    if "\n" in value and all(c == "\n" or (c.isprintable() and ord(c) < 0xD800) for c in value):
        return "|"
    return None if _WORD.fullmatch(value) and value.lower() not in _TAKEN else '"'


def read(text: str) -> list[Any]:
    """The documents of a YAML text, as plain data. Raises ValueError with the line that is wrong."""
    import yaml

    try:
        return list(yaml.safe_load_all(text))
    except (yaml.YAMLError, RecursionError, ValueError) as error:
        raise ValueError(" ".join(str(error).split())[:300]) from error

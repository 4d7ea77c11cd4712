"""Rule files -> checked, ordered, compiled RuleBook. The language is described in docs/rules.md.

Reading and checking is loaded on first use: whoever has a book already needs neither.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from advisor.rulebook.parts import (
    Case,
    Column,
    Constant,
    Curve,
    OpColumn,
    Operator,
    OpTotal,
    Override,
    Problem,
    Quantity,
    Rule,
    RuleBook,
    si_unit,
)

if TYPE_CHECKING:
    from advisor.rulebook.book import check_dir, check_dirs, load_book
    from advisor.rulebook.manual import listing, manual_page, page_ids, whole_manual

__all__ = [
    "Case",
    "Column",
    "Constant",
    "Curve",
    "OpColumn",
    "OpTotal",
    "Operator",
    "Override",
    "Problem",
    "Quantity",
    "Rule",
    "RuleBook",
    "check_dir",
    "check_dirs",
    "listing",
    "load_book",
    "manual_page",
    "page_ids",
    "si_unit",
    "whole_manual",
]

_WHERE = {
    "check_dir": "book",
    "check_dirs": "book",
    "listing": "manual",
    "load_book": "book",
    "manual_page": "manual",
    "page_ids": "manual",
    "whole_manual": "manual",
}


def __getattr__(name: str) -> Any:
    """Load a public name from its room (PEP 562)."""
    if name not in _WHERE:
        raise AttributeError(f"module 'advisor.rulebook' has no attribute {name!r}")
    from importlib import import_module

    return getattr(import_module(f"advisor.rulebook.{_WHERE[name]}"), name)

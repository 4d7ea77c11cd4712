"""Rule files -> checked, ordered, compiled RuleBook. The language is described in docs/rules.md."""

from advisor.rulebook.book import check_dir, check_dirs, load_book
from advisor.rulebook.manual import listing, manual_page, page_ids, whole_manual
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

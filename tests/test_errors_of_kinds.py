"""Errors that reports print are those of docs/accuracy.md."""

from __future__ import annotations

import json
import sys
from pathlib import Path

REPO = Path(__file__).resolve().parent.parent
sys.path.insert(0, str(REPO / "tools"))

from accuracy import ERRORS, tables_of  # noqa: E402


def test_reports_print_the_errors_of_the_document():
    tables = tables_of((REPO / "docs" / "accuracy.md").read_text(encoding="utf-8"))
    assert json.loads(ERRORS.read_text(encoding="utf-8"))["tables"] == tables
    assert tables["source"]["vendor: nvidia"]["n"] > 1000
    assert 0 < tables["group"]["all"]["median"] < tables["source"]["all"]["median"] < 0.5

"""Whether PDFs can be made here, and the mark of tests that need them."""

from __future__ import annotations

import functools

import pytest

from advisor.errors import MissingLibrary
from advisor.render import pdf


@functools.cache
def can_print() -> bool:
    """Whether WeasyPrint and what it loads are there."""
    try:
        pdf.load_weasyprint()
    except MissingLibrary:
        return False
    return True


needs_pango = pytest.mark.skipif(
    not can_print(), reason="WeasyPrint or Pango is not here; see `hwadvisor doctor`"
)

"""What of a job a kind of device has not: its method or program, its number format, or room for it."""

from __future__ import annotations

from advisor.estimate.inputs import Inputs
from advisor.rulebook import RuleBook
from advisor.schema import Workload
from advisor.search.formats import format_lacking
from advisor.search.grid import Stated
from advisor.search.on_chip import too_large
from advisor.search.support import Support, unsupported

PRECISION = "precision"


def lack_of(book: RuleBook, job: Workload, device: Inputs, stated: Stated) -> Support | None:
    """The first of these, or None where such a device can do the job."""
    return unsupported(job, device, stated) or _format(job, device) or too_large(book, job, device)


def _format(job: Workload, device: Inputs) -> Support | None:
    missing = format_lacking(job, device)
    if not missing:
        return None
    return Support(PRECISION, job.recipe.precision, (), (), f"units for {missing}", "advisor/search/formats")

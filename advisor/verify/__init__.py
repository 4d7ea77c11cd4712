"""Is a report whole, does it say what its own data says, and does that follow from rules and prices here?"""

from __future__ import annotations

import hashlib
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

from advisor.errors import AdvisorError, DataError
from advisor.schema import Advice
from advisor.verify.inputs import inputs_by_kind

if TYPE_CHECKING:
    from advisor.app_knowledge import Knowledge
    from advisor.verify.again import Again
    from advisor.verify.printed import Printed
    from advisor.verify.signature import Signed

__all__ = ["NOT_WHO", "Verdict", "verify"]

NOT_WHO = (
    "Digests and figures that agree prove that a file is consistent, not who measured it or that anybody "
    "did: whoever can run hwadvisor can make a consistent file. Who vouches for it is proved by a signature "
    "(--sign KEY, --signer FILE)."
)


@dataclass(frozen=True)
class Verdict:
    """All that is known of one file."""

    path: Path
    kind: str = ""  # data, report, request, comparison; "" where the file cannot be read
    tool: str = ""
    created_at: str = ""
    schema_version: int | None = None
    digest: str = ""  # SHA-256 of the data
    error: str = ""
    hint: str = ""
    contradictions: tuple[str, ...] = ()
    gaps: tuple[str, ...] = ()
    printed: Printed | None = None
    again: Again | None = None
    inputs: dict[str, list[str]] = field(default_factory=dict)
    signed: Signed | None = None

    @property
    def sound(self) -> bool:
        """Whole, consistent, printed as its data says, no figure that its own rules would not give."""
        return not (
            self.error
            or self.contradictions
            or (self.printed is not None and self.printed.differs)
            or (self.again is not None and self.again.unexplained)
            or (self.signed is not None and self.signed.good is False)
        )


def verify(path: Path, knowledge: Knowledge, signers: Path | None = None) -> Verdict:
    """Check one file. What is wrong with it is in the verdict; raises only for wrong `signers`."""
    from advisor.verify.signature import check

    try:
        sides, text, printed, kind = _read(path)
    except AdvisorError as error:
        return Verdict(path, error=error.message, hint=error.hint)
    from advisor.verify.again import compute_again
    from advisor.verify.consistent import contradictions, gaps

    wrong = [text for side in sides for text in contradictions(side)]
    advice, again = sides[-1], None
    if not wrong:
        again = compute_again(knowledge, advice)
    return Verdict(
        path=path,
        kind=kind,
        tool=advice.versions.tool,
        created_at=advice.created_at,
        schema_version=advice.schema_version,
        digest=hashlib.sha256(text).hexdigest(),
        contradictions=tuple(wrong),
        gaps=tuple(gaps(advice)),
        printed=printed,
        again=again,
        inputs=inputs_by_kind(advice),
        signed=check(path, signers) if path.is_file() else None,
    )


def _read(path: Path) -> tuple[tuple[Advice, ...], bytes, Printed | None, str]:
    """The advice (of a comparison both), its bytes, how the pages compare, what sort of file it is."""
    from advisor.data.advice import load_advice
    from advisor.data.embedded import advice_in, is_pdf, read_pdf
    from advisor.data.files import read_text
    from advisor.verify.printed import check_html, check_pdf, kind_of

    if path.is_dir():
        path = path / "advice.json"
    if is_pdf(path):
        found = read_pdf(path)
        kind = kind_of(found)
        names = ("a.json", "b.json") if kind == "comparison" else ("advice.json",)
        sides = tuple(advice_in(path, found, name) for name in names)
        return sides, found.files[names[-1]], check_pdf(path, found), kind
    if path.suffix.lower() in (".html", ".htm"):
        beside = path.parent / "advice.json"
        if not beside.is_file():
            raise DataError.at(
                path, "", None, "carries no data", "Put its advice.json beside it, or verify the PDF."
            )
        advice = load_advice(beside)
        return (advice,), beside.read_bytes(), check_html(path, advice), "report"
    return (load_advice(path),), read_text(path).encode(), None, "data"

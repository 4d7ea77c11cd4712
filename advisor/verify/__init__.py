"""Is a report whole, does it say what its own data says, and does that follow from rules and prices here?"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

from advisor.data.advice import NewerFormat
from advisor.data.embedded import JSON, PDF, NoData, advice_in, form_of, read_html, read_pdf
from advisor.errors import AdvisorError, MissingLibrary
from advisor.schema import Advice
from advisor.verify.inputs import KINDS, inputs_by_kind

if TYPE_CHECKING:
    from advisor.app_knowledge import Knowledge
    from advisor.verify.again import Again
    from advisor.verify.printed import Printed
    from advisor.verify.signature import Signed

__all__ = ["NOT_SOUND", "NOT_WHO", "SOUND", "UNCHECKED", "UNREAD", "Verdict", "verify"]

ADVICE = "advice.json"
SOUND, NOT_SOUND, UNCHECKED = "sound", "not sound", "could not be checked"
UNREAD = "could not be opened"
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
    digest: str = ""  # SHA-256 of the data; of a comparison of both sides
    error: str = ""
    hint: str = ""
    foreign: bool = False  # of an error: this hwadvisor cannot judge the file, which may be sound
    contradictions: tuple[str, ...] = ()
    gaps: tuple[str, ...] = ()
    untraced: tuple[str, ...] = ()  # estimates without the steps that led to them
    doubtful: tuple[str, ...] = ()  # dates that cannot be by the clock here
    absent: bool = False  # there is no such file, or it cannot be opened: nothing is said of what it holds
    printed: Printed | None = None
    again: Again | None = None
    inputs: dict[str, list[str]] = field(default_factory=dict)
    signed: Signed | None = None

    @property
    def false(self) -> bool:
        """Whether something is wrong: no whole data, a contradiction, a page or a figure that is another."""
        return bool(
            (self.error and not self.foreign and not self.absent)
            or self.contradictions
            or (self.printed is not None and self.printed.differs)
            or (self.again is not None and self.again.unexplained)
            or (self.signed is not None and self.signed.good is False)
        )

    @property
    def unchecked(self) -> tuple[str, ...]:
        """Why not all of it could be checked, in sentences; empty where all was.

        What nobody could make or compute again may be edited at will: one changed word in a file, a version
        or a digest, must not turn a fraud into something sound.
        """
        found = [self.error] if self.error and (self.foreign or self.absent) else []
        if self.printed is not None and self.printed.unchecked:
            found.append(self.printed.unchecked)
        found += self.untraced
        found += self.doubtful
        if self.again is not None:
            found += [f"not computed again: {text}" for text in self.again.failed[:1]]
            if not self.again.alike and self.again.others:
                what = "give other figures" if self.again.differences else "say otherwise"
                found.append(f"other {', '.join(self.again.others)} here {what}")
            elif self.again.unread:
                found.append("the text of its rules is not compared: other rules or another version here")
        return tuple(found)

    @property
    def judged(self) -> str:
        """One of SOUND, NOT_SOUND, UNCHECKED and UNREAD."""
        if self.absent:
            return UNREAD
        if self.false:
            return NOT_SOUND
        return UNCHECKED if self.unchecked else SOUND

    @property
    def sound(self) -> bool:
        """Whole, consistent, all of it made and computed again, and nothing came out otherwise."""
        return self.judged == SOUND


def verify(path: Path, knowledge: Knowledge, signers: Path | None = None) -> Verdict:
    """Check one file. What is wrong with it is in the verdict; raises only for wrong `signers`."""
    from advisor.verify.signature import check

    try:
        sides, texts, printed, kind = _read(path)
    except AdvisorError as error:
        foreign = isinstance(error, (NewerFormat, MissingLibrary, NoData))
        absent = isinstance(error.__cause__, OSError) or not (path.is_file() or path.is_dir())
        return Verdict(path, error=error.message, hint=error.hint, foreign=foreign, absent=absent)
    from advisor.verify.again import compute_again, joined
    from advisor.verify.consistent import contradictions, gaps, untraced
    from advisor.verify.dates import doubtful
    from advisor.verify.written import doubled

    wrong = [told for text in texts for told in doubled(text)]
    wrong += _of_sides({name: contradictions(side) for name, side in sides.items()})
    again = None
    if not wrong:
        again = joined({name: compute_again(knowledge, side) for name, side in sides.items()})
    last = list(sides.values())[-1]
    inputs = {name: inputs_by_kind(side) for name, side in sides.items()}
    return Verdict(
        path=path,
        kind=kind,
        tool=last.versions.tool,
        created_at=last.created_at,
        schema_version=last.schema_version,
        digest=", ".join(hashlib.sha256(text).hexdigest() for text in texts),
        contradictions=tuple(wrong),
        gaps=tuple(_of_sides({name: gaps(side) for name, side in sides.items()})),
        doubtful=tuple(_of_sides({name: doubtful(side) for name, side in sides.items()})),
        untraced=tuple(_of_sides({name: untraced(side) for name, side in sides.items()})),
        printed=printed,
        again=again,
        inputs={kind: _of_sides({name: of[kind] for name, of in inputs.items()}) for kind in KINDS},
        signed=check(path, signers) if path.is_file() else None,
    )


def _of_sides(texts: Mapping[str, Iterable[str]]) -> list[str]:
    """The texts of all sides; of a comparison each with the name of its side."""
    named = len(texts) > 1
    return [f"{name}: {text}" if named else text for name, found in texts.items() for text in found]


def _read(path: Path) -> tuple[dict[str, Advice], list[bytes], Printed | None, str]:
    """The advice by name (of a comparison both), its bytes, how the pages compare, the sort of file."""
    from advisor.data.advice import load_advice
    from advisor.verify.printed import check_pages, kind_of

    if path.is_dir():
        path = path / ADVICE
    form = form_of(path)
    if form == JSON:
        advice = load_advice(path)
        return {ADVICE: advice}, [path.read_bytes()], None, "data"
    found = read_pdf(path) if form == PDF else read_html(path)
    kind = kind_of(found)
    names = ("a.json", "b.json") if kind == "comparison" else (ADVICE,)
    sides = {name: advice_in(path, found, name) for name in names}
    return sides, [found.files[name] for name in names], check_pages(path, found), kind

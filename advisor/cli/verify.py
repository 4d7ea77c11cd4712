"""`hwadvisor verify`: is a report whole, and does it say what its own data says?"""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from advisor.cli.language import form, told, told_error
from advisor.cli.options import json_flag, print_json, rules_option
from advisor.cli.text import paragraph, say
from advisor.errors import EXIT_DONE, EXIT_UNCHECKED, EXIT_USER
from advisor.search.own import is_own
from advisor.units import show

if TYPE_CHECKING:
    from advisor.schema import Quantity
    from advisor.verify import Verdict
    from advisor.verify.again import Again, Difference

_MOST = 8  # lines of a list


@click.command()
@click.argument("files", type=click.Path(path_type=Path), nargs=-1, required=True, metavar="FILE…")
@click.option(
    "--signer",
    type=click.Path(path_type=Path),
    metavar="FILE",
    help="Who may have signed: a public key, or an allowed_signers file of ssh-keygen.",
)
@click.option(
    "--sign",
    "key",
    type=click.Path(path_type=Path),
    metavar="KEY",
    help="Sign each sound file with this SSH key (writes FILE.sig).",
)
@click.option(
    "--details/--no-details", default=None, help="What went in and what differs; shown for a single file."
)
@rules_option
@json_flag
@click.pass_context
def verify(
    context: click.Context,
    files: tuple[Path, ...],
    signer: Path | None,
    key: Path | None,
    details: bool | None,
    rules: tuple[Path, ...],
    as_json: bool,
) -> None:
    """Check FILEs: reports as PDF or HTML, requests, comparisons, advice.json; one line each.

    The data must be whole and consistent, the pages must come out of it again byte for byte, and the
    estimates are computed again with the rules and prices here. Exit code 2: a file is not sound, or cannot
    be opened. 4: nothing was found wrong, and not all of it could be checked here (another version, other
    rules).
    """
    from advisor.app_knowledge import load_knowledge
    from advisor.verify import NOT_WHO
    from advisor.verify import verify as check
    from advisor.verify.signature import sign

    knowledge = load_knowledge(rules)
    verdicts = []
    for path in files:
        verdict = check(path, knowledge, signer)
        verdicts.append(verdict)
        if not as_json:
            say(_spoken(verdict))
            if details if details is not None else len(files) == 1:
                _tell(verdict)
        if key is not None and verdict.sound and path.is_file():
            target = sign(path, key)
            if not as_json:
                say(form("  signed: {path}", path=target))
    if as_json:
        print_json(
            json.dumps(
                {"files": [document(v) for v in verdicts], "note": NOT_WHO}, indent=1, ensure_ascii=False
            )
            + "\n"
        )
    else:
        paragraph(told(NOT_WHO))
    context.exit(_exit_code(verdicts))


def _exit_code(verdicts: list[Verdict]) -> int:
    if any(verdict.false or verdict.absent for verdict in verdicts):
        return EXIT_USER
    return EXIT_DONE if all(verdict.sound for verdict in verdicts) else EXIT_UNCHECKED


def line(verdict: Verdict) -> str:
    """All that matters of a file in one line, in English."""
    return f"{verdict.path}: {_word(verdict)}: {'; '.join(_parts(verdict))}"


def _spoken(verdict: Verdict) -> str:
    """The same in the language in use, each part by its own sentence."""
    tell = told_error if verdict.error else told
    return form(
        "{path}: {judged}: {what}",
        path=verdict.path,
        judged=told(_word(verdict)),
        what=form("; ").join(tell(part) for part in _parts(verdict)),
    )


def _word(verdict: Verdict) -> str:
    return "NOT SOUND" if verdict.false and not verdict.error else verdict.judged


def _parts(verdict: Verdict) -> list[str]:
    if verdict.error:
        return [verdict.error, *([verdict.hint] if verdict.hint else [])]
    parts = [
        *(verdict.unchecked[:1] if not verdict.false else ()),
        f"{verdict.kind} by hwadvisor {verdict.tool or '?'} of {verdict.created_at[:10] or 'no date'}",
        f"data contradicts itself: {verdict.contradictions[0]}"
        if verdict.contradictions
        else "data consistent",
        *_printed(verdict),
        *_again(verdict.again),
    ]
    if verdict.signed is not None:
        parts.append(verdict.signed.text)
    return parts


def _printed(verdict: Verdict) -> list[str]:
    printed = verdict.printed
    if printed is None:
        return []
    if printed.unable:
        return [f"its {printed.figures} printed figures are not compared"]
    if printed.exact:
        return [f"all {printed.figures} printed figures made again, byte for byte"]
    of = "" if printed.same_tool else " (this is another version, whose pages are others)"
    found = [f"attached {name} is not what its data gives" for name in printed.files]
    if printed.missing:
        wrong = len(printed.missing)
        found.append(
            f"{wrong} printed figures are not those of its data{of}: {', '.join(printed.missing[:4])}"
        )
    elif printed.lacking:
        wrong = len(printed.lacking)
        found.append(f"{wrong} figures of its data are not printed{of}: {', '.join(printed.lacking[:4])}")
    elif printed.moved:
        found.append(f"its printed figures stand in other places than its data gives{of}")
    elif printed.reworded:
        found.append(f"all {printed.figures} printed figures made again, among other words{of}")
    elif not found and not printed.parts:
        found.append(f"all {printed.figures} printed figures made again{of}")
    if printed.parts:
        found.append(f"its pages are not those that its data gives: {', '.join(printed.parts)}")
    return found


def _again(again: Again | None) -> list[str]:
    if again is None:
        return []
    if not again.figures and not again.words:
        return ["nothing estimated"] if not again.failed else [f"not computed again: {again.failed[0]}"]
    same = again.figures - len(again.differences)
    told = f"{again.figures} estimated figures computed again: "
    told += "all the same" if not again.differences else f"{same} the same"
    if again.differences:
        worst = next((d for d in again.differences if 0 < d.factor < float("inf")), again.differences[0])
        told += f", {len(again.differences)} others (largest: {_difference(worst)})"
    found = [told, *again.words[:1]]
    if again.unexplained:
        found.append("though rules, prices and version are the same")
    elif again.others:
        found.append(f"other {', '.join(again.others)} here")
    if again.failed:
        found.append(f"{len(again.failed)} could not be computed again")
    return found


def _difference(difference: Difference) -> str:
    unit = difference.unit
    then, now = (show(value, unit) for value in (difference.then, difference.now))
    change = f" ({difference.factor - 1:+.2%})" if 0 < difference.factor < float("inf") else ""
    if difference.then == difference.now or then == now:  # then it is the range that tells them apart
        spans = [_span(one) for one in difference.ranges]
        if spans[0] != spans[1]:
            change = ""
            then, now = (f"{value} ({span})" for value, span in zip((then, now), spans, strict=True))
    return f"{difference.what}: {difference.quantity} {then}, here {now}{change}"


def _span(of: Quantity | None) -> str:
    """From where to where a figure lies, finely enough that two ranges look different."""
    if of is None or of.low is None or of.high is None:
        return "no range"
    low, high = (show(end, of.unit) for end in (of.low, of.high))
    return f"{low} to {high}"


def _tell(verdict: Verdict) -> None:
    """What went in, and everything that is wrong or different, below a file's line."""
    if verdict.error:
        return
    say(
        form(
            "  data: SHA-256 {digest}, schema {version}",
            digest=verdict.digest,
            version=verdict.schema_version,
        )
    )
    _list("wrong", verdict.contradictions)
    _list("not checked", verdict.unchecked)
    _list("to know", verdict.gaps)
    if verdict.printed is not None:
        _list("printed and not in the data", verdict.printed.missing)
        _list("in the data and not printed", verdict.printed.lacking)
        _list("made otherwise by this version", verdict.printed.parts)
    if verdict.again is not None:
        _list("comes out otherwise here", [_difference(d) for d in verdict.again.differences])
        _list("said otherwise than here", verdict.again.words)
        _list("not computed again", verdict.again.failed)
    for kind, texts in verdict.inputs.items():
        if texts:
            _list(form("{kind} ({count})", kind=told(kind), count=len(texts)), texts)
        else:
            say(form("  {kind}: nothing", kind=told(kind)))


def _list(title: str, texts: Any) -> None:
    if not texts:
        return
    say(form("  {title}:", title=told(title)))
    for text in texts[:_MOST]:
        paragraph(_one(text[:400]), "    - ", "      ")
    if len(texts) > _MOST:
        say(form("    … and {count} more (--json has all)", count=len(texts) - _MOST))


def _one(text: str) -> str:
    """A line of a list. What a workload says of itself is a sentence of its own, unless the whole is one."""
    head, colon, rest = text.partition(": ")
    whole = told(text)
    apart = told(rest)
    if colon and is_own(head) and apart != rest and rest.startswith(("method", "tokens", "precision")):
        return form("{typed}: {what}", typed=head, what=apart)
    return whole


def document(verdict: Verdict) -> dict[str, Any]:
    """A verdict as JSON."""
    printed, again, signed = verdict.printed, verdict.again, verdict.signed
    return {
        "file": str(verdict.path),
        "sound": verdict.sound,
        "verdict": verdict.judged,
        "unchecked": list(verdict.unchecked),
        "line": line(verdict),
        "kind": verdict.kind,
        "tool": verdict.tool,
        "created_at": verdict.created_at,
        "schema_version": verdict.schema_version,
        "sha256": verdict.digest,
        "error": verdict.error,
        "hint": verdict.hint,
        "contradictions": list(verdict.contradictions),
        "gaps": list(verdict.gaps),
        "printed": None
        if printed is None
        else {
            "figures": printed.figures,
            "exact": printed.exact,
            "missing": list(printed.missing),
            "lacking": list(printed.lacking),
            "moved": printed.moved,
            "reworded": printed.reworded,
            "files": list(printed.files),
            "parts": list(printed.parts),
            "same_pages": printed.same_tool,
            "unable": printed.unable,
        },
        "again": None
        if again is None
        else {
            "figures": again.figures,
            "estimates": again.estimates,
            "same_rules": again.same_rules,
            "same_prices": again.same_prices,
            "same_tool": again.same_tool,
            "failed": list(again.failed),
            "words": list(again.words),
            "differences": [
                {"what": d.what, "quantity": d.quantity, "then": d.then, "now": d.now, "unit": d.unit}
                for d in again.differences
            ],
        },
        "inputs": verdict.inputs,
        "signature": None
        if signed is None
        else {"good": signed.good, "text": signed.text, "who": signed.who},
    }

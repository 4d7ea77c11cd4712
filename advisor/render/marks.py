"""How a figure stands on the page: value, range, and a mark that says where it comes from.

The mark is a letter that links to the figure's origin: a line of the calibration table, the rules
that gave it, or a line of the list of sources. Whatever was shown is collected while the sections
are rendered, so that the appendix, which comes last, lists exactly that.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from markupsafe import Markup, escape

from advisor.render.clean import clean, slug
from advisor.render.texts import Texts, number
from advisor.schema import Advice, Fact, Kind, Measurement, Quantity, Status

LETTERS: Mapping[Kind, str] = {
    Kind.measured: "M",
    Kind.probed: "P",
    Kind.published: "L",
    Kind.vendor: "V",
    Kind.rule: "R",
    Kind.stated: "S",
    Kind.assumed: "A",
}

AGAIN = "origin-again"

__all__ = ["LETTERS", "Marks", "Source", "foreign", "number"]


@dataclass
class Source:
    """A line of the list of sources: what said it."""

    id: str
    kind: Kind
    text: str
    note: str = ""


@dataclass(frozen=True)
class Made:
    """How the figures of one estimate came about, as far as it is stored."""

    id: str
    label: Markup
    lines: tuple[Markup, ...]


@dataclass
class Marks:
    """Writes figures for one document and remembers what they rest on.

    `show_trace(key)` tells whether the document has the trace, so that no mark leads nowhere.
    """

    advice: Advice
    t: Texts
    traces_shown: frozenset[str] | None = None  # None: all of them
    sources: dict[str, Source] = field(default_factory=dict)
    traces: dict[str, None] = field(default_factory=dict)  # keys in the order of first use
    made: dict[str, Made] = field(default_factory=dict)  # of estimates without stored steps
    numbered: bool = False  # on paper, where no link can be followed, letters bear their source's number
    numbers: dict[str, int] = field(default_factory=dict)  # of sources, in the order of first use
    again: str = AGAIN  # where it is told how to compute steps that are not stored

    @property
    def page(self) -> str:
        """The report's own file, as one types it: it carries its data, so every command reads it."""
        return "report.pdf" if self.numbered else "report.html"

    def kind_name(self, kind: Kind | str) -> Markup:
        """What the letter of a kind stands for."""
        t = self.t
        names = {
            Kind.measured: t("kind.measured", "measured here"),
            Kind.probed: t("kind.probed", "probed: the system or driver says so"),
            Kind.published: t("kind.published", "listed: a published row or price"),
            Kind.vendor: t("kind.vendor", "vendor's figure"),
            Kind.rule: t("kind.rule", "computed by a rule"),
            Kind.stated: t("kind.stated", "stated by the user or by the task"),
            Kind.assumed: t("kind.assumed", "assumed"),
        }
        return names[Kind(kind)]

    def mark(self, kind: Kind | str, target: str = "", title: str = "", number: int = 0) -> Markup:
        """The letter of a kind; a link when `target` (an id of this document) is given.

        `number` is that of a line of the list of sources, told where no link can be followed.
        """
        kind = Kind(kind)
        name = f"{self.kind_name(kind).unescape()}: {clean(title)}" if title else self.kind_name(kind)
        letter, css = self._letter(kind, number or self.numbers.get(target, 0)), f"k k-{kind.value}"
        if not target:
            return Markup('<span class="{}" title="{}">{}</span>').format(css, name, letter)
        return Markup('<a class="{}" href="#{}" title="{}">{}</a>').format(css, target, name, letter)

    def _letter(self, kind: Kind, number: int) -> str:
        return f"{LETTERS[kind]}{number}" if number and self.numbered else LETTERS[kind]

    def source(self, kind: Kind | str, text: str, note: str = "") -> str:
        """Remember a source and give the id of its line; the same source is one line."""
        kind = Kind(kind)
        key = slug("s", f"{kind}|{text}|{note}")
        told = self.t.sentences.quoted(text)
        self.sources.setdefault(key, Source(key, kind, clean(told, 600), clean(note, 600)))
        self.numbers.setdefault(key, len(self.numbers) + 1)
        return key

    def steps_at(self, target: str = AGAIN) -> str:
        """From here on figures without stored steps lead to `target`, which names the command for them."""
        self.again = target
        return ""

    def made_since(self, count: int) -> tuple[Made, ...]:
        """How those came about that were shown after the first `count` of them."""
        return tuple(self.made.values())[count:]

    def lines(self, longest: int) -> list[tuple[Source, list[str]]]:
        """The list of sources, texts cut to a length; what then reads alike is one line of several ids."""
        found: dict[tuple[Kind, str, str], tuple[Source, list[str]]] = {}
        for source in self.sources.values():
            text, note = _cut(source.text, longest), _cut(source.note, longest)
            line = found.setdefault(
                (source.kind, text, note), (Source(source.id, source.kind, text, note), [])
            )
            if line[0].id != source.id:
                line[1].append(source.id)
        return list(found.values())

    def sourced(self, kind: Kind | str, text: str, note: str = "") -> Markup:
        """The mark of a figure that has a source text and no trace."""
        if not text and not note:
            return self.mark(kind)
        return self.mark(kind, self.source(kind, text, note), text or note)

    # --- the three things that hold figures -------------------------------------------------

    def fact(
        self,
        fact: Fact[Any],
        unit: str = "",
        text: str | Markup | None = None,
        kind: Kind | str = Kind.probed,
    ) -> Markup:
        """A fact: its value (`text` if given) with its mark, or "unknown" and why.

        `kind` is that of the few facts which are not what a system or driver says.
        """
        if fact.value is None and fact.status == Status.absent:  # known: it is not there
            absent = self.said(fact.reason, 160) if fact.reason else self.status_text(fact.status)
            return Markup('<span class="why">{}</span>').format(absent)
        if fact.value is None and fact.status == Status.not_supported:
            words = [self.status_text(fact.status), *([self.said(fact.reason, 160)] if fact.reason else [])]
            return Markup('<span class="why">{}</span>').format(self.t("list.colon", ": ").join(words))
        if fact.value is None:
            return self.unknown(fact.reason or self.status_text(fact.status))
        shown = text if text is not None else self.value(fact.value, unit)
        kind = Kind.assumed if fact.status == Status.assumed else kind
        note = self.t.said(fact.reason)
        if fact.status == Status.contradiction:
            also = "; ".join(f"{other.source}: {self.value(other.value, unit)}" for other in fact.others)
            said = self.t.plain("fact.contradicted", "Others say otherwise: {also}", also=also)
            note = f"{note} {said}".strip()
        out = Markup('<span class="fig">{}</span>{}').format(shown, self.sourced(kind, fact.source, note))
        if fact.status == Status.contradiction:
            out += Markup(' <span class="warn">{}</span>').format(
                self.t("fact.contradiction", "sources disagree")
            )
        return out

    def quantity(self, quantity: Quantity | None, *, ranged: bool = True, missing: str = "") -> Markup:
        """An estimated or listed figure with its range and mark, or "unknown" and why."""
        if quantity is None:
            return self.unknown(missing or self.t("quantity.absent", "not estimated"))
        if quantity.value is None and quantity.low is None and quantity.high is None:
            return self.unknown(quantity.reason or missing or self.t("quantity.no_reason", "no reason given"))
        mark = self.quantity_mark(quantity)
        if quantity.value is None:
            return Markup('<span class="fig">{}</span>{}').format(self.span(quantity), mark)
        return self._with_spread(quantity, mark, ranged=ranged)

    def measured(self, measurement: Measurement | None, *, ranged: bool = True, missing: str = "") -> Markup:
        """A measured figure with its range and a mark that leads to its line in the calibration table."""
        if measurement is None:
            return self.unknown(missing or self.t("measured.absent", "not measured"))
        if measurement.value is None and measurement.low is None and measurement.high is None:
            return self.unknown(measurement.reason or self.t("measured.no_reason", "no reason given"))
        mark = self.mark(Kind.measured, slug("m", measurement.id), measurement.id)
        if measurement.value is None:
            why = self.t("measured.disturbed", "(disturbed while measured: no single figure)")
            bound = Markup('<span class="fig bound">{}</span>{} <span class="why">{}</span>')
            return bound.format(unbroken(self.span(measurement)), mark, why)
        return self._with_spread(measurement, mark, ranged=ranged)

    def _with_spread(self, of: Quantity | Measurement, mark: Markup, *, ranged: bool) -> Markup:
        """A figure, its mark and its range, with as many digits as the range warrants."""
        told = self.t.told(of)
        out = Markup('<span class="fig" data-v="{:.7g}">{}</span>{}').format(of.value, told.figure, mark)
        if ranged and told.spread:
            out += Markup(' <span class="rng">{}</span>').format(told.spread)
        return out

    def quantity_mark(self, quantity: Quantity) -> Markup:
        """The mark of an estimated or listed figure, which leads to its steps or its source."""
        key = quantity.trace
        if key in self.advice.trace and (self.traces_shown is None or key in self.traces_shown):
            self.traces[key] = None
            return self.mark(quantity.kind, slug("t", key), quantity.source)
        if quantity.kind == Kind.rule:
            # A trace that is stored but not printed is in advice.json; without one nothing is.
            stored = key in self.advice.trace and self.again not in self.made
            target = "origin-rule" if stored else self.again
            return self.mark(quantity.kind, target, quantity.source)
        return self.sourced(quantity.kind, quantity.source, self.t.said(quantity.reason))

    def said(self, text: str, limit: int = 200) -> Markup:
        """A sentence of the advice in the report's language, as foreign text."""
        return foreign(self.t.said(text), limit)

    # --- plain writing ------------------------------------------------------------------------

    def unknown(self, reason: object = "") -> Markup:
        """ "unknown" with the reason beside it."""
        word = self.t("unknown", "unknown")
        if not reason:
            return Markup('<span class="unknown">{}</span>').format(word)
        reason = reason if isinstance(reason, Markup) else self.said(str(reason), 160)
        why = self.t("unknown.reason", "({why})", why=reason)
        gap = "" if why.startswith("（") else " "  # a wide bracket brings its own
        return Markup('<span class="unknown">{}</span>{}<span class="why">{}</span>').format(word, gap, why)

    def span(self, of: Quantity | Measurement) -> str:
        """The range of a figure as text; where both ends print alike, either."""
        told = self.t.told(of)
        return told.spread or told.lower

    def figure(self, of: Quantity | Measurement) -> str:
        """The figure itself, with as many digits as its range warrants."""
        return self.t.told(of).figure

    def value(self, value: object, unit: str = "") -> str | Markup:
        """A value as text: numbers in their unit, yes and no, the rest as foreign text."""
        if value is None:
            return self.t("unknown", "unknown")
        if isinstance(value, bool):
            return self.t("yes", "yes") if value else self.t("no", "no")
        if isinstance(value, int | float):
            return self.t.number(float(value), unit)
        if isinstance(value, list | tuple | set):
            return Markup(", ").join(self.value(item) for item in value) or self.t("none", "none")
        return foreign(self.t.sentences.tell(str(value)))  # names stay as they are, "none" does not

    def status_text(self, status: Status | str) -> Markup:
        """A probe's outcome in words."""
        t = self.t
        words = {
            Status.ok: t("status.ok", "answered"),
            Status.assumed: t("status.assumed", "taken as given"),
            Status.contradiction: t("status.contradiction", "sources disagree"),
            Status.not_supported: t("status.not_supported", "not supported by the device or system"),
            Status.no_permission: t("status.no_permission", "no permission to ask"),
            Status.lost: t("status.lost", "the device is lost"),
            Status.timeout: t("status.timeout", "no answer in time"),
            Status.lib_missing: t("status.lib_missing", "the library, tool or file that knows is missing"),
            Status.version_mismatch: t("status.version_mismatch", "driver and library do not fit together"),
            Status.failed: t("status.failed", "asking failed"),
            Status.absent: t("status.absent", "looked for and not there"),
            Status.not_asked: t("status.not_asked", "not asked"),
        }
        return words[Status(status)]

    def outcome(self, status: Status | str) -> Markup:
        """Why something was not measured, in a word or two."""
        failed = Status(status) == Status.failed
        return self.t("status.not_measured", "failed") if failed else self.status_text(status)


def unbroken(told: str) -> Markup:
    """A figure that may break behind words before it ("at least"), never within number and unit."""
    first = next((at for at, letter in enumerate(told) if letter.isdigit()), 0)
    return Markup('{}<span class="nw">{}</span>').format(told[:first], told[first:])


def _cut(text: str, longest: int) -> str:
    return text if len(text) <= longest else text[: longest - 1].rstrip() + "…"


def foreign(text: str, limit: int = 200) -> Markup:
    """A string from outside: cleaned, escaped, and isolated so that its direction stays its own.

    Letters of ASCII have but one direction and need no isolation, which costs a tenth of a PDF's time.
    """
    shown = clean(text, limit)
    return escape(shown) if shown.isascii() else Markup("<bdi>{}</bdi>").format(shown)

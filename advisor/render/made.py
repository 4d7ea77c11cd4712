"""How figures came about whose steps are not stored: the set-up, the published runs near it, the price.

Steps are stored of this machine's estimates and of the best choices; thousands of other estimates would be
a hundred times the file. What is stored of each is told here, so that every figure on screen leads to it.
"""

from __future__ import annotations

from markupsafe import Markup

from advisor.render import choice, describe, summary
from advisor.render.clean import slug
from advisor.render.marks import Made, Marks, foreign
from advisor.render.texts import Texts
from advisor.schema import Advice, Estimate, Kind, NearRun, PlanOption, Quantity


def estimate(advice: Advice, of: Estimate, marks: Marks) -> str:
    """From here on figures without steps are those of this estimate."""
    t = marks.t
    made = slug("e", "|".join((of.workload, of.target.label, *of.choices.values())))
    if made not in marks.made:
        memory = marks.said(of.why, 300) + marks.mark(Kind.rule, "origin-rule") if of.why else Markup()
        lines = [
            _line(t, t("made.layout", "set-up"), describe.choices(of, t)),
            _line(t, t("made.memory", "memory"), memory),
            *(_line(t, t("made.near", "published run near it"), _near(run, marks)) for run in of.near),
            *(_line(t, t("made.note", "note"), marks.said(note, 300)) for note in of.notes),
            _price(advice, of.target.accelerator_id, of.rent, marks),
        ]
        marks.made[made] = Made(made, summary.target_label(advice, of, t), tuple(filter(None, lines)))
    return marks.steps_at(made)


def option(advice: Advice, of: PlanOption, marks: Marks) -> str:
    """The same of an option of a plan."""
    t = marks.t
    made = slug("e", "|".join((of.label, *of.choices.values())))
    if made not in marks.made:
        runs = t("list.semicolon", "; ").join(foreign(title, 120) for title in of.near)
        lines = [
            _line(t, t("made.layout", "set-up"), choice.layout(of, t)),
            _line(t, t("made.near", "published run near it"), runs) if of.near else Markup(),
            _price(advice, of.accelerator_id, of.quantities.get("rent_usd"), marks),
            _bought(of.quantities.get("purchase_usd"), marks),
        ]
        marks.made[made] = Made(made, choice.option_label(advice, of, t), tuple(filter(None, lines)))
    return marks.steps_at(made)


def _line(t: Texts, name: Markup, what: Markup) -> Markup:
    return Markup("<dd>{}{}{}</dd>").format(name, t("list.colon", ": "), what) if what else Markup()


def _near(run: NearRun, marks: Marks) -> Markup:
    """A published run: what it took, what the rules say it takes, and who says so."""
    t = marks.t
    said = t(
        "made.run",
        "{title}, took {measured}, {rules} by the rules",
        title=foreign(run.title, 100),
        measured=t.number(run.measured_s, "s"),
        rules=t.number(run.rules_s, "s"),
    )
    return said + marks.mark(Kind.published, marks.source(Kind.published, run.source, run.title))


def _price(advice: Advice, accelerator: str, rent: Quantity | None, marks: Marks) -> Markup:
    """The price behind a rent, with its source and date."""
    if rent is None or not rent.source:
        return Markup()
    t = marks.t
    listed = next((a.figures.get("rent_usd_per_h") for a in advice.accelerators if a.id == accelerator), None)
    name = t("made.price", "listed price")
    if listed is not None and listed.value is not None and listed.source == rent.source:
        return _line(t, name, marks.quantity(listed, ranged=False))
    return _line(t, name, foreign(rent.source, 200) + marks.sourced(Kind.published, rent.source))


def _bought(price: Quantity | None, marks: Marks) -> Markup:
    """The purchase price behind a share of owning."""
    if price is None or price.value is None or not price.source:
        return Markup()
    shown = Markup('<span class="fig">{}</span>{}').format(
        marks.value(price.value, price.unit), marks.sourced(Kind.published, price.source)
    )
    return _line(marks.t, marks.t("made.bought", "purchase price"), shown)

"""What a plan of several jobs answers: machines for all of them, and which job runs where.

Picks and words only, as everything here: the figures are those of the advice.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from markupsafe import Markup

from advisor.render import choice, describe, figures, select, summary
from advisor.render.clean import slug
from advisor.render.marks import Made, Marks, foreign
from advisor.render.summary import KeyFigure
from advisor.render.texts import Texts
from advisor.render.todo import Step
from advisor.schema import (
    Advice,
    FleetJob,
    FleetOption,
    FleetPlan,
    Kind,
    LeftOut,
    PlanOption,
    Quantity,
    Workload,
)

OPTIONS_PAGED, OPTIONS_SCREEN, JOBS_PAGED, LEFT_PAGED = 12, 16, 30, 10
_NOTE = 120  # letters of a note on a price


@dataclass(frozen=True)
class Row:
    """A job with its workload, and how one run of it goes."""

    job: FleetJob
    workload: Workload
    run: PlanOption | None

    def figure(self, name: str) -> Quantity | None:
        """A figure of it."""
        return None if self.run is None else self.run.quantities.get(name)


def rows(advice: Advice, fleet: FleetPlan) -> list[Row]:
    """The jobs, those that keep machines busy for longest first."""
    known = {workload.id: workload for workload in advice.workloads}
    found = [Row(job, known[job.workload], job.option) for job in fleet.jobs if job.workload in known]
    return sorted(found, key=lambda row: -(figures.point(row.figure("year_busy_s")) or 0.0))


def shown(found: list[Row], *, paged: bool) -> list[Row]:
    """The jobs that are listed: all on screen."""
    return found[:JOBS_PAGED] if paged else found


def options(fleet: FleetPlan, *, paged: bool) -> tuple[FleetOption, ...]:
    """The machines that are listed."""
    return fleet.options[: OPTIONS_PAGED if paged else OPTIONS_SCREEN]


def left_out(fleet: FleetPlan, *, paged: bool) -> tuple[LeftOut, ...]:
    """What does not do all the jobs; on paper a few."""
    return fleet.left_out[:LEFT_PAGED] if paged else fleet.left_out


def cost(option: FleetOption, fleet: FleetPlan) -> Quantity | None:
    """What ranks where cost does, a year."""
    return option.quantities.get("own_usd" if fleet.limits.acquire == "buy" else "rent_usd")


# --- words --------------------------------------------------------------------------------------


def title(fleet: FleetPlan, t: Texts) -> Markup:
    """What the document is about."""
    jobs, runs = t.number(float(len(fleet.jobs)), "1"), t.number(fleet.runs, "1")
    return t("title.fleet", "Plan for several jobs: {jobs}, with {runs} runs a year", jobs=jobs, runs=runs)


def machines(advice: Advice, option: FleetOption, t: Texts) -> Markup:
    """ "2 machines of 8 × NVIDIA H100"."""
    title = choice.title_of(advice, option.accelerator_id)
    one = Markup("{} × {}").format(t.number(option.packages, "1"), title)
    if option.devices != option.packages:
        within = t("target.devices", "devices in them: {count}", count=t.number(float(option.devices), "1"))
        one = t("target.within", "{label} ({within})", label=one, within=within)
    if option.machines == 1:
        return t("fleet.machine", "one machine of {label}", label=one)
    count = t.number(float(option.machines), "1")
    return t("fleet.machines", "{count} machines of {label} each", count=count, label=one)


def answer(advice: Advice, fleet: FleetPlan, t: Texts) -> Markup:
    """The answer in one or two sentences."""
    if not fleet.options:
        miss, relax = (
            describe.said(t, text, 400) if text else Markup() for text in (fleet.miss, fleet.relax)
        )
        miss = describe.sentences(miss, relax, t)
        return t("answer.plan.none", "Nothing keeps the limits. {miss}", miss=miss)
    first = fleet.options[0]
    found = t(
        "answer.fleet",
        "Of the accelerators that do all jobs of a year ({count}), the best by {objective} is {machines}: "
        "{money}, in use for {used} of the year.",
        count=len(fleet.options),
        objective=choice.objective(fleet.limits.objective, t),
        machines=machines(advice, first, t),
        money=_money(first, fleet, t),
        used=_percent(first.quantities.get("used"), t),
    )
    return describe.sentences(found, _late(fleet, t), t)


def _money(option: FleetOption, fleet: FleetPlan, t: Texts) -> Markup:
    money = summary.with_range(cost(option, fleet), t)
    if fleet.limits.acquire == "buy":
        return t("fleet.owned", "owning it costs about {money} a year", money=money)
    return t("fleet.rented", "its rent is about {money} a year", money=money)


def _percent(used: Quantity | None, t: Texts) -> Markup:
    return summary.with_range(share(used), t)


def share(used: Quantity | None) -> Quantity | None:
    """A share of the year in percent."""
    if used is None or used.value is None:
        return used
    ends = {
        name: None if end is None else end * 100 for name, end in (("low", used.low), ("high", used.high))
    }
    return used.model_copy(update={"value": used.value * 100, "unit": "%", **ends})


def _late(fleet: FleetPlan, t: Texts) -> Markup:
    """That the search was stopped; that the year may not do."""
    if fleet.counted < len(fleet.jobs):
        count, whole = t.number(float(fleet.counted), "1"), t.number(float(len(fleet.jobs)), "1")
        return t("fleet.stopped", "Stopped: {count} of {whole} jobs are counted.", count=count, whole=whole)
    high = fleet.options[0].quantities["used"].high if "used" in fleet.options[0].quantities else None
    if high is not None and high > 1:
        return t(
            "fleet.short",
            "At the upper end of the times the year is too short for all of it: one more machine is safe.",
        )
    return Markup()


def key_figures(fleet: FleetPlan, marks: Marks) -> list[KeyFigure]:
    """The figures of the first page."""
    if not fleet.options:
        return []
    t, first = marks.t, fleet.options[0]
    known = first.quantities
    told = {
        "rent_usd": t("fleet.rent", "Rent a year"),
        "own_usd": t("fleet.own", "Owning it, a year"),
    }
    name = "own_usd" if fleet.limits.acquire == "buy" else "rent_usd"
    busy = t("fleet.busy", "{time} of one machine", time=_of_years(known.get("busy_s"), t))
    power = known.get("power_w")
    drawn = Markup()
    if power is not None and power.value is not None:
        drawn = t("fleet.power.most", "at most {power} at once", power=t.told(power).figure)
    note = describe.noted(t, first.price_note, _NOTE)
    return [
        KeyFigure(told[name], marks.quantity(known.get(name)), note),
        KeyFigure(t("fleet.used", "In use, of the year"), marks.quantity(share(known.get("used"))), busy),
        KeyFigure(t("fleet.energy", "Energy a year"), marks.quantity(known.get("energy_j")), drawn),
    ]


def _of_years(busy: Quantity | None, t: Texts) -> str:
    return t.plain("unknown", "unknown") if busy is None else t.told(busy).figure


def next_steps(advice: Advice, fleet: FleetPlan, marks: Marks) -> list[Step]:
    """What to do next."""
    t = marks.t
    if not fleet.options:
        return [Step(describe.said(t, fleet.relax or fleet.miss, 300))]
    longest = next(iter(rows(advice, fleet)), None)
    if longest is None or longest.run is None:
        return []
    command = f"hwadvisor request {marks.page} --workload {longest.job.workload} --slurm"
    return [
        Step(
            t(
                "next.fleet",
                "Ask for one of the jobs: {command} writes it, and a page that says why.",
                command=describe.command(command),
            ),
            t(
                "next.fleet.why",
                "The longest is {job}; each job’s id stands in the table of jobs.",
                job=label(longest, t),
            ),
        ),
        Step(
            t(
                "next.trial",
                "Before paying for all of it, train a few steps there: {command}.",
                command=describe.command("hwadvisor trial"),
            ),
            t("next.trial.why", "A measured step narrows the range far more than any rule."),
        ),
    ]


def label(row: Row, t: Texts) -> Markup:
    """A job's name: the file's own, else its workload's."""
    return foreign(name(row, t), 90)


def name(row: Row, t: Texts) -> str:
    """The same as text."""
    return row.job.title or t.said(row.workload.title)


def below(row: Row, t: Texts) -> Markup:
    """Its id, what it is, and how often a year it is run."""
    parts = [foreign(row.job.workload, 20)]
    if row.job.title:
        parts.append(describe.said(t, row.workload.title, 90))
    parts.append(t("fleet.times", "{count} a year", count=t.number(row.job.per_year, "1")))
    return Markup(" · ").join(parts)


def where(advice: Advice, row: Row, t: Texts) -> Markup:
    """The part of a machine that a run takes."""
    return Markup("–") if row.run is None else choice.option_label(advice, row.run, t)


def due(row: Row, fleet: FleetPlan) -> Quantity | None:
    """When a run is due, and whether that was stated."""
    days = fleet.limits.deadline_days
    stated = row.job.due or days is not None
    days = row.workload.deadline_days if days is None else days
    if days is None:
        return None
    return Quantity(value=days * select.DAY_S, unit="s", kind=Kind.stated if stated else Kind.assumed)


def late(row: Row, marks: Marks) -> Markup:
    """What a run keeps to with the plan's probability."""
    return marks.unknown() if row.run is None else choice.late(row.run, marks)


def limits(fleet: FleetPlan, t: Texts) -> Markup:
    """What all machines together keep to."""
    of, parts = fleet.limits, []
    if of.deadline_days is not None:
        time = t.number(of.deadline_days * select.DAY_S, "s")
        parts.append(t("fleet.deadline", "each run within {time}", time=time))
    parts += choice.at_most(of, t)
    kept = f"{of.confidence:.0%}"
    own = t("fleet.kept", "Each run keeps its own deadline with {share} probability.", share=kept)
    if not parts:
        return own
    told = t(
        "fleet.limits",
        "Asked for: {parts}, a year and all machines together.",
        parts=t("list.comma", ", ").join(parts),
    )
    return describe.sentences(told, own, t)


# --- how figures came about -----------------------------------------------------------------------


def made_machines(advice: Advice, option: FleetOption, marks: Marks) -> str:
    """From here on figures without steps are those of these machines."""
    t = marks.t
    made = slug("f", option.label)
    if made not in marks.made:
        known, sums = (
            option.quantities,
            t(
                "fleet.made.sum.text",
                "of the jobs’ runs, each on the part of a machine that keeps its deadline and gets most done",
            ),
        )
        lines = [_line(t, t("fleet.made.sum", "sums"), sums)]
        if (price := known.get("rent_usd_per_h")) is not None:
            lines.append(_line(t, t("made.price", "listed price"), marks.quantity(price, ranged=False)))
        if (bought := known.get("purchase_usd")) is not None and bought.source:
            lines.append(_line(t, t("made.bought", "purchase price"), foreign(bought.source, 160)))
        marks.made[made] = Made(made, machines(advice, option, t), tuple(lines))
    return marks.steps_at(made)


def made_job(advice: Advice, row: Row, marks: Marks) -> str:
    """The same of a job."""
    t = marks.t
    made = slug("j", row.job.workload)
    if made not in marks.made and row.run is not None:
        lines = [
            _line(t, t("fleet.made.part", "part of a machine"), where(advice, row, t)),
            _line(t, t("made.layout", "set-up"), choice.layout(row.run, t)),
            _line(t, t("fleet.made.recipe", "how it is trained"), describe.recipe(row.workload, t)),
        ]
        marks.made[made] = Made(made, label(row, t), tuple(filter(None, lines)))
    return marks.steps_at(made)


def _line(t: Texts, name: Markup, what: Markup) -> Markup:
    return Markup("<dd>{}{}{}</dd>").format(name, t("list.colon", ": "), what) if what else Markup()


def prices(fleet: FleetPlan, *, paged: bool) -> list[tuple[FleetOption, Quantity]]:
    """The price behind each listed fleet: rent of one for an hour, or the purchase of all."""
    name = "purchase_usd" if fleet.limits.acquire == "buy" else "rent_usd_per_h"
    found: Mapping[str, tuple[FleetOption, Quantity]] = {
        option.label: (option, price)
        for option in options(fleet, paged=paged)
        if (price := option.quantities.get(name)) is not None and price.value is not None and price.source
    }
    return list(found.values())

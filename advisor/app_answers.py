"""The envelope and what is filled into it: the machine, then the estimates from what is known so far."""

from __future__ import annotations

import datetime
from typing import TYPE_CHECKING

from advisor import __version__
from advisor.app_knowledge import now
from advisor.data.files import shipped
from advisor.schema import Estimate, Versions

if TYPE_CHECKING:
    from advisor.app_knowledge import Knowledge
    from advisor.schema import Advice, Machine

DIGITS = 7


def advice_of_machine(machine: Machine, command: str = "probe") -> Advice:
    """The envelope with a machine in it and nothing else yet."""
    from advisor.schema import Advice

    return Advice(
        stage="probed",
        created_at=now(),
        command=command,
        versions=Versions(tool=__version__),
        machine=machine,
    )


def advice_to_explain() -> Advice:
    """This machine as probed beside known devices of each kind: enough to tell why training wants a GPU."""
    from advisor.data.catalogue import figures_of, load_catalogue
    from advisor.probe import detect
    from advisor.render.why import KINDS

    catalogue = load_catalogue((shipped("rules"),))
    wanted = [name for _, names in KINDS for name in names if name in catalogue.accelerators]
    accelerators = tuple(figures_of(catalogue.accelerators[name]) for name in wanted)
    return advice_of_machine(detect(), "why").model_copy(update={"accelerators": accelerators})


def rounded(estimate: Estimate) -> Estimate:
    """The same to seven digits, far finer than any range: thousands of estimates are stored."""
    quantities = {
        name: one.model_copy(
            update={key: _short(value) for key in ("value", "low", "high") if (value := getattr(one, key))}
        )
        for name, one in estimate.quantities.items()
    }
    near = tuple(run.model_copy(update={"weight": _short(run.weight, 4)}) for run in estimate.near)
    return estimate.model_copy(update={"quantities": quantities, "near": near})


def _short(value: float, digits: int = DIGITS) -> float:
    return float(f"{value:.{digits}g}")


def with_estimates(knowledge: Knowledge, advice: Advice, *, catalogue: bool = True) -> Advice:
    """The same advice with its estimates computed from what it holds so far.

    `catalogue` false: only those of this machine, which is what a new measurement changes.
    """
    from advisor.search import accelerator_figures, estimates_catalogue, estimates_here

    if advice.machine is None:
        return advice
    book, known = knowledge.book, knowledge.catalogue
    here, trace_here = estimates_here(
        book, known, advice.workloads, advice.machine, advice.calibration, knowledge.published
    )
    here = [rounded(estimate) for estimate in here]
    if not catalogue:
        there = [estimate for estimate in advice.estimates if not estimate.target.here]
        return advice.model_copy(
            update={"estimates": (*here, *there), "trace": {**advice.trace, **trace_here}}
        )
    there, trace_there = estimates_catalogue(book, known, advice.workloads, knowledge.published, _day(advice))
    there = [rounded(estimate) for estimate in there]
    answered = advice.model_copy(
        update={
            "estimates": (*here, *there),
            "trace": {**trace_here, **trace_there},
            "accelerators": accelerator_figures(known, (*here, *there)),
        }
    )
    return with_bottlenecks(knowledge, answered)


def _day(advice: Advice) -> datetime.date | None:
    """The day on which it was made, by which its prices are old or not."""
    try:
        return datetime.date.fromisoformat(advice.created_at[:10])
    except ValueError:  # it does not say
        return None


def with_bottlenecks(knowledge: Knowledge, advice: Advice) -> Advice:
    """The same advice with what holds this machine back among its notices, in place of what did before."""
    from advisor.advice import CODE, bottlenecks

    others = [notice for notice in advice.notices if not notice.code.startswith(CODE)]
    return advice.model_copy(update={"notices": (*others, *bottlenecks(knowledge.book, advice))})

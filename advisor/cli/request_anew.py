"""What a request needs anew: the estimate in the servers asked for, the price of the cloud asked for."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from advisor.data.accelerator import Accelerator
    from advisor.request import Choice, Job, Site
    from advisor.schema import Advice, Estimate

_LARGEST = 16.0  # devices of a server; a domain above it is a rack's, which spans servers


def reshaped(advice: Advice, job: Job, rules: tuple[Path, ...]) -> tuple[Advice, Choice] | None:
    """The advice with the estimate of the servers that are asked for; None where it is of these already.

    What flags stated of the layout stays; what was open is found again, for it may be another there.
    Raises NothingFits where it does not fit in such servers.
    """
    from advisor.app_knowledge import load_knowledge

    choice = job.choice
    if job.nodes == 1 or job.gpus_per_node % choice.each:
        return None
    known = load_knowledge(rules)
    entry = known.catalogue.accelerators.get(choice.accelerator_id)
    if entry is None or _server(entry, job.gpus_per_node) == (choice.server or _server(entry)):
        return None
    from advisor.again import estimate_again
    from advisor.request import of_estimate
    from advisor.search import accelerator_figures

    one = estimate_again(
        known.book, known.catalogue, known.published, advice, _estimate(choice),
        traced=True, as_asked=True, nodes=job.nodes,
    )  # fmt: skip
    held = advice.model_copy(
        update={
            "workloads": (choice.workload,),
            "plan": None,
            "fleet": None,
            "estimates": (one.estimate,),
            "trace": one.trace,
            "versions": known.versions(),
            "accelerators": accelerator_figures(known.catalogue, (one.estimate,)),
        }
    )
    return held, of_estimate(held, one.estimate)


def _server(entry: Accelerator, asked: int | None = None) -> float | None:
    """Devices that an estimate takes as joined, in the usual server or in servers of `asked` devices."""
    from advisor.estimate.inputs import of_accelerator

    usual = of_accelerator(entry).values.get("hw_domain_devices")
    domain = float(usual) if usual is not None else None
    smaller = asked is not None and domain is not None and asked < domain <= _LARGEST
    return float(asked) if smaller and asked is not None else domain


def _estimate(choice: Choice) -> Estimate:
    """The choice as an estimate to start from: an option of a plan is none."""
    from advisor.schema import Estimate, Target

    if choice.estimate is not None:
        return choice.estimate
    target = Target(
        label=choice.label,
        accelerator_id=choice.accelerator_id,
        devices=choice.devices,
        packages=choice.packages,
    )
    return Estimate(
        workload=choice.workload.id, target=target, choices=choice.layout, quantities=choice.quantities
    )


def priced(advice: Advice, choice: Choice, site: Site, scheduler: str, rules: tuple[Path, ...]) -> Advice:
    """The advice with the price of the cloud and kind that the site names, where one is known."""
    from advisor.request.money import ASKED, asks_for_a_price, chosen

    if not asks_for_a_price(site, scheduler):
        return advice
    from advisor.app_knowledge import load_knowledge
    from advisor.data.catalogue import price_figure

    entry = load_knowledge(rules).catalogue.accelerators.get(choice.accelerator_id)
    offer = None if entry is None else chosen(entry.offers, choice.count, site)
    if offer is None:
        return advice
    found = (
        one.model_copy(update={"figures": {**one.figures, ASKED: price_figure(offer)}})
        if one.id == choice.accelerator_id
        else one
        for one in advice.accelerators
    )
    return advice.model_copy(update={"accelerators": tuple(found)})

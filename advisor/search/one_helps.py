"""What would help where a workload does not fit: changes of the set-up that was nearest, each alone."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import replace

from advisor.estimate import Table, evaluate
from advisor.estimate.inputs import Inputs, known_only
from advisor.rulebook import RuleBook
from advisor.schema import Kind, Workload
from advisor.search.grid import TEXT_FAMILIES, SetUp, Stated, joined
from advisor.search.here import Place
from advisor.search.on_chip import kind_of
from advisor.search.plan_site import Site

_MOST_TRIED = 1024  # devices, when nothing fits and more are tried


def helps_of(  # noqa: PLR0913, PLR0917 - the question and its answer
    book: RuleBook, workload: Workload, inputs: Inputs, stated: Stated, chosen: SetUp, place: Place
) -> tuple[str, ...]:
    """Changes of the set-up that was nearest, each alone, with which the memory suffices."""
    count = place.target.devices
    tries: list[tuple[str, Inputs]] = []

    def attempt(text: str, set_up: SetUp = chosen, **words: str) -> None:
        row = joined(inputs, place.inputs, set_up, stated)
        for name, word in words.items():
            row.put(name, word, Kind.assumed, "tried")
        if words.get("method") in ("lora", "qlora") and row.values.get("lora_rank") is None:
            row.put("lora_rank", 16.0, Kind.assumed, "tried")
        tries.append((text, known_only(book, row)))

    for text, layout in _layouts(chosen, place):
        attempt(text, layout)
    if workload.recipe.optimizer == "adamw":
        attempt("8-bit optimizer states (--optimizer adamw_8bit)", optimizer="adamw_8bit")
    if workload.recipe.method in ("pretrain", "full", "lora") and workload.model.family in TEXT_FAMILIES:
        for method in ("lora", "qlora") if workload.recipe.method != "lora" else ("qlora",):
            attempt(f"adapters instead of all weights (--method {method})", method=method)
    least = replace(chosen, micro_batch=1.0, recompute="full", sharding="fsdp")
    fixed = place.target.here or kind_of(place.inputs)
    more = [] if fixed else [2**n for n in range(11) if count < 2**n <= _MOST_TRIED]
    for devices in more:
        attempt(f"{devices} devices instead of {count}, cut over all of them and recomputed",
                replace(least, devices=devices))  # fmt: skip
    if not tries:
        return ()
    fits = _fits(book, [row for _, row in tries])
    found = [text for (text, _), fit in zip(tries, fits, strict=True) if fit]
    single: list[str] = []
    several: list[str] = []
    for text in found:
        (several if text[0].isdigit() else single).append(text)
    return (*single, *several[:1])


def _layouts(chosen: SetUp, place: Place) -> Iterator[tuple[str, SetUp]]:
    """Other layouts of the same devices, each with its words."""
    if chosen.micro_batch > 1:
        yield "one sample at a time (--micro-batch 1)", replace(chosen, micro_batch=1.0)
    if kind_of(place.inputs):  # there are no others
        return
    if chosen.recompute != "full":
        yield "recomputation (--recompute full)", replace(chosen, recompute="full")
    if chosen.devices > 1 and chosen.sharding != "fsdp":
        yield (
            "cutting weights and states over the devices (--sharding fsdp)",
            replace(chosen, sharding="fsdp"),
        )
    if chosen.offload == "none":
        yield (
            "optimizer states in the host's memory (--offload optimizer)",
            replace(chosen, offload="optimizer"),
        )
    if chosen.offload != "params" and Site(place.target.accelerator_id, place.inputs).offloads:
        cut = "fsdp" if chosen.devices > 1 else "none"
        yield (
            "weights and states in the host's memory, recomputed (--offload params --recompute full)",
            replace(chosen, offload="params", recompute="full", sharding=cut),
        )


def _fits(book: RuleBook, rows: Sequence[Inputs]) -> list[bool]:
    table = Table.from_rows(book, [row.values for row in rows])
    values = evaluate(book, table, ["fits"], keep_all=False).columns["fits"]
    return [bool(value == 1) for value in values]

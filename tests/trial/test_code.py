"""Networks given as code: trained by a trial, and traced with the kernels of the processors here."""

from __future__ import annotations

import sys
from dataclasses import replace
from pathlib import Path

import pytest
from few import shipped_knowledge

from advisor.errors import UserError
from advisor.probe import detect
from advisor.schema import Fact, Kind, Model, Status
from advisor.search import workload_from_flags
from advisor.trial.setup import Flags, set_up
from advisor.trial.told import Knows, place_of, tell
from advisor.trial.trace import TraceFlags, spec_of, trace_network, trace_preset
from advisor.trial.walk import Options, run_trial

FACTORIES = Path(__file__).with_name("factories.py")
pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(not any((Path(p) / "torch").is_dir() for p in sys.path), reason="needs torch"),
]


def named(factory: str) -> str:
    return f"{FACTORIES.name}:{factory}"


def flags(**more: object) -> TraceFlags:
    return TraceFlags(precision="fp32", folder=FACTORIES.parent, **more)


@pytest.fixture(scope="module")
def knows() -> Knows:
    known = shipped_knowledge()
    return Knows(known.book, known.catalogue, known.published)


def test_code_is_trained_and_measured_beside_its_estimate(
    knows: Knows, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("advisor.trial.run.GATE_S", 0.0)
    found = detect(ask_frameworks=False)
    one = found.cpu.model_copy(update={"budget_threads": Fact(value=1, status=Status.ok)})
    machine = found.model_copy(update={"cpu": one})
    told = flags(own=True)
    traced = trace_network(named("words"), told)
    setup = set_up(
        knows.catalogue, traced.model, Flags(precision="fp32", batch=2, method="full", optimizer="adamw"),
        spec_of(named("words"), told),
    )  # fmt: skip
    done = run_trial(knows, machine, replace(setup, document=traced.document), Options(3, "cpu"), lambda _: 0)
    [depth] = done.depths
    assert depth.step.samples == 3
    assert depth.parameters == traced.document["parameters"]
    assert depth.loss[0] != depth.loss[1]
    assert done.figures["process_bytes"].error is not None
    with pytest.raises(UserError, match="not recomputed"):
        again = replace(setup, recompute="full")
        run_trial(knows, machine, again, Options(3, "cpu"), lambda _: 0)


@pytest.mark.parametrize(("optimizer", "sparse"), [("adamw", 16000), ("sgd", 0)])
def test_sparse_gradients_are_trained_and_said(
    knows: Knows, monkeypatch: pytest.MonkeyPatch, optimizer: str, sparse: int
) -> None:
    monkeypatch.setattr("advisor.trial.run.GATE_S", 0.0)
    told = flags(own=True, optimizer=optimizer)
    traced = trace_network(named("looked_up"), told)
    how = Flags(precision="fp32", batch=4, micro_batch=2, method="full", optimizer=optimizer)
    setup = set_up(knows.catalogue, traced.model, how, spec_of(named("looked_up"), told))
    done = run_trial(knows, detect(ask_frameworks=False), setup, Options(2, "cpu"), lambda _: 0)
    [depth] = done.depths
    assert depth.step.samples == 2
    assert depth.loss[0] != depth.loss[1], "the weights were updated"
    assert depth.sparse == sparse, "AdamW alone needs another optimizer beside it"
    assert any("SparseAdam" in note for note in done.notes) == (sparse > 0)


def test_a_network_without_products_is_timed_by_what_it_reads_and_writes(knows: Knows) -> None:
    told = flags(own=True)
    traced = trace_network(named("table_alone"), told)
    how = Flags(precision="fp32", batch=2, method="full", optimizer="adamw")
    setup = set_up(knows.catalogue, traced.model, how, spec_of(named("table_alone"), told))
    place = place_of(knows, detect(ask_frameworks=False), "cpu", "", "")
    place.inputs.put("hw_peak_fp32", 1e11, Kind.stated, "test")
    seconds = []
    for bandwidth in (1e6, 5e5, None):
        place.inputs.put("hw_bandwidth", bandwidth, Kind.stated, "test", "nobody measured it")
        seconds.append(tell(knows, place, [setup])[0].get("optimizer_step_s"))
    fast, slow, unknown = seconds
    assert fast.value is not None and slow.value is not None
    assert 1.9 < slow.value / fast.value <= 2.0
    assert unknown.value is not None, "its cores' part of what processors have is taken"
    place.inputs.put("host_cores", None, Kind.probed, "test", "not told")
    lost = tell(knows, place, [setup])[0].get("optimizer_step_s")
    assert lost.value is None and lost.reason


def test_an_update_and_what_is_moved_count_where_nothing_was_measured(knows: Knows) -> None:
    told = flags(own=True)
    traced = trace_network(named("looked_up"), told)  # a table of many rows before a narrow layer
    how = Flags(precision="fp32", batch=2, method="full", optimizer="adamw")
    setup = set_up(knows.catalogue, traced.model, how, spec_of(named("looked_up"), told))
    place = place_of(knows, detect(ask_frameworks=False), "cpu", "", "")
    place.inputs.put("hw_peak_fp32", 1e15, Kind.stated, "test")  # products take no time to speak of
    place.inputs.put("hw_bandwidth", None, Kind.stated, "test", "nobody measured it")
    weights = float(traced.document["trainable"])
    steps = []
    for cores in (1.0, 2.0):
        place.inputs.put("host_cores", cores, Kind.probed, "test")
        steps.append(tell(knows, place, [setup])[0].get("optimizer_step_s"))
    one, two = steps
    assert one.value is not None and two.value is not None and one.low is not None and one.high is not None
    assert one.value > 80 * weights / 5.1e9  # 20 reads or writes of 4 bytes for each weight
    assert two.value < one.value
    assert one.low < 0.7 * one.value and one.high > 1.3 * one.value  # nobody knows its bandwidth


def test_a_trace_for_this_machine_has_its_own_kernels_and_a_second_step_of_the_optimizer() -> None:
    here, there = (trace_network(named("dropout"), flags(own=own)).document["own"] for own in (True, False))
    names = {row[1] for row in here["rows"]}
    assert "bernoulli_" in names
    optimizer = [row for row in here["rows"] if row[0] == "optimizer"]
    assert {"addcmul_", "addcdiv_", "lerp_"} <= {row[1] for row in optimizer}
    assert not any(row[1] == "fill_" for row in optimizer), "states are made in the first step alone"
    assert here["views"]["forward"] > 0
    assert len(there["rows"]) < len(here["rows"])


def test_a_recurrent_layer_keeps_its_workspace() -> None:
    document = trace_network(named("recurrent"), flags(own=True)).document
    rows = [row for row in document["own"]["rows"] if row[1].startswith("recurrent")]
    if not rows:
        pytest.skip("this torch has no recurrent operator on processors")
    result = 4 * rows[0][4][0][0] * rows[0][4][3][0]
    assert document["memory"]["kept"][1] > 4 * result, "beside what goes in and out the states of every gate"


def test_a_preset_is_traced_as_a_trial_builds_it(knows: Knows) -> None:
    workload = workload_from_flags(knows.catalogue, "pythia-70m", None, "full", "fp32", 32, 2)
    document = trace_preset(workload, None, own=True)
    heads = [row for row in document["own"]["rows"] if row[:3] == ["forward", "product.nt", "float32"]]
    assert any(row[4][2][0] == 50304 for row in heads) or any(row[4][2][0] == 512 for row in heads)
    assert document["parameters"] == pytest.approx(70.4e6, rel=0.01)
    experts = Model(id="e", title="E", family="moe", numbers={})
    with pytest.raises(UserError, match="builds no network"):
        trace_preset(workload.model_copy(update={"model": experts}), None, own=True)

"""Sentences, names and repeats of the catalogue are held to the rules like figures: words persuade too."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest

sys.path.insert(0, str(Path(__file__).resolve().parent))
import sample
from held import at

from advisor.schema import Advice, Estimate, LeftOut, Notice, PlanLimits, Target
from advisor.search import accelerator_figures
from advisor.search.grid import Stated
from advisor.search.hardware import find_hardware
from advisor.search.one import estimate_one, place_of
from advisor.search.own import workload_from_flags
from advisor.search.plan import Question, names_of, plan_traced
from advisor.search.sensitivity import sensitivity
from advisor.verify import NOT_SOUND, UNCHECKED, verify
from advisor.verify.said import differences, of_estimate

FALSE = "It does the work of ten in an hour."


def one(advice: Advice, **changes: object) -> Advice:
    first = advice.estimates[0].model_copy(update=changes)
    return advice.model_copy(update={"estimates": (first,)})


def job(advice: Advice, **changes: object) -> Advice:
    return advice.model_copy(update={"workloads": (advice.workloads[0].model_copy(update=changes),)})


def network(advice: Advice, **changes: object) -> Advice:
    return job(advice, model=advice.workloads[0].model.model_copy(update=changes))


def recipe(advice: Advice, **changes: object) -> Advice:
    return job(advice, recipe=advice.workloads[0].recipe.model_copy(update=changes))


def versions(advice: Advice, **changes: object) -> Advice:
    return advice.model_copy(update={"versions": advice.versions.model_copy(update=changes)})


def device(advice: Advice, **changes: object) -> Advice:
    return advice.model_copy(update={"accelerators": (advice.accelerators[0].model_copy(update=changes),)})


def cheap(advice: Advice) -> Advice:
    """With a tenth of the listed price."""
    figures = advice.accelerators[0].figures
    price = figures["rent_usd_per_h"]
    less = price.model_copy(update={"value": price.value / 10})
    return device(advice, figures={**figures, "rent_usd_per_h": less})


@pytest.mark.parametrize(
    ("change", "words"),
    [
        (lambda a: one(a, why=FALSE), "sentence on memory"),
        (lambda a: one(a, limit="time"), "its limit"),
        (lambda a: one(a, calibrated=True), "rests on measurements"),
        (lambda a: one(a, choices={**a.estimates[0].choices, "precision": "fp8"}), "its set-up"),
        (lambda a: one(a, notes=(*a.estimates[0].notes, FALSE)), "note 'It does the work"),
        (
            lambda a: one(a, near=tuple(r.model_copy(update={"title": FALSE}) for r in a.estimates[0].near)),
            "list of published runs",
        ),
        (lambda a: network(a, numbers={**a.workloads[0].model.numbers, "layers": 2.0}), "network's numbers"),
        (lambda a: network(a, title="Llama 3 405B"), "network's title"),
        (lambda a: job(a, title="Llama 3 405B, pretrain"), "does not begin with its network"),
        (lambda a: job(a, title="Approved: " + a.workloads[0].title), "does not begin with its network"),
        (
            lambda a: job(a, title=f"{a.workloads[0].model.title}, approved by all"),
            "tells more than its network",
        ),
        (lambda a: job(a, note="The board agreed."), "its note 'The board agreed.'"),
        (lambda a: recipe(a, source="as NVIDIA recommends"), "its remark on what is assumed"),
        (lambda a: recipe(a, stated=(*a.workloads[0].recipe.stated, "precision")), "on what is assumed"),
        (lambda a: recipe(a, optimizer="lion"), "what nobody stated of it (optimizer)"),
        (lambda a: versions(a, prices_as_of="2026-11-21"), "its newest price is said to be of 2026-11-21"),
        (lambda a: device(a, title="Supercomputer"), "title is not that of the catalogue"),
        (cheap, "rent_usd_per_h value is not that of the catalogue"),
    ],
)
def test_what_an_estimate_says_is_made_again(real, knowledge, tmp_path, change, words):
    assert real.estimates[0].near, "an estimate without published runs would prove less"
    verdict = verify(at(tmp_path, change(real)), knowledge)
    assert verdict.judged == NOT_SOUND
    assert any(words in text for text in verdict.again.words), verdict.again.words


@pytest.mark.parametrize("more", ["20 billion tokens", "for nothing", "1,000 tokens, 999,999 steps"])
def test_a_title_that_tells_another_amount_of_work_is_not_sound(real, knowledge, tmp_path, more):
    title = real.workloads[0].title
    assert "1 billion tokens" in title
    verdict = verify(at(tmp_path, job(real, title=title.replace("1 billion tokens", more))), knowledge)
    assert verdict.judged == UNCHECKED and "another amount of work" in verdict.unchecked[0]


def test_other_rules_may_say_otherwise(real, knowledge, tmp_path):
    versions = real.versions.model_copy(update={"rules_digest": "0" * 64})
    verdict = verify(at(tmp_path, one(real, why=FALSE).model_copy(update={"versions": versions})), knowledge)
    assert verdict.judged == UNCHECKED and verdict.unchecked == ("other rules here say otherwise",)


def estimated(knowledge, model: str, hardware: str, stated: Stated, **flags: float) -> Advice:
    work = workload_from_flags(knowledge.catalogue, model, tokens=1e10, **flags)
    found = find_hardware(knowledge.catalogue, hardware)
    place = place_of(found.entry, found.packages, found.nodes)
    made = estimate_one(knowledge.book, work, place, stated, knowledge.published, traced=True)
    return Advice(
        stage="complete", created_at=sample.WHEN, command="estimate", versions=knowledge.versions(),
        workloads=(work,), estimates=(made.estimate,), trace=made.trace,
        accelerators=accelerator_figures(knowledge.catalogue, (made.estimate,)),
    )  # fmt: skip


@pytest.mark.parametrize("stated", [Stated(), Stated(tp=2), Stated(recompute="full", stack="megatron")])
def test_notes_of_an_open_layout_are_made_again(knowledge, tmp_path, stated):
    """What other layouts would take is said where the layout was open, as far as it was."""
    advice = estimated(knowledge, "llama-3-8b", "16 x nvidia-h100-sxm5-80gb", stated)
    verdict = verify(at(tmp_path, advice), knowledge)
    assert verdict.sound, (verdict.unchecked, verdict.again.words)
    if stated == Stated():
        assert any("The best with" in note for note in advice.estimates[0].notes), "nothing was proved"
        verdict = verify(at(tmp_path / "bare", one(advice, notes=())), knowledge)
        assert verdict.judged == NOT_SOUND and "the note 'The best with" in verdict.again.words[0]


def test_a_note_missing_is_found(knowledge, tmp_path):
    advice = estimated(knowledge, "gpt2-124m", "3 x nvidia-h100-sxm5-80gb", Stated(micro_batch=7), batch=100)
    assert verify(at(tmp_path, advice), knowledge).sound and advice.estimates[0].notes
    verdict = verify(at(tmp_path, one(advice, notes=())), knowledge)
    assert verdict.judged == NOT_SOUND and "is missing" in verdict.again.words[0]


@pytest.fixture(scope="module")
def planned(knowledge) -> Advice:
    """A plan among three accelerators, with what would be otherwise."""
    work = workload_from_flags(knowledge.catalogue, "gpt2-124m", tokens=1e10)
    only = ("nvidia-h100-sxm5-80gb", "nvidia-a100-sxm4-80gb", "nvidia-rtx-3060-12gb")
    limits = PlanLimits(only=only, max_devices=16, as_of=knowledge.catalogue.prices_as_of)
    question = Question(knowledge.book, knowledge.catalogue, work, limits, knowledge.published)
    plan, trace = plan_traced(question)
    plan = plan.model_copy(update={"sensitivity": sensitivity(question, plan)})
    from advisor.data.catalogue import figures_of

    return Advice(
        stage="complete", created_at=sample.WHEN, command="plan", versions=knowledge.versions(),
        workloads=(work,), plan=plan, trace=trace,
        accelerators=tuple(figures_of(knowledge.catalogue.accelerators[name]) for name in names_of(plan)),
    )  # fmt: skip


def plan_with(advice: Advice, **changes: object) -> Advice:
    return advice.model_copy(update={"plan": advice.plan.model_copy(update=changes)})


def first(advice: Advice, **changes: object) -> Advice:
    options = advice.plan.options
    return plan_with(advice, options=(options[0].model_copy(update=changes), *options[1:]))


def test_a_plan_is_sound_as_it_was_made(planned, knowledge, tmp_path):
    verdict = verify(at(tmp_path, planned), knowledge)
    assert verdict.sound, (verdict.unchecked, verdict.again.words, verdict.contradictions)


@pytest.mark.parametrize(
    ("change", "words"),
    [
        (lambda a: first(a, price_note="a friend, today"), "options 1 price_note"),
        (lambda a: first(a, beside=FALSE), "options 1 beside"),
        (lambda a: first(a, untried=not a.plan.options[0].untried), "options 1 untried"),
        (lambda a: plan_with(a, tried=10**9), "tried"),
        (lambda a: plan_with(a, miss=FALSE), "miss"),
        (
            lambda a: plan_with(a, left_out=(LeftOut(accelerator_id="x", code="memory", why=FALSE),)),
            "left_out",
        ),
        (
            lambda a: plan_with(a, sensitivity=(a.plan.sensitivity[0].model_copy(update={"note": FALSE}),)),
            "what it says of",
        ),
        (
            lambda a: plan_with(a, limits=a.plan.limits.model_copy(update={"deadline_assumed": FALSE})),
            "its deadline",
        ),
    ],
)
def test_what_a_plan_says_is_made_again(planned, knowledge, tmp_path, change, words):
    verdict = verify(at(tmp_path, change(planned)), knowledge)
    assert verdict.judged == NOT_SOUND
    assert any(words in text for text in verdict.again.words), verdict.again.words


def test_what_holds_a_machine_back_is_told_by_rules_alone(knowledge, tmp_path):
    advice = sample.gpu_machine().model_copy(
        update={"estimates": (), "trace": {}, "workloads": (), "accelerators": (),
                "versions": knowledge.versions(), "notices": (Notice(code="advice_x", message=FALSE),)}
    )  # fmt: skip
    verdict = verify(at(tmp_path, advice), knowledge)
    assert verdict.judged == NOT_SOUND and FALSE in verdict.again.words[0]
    said = advice.model_copy(update={"notices": (Notice(code="dataset", message=FALSE),)})
    verdict = verify(at(tmp_path, said), knowledge)
    assert any("told by the run itself" in text and FALSE in text for text in verdict.gaps)


def test_differences_name_the_place():
    then = {"a": [{"b": 1.0, "c": "x"}], "quantities": {"t": 1}}
    assert list(differences(then, {"a": [{"b": 1.0000001, "c": "x"}], "quantities": {}})) == []
    assert list(differences(then, {"a": [{"b": 1.1, "c": "y"}], "quantities": {}})) == ["a 1 b", "a 1 c"]
    assert list(differences({"a": 1}, {"b": 1})) == ["a", "b"]
    assert list(differences({"a": (1,)}, {"a": (1, 2)})) == ["a"]
    assert list(differences({"a": None}, {"a": 0.0})) == ["a"]


def test_what_keeps_a_cost_from_leading_is_held_to_the_rules():
    """Without it something that nobody has run such a network on would lead the page."""
    estimate = Estimate(workload="own", target=Target(label="x"), behind=("untried",))
    forged = estimate.model_copy(update={"behind": ()})
    assert not list(of_estimate("x", estimate, estimate))
    assert list(of_estimate("x", forged, estimate)) == [
        "x: its list of what keeps its cost from leading is not what its rules give"
    ]

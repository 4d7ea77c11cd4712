"""What stands behind the figures is compared to the word, and what cannot be is said."""

from __future__ import annotations

import datetime
import json
import sys
from pathlib import Path

import pytest

sys.path.insert(0, str(Path(__file__).resolve().parent))
import sample
from held import at, edited

from advisor.cli.verify import line
from advisor.schema import Advice, Calibration, Measurement, TraceStep
from advisor.verify import NOT_SOUND, SOUND, UNCHECKED, verify
from advisor.verify.dates import doubtful
from advisor.verify.steps import Other, Way, other_step
from advisor.verify.written import by_command, doubled, idle

FALSE = "measured by NVIDIA on this very cluster"


def stepped(advice: Advice, **changes: object) -> Advice:
    """With something else said at every step."""
    trace = {
        key: tuple(step.model_copy(update=changes) for step in steps) for key, steps in advice.trace.items()
    }
    return advice.model_copy(update={"trace": trace})


def versions(advice: Advice, **changes: object) -> Advice:
    return advice.model_copy(update={"versions": advice.versions.model_copy(update=changes)})


@pytest.mark.parametrize("field", ["why", "source", "expr", "file", "reason", "unit"])
def test_words_of_steps_are_those_of_the_rules(real, knowledge, tmp_path, field):
    verdict = verify(at(tmp_path, stepped(real, **{field: FALSE})), knowledge)
    assert verdict.judged == NOT_SOUND
    assert f"({field}) is not what its rules give" in verdict.again.words[0]


@pytest.mark.parametrize("other", [{"rules_digest": "0" * 64}, {"tool": "0.9.9"}])
def test_words_of_other_rules_are_not_compared_and_it_is_said(real, knowledge, tmp_path, other):
    verdict = verify(at(tmp_path, versions(stepped(real, why=FALSE), **other)), knowledge)
    assert verdict.judged == UNCHECKED
    assert verdict.unchecked[0].startswith("the text of its rules is not compared: other rules")
    assert verify(at(tmp_path, versions(real, **other)), knowledge).judged == SOUND


def test_a_step_more_or_less_is_told(real, knowledge, tmp_path):
    key, steps = next(iter(real.trace.items()))
    more = TraceStep(quantity="approved", value=1.0, unit="1", kind="assumed", why=FALSE)
    leaf = next(n for n, step in enumerate(steps) if step.quantity == "hw_tdp")
    verdict = verify(at(tmp_path, real.model_copy(update={"trace": {key: (*steps, more)}})), knowledge)
    assert verdict.judged == NOT_SOUND and "the step approved" in verdict.again.words[0]
    less = steps[:leaf] + steps[leaf + 1 :]
    assert verify(at(tmp_path, real.model_copy(update={"trace": {key: less}})), knowledge).judged == NOT_SOUND


def test_steps_behind_no_figure_are_told(real):
    more = real.model_copy(update={"trace": {**real.trace, "own/approved": ()}})
    assert list(idle(real)) == []
    assert list(idle(more)) == ["own/approved: steps are stored that stand behind no figure"]


def test_names_taken_out_count_as_what_they_were():
    step = TraceStep(quantity="a", value=1.0, unit="s", kind="probed", source="/home/me/x of node7")
    out = step.model_copy(update={"source": "[path] of [host]"})
    assert other_step((out,), (step,), Way(redacted=True)) is None
    assert other_step((out,), (step,), Way()) == Other("a", "source")
    false = step.model_copy(update={"source": "[path] of NVIDIA"})
    assert other_step((false,), (step,), Way(redacted=True)) == Other("a", "source")


@pytest.mark.parametrize(
    ("created", "prices", "words"),
    [
        ("2031-01-01T00:00:00+00:00", "2026-11-09", "it is said to be of 2031-01-01, which is still to come"),
        ("2026-01-01T00:00:00+00:00", "2026-11-09", "before the prices in it"),
        ("yesterday", "2026-11-09", "its date 'yesterday' is none"),
        ("2026-11-22T23:00:00+09:00", "2026-11-09", ""),
        ("", "", ""),
    ],
)
def test_dates_that_cannot_be_are_told(created, prices, words):
    now = datetime.datetime(2026, 11, 22, 12, tzinfo=datetime.UTC)
    told = doubtful(versions(Advice(created_at=created), prices_as_of=prices), now)
    assert bool(told) == bool(words) and all(words in text for text in told)


def test_a_measurement_of_the_future_is_told():
    one = Measurement(
        id="disk.read", bench="disk", device="cpu", unit="B/s", measured_at="2031-01-01T00:00:00Z"
    )
    advice = Advice(calibration=Calibration(measurements=(one,)))
    assert "disk.read is said to be measured on 2031-01-01" in doubtful(advice)[0]


def test_a_file_of_the_future_could_not_be_checked(real, knowledge, tmp_path):
    false = real.model_copy(update={"created_at": "2131-01-01T00:00:00+00:00"})
    verdict = verify(at(tmp_path, false), knowledge)
    assert verdict.judged == UNCHECKED and "still to come" in line(verdict)


def test_the_command_goes_with_what_the_file_holds(real):
    assert list(by_command(real)) == []
    for command, words in (
        ("scan", "holds no machine"),
        ("plan", "holds no plan"),
        ("board", "which writes no such file"),
    ):
        [told] = by_command(real.model_copy(update={"command": command}))
        assert words in told


def test_a_key_that_stands_twice_is_told(real, knowledge, tmp_path):
    path = at(tmp_path, real)
    text = path.read_text(encoding="utf-8").rstrip()
    path.write_text(text[:-1] + ', "command": "scan"}', encoding="utf-8")
    verdict = verify(path, knowledge)
    assert verdict.judged == NOT_SOUND and "the key 'command' stands twice" in verdict.contradictions[0]
    assert doubled(json.dumps({"a": {"b": 1}, "b": [{"b": 2}, {"b": 3}]}).encode()) == []


def test_an_estimate_without_its_calendar_lacks_it(real, knowledge, tmp_path):
    one = real.estimates[0]
    less = {name: quantity for name, quantity in one.quantities.items() if name != "calendar_s"}
    false = real.model_copy(update={"estimates": (one.model_copy(update={"quantities": less}),)})
    verdict = verify(at(tmp_path, false), knowledge)
    assert verdict.judged == NOT_SOUND and "calendar_s not in the file" in verdict.again.words[0]


def test_a_narrowed_range_is_told_by_its_ends(real, knowledge, tmp_path):
    was = real.estimates[0].quantities["time_s"]
    sure = was.model_copy(update={"low": was.value * 0.99, "high": was.value * 1.01})
    verdict = verify(at(tmp_path, edited(real, time_s=sure)), knowledge)
    assert verdict.judged == NOT_SOUND
    assert " to " in line(verdict) and "+0.00%" not in line(verdict)


def test_samples_date_is_past():
    assert doubtful(Advice(created_at=sample.WHEN)) == []

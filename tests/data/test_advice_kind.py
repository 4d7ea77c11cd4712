"""What is no advice.json says what it is, where it is known."""

from __future__ import annotations

import json

import pytest

from advisor.data.advice import load_advice
from advisor.errors import DataError


def test_an_older_plan_of_several_jobs_says_what_it_is_and_what_to_do(tmp_path):
    path = tmp_path / "s.json"
    path.write_text(json.dumps({"jobs": 2, "fleets": [], "miss": "", "relax": ""}))
    with pytest.raises(DataError) as caught:
        load_advice(path)
    assert "plan of several jobs" in caught.value.message and "schema_version" not in caught.value.message
    assert "scan" not in caught.value.hint and "hwadvisor plan --workloads" in caught.value.hint


def test_any_other_json_is_no_advice(tmp_path):
    path = tmp_path / "x.json"
    path.write_text("{}")
    with pytest.raises(DataError, match=r"no advice\.json"):
        load_advice(path)


def test_a_comparison_of_quotes_says_that_it_has_no_report(tmp_path):
    path = tmp_path / "q.json"
    path.write_text('{"workload": {}, "quotes": []}')
    with pytest.raises(DataError) as caught:
        load_advice(path)
    assert "comparison of quotes" in caught.value.message and "schema_version" not in caught.value.message
    assert "plan --quote" in caught.value.hint

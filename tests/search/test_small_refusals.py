"""Layouts, images and counts that nobody can have are refused or told, never taken without a word."""

from __future__ import annotations

import pytest

from advisor.app_estimate import EstimateOptions, run_estimate
from advisor.app_options import WorkloadFlags
from advisor.data.programs import find_stack
from advisor.errors import UserError
from advisor.evidence.record import Refusal, record_of
from advisor.search.grid import Stated
from advisor.search.hardware import counted
from advisor.units.parse import parse_as


def notes(model: str, hardware: str, stated: Stated | None = None, edge: int | None = None) -> str:
    details = {} if edge is None else {"image_size": edge}
    flags = WorkloadFlags(model=model, tokens=1e7, details=details)
    options = EstimateOptions(workload=flags, hardware=hardware, stated=stated or Stated())
    return " ".join(run_estimate(options).one.estimate.notes)


def test_uneven_stages_are_told_and_interleaved_ones_refused() -> None:
    five = notes("llama-3-8b", "40 x nvidia-h100-sxm5-80gb", Stated(pp=5))
    assert "the largest has 7" in five
    assert "uneven" not in notes("llama-3-8b", "8 x nvidia-h100-sxm5-80gb", Stated(pp=4))
    with pytest.raises(UserError, match="do not part into 12 equal stages") as refused:
        notes("llama-3-8b", "8 x nvidia-h100-sxm5-80gb", Stated(pp=4, vpp=3))
    assert "2 or 4 or 8" in refused.value.hint


def test_images_part_into_patches_or_are_told() -> None:
    assert "smaller than the 32" in notes("resnet50", "nvidia-t4-16gb", edge=1)
    assert "smaller than the 32" not in notes("resnet50", "nvidia-t4-16gb", edge=32)
    for model, edge, hint in (("vit-b-16", 225, "224 or 240"), ("vit-b-16", 1, "16"), ("sdxl", 1, "8")):
        with pytest.raises(UserError, match="no multiple of the") as refused:
            notes(model, "nvidia-a100-sxm4-80gb", edge=edge)
        assert hint in refused.value.hint


def test_an_absurd_count_is_one() -> None:
    with pytest.raises(UserError, match="counts 99999999999"):
        counted("99999999999 x nvidia-t4-16gb")


def test_an_unknown_stack_names_the_nearest_too() -> None:
    with pytest.raises(UserError) as refused:
        find_stack("zzzq", ("torch", "jax"))
    assert "Nearest in spelling is" in refused.value.hint


def test_nan_is_no_number() -> None:
    with pytest.raises(UserError, match="is no number"):
        parse_as(float("nan"), "s")


@pytest.mark.parametrize("field", ['"memory_kind": "zzz"', '"quant_bits": 3'])
def test_a_record_with_a_word_that_is_none_is_refused(field: str) -> None:
    found = record_of('{"id": "x", "step_time_s": 1, ' + field + "}", "line 1")
    assert isinstance(found, Refusal)
    assert field.split('"')[1] in found.reason

"""Methods and programs that a device has not are refused; the table agrees with every published run."""

from __future__ import annotations

import pytest
from few import shipped_knowledge

from advisor.data.resolve import entry_of
from advisor.errors import UserError
from advisor.estimate.inputs import VENDORS, of_accelerator
from advisor.evidence.inputs import shipped_evidence
from advisor.evidence.table import read_evidence
from advisor.schema import Workload
from advisor.search import workload_from_flags
from advisor.search.grid import Stated
from advisor.search.plan_search import search
from advisor.search.support import check_support, supports, unsupported

KNOWN = shipped_knowledge()


def job(method: str = "qlora", bits: str | None = None) -> Workload:
    return workload_from_flags(KNOWN.catalogue, "llama-2-7b", 1e6, method, details={"quant_bits": bits})


@pytest.mark.parametrize(
    ("device", "method", "bits", "stack", "lacks"),
    [
        ("google-tpu-v5p", "qlora", None, None, "qlora"), ("cerebras-wse3", "qlora", None, None, "qlora"),
        ("graphcore-bow", "qlora", None, None, "qlora"), ("nvidia-k80-24gb", "qlora", None, None, "qlora"),
        ("google-tpu-v5p", "lora", None, None, ""), ("nvidia-a100-sxm4-80gb", "qlora", "8", None, ""),
        ("nvidia-p100-pcie-16gb", "qlora", None, None, ""), ("amd-mi300x-192gb", "qlora", None, None, ""),
        ("nvidia-p100-pcie-16gb", "qlora", "8", None, "8-bit bases"),
        ("huawei-ascend-910b1-64gb", "full", None, "jax", "jax"),
        ("nvidia-a100-sxm4-80gb", "full", None, "jax", ""),
        ("nvidia-a100-sxm4-80gb", "full", None, "torch_npu", "torch_npu"),
        ("intel-gaudi2-96gb", "full", None, "habana", ""),
        ("intel-max-1550-128gb", "full", None, "habana", "habana"),
    ],
)  # fmt: skip
def test_what_a_device_has_not(
    device: str, method: str, bits: str | None, stack: str | None, lacks: str
) -> None:
    inputs = of_accelerator(entry_of(device, KNOWN.catalogue))
    found = unsupported(job(method, bits), inputs, Stated(stack=stack))
    assert (found.name if found else "") == lacks
    if lacks:
        with pytest.raises(UserError, match=f"{lacks} does not run on it: it needs"):
            check_support(job(method, bits), inputs, Stated(stack=stack), "it")


def test_a_program_is_named_as_asked_for() -> None:
    inputs = of_accelerator(entry_of("huawei-ascend-910b1-64gb", KNOWN.catalogue))
    with pytest.raises(UserError, match="maxtext does not run on"):
        check_support(job("full"), inputs, Stated(stack="jax", program="maxtext"), "it")


def test_a_plan_leaves_out_what_has_not_the_method() -> None:
    devices = [entry_of(name, KNOWN.catalogue) for name in ("google-tpu-v5p", "nvidia-a100-sxm4-80gb")]
    found = search(KNOWN.book, job(), devices)
    assert [site.id for site in found.space.sites] == ["nvidia-a100-sxm4-80gb"]
    assert [site.id for site, _ in found.space.unsupported] == ["google-tpu-v5p"]
    assert not len(search(KNOWN.book, job(), devices[:1]).set_up)


def test_the_table_agrees_with_published_runs_and_the_catalogue() -> None:
    runs = read_evidence(KNOWN.book, shipped_evidence(), KNOWN.catalogue).runs
    generations = {entry.generation for entry in KNOWN.catalogue.accelerators.values()}
    for one in supports():
        assert {*one.only, *one.never} <= VENDORS | generations | {"other"} and one.source and one.needs
        if one.what == "stack":
            assert one.name in KNOWN.catalogue.words["stack"]
        for values in (run.inputs.values for run in runs):
            if values.get(one.what) == one.name:
                assert one.runs_on(str(values["vendor"]), str(values["generation"])), values

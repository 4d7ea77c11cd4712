"""Device names of published runs -> catalogue entries: every printed name, unseen spellings, and refusals."""

from __future__ import annotations

import json
import re
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from advisor.data.catalogue import Catalogue, load_catalogue
from advisor.data.files import shipped
from advisor.data.resolve import DeviceNames, resolve_device
from advisor.errors import DataError

EVIDENCE = shipped("rules") / "evidence"
GOLDEN = Path(__file__).with_name("device_names.txt")


@pytest.fixture(scope="module")
def catalogue() -> Catalogue:
    return load_catalogue()


def golden() -> dict[tuple[str, str], str]:
    lines = [line for line in GOLDEN.read_text("utf-8").splitlines() if not line.startswith("#")]
    parts = [[part.strip() for part in line.split("|")] for line in lines]
    return {(vendor, text): entry for vendor, text, entry in parts}


def test_every_printed_name_means_what_was_agreed() -> None:
    wrong = {
        key: found.id
        for key, entry in golden().items()
        if ((found := resolve_device(*key)).id or "") != entry
    }
    assert wrong == {}


def test_the_agreed_list_holds_every_name_of_the_evidence() -> None:
    listed = golden()
    rows = [json.loads(line) for p in EVIDENCE.glob("*.jsonl") for line in p.read_text("utf-8").splitlines()]
    names = {(row["vendor"], row["accelerator"]) for row in rows if row.get("accelerator")}
    assert names <= set(listed)


@pytest.mark.parametrize(
    ("text", "entry"),
    [
        ("H100 SXM5 80GB", "nvidia-h100-sxm5-80gb"),
        ("NVIDIA H200", "nvidia-h200-sxm-141gb"),
        ("A100 80GB PCIe", "nvidia-a100-pcie-80gb"),
        ("MI300X", "amd-mi300x-192gb"),
        ("Ascend 910B2", "huawei-ascend-910b2-64gb"),
        ("Ascend910B4", "huawei-ascend-910b4-32gb"),
        ("910C", "huawei-ascend-910c-128gb"),
        ("TPU v5e-16", "google-tpu-v5e"),
        ("v5litepod-256", "google-tpu-v5e"),
        ("TPU v5", "google-tpu-v5p"),
        ("Gaudi3", "intel-gaudi3-128gb"),
        ("RTX 4090 24GB", "nvidia-rtx-4090-24gb"),
        ("GeForce RTX 4090 Laptop GPU", "nvidia-rtx-4090-laptop-16gb"),
        ("RTX4060Ti 16GB", "nvidia-rtx-4060-ti-16gb"),
        ("RTX 3080 Ti", "nvidia-rtx-3080-ti-12gb"),
        ("RTX 5060 Ti", "nvidia-rtx-5060-ti-16gb"),
        ("RTX 3080", "nvidia-rtx-3080-10gb"),
        ("RTX 3080 12GB", "nvidia-rtx-3080-12gb"),
        ("GeForce RTX 4060 Ti 8 GB", "nvidia-rtx-4060-ti-8gb"),
        ("RTX 4070 Super", "nvidia-rtx-4070-super-12gb"),
        ("RX 7900 XT", "amd-rx-7900-xt-20gb"),
        ("RTX 6000Ada", "nvidia-rtx-6000-ada-48gb"),
        ("RTX 4090D", "nvidia-rtx-4090-d-24gb"),
        ("H100 94GB", "nvidia-h100-nvl-94gb"),
        ("Ascend 910_9391", "huawei-ascend-910c-128gb"),
        ("Atlas 900 A3 SuperPoD", "huawei-ascend-910c-128gb"),
        ("Intel Data Center GPU Max Series 1100", "intel-max-1100-48gb"),
        ("L4", "nvidia-l4-24gb"),
        ("T4", "nvidia-t4-16gb"),
        ("trn2.48xlarge", "aws-trainium2"),
        ("CS-3", "cerebras-wse3"),
        ("H100 (95 GiB)", "nvidia-h100-sxm5-80gb"),
        ("A100 (compared with H100)", "nvidia-a100-sxm4-80gb"),
        ("Jetson AGX Orin 64GB", "nvidia-jetson-agx-orin-64gb"),
    ],
)
def test_spellings_not_seen_before(text: str, entry: str) -> None:
    assert resolve_device(None, text).id == entry


@pytest.mark.parametrize(
    "text",
    [
        "RTX 5050", "RTX 4050", "RTX 2060 12GB", "A100X", "A100 SXM 64GB", "RX 7900 GRE", "MI308X",
        "RTX A2000", "RTX 3080 Ti Laptop GPU", "GTX 1070 Ti", "TITAN Xp", "M2 Pro", "H1000", "RTX 6000",
        "V100S-PCIE-32GB", "Ascend 910 Pro B", "no device at all",
    ],
)  # fmt: skip
def test_another_product_is_never_taken_for_its_neighbour(text: str) -> None:
    found = resolve_device(None, text)
    assert found.id is None
    assert found.why


def test_the_vendor_narrows_the_choice() -> None:
    assert resolve_device("huawei", "Ascend 910 compared with V100").id == "huawei-ascend-910a-32gb"
    assert resolve_device("Habana", "Gaudi2").id == "intel-gaudi2-96gb"
    assert resolve_device("amd", "H100").id is None
    assert resolve_device("somebody new", "H100").id == "nvidia-h100-sxm5-80gb"


def test_variants_that_the_name_leaves_open_are_told() -> None:
    assert "nvidia-a100-sxm4-40gb" in resolve_device("nvidia", "A100").others
    assert resolve_device("nvidia", "A100-SXM4-40GB").others == ()
    assert "which of them is not said" in resolve_device("metax", "C500").why


def test_devices_in_one_counted_accelerator() -> None:
    assert resolve_device("google", "TPU7x (Ironwood)").devices == 2
    assert resolve_device("google", "TPU v5p").devices == 1
    assert resolve_device("aws", "Trainium (trn1.32xlarge)").devices == 2
    assert resolve_device("huawei", "Ascend 910C").devices == 1


def test_counted_devices_are_no_more_than_a_package_holds(catalogue: Catalogue) -> None:
    for vendor, text in golden():
        found = resolve_device(vendor, text)
        if found.id in catalogue.accelerators:
            assert found.devices in (1, catalogue.accelerators[found.id].devices_per_package), text


@pytest.mark.parametrize("text", [None, "", "   ", 7, ["A100"], "x" * 100_000, "(" * 5000, "\x00"])
def test_whatever_a_row_holds_gives_a_reason(text: object) -> None:
    found = resolve_device("nvidia", text)  # type: ignore[arg-type]
    assert found.id is None
    assert found.why and len(found.why) < 1000


@given(st.text(max_size=60), st.sampled_from([None, "nvidia", "huawei", "cpu", "nobody", ""]))
def test_any_text_gives_an_entry_or_a_reason(text: str, vendor: str | None) -> None:
    found = resolve_device(vendor, text)
    assert found.why
    assert found.devices >= 1
    assert found.id is not None or not found.others


def test_a_map_that_names_an_unknown_entry_is_refused(catalogue: Catalogue) -> None:
    raw = {"devices": [["h100", ["nvidia-h100-sxm5-80bg"]]]}
    with pytest.raises(DataError, match="is no known entry") as caught:
        DeviceNames(catalogue.accelerators, raw, Path("map.toml"))
    assert "nvidia-h100-sxm5-80gb" in caught.value.hint
    with pytest.raises(DataError, match=re.escape("is no regular expression")):
        DeviceNames(catalogue.accelerators, {"left_out": [["(", "why"]]}, Path("map.toml"))

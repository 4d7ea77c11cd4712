"""The catalogue: whole, sourced, overlaid by own folders; wrong files named with file, key and value."""

from __future__ import annotations

import datetime
import shutil
from pathlib import Path

import pytest

from advisor.data.catalogue import Catalogue, figures_of, find_accelerator, find_model, load_catalogue
from advisor.data.files import shipped
from advisor.data.match import match_device
from advisor.errors import DataError, UserError
from advisor.schema import Device, Fact, Status


@pytest.fixture(scope="module")
def catalogue() -> Catalogue:
    return load_catalogue()


def known(value: object) -> Fact:  # type: ignore[type-arg]
    return Fact(value=value, status=Status.ok, source="test")


def device(name: str, mib: int, vendor: str = "nvidia", **more: object) -> Device:
    facts = {key: known(value) for key, value in more.items()}
    return Device(vendor=vendor, name=known(name), memory_total_bytes=known(mib * 2**20), **facts)  # type: ignore[arg-type]


def test_at_least_forty_accelerators_of_all_vendors(catalogue: Catalogue) -> None:
    vendors = {entry.vendor for entry in catalogue.accelerators.values()}
    assert len(catalogue.accelerators) >= 40
    assert vendors >= {"nvidia", "amd", "intel", "huawei", "google", "aws", "apple", "cerebras"}


def test_every_figure_has_a_source(catalogue: Catalogue) -> None:
    for entry in catalogue.accelerators.values():
        assert entry.sources, entry.id
        figures = {"peak": entry.peaks, "memory": entry.memory_bytes, "tdp": entry.tdp_w}
        figures |= {"memory_bandwidth": entry.memory_bandwidth}
        for figure, value in figures.items():
            if value:
                assert entry.source_of(figure), (entry.id, figure)
        assert all(price.source and price.provider for price in entry.prices)


def test_dense_peaks_are_plausible(catalogue: Catalogue) -> None:
    for entry in catalogue.accelerators.values():
        peaks = entry.peaks
        if {"bf16", "fp16"} <= set(peaks):
            assert peaks["bf16"] <= 4 * peaks["fp16"], entry.id
        if {"fp8", "bf16"} <= set(peaks):
            assert peaks["bf16"] <= peaks["fp8"] <= 4 * peaks["bf16"], f"{entry.id}: sparse figure?"
        if {"fp32", "bf16"} <= set(peaks):
            assert peaks["fp32"] <= peaks["bf16"], entry.id
        if entry.memory_reported_bytes and entry.memory_bytes:
            assert 0.9 < entry.memory_reported_bytes / entry.memory_bytes < 1.08, entry.id


def test_cerebras_has_no_peak_and_a_memory_that_does_not_bound(catalogue: Catalogue) -> None:
    wafer = catalogue.accelerators["cerebras-wse3"]
    assert not wafer.peaks
    assert not wafer.own_memory_bounds


def test_prices_are_of_known_clouds_and_dated(catalogue: Catalogue) -> None:
    h100 = catalogue.accelerators["nvidia-h100-sxm5-80gb"]
    assert h100.rent is not None
    assert h100.rent.known_cloud
    assert h100.rent.as_of is not None
    fresh = datetime.date.fromisoformat(catalogue.prices_as_of) - datetime.timedelta(days=180)
    assert h100.rent.as_of >= fresh
    cheaper = [p for p in h100.prices if p.kind == "on_demand" and p.usd_per_s < h100.rent.usd_per_s]
    assert all(not p.known_cloud or p.as_of is None or p.as_of < h100.rent.as_of for p in cheaper)


def test_no_price_is_no_price(catalogue: Catalogue) -> None:
    assert catalogue.accelerators["amd-mi325x-256gb"].rent is None
    assert "rent_usd_per_h" not in figures_of(catalogue.accelerators["amd-mi325x-256gb"]).figures


def test_links_are_per_device_and_one_direction(catalogue: Catalogue) -> None:
    known = catalogue.accelerators
    assert known["nvidia-h100-sxm5-80gb"].link_bandwidth == pytest.approx(450e9)
    assert known["nvidia-h100-sxm5-80gb"].domain_devices == 8
    assert known["nvidia-gb200-186gb"].domain_devices == 72
    assert known["huawei-ascend-910c-128gb"].domain_devices == 384 * 2
    assert known["huawei-ascend-910c-128gb"].link_bandwidth == pytest.approx(196e9)
    assert known["huawei-ascend-910a-32gb"].domain_devices == 4
    assert known["nvidia-l4-24gb"].domain_devices == 1
    assert known["nvidia-l4-24gb"].link_bandwidth is None
    # the processor's link of a superchip joins no accelerators
    assert known["nvidia-gh200-96gb"].domain_devices == 1
    assert known["nvidia-gh200-96gb"].link_bandwidth is None
    assert known["google-tpu-v2"].domain_devices is None
    assert known["nvidia-h100-sxm5-80gb"].network_bandwidth == pytest.approx(50e9)
    assert known["aws-trainium2"].network_bandwidth == pytest.approx(25e9 / 8)
    assert known["nvidia-rtx-4090-24gb"].network_bandwidth is None


def test_a_domain_of_half_a_package_is_refused(tmp_path: Path) -> None:
    source = shipped("rules") / "accelerators" / "nvidia-t4-16gb.toml"
    (tmp_path / "accelerators").mkdir()
    text = source.read_text("utf-8").replace(
        "devices_per_package", "scale_up_domain = 1.5\ndevices_per_package"
    )
    (tmp_path / "accelerators" / "mine.toml").write_text(text, "utf-8")
    with pytest.raises(DataError, match="scale_up_domain"):
        load_catalogue([shipped("rules"), tmp_path])


def test_figures_are_per_device(catalogue: Catalogue) -> None:
    whole = catalogue.accelerators["amd-mi250x-128gb"]
    figures = figures_of(whole).figures
    assert figures["memory_bytes"].value == pytest.approx(64 * 2**30, rel=0.01)
    assert figures["matmul_bf16_flops"].value == pytest.approx(whole.peaks["bf16"] / 2)
    assert figures["memory_bytes"].source.startswith("each of 2 devices")


def test_power_and_rent_are_per_package(catalogue: Catalogue) -> None:
    whole = catalogue.accelerators["nvidia-k80-24gb"]
    figures = figures_of(whole).figures
    assert whole.devices_per_package == 2 and whole.rent is not None
    assert figures["rent_usd_per_h"].value == pytest.approx(whole.rent.usd_per_s * 3600)
    assert figures["rent_usd_per_h"].source.startswith("the package of 2 devices")
    assert figures["power_w"].value == whole.tdp_w


def test_memory_shown_is_what_the_device_reports(catalogue: Catalogue) -> None:
    gib = 2**30
    h100 = figures_of(catalogue.accelerators["nvidia-h100-sxm5-80gb"]).figures["memory_bytes"]
    assert h100.value == 81559 * 2**20
    rtx = figures_of(catalogue.accelerators["nvidia-rtx-3080-10gb"]).figures["memory_bytes"]
    assert rtx.value == pytest.approx(10 * gib, rel=0.01)
    assert "vendor's figure x" in rtx.source


def test_a_users_constant_sets_the_memory_shown(tmp_path: Path) -> None:
    text = '[[constant]]\nid = "memory_shown"\nvalue = 1.05\nunit = "1"\nsource = "mine"\n'
    (tmp_path / "constants.toml").write_text(text, "utf-8")
    mine = load_catalogue([shipped("rules"), tmp_path]).accelerators["nvidia-rtx-3080-10gb"]
    figure = figures_of(mine).figures["memory_bytes"]
    assert figure.value == pytest.approx(10e9 * 1.05)
    assert "mine" in figure.source


def test_reported_memory_is_cited_only_where_it_is_given(catalogue: Catalogue) -> None:
    for entry in catalogue.accelerators.values():
        if entry.memory_reported_bytes is None:
            assert "memory_reported" not in entry.cites, entry.id


def test_a_tpu_v3_chip_is_two_devices_of_16_gb(catalogue: Catalogue) -> None:
    entry = catalogue.accelerators["google-tpu-v3"]
    assert entry.devices_per_package == 2
    assert figures_of(entry).figures["memory_bytes"].value == pytest.approx(16 * 2**30, rel=0.01)


class TestMatch:
    def test_two_sizes_of_one_product(self, catalogue: Catalogue) -> None:
        small, _ = match_device(catalogue, device("NVIDIA A100-SXM4-40GB", 40536))
        large, _ = match_device(catalogue, device("nvidia a100-sxm4-80gb", 81920))
        assert small is not None and small.id == "nvidia-a100-sxm4-40gb"
        assert large is not None and large.id == "nvidia-a100-sxm4-80gb"

    def test_never_a_substring(self, catalogue: Catalogue) -> None:
        found, why = match_device(catalogue, device("NVIDIA A100-SXM4-80GB Pro", 81920))
        assert found is None
        assert "not in the catalogue" in why
        assert "not used" in why

    def test_name_with_the_wrong_memory_is_a_stranger(self, catalogue: Catalogue) -> None:
        found, why = match_device(catalogue, device("NVIDIA H200", 71000))
        assert found is None
        assert "memory" in why

    def test_pci_id(self, catalogue: Catalogue) -> None:
        found, why = match_device(catalogue, device("Graphics Device", 143771, pci_id="10DE:2335"))
        assert found is not None and found.id == "nvidia-h200-sxm-141gb"
        assert "PCI id" in why

    def test_chip(self, catalogue: Catalogue) -> None:
        strange = device("Renamed", 24564, compute_capability="8.9", compute_units=128)
        found, _ = match_device(catalogue, strange)
        assert found is not None and found.id == "nvidia-rtx-4090-24gb"

    def test_mig_and_virtual_devices_are_not_whole_ones(self, catalogue: Catalogue) -> None:
        assert match_device(catalogue, device("NVIDIA A100-SXM4-80GB", 81920, mig_enabled=True))[0] is None
        assert match_device(catalogue, device("NVIDIA A100-SXM4-80GB", 81920, virtual="vgpu"))[0] is None

    def test_nameless(self, catalogue: Catalogue) -> None:
        found, why = match_device(catalogue, Device(vendor="nvidia"))
        assert found is None
        assert why

    def test_unified_memory_comes_in_many_sizes(self, catalogue: Catalogue) -> None:
        found, _ = match_device(catalogue, device("Apple M3 Max", 36 * 1024, vendor="apple"))
        assert found is not None and found.id == "apple-m3-max-128gb"


class TestOverlay:
    def test_a_users_folder_overrides_by_id(self, tmp_path: Path) -> None:
        source = shipped("rules") / "accelerators" / "nvidia-t4-16gb.toml"
        own = tmp_path / "accelerators"
        own.mkdir()
        text = source.read_text("utf-8").replace('tdp = "70 W"', 'tdp = "60 W"')
        (own / "mine.toml").write_text(text, "utf-8")
        found = load_catalogue([shipped("rules"), tmp_path])
        assert found.accelerators["nvidia-t4-16gb"].tdp_w == 60
        assert found.overridden == ("nvidia-t4-16gb",)

    @pytest.mark.parametrize(
        ("old", "new", "said"),
        [
            ('tdp = "70 W"', 'tdp = "70 GB"', "tdp"),
            ('tdp = "70 W"', "tdp = 70", "has no unit"),
            ('tdp = "70 W"', 'tpd = "70 W"', "tpd"),
            ('tdp = "70 W"', 'tdp = "-70 W"', "above zero"),
            ("devices_per_package = 1", "devices_per_package = 0", "devices_per_package"),
            ('vendor = "nvidia"', "", "vendor"),
        ],
    )
    def test_wrong_files_are_named(self, tmp_path: Path, old: str, new: str, said: str) -> None:
        text = (shipped("rules") / "accelerators" / "nvidia-t4-16gb.toml").read_text("utf-8")
        assert old in text
        own = tmp_path / "accelerators"
        own.mkdir()
        (own / "mine.toml").write_text(text.replace(old, new, 1), "utf-8")
        with pytest.raises(DataError) as caught:
            load_catalogue([shipped("rules"), tmp_path])
        assert "mine.toml" in caught.value.message
        assert said in caught.value.message + caught.value.hint

    def test_a_misspelt_model_in_a_workload(self, tmp_path: Path) -> None:
        (tmp_path / "workloads").mkdir()
        text = (shipped("rules") / "workloads" / "gpt2-124m-10b.toml").read_text("utf-8")
        (tmp_path / "workloads" / "x.toml").write_text(text.replace('"gpt2-124m"', '"gpt2-142m"'), "utf-8")
        with pytest.raises(DataError) as caught:
            load_catalogue([shipped("rules"), tmp_path])
        assert "gpt2-124m" in caught.value.hint

    @pytest.mark.parametrize("header", ["[[accelerator]]", "[accelerator]"])
    def test_a_header_in_a_file_of_one_entry(self, tmp_path: Path, header: str) -> None:
        text = (shipped("rules") / "accelerators" / "nvidia-t4-16gb.toml").read_text("utf-8")
        (tmp_path / "accelerators").mkdir()
        (tmp_path / "accelerators" / "x.toml").write_text(f"{header}\n{text}", "utf-8")
        with pytest.raises(DataError) as caught:
            load_catalogue([shipped("rules"), tmp_path])
        assert f"x.toml: {header}: is no header" in caught.value.message
        assert "Take the header away" in caught.value.hint

    def test_an_id_used_twice(self, tmp_path: Path) -> None:
        (tmp_path / "models").mkdir()
        for name in ("a.toml", "b.toml"):
            shutil.copy(shipped("rules") / "models" / "bert-base.toml", tmp_path / "models" / name)
        with pytest.raises(DataError, match="used by"):
            load_catalogue([shipped("rules"), tmp_path])


def test_names_that_are_not_known_offer_the_nearest(catalogue: Catalogue) -> None:
    with pytest.raises(UserError) as caught:
        find_model(catalogue, "lama-3-8b")
    assert "llama-3-8b" in caught.value.hint
    with pytest.raises(UserError) as caught:
        find_accelerator(catalogue, "nvidia-h100-sxm-80gb")
    assert "nvidia-h100-sxm5-80gb" in caught.value.hint
    assert find_model(catalogue, "GPT2").id == "gpt2-124m"


@pytest.mark.parametrize(
    ("name", "near"),
    [
        ("google/gemma-4-26B-A4B", None),  # no misspelt gemma-2-9b
        ("THUDM/GLM-4-32B-0414", None),
        ("meta-llama/Meta-Lama-3-8B", "meta-llama/meta-llama-3-8b"),
    ],
)
def test_an_unknown_id_of_a_hub_wants_its_config_and_near_names_have_its_numbers(
    name: str, near: str | None
) -> None:
    with pytest.raises(UserError) as failure:
        find_model(load_catalogue(), name)
    hint = failure.value.hint or ""
    assert hint.startswith("Give its config.json")
    assert near in hint if near else "Did you mean" not in hint

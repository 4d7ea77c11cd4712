"""Estimates here and on the catalogue: known answers, unknowns with reasons, one evaluator."""

from __future__ import annotations

from collections.abc import Iterable

import pytest

from advisor.data.catalogue import Catalogue, load_catalogue
from advisor.data.files import shipped
from advisor.errors import UserError
from advisor.published import FILE, load_published
from advisor.rulebook import RuleBook, load_book
from advisor.schema import (
    Calibration,
    Cpu,
    Device,
    Estimate,
    Fact,
    Framework,
    FrameworkDevice,
    Grade,
    Machine,
    Measurement,
    Memory,
    Software,
    Status,
    TraceStep,
)
from advisor.search import (
    accelerator_figures,
    estimates_catalogue,
    estimates_here,
    first_verdict,
    trace_of,
    workload_from_flags,
)
from advisor.search.inputs import of_calibration, of_workload

HOUR, DAY = 3600.0, 86400.0
Found = tuple[list[Estimate], dict[str, tuple[TraceStep, ...]]]


def known(value: object) -> Fact:  # type: ignore[type-arg]
    return Fact(value=value, status=Status.ok, source="test")


@pytest.fixture(scope="module")
def book() -> RuleBook:
    return load_book([shipped("rules")])


@pytest.fixture(scope="module")
def catalogue() -> Catalogue:
    return load_catalogue()


@pytest.fixture(scope="module")
def everywhere(book: RuleBook, catalogue: Catalogue) -> Found:
    published = load_published(shipped("rules") / FILE)
    return estimates_catalogue(book, catalogue, catalogue.workloads, published)


def pick(found: Iterable[Estimate], workload: str, accelerator: str, purpose: str = "fit") -> Estimate:
    return next(
        e
        for e in found
        if (e.workload, e.target.accelerator_id, e.purpose) == (workload, accelerator, purpose)
    )


CPU = Cpu(
    model=known("Test CPU"),
    cores=known(8),
    threads_per_core=known(2),
    budget_threads=known(16),
    clock_measured_hz=known(3e9),
    instruction_sets=known({"avx2": True, "avx512f": True, "avx512_bf16": True}),
)


def machine(*devices: Device, frameworks: tuple[Framework, ...] = ()) -> Machine:
    return Machine(
        probed_at="2026-01-01T00:00:00Z",
        cpu=CPU,
        memory=Memory(usable_bytes=known(32 * 2**30)),
        devices=devices,
        software=Software(frameworks=frameworks),
    )


def gpu(name: str, mib: int, **more: object) -> Device:
    facts = {key: known(value) for key, value in more.items()}
    seen = facts.pop("framework_name", known("cuda:0"))
    return Device(
        vendor="nvidia",
        name=known(name),
        uuid=known("GPU-1"),
        memory_total_bytes=known(mib * 2**20),
        framework_name=seen,
        **facts,  # type: ignore[arg-type]
    )


H200 = gpu("NVIDIA H200", 143771)


def rate(device: str, family: str, dtype: str, value: float | None, **more: object) -> Measurement:
    return Measurement(
        id=f"train_rate.{family}.{dtype}.{device}",
        bench="train_rate",
        device=device,
        unit="FLOP/s",
        params={"family": family, "dtype": dtype},
        value=value,
        **{"grade": Grade.A, **more},  # type: ignore[arg-type]
    )


class TestKnownAnswers:
    """Things that people who train know to be so."""

    def test_8b_lora_fits_one_24_gb_card(self, everywhere: Found) -> None:
        found = pick(everywhere[0], "8b-lora-100m", "nvidia-rtx-4090-24gb")
        assert found.fits and found.target.devices == 1

    def test_8b_lora_does_not_fit_16_gb(self, everywhere: Found) -> None:
        assert pick(everywhere[0], "8b-lora-100m", "nvidia-rtx-4080-16gb").target.devices > 1

    def test_8b_full_needs_more_than_one_80_gb_device(self, everywhere: Found) -> None:
        found = pick(everywhere[0], "8b-full-100m", "nvidia-h100-sxm5-80gb")
        assert found.fits and found.target.devices > 1
        assert found.choices["sharding"].startswith("fsdp")

    @pytest.mark.parametrize("card", ["nvidia-rtx-3060-12gb", "nvidia-t4-16gb", "nvidia-rtx-4080-16gb"])
    def test_8b_qlora_fits_12_to_16_gb(self, everywhere: Found, card: str) -> None:
        found = pick(everywhere[0], "8b-qlora-100m", card)
        assert found.fits and found.target.devices == 1

    def test_70b_lora_needs_more_than_two_80_gb_devices(self, everywhere: Found) -> None:
        assert pick(everywhere[0], "70b-lora-100m", "nvidia-a100-sxm4-80gb").target.devices > 2

    @pytest.mark.parametrize("card", ["nvidia-a100-sxm4-80gb", "nvidia-h100-sxm5-80gb"])
    def test_gpt2_on_10b_tokens_takes_a_day_or_so(self, everywhere: Found, card: str) -> None:
        time = pick(everywhere[0], "gpt2-124m-10b", card).quantities["time_s"]
        assert time.value is not None and time.low is not None and time.high is not None
        assert 8 * HOUR < time.value < 40 * HOUR
        assert time.low < time.value < time.high

    def test_resnet50_on_v100(self, everywhere: Found) -> None:
        # 8 devices trained 90 epochs in 4 to 8 hours in mixed precision: 32 to 64 device-hours
        found = pick(everywhere[0], "resnet50-imagenet", "nvidia-v100-sxm2-16gb")
        time = found.quantities["time_s"]
        assert time.low is not None and time.high is not None
        assert time.low * found.target.devices < 48 * HOUR < time.high * found.target.devices

    def test_70b_on_15t_tokens_takes_thousands_of_h100_for_months(self, everywhere: Found) -> None:
        found = pick(everywhere[0], "70b-pretrain-15t", "nvidia-h100-sxm5-80gb", "deadline")
        assert found.fits
        assert 1024 < found.target.devices <= 16384


class TestCatalogue:
    def test_every_workload_on_every_accelerator(self, everywhere: Found, catalogue: Catalogue) -> None:
        fits = [e for e in everywhere[0] if e.purpose == "fit"]
        assert len(fits) == len(catalogue.workloads) * len(catalogue.accelerators)

    def test_fewest_devices(self, everywhere: Found) -> None:
        for found in everywhere[0]:
            if found.purpose == "deadline" and found.fits:
                fit = pick(everywhere[0], found.workload, found.target.accelerator_id)
                assert found.target.devices >= fit.target.devices
                limit = found.quantities["time_s"].value
                assert limit is not None

    def test_unknown_has_a_reason_and_is_never_zero(self, everywhere: Found) -> None:
        for found in everywhere[0]:
            assert found.why
            for name, quantity in found.quantities.items():
                assert quantity.value is None or quantity.value > 0, (found.target.label, name)
                assert quantity.value is not None or quantity.reason, (found.target.label, name)

    def test_no_public_price(self, everywhere: Found) -> None:
        rent = pick(everywhere[0], "8b-lora-100m", "amd-mi325x-256gb").quantities["rent_usd"]
        assert rent.value is None
        assert "no public price" in rent.reason

    def test_rent_names_provider_and_date(self, everywhere: Found) -> None:
        rent = pick(everywhere[0], "8b-lora-100m", "nvidia-h100-sxm5-80gb").quantities["rent_usd"]
        assert "2026-" in rent.source

    def test_no_peak_published(self, everywhere: Found) -> None:
        wafer = pick(everywhere[0], "8b-lora-100m", "cerebras-wse3")
        assert wafer.fits is None
        assert "stream" in wafer.why
        spark = pick(everywhere[0], "8b-lora-100m", "nvidia-gb10-128gb")
        assert spark.fits is True
        assert spark.choices["precision"] == "fp32", "its 16-bit peak is not known, that of fp32 is"
        assert spark.quantities["time_s"].value is not None

    def test_precision_follows_the_device(self, everywhere: Found) -> None:
        def precision(card: str) -> str:
            return pick(everywhere[0], "gpt2-124m-10b", card).choices["precision"]

        assert precision("nvidia-a100-sxm4-80gb") == "bf16_mixed"
        assert precision("nvidia-v100-sxm2-16gb") == "fp16_mixed"
        assert precision("nvidia-gtx-1080-ti-11gb") == "fp32"

    def test_traces_belong_to_quantities(self, everywhere: Found) -> None:
        estimates, traces = everywhere
        named = {q.trace: (e, q) for e in estimates for q in e.quantities.values() if q.trace}
        assert named.keys() == traces.keys()
        for key, (_, quantity) in named.items():
            assert traces[key][0].value == pytest.approx(quantity.value)

    def test_cards_without_links_stay_within_a_server(self, everywhere: Found) -> None:
        for found in everywhere[0]:
            if "rtx-3060" in found.target.accelerator_id and found.fits:
                assert found.target.devices <= 8

    def test_figures_of_named_accelerators(self, everywhere: Found, catalogue: Catalogue) -> None:
        figures = accelerator_figures(catalogue, everywhere[0])
        assert {entry.id for entry in figures} == set(catalogue.accelerators)

    def test_nothing_asked(self, book: RuleBook, catalogue: Catalogue) -> None:
        assert estimates_catalogue(book, catalogue, ()) == ([], {})


class TestHere:
    def test_cpu_before_calibration(self, book: RuleBook, catalogue: Catalogue) -> None:
        found, traces = first_verdict(book, catalogue, catalogue.workloads, machine())
        assert len(found) == len(catalogue.workloads)
        lora = next(e for e in found if e.workload == "gpt2-124m-10b")
        assert lora.target.device == "cpu" and not lora.calibrated
        time = lora.quantities["time_s"]
        assert time.value is not None and time.low is not None and time.high is not None
        assert time.high / time.low > 2, "not measured: a wide range"
        assert traces[time.trace][0].quantity == "time_s"
        too_big = next(e for e in found if e.workload == "70b-pretrain-15t")
        assert too_big.fits is False and too_big.limit == "memory"

    def test_cpu_unknown_clock_is_unknown_time(self, book: RuleBook, catalogue: Catalogue) -> None:
        blind = machine().model_copy(update={"cpu": Cpu()})
        found, _ = first_verdict(book, catalogue, catalogue.workloads, blind)
        time = found[0].quantities["time_s"]
        assert time.value is None and time.reason
        assert found[0].limit == "unknown"

    def test_calibration_sets_the_time(self, book: RuleBook, catalogue: Catalogue) -> None:
        gpt2 = [w for w in catalogue.workloads if w.id == "gpt2-124m-10b"]
        times = []
        for value in (1e11, 2e11):
            measured = Calibration(measurements=(rate("cpu", "decoder", "bf16", value),
                                                 rate("cpu", "decoder", "fp32", value / 3)))  # fmt: skip
            found, traces = estimates_here(book, catalogue, gpt2, machine(), measured)
            assert found[0].calibrated
            assert found[0].choices["precision"] == "bf16_mixed"
            steps = traces[found[0].quantities["time_s"].trace]
            assert any(s.kind == "measured" and s.source == "train_rate.decoder.bf16.cpu" for s in steps)
            times.append(found[0].quantities["time_s"].value)
        assert times[0] == pytest.approx(2 * times[1])

    @pytest.mark.parametrize("place", ["cpu", "cuda:0"])
    @pytest.mark.parametrize("workload", ["bert-base-sentiment", "gpt2-124m-10b", "resnet50-imagenet"])
    def test_a_contended_range_does_not_replace_the_prior(
        self, book: RuleBook, catalogue: Catalogue, place: str, workload: str
    ) -> None:
        jobs = [w for w in catalogue.workloads if w.id == workload]
        here = machine() if place == "cpu" else machine(H200)
        noisy = Calibration(
            measurements=tuple(
                rate(place, family, dtype, None, low=1e7, high=1e10, grade=Grade.C, reason="contended: 90%")
                for family in ("decoder", "cnn")
                for dtype in ("fp32", "bf16")
            )
        )
        (before,), _ = first_verdict(book, catalogue, jobs, here)
        (after,), traces = estimates_here(book, catalogue, jobs, here, noisy)
        for name in ("value", "low", "high"):
            expected = getattr(before.quantities["time_s"], name)
            assert getattr(after.quantities["time_s"], name) == pytest.approx(expected)
        assert before.quantities["time_s"].value is not None
        assert not after.calibrated
        assert any("only a range could be measured" in n and "contended" in n for n in after.notes)
        steps = traces[after.quantities["time_s"].trace]
        assert not any(step.source.startswith("train_rate") for step in steps if step.value is not None)

    def test_a_quick_run_without_bf16_does_not_deny_it(self, book: RuleBook, catalogue: Catalogue) -> None:
        gpt2 = [w for w in catalogue.workloads if w.id == "gpt2-124m-10b"]
        quick = Calibration(measurements=(rate("cpu", "decoder", "fp32", 1e11),))
        (before,), _ = first_verdict(book, catalogue, gpt2, machine())
        (after,), _ = estimates_here(book, catalogue, gpt2, machine(), quick)
        assert after.choices["precision"] == before.choices["precision"] == "bf16_mixed"
        assert after.quantities["time_s"].value == before.quantities["time_s"].value
        assert not after.calibrated
        plain = CPU.model_copy(update={"instruction_sets": known({"avx2": True})})
        old = machine().model_copy(update={"cpu": plain})
        (used,), _ = estimates_here(book, catalogue, gpt2, old, quick)
        assert used.calibrated and used.choices["precision"] == "fp32"

    def test_a_quiet_rate_stands_beside_a_contended_one(self, book: RuleBook, catalogue: Catalogue) -> None:
        gpt2 = [w for w in catalogue.workloads if w.id == "gpt2-124m-10b"]
        good = [rate("cpu", "decoder", dtype, value) for dtype, value in (("fp32", 1e11), ("bf16", 2e11))]
        noisy = rate("cpu", "decoder", "bf16", None, low=0.5e9, high=2e9, grade=Grade.C)
        times = []
        for found in ((*good,), (*good, noisy), (noisy, *good)):
            calibration = Calibration(measurements=found)
            (estimate,), _ = estimates_here(book, catalogue, gpt2, machine(), calibration)
            assert estimate.calibrated
            times.append(estimate.quantities["time_s"].value)
        assert times[0] == times[1] == times[2]

    def test_a_contended_bandwidth_does_not_replace_the_catalogue_s(self, catalogue: Catalogue) -> None:
        noisy = Measurement(
            id="memory_bandwidth.cuda:0", bench="memory_bandwidth", device="cuda:0", unit="B/s",
            low=1e9, high=1e12, grade=Grade.C, reason="contended",
        )  # fmt: skip
        found = of_calibration(Calibration(measurements=(noisy,)), "cuda:0")
        assert "hw_bandwidth" not in found.values

    def test_weights_in_16_bit_are_told_beside_arithmetic_in_32(
        self, book: RuleBook, catalogue: Catalogue
    ) -> None:
        plain = CPU.model_copy(update={"instruction_sets": known({"avx2": True})})
        found, _ = first_verdict(
            book, catalogue, catalogue.workloads, machine().model_copy(update={"cpu": plain})
        )
        lora = next(e for e in found if e.workload == "8b-lora-100m")
        need = lora.quantities["memory_bytes"].value
        assert need is not None and need < 4 * 8.03e9, "two bytes a weight are counted"
        assert (lora.choices["precision"], lora.choices["arithmetic"]) == ("bf16_mixed", "fp32")
        full = next(e for e in found if e.workload == "gpt2-124m-10b")
        assert full.choices["precision"] == "fp32" and "arithmetic" not in full.choices

    def test_unknown_input_of_images_is_said(
        self, book: RuleBook, catalogue: Catalogue, everywhere: Found
    ) -> None:
        found, _ = first_verdict(book, catalogue, catalogue.workloads, machine(H200))
        decode = Measurement(
            id="image_decode.cpu", bench="image_decode", device="cpu", unit="1/s", value=100, grade=Grade.A
        )
        fed, _ = estimates_here(
            book, catalogue, catalogue.workloads, machine(H200), Calibration(measurements=(decode,))
        )

        def said(estimate: Estimate) -> bool:
            return any("decoding images is not included" in note for note in estimate.notes)

        assert {e.workload for e in found if said(e)} == {"resnet50-imagenet"}
        assert not any(said(e) for e in fed)
        assert {e.workload for e in everywhere[0] if said(e)} == {"resnet50-imagenet"}
        assert all(said(e) for e in everywhere[0] if e.workload == "resnet50-imagenet")

    def test_gpu_of_the_catalogue(self, book: RuleBook, catalogue: Catalogue) -> None:
        found, _ = first_verdict(book, catalogue, catalogue.workloads, machine(H200))
        assert {e.target.device for e in found} == {"cuda:0"}
        assert {e.target.accelerator_id for e in found} == {"nvidia-h200-sxm-141gb"}
        assert next(e for e in found if e.workload == "8b-lora-100m").fits

    def test_stranger_gets_no_others_figures(self, book: RuleBook, catalogue: Catalogue) -> None:
        stranger = gpu("NVIDIA X9000", 49152)
        found, _ = first_verdict(book, catalogue, catalogue.workloads, machine(stranger))
        lora = next(e for e in found if e.workload == "8b-lora-100m")
        assert lora.target.accelerator_id == ""
        assert lora.fits is True, "its memory is probed"
        assert lora.quantities["time_s"].value is None
        assert "not in the catalogue" in lora.quantities["time_s"].reason
        measured = Calibration(measurements=(rate("cuda:0", "decoder", "bf16", 1e14),))
        found, _ = estimates_here(book, catalogue, catalogue.workloads, machine(stranger), measured)
        lora = next(e for e in found if e.workload == "8b-lora-100m")
        assert lora.quantities["time_s"].value is not None and lora.calibrated

    def test_several_alike_are_told_alone_and_together(self, book: RuleBook, catalogue: Catalogue) -> None:
        four = [gpu("NVIDIA H200", 143771, framework_name=f"cuda:{n}") for n in range(4)]
        found, _ = first_verdict(book, catalogue, catalogue.workloads, machine(*four))
        assert {e.target.devices for e in found} == {1, 4}
        together = next(e for e in found if e.workload == "8b-full-100m" and e.target.devices == 4)
        assert together.fits and together.choices["sharding"] == "fsdp over 4"

    def test_framework_that_does_not_see_the_device(self, book: RuleBook, catalogue: Catalogue) -> None:
        torch = Framework(name="torch", version=known("2.13.0"), build=known("cpu"), sees=known(()))
        unseen = gpu("NVIDIA H200", 143771, framework_name="")
        found, _ = first_verdict(book, catalogue, catalogue.workloads, machine(unseen, frameworks=(torch,)))
        lora = next(e for e in found if e.workload == "8b-lora-100m")
        assert lora.fits is False and lora.limit == "framework"
        assert "2.13.0 (cpu)" in lora.why

    def test_framework_that_sees_it_by_uuid(self, book: RuleBook, catalogue: Catalogue) -> None:
        seen = known((FrameworkDevice(name="cuda:0", uuid="1"),))
        torch = Framework(name="torch", version=known("2.13.0"), build=known("cuda 13.0"), sees=seen)
        unjoined = gpu("NVIDIA H200", 143771, framework_name="")
        found, _ = first_verdict(book, catalogue, catalogue.workloads, machine(unjoined, frameworks=(torch,)))
        assert next(e for e in found if e.workload == "8b-lora-100m").limit != "framework"

    @pytest.mark.parametrize(
        ("seen", "limit"), [({"cpu": "Test CPU"}, True), ({"cpu": "", "cuda:0": "H"}, False)]
    )
    def test_calibration_knows_what_torch_saw(
        self, book: RuleBook, catalogue: Catalogue, seen: dict[str, str], limit: bool
    ) -> None:
        unknown = Fact(status=Status.not_asked, source="test", reason="not asked yet")
        torch = Framework(name="torch", version=known("2.13.0"), build=known("cuda 13.0"), sees=unknown)
        unjoined = gpu("NVIDIA H200", 143771, framework_name="")
        there = machine(unjoined, frameworks=(torch,))
        measured = Calibration(torch_version="2.13.0", devices=seen)
        lora = [w for w in catalogue.workloads if w.id == "8b-lora-100m"]
        (before,), _ = estimates_here(book, catalogue, lora, there, None)
        (after, *instead), _ = estimates_here(book, catalogue, lora, there, measured)
        assert [e.target.device for e in instead] == (["cpu"] if limit else []), "the processors are left"
        assert before.fits is True
        assert (after.limit == "framework") is limit
        assert after.fits is not limit

    @pytest.mark.parametrize(
        ("vendor", "build", "limit"),
        [("nvidia", "cpu", True), ("nvidia", "cuda 13.0", False), ("intel", "cpu", False)],
    )
    def test_build_for_the_processor_alone_need_not_be_asked(
        self, book: RuleBook, catalogue: Catalogue, vendor: str, build: str, limit: bool
    ) -> None:
        unknown = Fact(status=Status.not_asked, source="test", reason="not asked yet")
        torch = Framework(name="torch", version=known("2.13.0"), build=known(build), sees=unknown)
        card = gpu("NVIDIA H200", 143771, framework_name="").model_copy(update={"vendor": vendor})
        found, _ = first_verdict(book, catalogue, catalogue.workloads, machine(card, frameworks=(torch,)))
        lora = next(e for e in found if e.workload == "8b-lora-100m")
        assert (lora.limit == "framework") is limit
        assert lora.fits is not limit

    def test_lost_device(self, book: RuleBook, catalogue: Catalogue) -> None:
        lost = H200.model_copy(update={"status": Status.lost})
        found, _ = first_verdict(book, catalogue, catalogue.workloads, machine(lost))
        assert all(e.fits is not True for e in found if e.target.device != "cpu")
        assert "lost" in found[0].why
        assert any(e.target.device == "cpu" and e.fits for e in found), "the processors are left"

    def test_a_display_chip_leaves_the_work_to_the_processors(
        self, book: RuleBook, catalogue: Catalogue
    ) -> None:
        chip = gpu("Intel UHD Graphics 770", 512, framework_name="").model_copy(update={"vendor": "intel"})
        found, _ = first_verdict(book, catalogue, catalogue.workloads, machine(chip))
        timed = [e for e in found if e.target.device == "cpu" and e.quantities["time_s"].value]
        assert len(timed) == len(catalogue.workloads)

    def test_others_hold_the_memory(self, book: RuleBook, catalogue: Catalogue) -> None:
        busy = gpu("NVIDIA H200", 143771, memory_free_bytes=2**30)
        found, _ = first_verdict(book, catalogue, catalogue.workloads, machine(busy))
        lora = next(e for e in found if e.workload == "8b-lora-100m")
        assert any("Other programs" in note for note in lora.notes)


class TestOwnWorkload:
    def test_unknown_model_offers_the_nearest(self, catalogue: Catalogue) -> None:
        with pytest.raises(UserError) as caught:
            workload_from_flags(catalogue, "lama-3-8b")
        assert "llama-3-8b" in caught.value.hint

    def test_flags_are_taken_and_the_rest_is_said(self, catalogue: Catalogue) -> None:
        own = workload_from_flags(catalogue, "mistral-7b", tokens=1e9, method="lora", seq_len=4096)
        assert own.recipe.samples == pytest.approx(1e9 / 4096)
        assert own.recipe.method == "lora"
        assert own.recipe.numbers["lora_rank"] > 0
        assert "precision" in own.recipe.source

    def test_only_what_flags_gave_is_stated(self, catalogue: Catalogue) -> None:
        own = workload_from_flags(catalogue, "gpt2-124m", tokens=1e9, precision="fp32")
        sources = of_workload(own).sources
        kinds = {name: kind for name, (kind, _) in sources.items() if kind in ("stated", "assumed")}
        assert {name for name, kind in kinds.items() if kind == "stated"} == {"samples", "precision"}
        for name in ("seq_len", "global_batch", "method", "optimizer"):
            kind, source = sources[name]
            assert kind == "assumed" and "as in '" in source, name

    def test_tokens_of_an_encoder_are_tokens(self, catalogue: Catalogue) -> None:
        for model in ("bert-base", "t5-small", "mixtral-8x7b"):
            own = workload_from_flags(catalogue, model, tokens=1e9, seq_len=512)
            assert own.recipe.samples == pytest.approx(1e9 / 512)
            assert own.title.endswith(", 1 billion tokens")
        padded = workload_from_flags(catalogue, "bert-base", seq_len=512)
        assert padded.recipe.samples == workload_from_flags(catalogue, "bert-base").recipe.samples
        images = workload_from_flags(catalogue, "resnet-50", tokens=1e8)
        assert images.recipe.samples == 1e8
        assert images.title.endswith(", 100 million images")

    def test_it_is_estimated_like_any_other(self, book: RuleBook, catalogue: Catalogue) -> None:
        own = workload_from_flags(catalogue, "vit-b-16", tokens=1e6)
        found, _ = estimates_catalogue(book, catalogue, [own])
        assert pick(found, "own", "nvidia-a100-sxm4-80gb").quantities["time_s"].value

    @pytest.mark.parametrize("bad", [{"tokens": 0.0}, {"batch": -1.0}, {"seq_len": 0.0}])
    def test_nonsense_is_refused(self, catalogue: Catalogue, bad: dict[str, float]) -> None:
        with pytest.raises(UserError):
            workload_from_flags(catalogue, "gpt2-124m", **bad)  # type: ignore[arg-type]

    def test_unknown_method_is_refused(self, catalogue: Catalogue) -> None:
        with pytest.raises(UserError) as caught:
            workload_from_flags(catalogue, "gpt2-124m", method="loras")
        assert "lora" in caught.value.hint


def test_a_trace_that_was_not_kept_is_computed_again(
    book: RuleBook, catalogue: Catalogue, everywhere: Found
) -> None:
    found = pick(everywhere[0], "gpt2-124m-10b", "nvidia-h100-sxm5-80gb")
    assert not found.quantities["time_s"].trace, "a candidate whose trace is not kept"
    workload = next(w for w in catalogue.workloads if w.id == found.workload)
    steps = trace_of(book, catalogue, workload, found, "time_s", load_published(shipped("rules") / FILE))
    assert steps[0].value == pytest.approx(found.quantities["time_s"].value)
    assert {"published", "vendor", "rule", "assumed"} <= {step.kind for step in steps}


@pytest.mark.parametrize("word", ["grpo", "PPO", "online_dpo"])
def test_methods_with_rollouts_are_refused_by_name(catalogue: Catalogue, word: str) -> None:
    with pytest.raises(UserError, match="not modelled") as error:
        workload_from_flags(catalogue, "llama-3-8b", method=word)
    assert "rollouts" in error.value.message and "--method" in error.value.hint


def test_dpo_runs_a_frozen_reference_beside_the_network(catalogue: Catalogue) -> None:
    full = workload_from_flags(catalogue, "llama-3-8b", method="dpo").recipe
    assert (full.method, full.numbers["reference_copies"], full.numbers["reference_passes"]) == ("full", 1, 1)
    adapters = workload_from_flags(catalogue, "llama-3-8b", method="dpo-lora").recipe
    assert adapters.method == "lora" and "reference_copies" not in adapters.numbers

"""Made-up advice for tests of the report: nothing in here was measured anywhere.

`cpu_machine()` is a workstation without an accelerator, `gpu_machine()` a server with one H200. All
figures are round inventions in a plausible range; the host is called "synthetic".
"""

from __future__ import annotations

from typing import Any

from advisor.schema import (
    Accelerator,
    Advice,
    BenchFailure,
    Cache,
    Calibration,
    Cpu,
    Device,
    Driver,
    Estimate,
    Fact,
    Framework,
    FrameworkDevice,
    Grade,
    Host,
    Kind,
    Machine,
    Measurement,
    Memory,
    MigInstance,
    Model,
    Network,
    NetworkInterface,
    Noise,
    Notice,
    Other,
    Quantity,
    RdmaPort,
    Recipe,
    Skipped,
    Software,
    Status,
    Storage,
    Target,
    TraceStep,
    Versions,
    Workload,
)

WHEN = "2026-11-20T09:30:00+00:00"


def ok(value: Any, source: str = "synthetic", reason: str = "") -> Any:
    return Fact(value=value, status=Status.ok, source=source, reason=reason)


def none(status: Status, source: str, reason: str) -> Any:
    return Fact(status=status, source=source, reason=reason)


def cpu_machine() -> Advice:
    """A workstation of 8 cores without an accelerator, fully calibrated."""
    return _advice(_machine((), "2.9 cpu"), _calibration(gpu=False), here="cpu")


def gpu_machine() -> Advice:
    """A server with one H200 that torch sees."""
    return _advice(_machine((_h200(),), "cuda 13.0"), _calibration(gpu=True), here="cuda:0")


def _machine(devices: tuple[Device, ...], build: str) -> Machine:
    sees = tuple(
        FrameworkDevice(name="cuda:0", device_name="NVIDIA H200", compute_capability="9.0") for _ in devices
    )
    torch = Framework(
        name="torch",
        version=ok("2.13.0", "importlib.metadata"),
        build=ok(build, "torch.version"),
        sees=Fact(
            value=sees,
            status=Status.ok,
            source="torch.cuda.device_count",
            reason="" if sees else "a CPU build",
        ),
    )
    return Machine(
        probed_at=WHEN,
        host=Host(
            hostname=ok("synthetic-gpu" if devices else "synthetic-cpu", "uname"),
            user=ok("somebody", "uid"),
            os_name=ok("Debian GNU/Linux 12 (bookworm)", "/etc/os-release PRETTY_NAME"),
            os_family=ok("linux", "platform"),
            kernel=ok("6.12.0", "uname -r"),
            arch=ok("x86_64", "uname -m"),
            product=none(Status.no_permission, "/sys/class/dmi/id/product_name", "permission denied"),
            container=ok("docker", "/.dockerenv"),
            vm=ok("kvm", "/proc/cpuinfo hypervisor"),
            wsl=ok("none", "/proc/version"),
            cgroup=ok("v2", "/sys/fs/cgroup/cgroup.controllers"),
        ),
        cpu=_cpu(),
        memory=Memory(
            total_bytes=ok(64 * 2**30, "/proc/meminfo MemTotal"),
            available_bytes=ok(51 * 2**30, "/proc/meminfo MemAvailable"),
            swap_bytes=ok(0, "/proc/meminfo SwapTotal"),
            cgroup_limit_bytes=ok(48 * 2**30, "/sys/fs/cgroup/memory.max"),
            usable_bytes=ok(48 * 2**30, "least of total, cgroup and Slurm limits"),
            kind=none(Status.no_permission, "dmidecode", "needs root"),
        ),
        storage=Storage(
            path=ok("/data", "working folder"),
            mount_point=ok("/data", "/proc/self/mountinfo"),
            filesystem=ok("ext4", "/proc/self/mountinfo"),
            kind=ok("nvme", "/sys/block"),
            size_bytes=ok(2 * 2**40, "statvfs"),
            free_bytes=ok(900 * 2**30, "statvfs"),
        ),
        network=Network(
            interfaces=ok(
                (
                    NetworkInterface(
                        name="eth0",
                        kind="ethernet",
                        state="up",
                        driver="mlx5_core",
                        speed_bits_per_s=ok(25e9, "/sys/class/net/eth0/speed"),
                    ),
                    NetworkInterface(
                        name="docker0",
                        kind="bridge",
                        state="down",
                        speed_bits_per_s=none(Status.not_supported, "/sys/class/net/docker0/speed", "-1"),
                    ),
                ),
                "/sys/class/net",
            ),
            rdma_ports=ok(
                (
                    RdmaPort(
                        device="mlx5_0",
                        port=1,
                        link_layer="InfiniBand",
                        state="ACTIVE",
                        rate_bits_per_s=ok(400e9, "/sys/class/infiniband/mlx5_0/ports/1/rate"),
                    ),
                )
                if devices
                else (),
                "/sys/class/infiniband",
            ),
        ),
        devices=devices,
        drivers=(
            Driver(
                vendor="nvidia",
                driver_version=ok("615.22", "nvml"),
                runtime_version=ok("13.0", "nvml"),
                binding=ok("nvidia-ml-py 13.615.71", "importlib.metadata"),
            ),
        )
        if devices
        else (),
        software=Software(
            python=ok("python3", "sys.executable"),
            python_version=ok("3.11.7", "sys.version"),
            frameworks=(
                torch,
                Framework(
                    name="tensorflow", version=none(Status.absent, "importlib.metadata", "not installed")
                ),
                Framework(name="jax", version=none(Status.absent, "importlib.metadata", "not installed")),
            ),
            packages=ok({"numpy": "2.4.6", "tokenizers": "0.22", "pillow": "12.0"}, "importlib.metadata"),
        ),
        skipped=(
            *(
                ()
                if devices
                else (
                    Skipped(
                        probe="nvidia",
                        status=Status.absent,
                        reason="no NVIDIA device on PCIe and no libnvidia-ml.so.1",
                    ),
                )
            ),
            Skipped(probe="amd", status=Status.absent, reason="no /sys/module/amdgpu"),
            Skipped(
                probe="ascend",
                status=Status.timeout,
                reason="npu-smi did not answer within 5 s",
                hint="Run `npu-smi info` by hand and see whether it hangs.",
            ),
        ),
        notices=(
            Notice(
                code="cgroup_memory",
                message="The container may use 48 GiB of the host's 64 GiB.",
                hint="Raise the container's memory limit.",
            ),
        ),
    )


def _cpu() -> Cpu:
    return Cpu(
        model=ok("AMD EPYC 9555P 64-Core Processor", "/proc/cpuinfo model name"),
        vendor=ok("AuthenticAMD", "/proc/cpuinfo vendor_id"),
        sockets=ok(1, "/sys/devices/system/cpu"),
        cores=ok(8, "/sys/devices/system/cpu"),
        threads=ok(16, "/sys/devices/system/cpu"),
        threads_per_core=ok(2, "/sys/devices/system/cpu"),
        numa_nodes=ok(1, "/sys/devices/system/node"),
        caches=ok(
            (
                Cache(level=1, kind="data", size_bytes=48 * 1024, shared_by_threads=2, count=8),
                Cache(level=2, kind="unified", size_bytes=2**20, shared_by_threads=2, count=8),
                Cache(level=3, kind="unified", size_bytes=32 * 2**20, shared_by_threads=16, count=1),
            ),
            "/sys/devices/system/cpu/cpu0/cache",
        ),
        instruction_sets=ok(
            {"avx2": True, "avx512f": True, "avx512_bf16": True, "avx512_vnni": True, "amx_tile": False},
            "/proc/cpuinfo flags",
        ),
        clock_reported_hz=Fact(
            value=2.1e9,
            status=Status.contradiction,
            source="/proc/cpuinfo cpu MHz",
            others=(Other(value=4.1e9, source="dependent-add loop"),),
        ),
        clock_measured_hz=ok(4.1e9, "dependent-add loop"),
        affinity_threads=ok(16, "sched_getaffinity"),
        quota_threads=none(Status.absent, "/sys/fs/cgroup/cpu.max", "unlimited"),
        budget_threads=ok(16, "least of affinity, quota and Slurm"),
        load_average=ok(0.4, "/proc/loadavg"),
    )


def _h200() -> Device:
    return Device(
        vendor="nvidia",
        index=0,
        name=ok("NVIDIA H200", "nvml:nvmlDeviceGetName"),
        uuid=ok("GPU-00000000-0000-0000-0000-000000000000", "nvml:nvmlDeviceGetUUID"),
        pci_address=ok("0000:1b:00.0", "nvml:nvmlDeviceGetPciInfo_v3"),
        pci_id=ok("10de:2335", "nvml:nvmlDeviceGetPciInfo_v3"),
        compute_capability=ok("9.0", "nvml:nvmlDeviceGetCudaComputeCapability"),
        architecture=ok("Hopper", "nvml:nvmlDeviceGetArchitecture"),
        compute_units=ok(132, "torch:multi_processor_count"),
        memory_total_bytes=ok(150754820096, "nvml:nvmlDeviceGetMemoryInfo_v2"),
        memory_free_bytes=ok(150100000000, "nvml:nvmlDeviceGetMemoryInfo_v2"),
        clock_hz=ok(1.98e9, "nvml:nvmlDeviceGetClockInfo"),
        clock_max_hz=ok(1.98e9, "nvml:nvmlDeviceGetMaxClockInfo"),
        power_w=ok(118.0, "nvml:nvmlDeviceGetPowerUsage"),
        power_limit_w=ok(600.0, "nvml:nvmlDeviceGetEnforcedPowerLimit"),
        power_limit_default_w=ok(700.0, "nvml:nvmlDeviceGetPowerManagementDefaultLimit"),
        temperature_c=ok(41.0, "nvml:nvmlDeviceGetTemperature"),
        throttle_reasons=ok((), "nvml:nvmlDeviceGetCurrentClocksEventReasons"),
        pcie_gen_max=ok(5, "nvml"),
        pcie_width_max=ok(16, "nvml"),
        pcie_gen_current=ok(5, "nvml"),
        pcie_width_current=ok(16, "nvml"),
        pcie_slot_gen=ok(5, "/sys/bus/pci"),
        pcie_slot_width=ok(16, "/sys/bus/pci"),
        ecc_enabled=ok(True, "nvml:nvmlDeviceGetEccMode"),
        ecc_uncorrected=ok(0, "nvml"),
        row_remap_pending=ok(False, "nvml"),
        row_remap_failed=ok(False, "nvml"),
        mig_enabled=ok(False, "nvml"),
        mig_instances=(MigInstance(name=ok("1g.18gb", "nvml"), memory_total_bytes=ok(18 * 2**30, "nvml")),),
        nvlinks=none(Status.not_supported, "nvml:nvmlDeviceGetNvLinkState", "NVML_ERROR_NOT_SUPPORTED"),
        processes=ok((), "nvml"),
        framework_name=ok("cuda:0", "joined on UUID"),
        accelerator_id=ok("nvidia-h200-sxm-141gb", "PCI id 10de:2335"),
    )


def _m(id: str, bench: str, device: str, unit: str, value: float | None, **more: Any) -> Measurement:
    params = more.pop("params", {})
    grade = more.pop("grade", Grade.A)
    wide = {Grade.A: 0.03, Grade.B: 0.1, Grade.C: 0.6}[grade]
    middle = value if value is not None else more.pop("about", 1.0)
    return Measurement(
        id=id,
        bench=bench,
        device=device,
        unit=unit,
        params=params,
        value=None if grade == Grade.C else value,
        low=middle * (1 - wide),
        high=middle * (1 + wide),
        best=middle * (1 + wide),
        grade=grade,
        samples=120,
        kept=100 if grade != Grade.C else 3,
        seconds=0.8,
        noise=Noise(run_delay_fraction=0.004, spread=1.05),
        measured_at=WHEN,
        **more,
    )


def _calibration(*, gpu: bool) -> Calibration:
    rates = {"cpu": {"fp32": 1.1e12, "bf16": 2.6e12, "int8": 5.1e12}}
    if gpu:
        rates["cuda:0"] = {"fp32": 51e12, "tf32": 420e12, "bf16": 760e12, "fp16": 755e12, "fp8": 1350e12}
    found: list[Measurement] = []
    for device, table in rates.items():
        for dtype, rate in table.items():
            sizes = (
                {512: 0.6, 1024: 0.85, 2048: 1.0} if device == "cpu" else {1024: 0.2, 4096: 0.8, 8192: 1.0}
            )
            for n, part in sizes.items():
                unit = "OP/s" if dtype == "int8" else "FLOP/s"
                grade = Grade.C if (device, dtype, n) == ("cpu", "fp32", 512) else Grade.A
                found.append(
                    _m(
                        f"matmul.{dtype}.{n}.{device}",
                        "matmul",
                        device,
                        unit,
                        rate * part,
                        grade=grade,
                        params={"dtype": dtype, "n": n},
                        warnings=("contended",) if grade == Grade.C else (),
                        reason="only 3 of 120 blocks were undisturbed" if grade == Grade.C else "",
                    )
                )
        width = 4.05e12 if device != "cpu" else 92e9
        for op in ("copy", "triad"):
            for at in ("start", "end"):
                found.append(
                    _m(
                        f"memory_bandwidth.{op}.{at}.{device}",
                        "memory_bandwidth",
                        device,
                        "B/s",
                        width * (1.0 if op == "triad" else 0.97) * (1 if at == "start" else 1.01),
                        params={"op": op, "point": at, "bytes": 4 * 10**8},
                    )
                )
        for family, rate in (("decoder", 0.45), ("cnn", 0.3)):
            found.append(
                _m(
                    f"train_rate.{family}.bf16.{device}",
                    "train_rate",
                    device,
                    "FLOP/s",
                    table["bf16"] * rate,
                    grade=Grade.B,
                    params={"family": family, "dtype": "bf16"},
                )
            )
        found.append(
            _m(
                f"attention.fwd.{device}",
                "attention",
                device,
                "FLOP/s",
                table["bf16"] * 0.5,
                params={"dtype": "bf16", "seq": 1024, "heads": 12, "head_dim": 64, "direction": "forward"},
            )
        )
        found.append(
            _m(
                f"optimizer_step.fused.{device}",
                "optimizer_step",
                device,
                "s",
                0.06 if device == "cpu" else 0.0008,
                params={"kind": "fused", "parameters": 124000000},
            )
        )
    found += _host_figures() + _tasks(gpu=gpu)
    failures = [
        BenchFailure(
            id="image_decode.cpu",
            bench="image_decode",
            device="cpu",
            status=Status.lib_missing,
            reason="Pillow is not installed",
            hint="pip install pillow",
        )
    ]
    if gpu:
        found += [
            _m("launch_latency.cuda:0", "launch_latency", "cuda:0", "s", 5.2e-6),
            _m(
                "host_device_copy.h2d.cuda:0",
                "host_device_copy",
                "cuda:0",
                "B/s",
                55e9,
                params={"direction": "h2d", "pinned": True},
            ),
            _m(
                "host_device_copy.d2h.cuda:0",
                "host_device_copy",
                "cuda:0",
                "B/s",
                54e9,
                params={"direction": "d2h", "pinned": True},
            ),
        ]
    else:
        failures.append(
            BenchFailure(
                id="matmul.fp8.cpu",
                bench="matmul",
                device="cpu",
                status=Status.not_supported,
                reason="torch has no fp8 matrix product on the CPU",
            )
        )
    return Calibration(
        started_at=WHEN,
        finished_at="2026-11-20T09:30:26+00:00",
        complete=True,
        python="python3",
        torch_version="2.13.0",
        thread_budget=16,
        devices={"cpu": "AMD EPYC 9555P", **({"cuda:0": "NVIDIA H200"} if gpu else {})},
        measurements=tuple(found),
        failures=tuple(failures),
        notices=(
            Notice(
                code="contended",
                message="One figure was measured while other work ran.",
                hint="Run again when it is quiet.",
            ),
        ),
    )


def _host_figures() -> list[Measurement]:
    return [
        _m("disk_read", "disk_read", "disk", "B/s", 2.9e9, grade=Grade.B, params={"bytes": 2**30}),
        _m("tokenize.cpu", "tokenize", "cpu", "B/s", 6.5e6, params={}),
    ]


def _tasks(*, gpu: bool) -> list[Measurement]:
    found = [
        _m("serial_task.one_core", "serial_task", "cpu", "1/s", 410e6, params={"where": "one_core"}),
        _m("serial_task.all_cores", "serial_task", "cpu", "1/s", 405e6, params={"where": "all_cores"}),
    ]
    if gpu:
        found.append(
            _m("serial_task.device", "serial_task", "cuda:0", "1/s", 31e6, params={"where": "device"})
        )
    for op, unit, one, many, device in (
        ("image_filter", "1/s", 95e6, 700e6, 190e9),
        ("matrix_product", "FLOP/s", 150e9, 1.1e12, 760e12),
    ):
        for where, rate in (("one_core", one), ("all_cores", many), *((("device", device),) if gpu else ())):
            found.append(
                _m(
                    f"parallel_task.{op}.{where}",
                    "parallel_task",
                    "cuda:0" if where == "device" else "cpu",
                    unit,
                    rate,
                    params={"op": op, "where": where},
                )
            )
    return found


# id, title, bf16 dense FLOP/s, bytes/s, memory bytes, W, USD per hour
CATALOGUE = (
    ("nvidia-rtx-3060-12gb", "NVIDIA GeForce RTX 3060 12GB", 51e12, 360e9, 12e9, 170, 0.11, "2025-09-01"),
    ("nvidia-rtx-4090-24gb", "NVIDIA GeForce RTX 4090", 165e12, 1008e9, 24e9, 450, 0.44, "2026-09-17"),
    ("nvidia-a100-sxm4-80gb", "NVIDIA A100 SXM4 80GB", 312e12, 2039e9, 80e9, 400, 1.59, "2026-09-17"),
    ("nvidia-h100-sxm5-80gb", "NVIDIA H100 SXM5 80GB", 989e12, 3350e9, 80e9, 700, 2.95, "2026-09-17"),
    ("nvidia-h200-sxm-141gb", "NVIDIA H200 SXM 141GB", 989e12, 4800e9, 141e9, 700, 3.5, "2026-03-01"),
    ("amd-mi300x-192gb", "AMD Instinct MI300X", 1307e12, 5300e9, 192e9, 750, 1.99, "2026-05-24"),
    ("nvidia-b200-sxm-180gb", "NVIDIA B200 SXM 180GB", 2250e12, 8000e9, 180e9, 1000, 5.3, "2026-09-17"),
)

# id, title, family, FLOP, bytes of one device at least, deadline in days
WORKLOADS = (
    ("resnet50-imagenet", "ResNet-50 on ImageNet, 90 epochs", "cnn", 1.4e18, 6e9, 7.0),
    ("bert-base-sst2", "BERT-base, sentiment fine-tune, 67k sentences x 3", "encoder", 1.3e16, 4e9, 1.0),
    ("gpt2-124m-10b", "GPT-2 124M from scratch, 10B tokens", "decoder", 8.5e18, 9e9, 7.0),
    ("llama-8b-lora", "LoRA of an 8B decoder, 100M tokens", "decoder", 3.3e18, 21e9, 3.0),
    ("llama-8b-qlora", "QLoRA of an 8B decoder, 100M tokens", "decoder", 3.9e18, 10e9, 3.0),
    ("llama-8b-full", "Full fine-tune of an 8B decoder, 100M tokens", "decoder", 4.9e18, 132e9, 7.0),
    ("llama-70b-lora", "LoRA of a 70B decoder, 100M tokens", "decoder", 2.9e19, 155e9, 7.0),
    ("llama-7b-1t", "7B decoder from scratch, 1T tokens", "decoder", 4.2e22, 130e9, 30.0),
    ("llama-70b-15t", "70B decoder from scratch, 15T tokens", "decoder", 6.3e24, 1200e9, 90.0),
)


def _advice(machine: Machine, calibration: Calibration, here: str) -> Advice:
    estimates: list[Estimate] = []
    trace: dict[str, tuple[TraceStep, ...]] = {}
    for workload in WORKLOADS:
        estimates.append(_here(workload, here, trace))
        for accelerator in CATALOGUE:
            estimates += _there(workload, accelerator, trace)
    return Advice(
        stage="complete",
        created_at=WHEN,
        command="scan",
        versions=Versions(
            tool="0.0.0-synthetic", rules_digest="0" * 64, rules_dirs=(), prices_as_of="2026-09-17"
        ),
        machine=machine,
        calibration=calibration,
        workloads=tuple(_workload(w) for w in WORKLOADS),
        estimates=tuple(estimates),
        accelerators=tuple(_accelerator(a) for a in CATALOGUE),
        trace=trace,
        notices=(
            Notice(
                code="first_rules",
                message="These rules are a first version.",
                hint="Trust ranges, not points.",
            ),
        ),
    )


def _workload(row: tuple[Any, ...]) -> Workload:
    id, title, family, _, _, days = row
    return Workload(
        id=id,
        title=title,
        deadline_days=days,
        model=Model(id=id, title=title, family=family, numbers={"layers": 12}, source="synthetic"),
        recipe=Recipe(
            method="pretrain", precision="bf16_mixed", seq_len=1024, global_batch=512, source="synthetic"
        ),
    )


def _accelerator(row: tuple[Any, ...]) -> Accelerator:
    id, title, flops, width, memory, watts, usd, day = row
    vendor = Kind.vendor
    return Accelerator(
        id=id,
        title=title,
        vendor=id.split("-")[0],
        figures={
            "memory_bytes": Quantity(
                value=memory, unit="B", kind=vendor, source="data sheet https://example.org/a.pdf"
            ),
            "memory_bandwidth_bytes_per_s": Quantity(
                value=width, unit="B/s", kind=vendor, source="data sheet https://example.org/a.pdf"
            ),
            "matmul_bf16_flops": Quantity(
                value=flops, unit="FLOP/s", kind=vendor, source="data sheet, dense"
            ),
            "matmul_fp32_flops": Quantity(
                value=flops / 12, unit="FLOP/s", kind=vendor, source="data sheet, dense"
            ),
            "power_w": Quantity(value=watts, unit="W", kind=vendor, source="data sheet"),
            "rent_usd_per_h": Quantity(
                value=usd, unit="USD/h", kind=Kind.published, source=f"somecloud on demand, {day}"
            ),
        },
    )


def _quantity(value: float | None, unit: str, key: str, reason: str = "") -> Quantity:
    spread = (None, None) if value is None else (value * 0.8, value * 1.4)
    return Quantity(
        value=value,
        low=spread[0],
        high=spread[1],
        unit=unit,
        kind=Kind.rule,
        source="rules",
        reason=reason,
        trace=key,
    )


def _trace(  # noqa: PLR0917
    key: str, time: float, flops: float, rate: float, memory: float, kind: str
) -> tuple[TraceStep, ...]:
    leaf = "train_rate.decoder.bf16.cpu" if kind == "measured" else "data sheet, dense"
    return (
        TraceStep(
            quantity="time_s",
            value=time,
            unit="s",
            kind="rule",
            rule="time.whole_run",
            file="time/steps.toml",
            expr="job_flops / achieved_flops",
            why="arithmetic divided by the rate achieved",
            inputs=("job_flops", "achieved_flops"),
        ),
        TraceStep(
            quantity="job_flops",
            value=flops,
            unit="FLOP",
            kind="rule",
            rule="decoder.flops",
            file="families/decoder.toml",
            expr="6 * params * tokens",
            why="forward and backward",
            source="arXiv 2001.08361",
        ),
        TraceStep(quantity="achieved_flops", value=rate, unit="FLOP/s", kind=kind, source=leaf),
        TraceStep(
            quantity="memory_bytes",
            value=memory,
            unit="B",
            kind="rule",
            rule="memory.total",
            file="memory/total.toml",
            expr="weights + states + activations",
            why="what one device must hold",
        ),
        TraceStep(quantity="overlap", value=None, unit="1", kind="assumed", reason="no figure for this link"),
    )


def _here(workload: tuple[Any, ...], device: str, trace: dict[str, Any]) -> Estimate:
    id, _, _, flops, memory, _ = workload
    rate, room = (340e12, 141e9) if device != "cpu" else (1.2e12, 48 * 2**30)
    fits = memory <= room
    key = f"{id}/here"
    trace[key] = _trace(key, flops / rate, flops, rate, memory, "measured")
    why = (
        "limited by arithmetic"
        if fits
        else f"needs {memory / 2**30:.0f} GiB, the device has {room / 2**30:.0f} GiB"
    )
    return Estimate(
        workload=id,
        target=Target(label=f"this machine, {device}", here=True, device=device),
        purpose="here",
        fits=fits,
        why=why,
        limit="time" if fits else "memory",
        calibrated=True,
        choices={"precision": "bf16_mixed", "micro-batch": "8", "recompute": "none"},
        quantities={
            "time_s": _quantity(flops / rate if fits else None, "s", key, "" if fits else "does not fit"),
            "memory_bytes": _quantity(memory, "B", key),
        },
    )


def _there(workload: tuple[Any, ...], row: tuple[Any, ...], trace: dict[str, Any]) -> list[Estimate]:
    id, _, _, flops, memory, days = workload
    name, _, peak, _, room, _, usd, day = row
    rate = peak * 0.38
    fit = max(1, -(-int(memory * 1.05) // int(room)))
    deadline = max(fit, -(-int(flops / rate) // int(days * 86400)))
    found = []
    for purpose, count in (("fit", fit), ("deadline", deadline)):
        time = flops / rate / count
        key = f"{id}/{name}/{purpose}"
        trace[key] = _trace(key, time, flops, rate * count, memory, "vendor")
        found.append(
            Estimate(
                workload=id,
                target=Target(label=f"{count} x {name}", accelerator_id=name, devices=count, packages=count),
                purpose=purpose,
                fits=True,
                why="fewest devices",
                limit="time",
                quantities={
                    "time_s": _quantity(time, "s", key),
                    "rent_usd": Quantity(
                        value=usd * count * time / 3600,
                        low=usd * count * time / 3600 * 0.8,
                        high=usd * count * time / 3600 * 1.4,
                        unit="USD",
                        kind=Kind.rule,
                        source=f"somecloud on demand, {day}",
                        trace=key,
                    ),
                },
            )
        )
    return found

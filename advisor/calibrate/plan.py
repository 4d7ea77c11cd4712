"""Which benches run, with which parameters, how long: a list of tests for a mode and the devices seen."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from advisor.calibrate.kinds import PACES, Pace, Params, Seen, Test
from advisor.calibrate.sets import GRIDS, OPERATOR_SETS
from advisor.schema import Machine

__all__ = ["PACES", "Pace", "Params", "Seen", "Test", "bench_names", "has_fast", "make_plan"]

MIB = 1 << 20
CPU_SIZES = {"quick": (1024,), "default": (1024, 2048), "thorough": (256, 512, 1024, 2048, 4096)}
GPU_SIZES = {"quick": (4096,), "default": (2048, 4096, 8192), "thorough": (1024, 2048, 4096, 8192, 16384)}
GPU_DTYPES = {
    "cuda": ("fp32", "tf32", "bf16", "fp16", "fp8", "int8"),
    "xpu": ("fp32", "tf32", "bf16", "fp16", "int8"),
    "npu": ("fp32", "bf16", "fp16"),
    "mps": ("fp32", "bf16", "fp16"),
}
ACCELERATOR_ARRAY = 1024 * MIB  # four times the largest cache there is, MI300's 256 MiB
HOST_ARRAY = 256 * MIB
BF16_SETS = ("avx512_bf16", "amx_bf16", "bf16")  # names of advisor.probe.cpu_names
FP16_SETS = ("avx512_fp16", "amx_fp16", "fp16")
INT8_SETS = ("avx512_vnni", "avx_vnni", "amx_int8", "i8mm", "dotprod")
CACHE_FACTOR = 4  # STREAM's rule: each array at least four times the last cache
NO_TORCH_BENCHES = ("disk_read", "image_decode", "tokenize")


def make_plan(machine: Machine, mode: str, devices: tuple[Seen, ...], with_cpu_grid: bool) -> list[Test]:
    """The tests in the order they run: bandwidth first and last, as far apart as the run is long.

    `with_cpu_grid` false: an accelerator is what matters, and of the CPU only what compares with it runs.
    """
    cpu = _Cpu(machine, mode, full=with_cpu_grid)
    tests = list(cpu.first())
    titles: set[str] = set()
    for seen in devices:
        again = seen.title != "" and seen.title in titles
        titles.add(seen.title)
        tests += _accelerator(seen, mode, check_only=again and mode != "thorough")
    tests += cpu.middle()
    tests += _feeding(machine, mode)
    tests += cpu.last()
    return tests


def bench_names() -> frozenset[str]:
    """The names that `--only` takes; train_rate comes out of train_step."""
    return frozenset(
        {
            *NO_TORCH_BENCHES,
            "attention",
            "host_device_copy",
            "launch_latency",
            "matmul",
            "memory_bandwidth",
            "operators",
            "optimizer_step",
            "parallel_task",
            "serial_task",
            "train_step",
        }
    )


def has_fast(machine: Machine, *names: str) -> bool:
    """Whether the CPU has one of these instruction sets. Unknown counts as no."""
    known = machine.cpu.instruction_sets.value or {}
    return any(known.get(name, False) for name in names)


def last_cache_bytes(machine: Machine) -> int:
    """All instances of the last cache level together; 32 MiB when it is not known."""
    caches = machine.cpu.caches.value or ()
    if not caches:
        return 32 * MIB
    top = max(cache.level for cache in caches)
    return sum(cache.size_bytes * (cache.count or 1) for cache in caches if cache.level == top)


def thread_candidates(machine: Machine) -> list[int]:
    """Thread counts worth trying on hybrid or SMT CPUs: one, P-cores, physical cores, all that we may use."""
    budget = machine.cpu.budget_threads.value or 1
    counts = {1, budget}
    for fact in (machine.cpu.performance_cores, machine.cpu.cores):
        if fact.value and fact.value < budget:
            counts.add(fact.value)
    return sorted(counts) if len(counts) > 2 else []


class _Cpu:
    """The tests of the CPU in one mode."""

    def __init__(self, machine: Machine, mode: str, *, full: bool) -> None:
        self.machine, self.mode, self.full, self.pace = machine, mode, full, PACES[mode]

    def _test(self, bench: str, params: Params, text: str, key: str = "", **more: Any) -> Test:
        limits = self.pace.limits(**more.pop("limits", {}))
        expected = more.pop("expected_s", limits["min_s"] + 0.6 * limits["warm_cap_s"])
        return Test(bench, "cpu", params, text, key, limits, expected, **more)

    def first(self) -> Iterator[Test]:
        """Thread count, bandwidth, the explaining pair, matrix products."""
        counts = thread_candidates(self.machine)
        if counts:
            text = "Trying how many threads multiply matrices fastest"
            yield Test("pick_threads", "cpu", {"counts": counts}, text, expected_s=0.3 * len(counts))
        yield self._bandwidth("start")
        yield from self._pair()
        yield from self._matmul()

    def _bandwidth(self, point: str, **more: Any) -> Test:
        least = CACHE_FACTOR * last_cache_bytes(self.machine)
        params = {"bytes": max(HOST_ARRAY, least), "least_bytes": least, "point": point, **more}
        text = "Reading and writing main memory" + (" once more" if point == "end" else "")
        key = point if "threads" not in more else f"{point}.{more['threads']}t"
        return self._test("memory_bandwidth", params, text, key, expected_s=2 * self.pace.min_s + 0.7)

    def _pair(self) -> Iterator[Test]:
        wheres, short = ("one_core", "all_cores"), {"min_s": self.pace.minor_s}
        for where in wheres if self.mode != "quick" else wheres[:1]:
            core = where.replace("_", " ")
            text = f"A chain that cannot be split, {core}"
            yield self._test("serial_task", {"where": where}, text, where, limits=short)
        tasks = (("matrix_product", "A matrix product"), ("image_filter", "Filtering a picture"))
        for op, title in tasks if self.mode != "quick" else tasks[:1]:
            for where in wheres:
                text = f"{title}, {where.replace('_', ' ')}"
                params = {"op": op, "where": where, "n": 1024}
                fewer = {**short, "min_blocks": 5} if op == "image_filter" else short  # of 60 ms each
                yield self._test("parallel_task", params, text, f"{op}.{where}", limits=fewer)

    def _matmul(self) -> Iterator[Test]:
        for dtype, fast in (
            ("fp32", True),
            ("bf16", has_fast(self.machine, *BF16_SETS)),
            ("fp16", has_fast(self.machine, *FP16_SETS)),
            ("int8", has_fast(self.machine, *INT8_SETS)),
        ):
            sizes = CPU_SIZES[self.mode] if self.full else (1024,)
            if not fast:  # emulated: one small size says it all, and a large one takes minutes
                sizes = (512,)
            if self.mode == "quick" and (dtype in ("int8", "fp16") or not fast):
                continue
            if self.mode == "default" and dtype == "int8":
                sizes = sizes[-1:]  # nobody trains in it: one says whether it would serve inference
            if dtype == "fp16" and not fast:
                yield self._no_fp16(sizes[0])
                continue
            for n in sizes:
                text = f"Multiplying {n} x {n} matrices in {dtype} on the CPU"
                params = {"dtype": dtype, "n": n}
                warnings = () if fast else ("emulated",)
                limits = {} if n == sizes[-1] else {"min_s": self.pace.minor_s}
                key = f"{dtype}.{n}"
                yield self._test("matmul", params, text, key, limits=limits, warnings=warnings)
        if self.mode == "thorough":
            yield from self._thread_grid()

    def _no_fp16(self, n: int) -> Test:
        """fp16 is for GPUs: a CPU that lacks it is trained on in fp32 or bf16, so nobody needs its rate."""
        known = self.machine.cpu.instruction_sets.value is not None
        why = "this CPU has no fp16 arithmetic" if known else "fp16 arithmetic is not known of this CPU"
        text = f"Multiplying {n} x {n} matrices in fp16 on the CPU"
        skip = f"{why}, and one trains in fp32 or bf16 on it"
        return self._test("matmul", {"dtype": "fp16", "n": n}, text, f"fp16.{n}", skip=skip)

    def _thread_grid(self) -> Iterator[Test]:
        """One thread, and all but one: a single other job spoils what runs on all of them."""
        budget = self.machine.cpu.budget_threads.value or 1
        for threads in sorted({1, budget - 1} - {0, budget}):
            text = f"Multiplying matrices with {threads} of {budget} threads"
            params = {"dtype": "fp32", "n": 1024, "threads": threads}
            yield self._test("matmul", params, text, f"fp32.1024.{threads}t")
            yield self._bandwidth("start", threads=threads)
        text = f"Multiplying matrices for {self.pace.sustained_s:.0f} s on the CPU"
        yield self._sustained("matmul", {"dtype": "fp32", "n": 2048}, text, "fp32.2048")

    def _sustained(self, bench: str, params: Params, text: str, key: str) -> Test:
        limits = {"min_s": self.pace.sustained_s, "cap_s": self.pace.sustained_s + 2}
        expected = self.pace.sustained_s + 1
        return self._test(
            bench, params, text, key, limits=limits, expected_s=expected, wall_s=60.0, phase="sustained"
        )

    def middle(self) -> Iterator[Test]:
        """Training steps and what belongs to them."""
        yield from self._training()
        if not self.full:
            return
        half = has_fast(self.machine, *BF16_SETS)
        kinds = ("default", "fused") if self.mode != "quick" else ("fused",)
        for kind in kinds:
            text = f"An optimizer step ({kind} AdamW) on the CPU"
            params = {"kind": kind, "parameters": (12 if self.mode == "thorough" else 8) * MIB}
            short = {"min_s": self.pace.minor_s}
            expected = self.pace.minor_s + 0.6
            yield self._test("optimizer_step", params, text, kind, limits=short, expected_s=expected)
        if self.mode == "quick":
            return
        for dtype in ("fp32", "bf16") if self.mode == "thorough" else ():  # else among the operators alone
            params = {"dtype": dtype, "batch": 1, "heads": 8, "seq": 1024, "head_dim": 64}
            text = f"Attention in {dtype} on the CPU"
            yield self._test("attention", params, text, dtype, expected_s=2 * self.pace.min_s + 0.4)
        text = "The cost of starting one operation on the CPU"
        yield self._test("launch_latency", {}, text, limits={"min_s": 0.2})
        for dtype in ("fp32", "bf16") if half else ("fp32",):
            yield from operator_tests(dtype, "cpu", self.mode)

    def _training(self) -> Iterator[Test]:
        fast = {"bf16": has_fast(self.machine, *BF16_SETS), "fp16": has_fast(self.machine, *FP16_SETS)}
        half = "fp16" if fast["fp16"] and not fast["bf16"] else "bf16"  # older Arm servers have fp16 alone
        pace = self.pace
        for family in ("decoder", "cnn") if self.mode != "quick" or self.full else ():
            for dtype in ("fp32", half):
                if dtype == half and (not fast[half] or self.mode == "quick" or not self.full):
                    continue
                yield train_test(family, dtype, "cpu", pace, pace.train_target_s)

    def last(self) -> Iterator[Test]:
        """Bandwidth again: it is bimodal on some hosts, and only two distant points tell."""
        if self.mode != "quick":
            yield self._bandwidth("end")


def train_test(family: str, dtype: str, device: str, pace: Pace, target_s: float) -> Test:
    """A training step of a family at depths 2 and 6, interleaved."""
    kind = "small decoder" if family == "decoder" else "small CNN"
    accelerator = device != "cpu"
    cap = 3 * pace.train_s
    limits = pace.limits(accelerator, min_s=pace.train_s, cap_s=cap, min_blocks=pace.train_blocks)
    params = {"family": family, "dtype": dtype, "depths": [2, 6], "target_s": target_s}
    text = f"Training steps of a {kind} in {dtype} on {'the CPU' if device == 'cpu' else device}"
    expected = pace.train_s + 0.5 + 6 * target_s
    return Test("train_step", device, params, text, f"{family}.{dtype}", limits, expected, 60.0)


def operator_tests(dtype: str, device: str, mode: str) -> Iterator[Test]:
    """Single operators over a grid of shapes: what a step of any network is put together from."""
    grid = GRIDS[mode]
    for name, (title, expected_s) in OPERATOR_SETS.items():
        text = f"{title} in {dtype} on {'the CPU' if device == 'cpu' else device}"
        limits = PACES[mode].limits(device != "cpu")
        params = {"dtype": dtype, "set": name, "grid": grid}
        yield Test(
            "operators", device, params, text, f"{name}.{dtype}", limits, expected_s[grid], wall_s=120.0
        )


def _accelerator(seen: Seen, mode: str, *, check_only: bool) -> Iterator[Test]:
    """The tests of one accelerator; of a second one of the same name only enough to see a slow card."""
    pace, name = PACES[mode], seen.name
    limits = pace.limits(accelerator=True)
    expected = pace.min_s + 0.4

    def test(bench: str, params: Params, text: str, key: str = "", **more: Any) -> Test:
        merged = {"limits": limits, "expected_s": expected, "wall_s": 60.0, **more}
        return Test(bench, name, params, text, key, **merged)

    array = {"bytes": ACCELERATOR_ARRAY, "least_bytes": ACCELERATOR_ARRAY // 4}
    yield test(
        "memory_bandwidth", {**array, "point": "start"}, f"Reading and writing the memory of {name}", "start"
    )
    sizes: tuple[int, ...] = (4096,) if check_only else GPU_SIZES[mode]
    dtypes = (seen.half,) if check_only else GPU_DTYPES.get(seen.kind, ("fp32", seen.half))
    if mode == "quick":
        dtypes = tuple(dtype for dtype in dtypes if dtype in ("fp32", seen.half))
    for dtype in dtypes:
        for n in sizes:
            text = f"Multiplying {n} x {n} matrices in {dtype} on {name}"
            yield test("matmul", {"dtype": dtype, "n": n}, text, f"{dtype}.{n}")
    copy = {"bytes": 256 * MIB}
    yield test("host_device_copy", copy, f"Copying between main memory and {name}", expected_s=1.4)
    if check_only:
        return
    yield from _accelerator_rest(seen, mode, test)


def _accelerator_rest(seen: Seen, mode: str, test: Any) -> Iterator[Test]:
    pace, name = PACES[mode], seen.name
    text = f"The cost of starting one operation on {name}"
    yield test("launch_latency", {}, text)
    where = {"where": "device"}
    yield test("serial_task", where, f"A chain that cannot be split on {name}", "device")
    for op, n in (("matrix_product", 4096), ("image_filter", 2048)):
        text = f"{'A matrix product' if op == 'matrix_product' else 'Filtering a picture'} on {name}"
        yield test("parallel_task", {"op": op, "n": n, **where}, text, f"{op}.device")
    for family in ("decoder", "cnn"):
        for dtype in _trained(seen, mode):
            yield train_test(family, dtype, name, pace, pace.train_target_s)
    if mode == "quick":
        return
    params = {"dtype": seen.half, "batch": 4, "heads": 16, "seq": 2048, "head_dim": 128}
    yield test("attention", params, f"Attention in {seen.half} on {name}", seen.half, expected_s=1.5)
    for kind in ("default", "fused"):
        params = {"kind": kind, "parameters": 128 * MIB}
        yield test("optimizer_step", params, f"An optimizer step ({kind} AdamW) on {name}", kind)
    for dtype in ("fp32", seen.half):
        yield from operator_tests(dtype, name, mode)
    array = {"bytes": ACCELERATOR_ARRAY, "least_bytes": ACCELERATOR_ARRAY // 4, "point": "end"}
    yield test("memory_bandwidth", array, f"Reading and writing the memory of {name} once more", "end")
    if pace.sustained_s:
        long = {**pace.limits(accelerator=True), "min_s": pace.sustained_s, "cap_s": pace.sustained_s + 2}
        more = {"limits": long, "expected_s": pace.sustained_s + 2, "wall_s": 90.0, "phase": "sustained"}
        text = f"Multiplying matrices for {pace.sustained_s:.0f} s on {name}"
        yield test("matmul", {"dtype": seen.half, "n": 8192}, text, f"{seen.half}.8192", **more)


def _trained(seen: Seen, mode: str) -> tuple[str, ...]:
    """The types a device's training steps are measured in."""
    if mode == "quick":
        return (seen.half,)
    both = mode == "thorough" and seen.half == "bf16"
    return ("fp32", "bf16", "fp16") if both else ("fp32", seen.half)


def _feeding(machine: Machine, mode: str) -> Iterator[Test]:
    """Disk, decoding, tokens: what the CPU does for a training run."""
    pace = PACES[mode]
    size = {"quick": 128, "default": 256, "thorough": 2048}[mode] * MIB
    write_s = {"quick": 0.3, "default": 1.5, "thorough": 10.0}[mode]
    limits = pace.limits()
    text = "Reading a file of our own from disk"
    disk = {"bytes": size, "write_s": write_s, "storage": machine.storage.kind.value or ""}
    yield Test("disk_read", "disk", disk, text, "", limits, write_s + pace.min_s + 0.4, 60.0)
    picture = {"width": 500, "height": 375}  # ImageNet's mean size is about 500 x 375
    text = "Decoding and augmenting pictures on one core"
    yield Test("image_decode", "cpu", picture, text, "", limits, pace.min_s + 0.5)
    if mode != "quick":
        text = "Splitting text into tokens on one core"
        yield Test("tokenize", "cpu", {}, text, "", limits, pace.min_s + 1.5)

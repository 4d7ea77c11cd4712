"""The closed list of warnings of a figure: code -> (what it means, what to do). See docs/calibration.md."""

from __future__ import annotations

WARNINGS: dict[str, tuple[str, str]] = {
    "contended": (
        "Other processes took the cores while this was measured.",
        "Stop them and calibrate again.",
    ),
    "busy_before": (
        "Other processes were busy before this began, and it was measured all the same.",
        "Calibrate again when the machine is idle.",
    ),
    "few_blocks": (
        "Fewer than ten undisturbed blocks fitted into the time.",
        "Use --thorough, which measures longer.",
    ),
    "unsteady": ("The blocks differ by more than 30 %.", "Calibrate again; use --thorough."),
    "delay_unknown": (
        "This system does not tell whether our threads waited for a core.",
        "Make sure that nothing else runs.",
    ),
    "stolen": (
        "The hypervisor gave the cores to other machines for part of the time.",
        "Calibrate at another time, or on a dedicated instance.",
    ),
    "quota": (
        "The container's CPU quota paused our threads.",
        "Raise the quota, or accept the figure as that of this container.",
    ),
    "throttled": (
        "The device lowered its clock for heat or by order of the hardware.",
        "Look at its cooling and power supply.",
    ),
    "throttling_unknown": (
        "Nothing tells whether the device lowered its clock while this was measured.",
        "Look with the vendor's own tool.",
    ),
    "gpu_busy": ("Other processes were using this device.", "Stop them and calibrate again."),
    "gpu_shared": (
        "Other processes held more than 5 % of the device's memory before this began.",
        "Stop them and calibrate again.",
    ),
    "host_contended": (
        "The CPU side that feeds the device had to wait for a core.",
        "Stop other processes and calibrate again.",
    ),
    "small_arrays": (
        "Memory was short: the arrays are less than 4 times the last cache, so part of this is cache speed.",
        "Free memory and calibrate again.",
    ),
    "not_pinned": (
        "Host memory could not be pinned, so this is the rate of pageable copies.",
        "Raise the locked-memory limit (ulimit -l).",
    ),
    "pcie_below_max": (
        "The PCIe link stayed below what card and slot can do, even under load.",
        "Look at the seating of the card, its riser, and the PCIe settings of the firmware.",
    ),
    "free_memory_unknown": (
        "How much memory is free is not known, so the sizes were chosen with caution.",
        "Larger ones may run at another rate.",
    ),
    "page_cache": (
        "The file was served from memory.",
        "Run hwadvisor in a folder on a local disk.",
    ),
    "page_cache_unknown": (
        "Nothing tells whether the file came from the disk or from memory.",
        "Take the figure as an upper bound.",
    ),
    "virtual_disk": (
        "The disk is virtual: the host may have answered from its own memory.",
        "Take the figure as an upper bound.",
    ),
    "chain_by_launches": (
        "This device lacks the compiled chain: each step was a launch, and launch latency is in the figure.",
        "Compare it with other devices by order of magnitude only.",
    ),
    "two_speeds": (
        "Start and end of the run differ by more than 10 %; the range covers both.",
        "Nothing on this side: the cause is usually outside a virtual machine.",
    ),
    "emulated": (
        "This CPU has no instructions for the type, so it is emulated.",
        "Train in fp32 on this CPU.",
    ),
    "bound_from_one_thread": (
        "The upper end of the range is one thread's best times the number of threads, not a measurement.",
        "Stop other processes and calibrate again.",
    ),
}


def check(codes: list[str]) -> tuple[str, ...]:
    """The codes in order, each once. Raises KeyError for one that is not on the list: that is a bug."""
    return tuple(dict.fromkeys(code for code in codes if WARNINGS[code]))

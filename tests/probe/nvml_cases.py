"""Tables for the fake NVML: figures as a healthy 8-way H100 server shows them, cut to what tests need."""

H100 = """
sys.driver 570.124.06
sys.nvml 12.570.124.06
sys.cuda 12080
*.name NVIDIA H100 80GB HBM3
*.serial 1654123000000
*.memory 85520809984 84900000000 620809984
*.capability 9 0
*.architecture 9
*.cores 16896
*.mig 0 0
*.virtual 0
*.clock_sm 345
*.clock_sm_max 1980
*.clock_mem_max 2619
*.power 71234
*.power_limit 700000
*.power_default 700000
*.power_range 200000 700000
*.temperature 31
*.utilization 0 0
*.throttle 1
*.pcie_gen_card 5
*.pcie_gen_max 5
*.pcie_width_max 16
*.pcie_gen 1
*.pcie_width 16
*.ecc 1 1
*.ecc_uncorrected 0
*.remap 0 0 0 0
*.processes none
"""

UUIDS = [f"GPU-{digit * 8}-2222-3333-4444-555555555555" for digit in "12345678"]


def devices(count: int) -> str:
    """That many devices with their own UUID and PCI address (bus 0x10, 0x20, …)."""
    lines = [f"sys.count {count}"]
    for index in range(count):
        lines += [f"{index}.uuid {UUIDS[index]}", f"{index}.pci 0000:{(index + 1) * 16:02x}:00.0 10de:2330"]
    return "\n".join(lines)


def healthy(count: int = 1) -> str:
    """`count` healthy devices; put lines that differ before it, the first that fits wins."""
    return devices(count) + H100

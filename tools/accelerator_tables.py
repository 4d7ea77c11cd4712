# ruff: noqa: E501
"""Tables that complete the collected facts: generations, PCI ids, compute units, what a source was used for."""

from __future__ import annotations

from typing import Any

# Collected products that do not become an entry, each with its reason.
LEFT_OUT = {
    "huawei-ascend-310p-24gb": "an inference part: it does not train",
}

# Corrections of collected facts: field -> (value, what the notes of the entry say of it).
CORRECTIONS: dict[str, Any] = {
    "google-tpu-v2": {
        "devices_per_package": (2, "jax sees 2 devices (cores) of 8 GB a chip; price per chip")
    },
    "google-tpu-v3": {
        "devices_per_package": (2, "jax sees 2 devices (cores) of 16 GB a chip; price per chip"),
        "interconnect": (
            {"name": "ICI 2D torus, 4 links", "total_bidir_gbs": 800},
            "interconnect = 4 links x 200 GB/s",
        ),
    },
    "google-tpu-v4": {
        "interconnect": (
            {"name": "ICI 3D torus, 6 links", "total_bidir_gbs": 540},
            "interconnect = 6 links x 90 GB/s",
        ),
    },
    "intel-gaudi1-32gb": {
        "interconnect": (
            {"name": "7 of the 10 ports of 100 GbE RoCE on chip", "total_bidir_gbs": 175},
            "interconnect: the ports within the server",
        ),
        "scale_up_domain": (8, "scale-up domain: the 8 cards of a server"),
    },
    "intel-gaudi2-96gb": {
        "interconnect": (
            {"name": "21 of the 24 ports of 100 GbE RoCE on chip", "total_bidir_gbs": 525},
            "interconnect: the ports within the server; all 24 give 600 GB/s",
        ),
    },
    "intel-gaudi3-128gb": {
        "interconnect": (
            {"name": "21 of the 24 ports of 200 GbE RoCE on chip", "total_bidir_gbs": 1050},
            "interconnect: the ports within the server; all 24 give 1200 GB/s",
        ),
    },
    "google-tpu-v7x": {
        "devices_per_package": (2, "jax sees 2 devices (cores) of 96 GB a chip; price per chip")
    },
    "nvidia-p100-sxm2-16gb": {
        "scale_up_domain": (8, "scale-up domain: the 8 GPUs of a DGX-1 (hybrid cube mesh)")
    },
    "amd-mi250x-128gb": {
        "scale_up_domain": (4, "scale-up domain: the 4 packages of a LUMI-G or Frontier node")
    },
    "intel-max-1550-128gb": {"scale_up_domain": (6, "scale-up domain: the 6 cards of an Aurora node")},
} | {
    f"huawei-ascend-{name}-32gb": {
        "scale_up_domain": (4, "scale-up domain: HCCS joins 4 of a server's 8, PCIe joins the two rings"),
    }
    for name in ("910a", "910-pro-a", "910-premium-a")
}
CORRECTION_SOURCES = {
    "intel-gaudi2": "github:stas00/ml-engineering@744d01e18b79 (2026-08) network/README.md",
    "intel-gaudi3": "docs.habana.ai Network Configuration: 21 scale-up and 3 scale-out ports of 200 Gb/s, 525 GB/s one way",
    "huawei-ascend-910": "gitcode.com/Ascend/mind-cluster component/ascend-for-volcano README: 8 processors, two HCCS of 4",
    "intel-max-1550": "github:argonne-lcf/user-guides@7d04a3f91d5e docs/aurora/node-performance-overview",
    "intel-gaudi1": "mlcommons/training_results system descriptions of Habana: 10x 100Gb/s Ethernet, 7x 100GbE (interconnect)",
    "nvidia-p100-sxm2": "NVIDIA DGX-1 topology: eight Tesla P100 in a hybrid cube mesh",
    "amd-mi250x": "LUMI documentation, hardware, LUMI-G: four MI250X modules a node",
}

# Generation: the name under which rules keep achieved rates. (vendor, architecture or id prefix) -> name.
GENERATIONS = [
    ("nvidia-k80", "nvidia_kepler"),
    ("nvidia-titan-x-maxwell", "nvidia_maxwell"),
    ("nvidia-titan-v", "nvidia_volta"),
    ("nvidia-titan-rtx", "nvidia_turing"),
    ("nvidia-jetson-agx-orin", "nvidia_ampere_gddr"),
    ("nvidia-jetson-agx-thor", "nvidia_blackwell_gddr"),
    ("nvidia-rtx-5000-ada", "nvidia_ada"),
    ("nvidia-rtx-4000-ada", "nvidia_ada"),
    ("amd-mi5", "amd_gcn"),
    ("graphcore-bow", "graphcore_bow"),
    ("graphcore-", "graphcore_ipu"),
    ("cambricon-", "cambricon_mlu"),
    ("hygon-", "hygon_dcu"),
    ("moore-threads-", "moore_threads_musa"),
    ("metax-", "metax_maca"),
    ("biren-", "biren_br"),
    ("iluvatar-", "iluvatar_corex"),
    ("nvidia-gtx-10", "nvidia_pascal"),
    ("nvidia-p100", "nvidia_pascal"),
    ("nvidia-v100", "nvidia_volta"),
    ("nvidia-t4", "nvidia_turing"),
    ("nvidia-quadro-rtx", "nvidia_turing"),
    ("nvidia-rtx-20", "nvidia_turing"),
    ("nvidia-a100", "nvidia_ampere"),
    ("nvidia-a800", "nvidia_ampere"),
    ("nvidia-a30", "nvidia_ampere"),
    ("nvidia-a", "nvidia_ampere_gddr"),
    ("nvidia-rtx-a", "nvidia_ampere_gddr"),
    ("nvidia-rtx-30", "nvidia_ampere_gddr"),
    ("nvidia-l", "nvidia_ada"),
    ("nvidia-rtx-40", "nvidia_ada"),
    ("nvidia-rtx-6000-ada", "nvidia_ada"),
    ("nvidia-h", "nvidia_hopper"),
    ("nvidia-gh", "nvidia_hopper"),
    ("nvidia-b", "nvidia_blackwell"),
    ("nvidia-gb2", "nvidia_blackwell"),
    ("nvidia-gb3", "nvidia_blackwell"),
    ("nvidia-gb10", "nvidia_blackwell_gddr"),
    ("nvidia-rtx-50", "nvidia_blackwell_gddr"),
    ("nvidia-rtx-pro", "nvidia_blackwell_gddr"),
    ("amd-mi1", "amd_cdna"),
    ("amd-mi2", "amd_cdna"),
    ("amd-mi30", "amd_cdna3"),
    ("amd-mi325", "amd_cdna3"),
    ("amd-mi35", "amd_cdna4"),
    ("amd-", "amd_rdna"),
    ("intel-gaudi1", "intel_gaudi1"),
    ("intel-gaudi", "intel_gaudi"),
    ("intel-", "intel_xe"),
    ("huawei-ascend-910a", "huawei_910"),
    ("huawei-", "huawei_910b"),
    ("google-", "google_tpu"),
    ("aws-", "aws_trainium"),
    ("apple-", "apple_gpu"),
    ("cerebras-wse2", "cerebras_wse2"),
    ("cerebras-wse3", "cerebras_wse3"),
    ("cerebras-", "cerebras_wse"),
]

# PCI ids of the product names: NVIDIA/open-gpu-kernel-modules README.md at commit 015742d3 (device id alone;
# ids that several catalogue products share, or that differ by subsystem only, are left out or listed for both).
PCI_SOURCE = "github:NVIDIA/open-gpu-kernel-modules@015742d3 README.md, table of product names and PCI ids"
PCI_IDS = {
    "nvidia-a100-sxm4-40gb": ["20b0"],
    "nvidia-a100-sxm4-80gb": ["20b2"],
    "nvidia-a100-pcie-80gb": ["20b5"],
    "nvidia-a30-24gb": ["20b7"],
    "nvidia-a100-pcie-40gb": ["20f1"],
    "nvidia-a800-sxm4-80gb": ["20f3"],
    "nvidia-rtx-3090-24gb": ["2204"],
    "nvidia-rtx-a4500-20gb": ["2232"],
    "nvidia-rtx-a5500-24gb": ["2233"],
    "nvidia-rtx-3080-10gb": ["2206", "2216"],
    "nvidia-rtx-a6000-48gb": ["2230"],
    "nvidia-rtx-a5000-24gb": ["2231"],
    "nvidia-a40-48gb": ["2235"],
    "nvidia-a10-24gb": ["2236"],
    "nvidia-a10g-24gb": ["2237"],
    "nvidia-h100-nvl-94gb": ["2321"],
    "nvidia-h800-sxm5-80gb": ["2324"],
    "nvidia-h20-sxm5-96gb": ["2329"],
    "nvidia-h100-sxm5-80gb": ["2330"],
    "nvidia-h100-pcie-80gb": ["2331"],
    "nvidia-h200-sxm-141gb": ["2335"],
    "nvidia-rtx-3070-8gb": ["2484", "2488"],
    "nvidia-rtx-a4000-16gb": ["24b0"],
    "nvidia-rtx-3060-12gb": ["2487", "2503", "2504", "2544"],
    "nvidia-rtx-4090-24gb": ["2684"],
    "nvidia-rtx-6000-ada-48gb": ["26b1"],
    "nvidia-l40-48gb": ["26b5"],
    "nvidia-l40s-48gb": ["26b9"],
    "nvidia-rtx-4080-16gb": ["2704"],
    "nvidia-rtx-4070-ti-super-16gb": ["2705"],
    "nvidia-rtx-4070-12gb": ["2709", "2786"],
    "nvidia-rtx-4060-ti-16gb": ["2805"],
    "nvidia-l4-24gb": ["27b8"],
}

# The network beyond the scale-up link that the usual server gives one package: GB/s in one direction.
NETWORKS = {
    "nvidia-p100-sxm2": (
        6.25,
        "InfiniBand EDR, 4 ports for the 8 GPUs of a DGX-1",
        "NVIDIA DGX-1 user guide: 4 x 100 Gb/s for 8 GPUs",
    ),
    "nvidia-v100-sxm2": (
        6.25,
        "InfiniBand EDR, 4 ports for the 8 GPUs of a DGX-1",
        "NVIDIA DGX-1 user guide: 4 x 100 Gb/s for 8 GPUs",
    ),
    "nvidia-a100-sxm4": (
        25,
        "InfiniBand HDR, one port a GPU",
        "NVIDIA DGX A100 user guide: 8 x 200 Gb/s for 8 GPUs",
    ),
    "nvidia-h100-sxm5": (
        50,
        "InfiniBand NDR, one port a GPU",
        "NVIDIA DGX H100 user guide: 8 x 400 Gb/s for 8 GPUs",
    ),
    "nvidia-h200-sxm": (
        50,
        "InfiniBand NDR, one port a GPU",
        "NVIDIA DGX H200 user guide: 8 x 400 Gb/s for 8 GPUs",
    ),
    "nvidia-b200-sxm": (
        50,
        "InfiniBand NDR, one port a GPU",
        "NVIDIA DGX B200 user guide: 8 x 400 Gb/s for 8 GPUs",
    ),
    "nvidia-b300-sxm": (
        100,
        "InfiniBand XDR, one port a GPU",
        "NVIDIA DGX B300 user guide: 8 x 800 Gb/s for 8 GPUs",
    ),
    "nvidia-gb200": (
        50,
        "InfiniBand NDR, one port a GPU",
        "NVIDIA DGX GB200 user guide: 72 x 400 Gb/s for 72 GPUs",
    ),
    "nvidia-gb300": (
        100,
        "InfiniBand XDR, one port a GPU",
        "NVIDIA DGX GB300 data sheet: 72 x 800 Gb/s for 72 GPUs",
    ),
    "huawei-ascend-910b1": (25, "RoCE, one port a card", "Huawei MindStudio-Modeling device.py"),
    "huawei-ascend-910b2": (25, "RoCE, one port a card", "Huawei MindStudio-Modeling device.py"),
    "huawei-ascend-910b3": (25, "RoCE, one port a card", "Huawei MindStudio-Modeling device.py"),
    "intel-gaudi1": (
        37.5,
        "3 of the 10 ports of 100 GbE on chip",
        "mlcommons/training_results system descriptions of Habana: 10x 100Gb/s Ethernet, 7x 100GbE (interconnect)",
    ),
    "intel-gaudi2": (
        37.5,
        "3 of the 24 ports of 100 GbE on chip",
        "github:stas00/ml-engineering@744d01e18b79 (2026-08) network/README.md",
    ),
    "intel-gaudi3": (
        75,
        "3 of the 24 ports of 200 GbE on chip",
        "github:stas00/ml-engineering@744d01e18b79 (2026-08) network/README.md",
    ),
    "aws-trainium1": (
        6.25,
        "EFA, 800 Gb/s for 16 chips (trn1n: twice that)",
        "aws-neuron/aws-neuron-sdk@81ce03ae neuron-hardware/trn1-arch.rst",
    ),
    "aws-trainium2": (
        25,
        "EFA v3, 3200 Gb/s for 16 chips",
        "github:stas00/ml-engineering@744d01e18b79 (2026-08) network/README.md",
    ),
}

# Streaming multiprocessors, compute units or GPU cores, where a public specification of the chip prints them.
UNITS = {
    "nvidia-p100": (56, "NVIDIA Tesla P100 whitepaper"),
    "nvidia-v100": (80, "NVIDIA Tesla V100 whitepaper"),
    "nvidia-t4": (40, "NVIDIA Turing whitepaper, Tesla T4"),
    "nvidia-a100": (108, "NVIDIA A100 whitepaper"),
    "nvidia-a800": (108, "NVIDIA A100 whitepaper (A800: same chip)"),
    "nvidia-h100-sxm5": (132, "NVIDIA H100 whitepaper"),
    "nvidia-h100-pcie": (114, "NVIDIA H100 whitepaper"),
    "nvidia-h200-sxm": (132, "NVIDIA H100 whitepaper (H200: same chip)"),
    "nvidia-rtx-2080-ti": (68, "NVIDIA Turing whitepaper"),
    "nvidia-rtx-3090-24": (82, "NVIDIA GA102 whitepaper"),
    "nvidia-rtx-4090-24": (128, "NVIDIA Ada whitepaper"),
    "nvidia-rtx-5090-32": (170, "NVIDIA RTX Blackwell whitepaper"),
    "amd-mi300x": (304, "AMD Instinct MI300X data sheet"),
    "amd-mi325x": (304, "AMD Instinct MI325X data sheet"),
    "amd-mi210": (104, "AMD Instinct MI210 data sheet"),
}

# Server cards with GDDR6 whose error correction is on by default and takes a sixteenth (a T4 shows 15 GiB of 16).
ECC = ("nvidia-t4", "nvidia-a10", "nvidia-a40", "nvidia-l4")

# What a collected source was used for (the facts list sources per product, their headings say of what).
USED_FOR = [
    ("compute/accelerator/README", {"peak", "memory", "memory_bandwidth", "tdp"}),
    ("network/README", {"interconnect"}),
    ("throughput.py", {"peak"}),
    ("speed_monitor.py", {"peak"}),
    ("get_peak_flops", {"peak"}),
    ("systems/*.yaml", {"peak", "memory_bandwidth", "interconnect"}),
    ("hand-kept GPU catalogue", {"peak", "memory", "memory_bandwidth", "tdp"}),
    ("open-gpu-kernel-modules", {"aliases"}),
    ("amdgpu.ids", {"aliases"}),
    ("vllm-ascend", {"aliases"}),
    ("tpu_info.py", {"aliases", "peak", "memory_bandwidth"}),
    ("ml_hardware.csv", {"peak", "memory", "memory_bandwidth", "tdp", "release"}),
    ("mlcommons/training_results", {"memory_reported", "interconnect"}),
    ("gpuhunt", {"memory"}),
    ("gpu-pricing", {"price"}),
    ("hardware.ts", {"memory", "msrp"}),
    ("gpu-arch-specs", {"memory", "compute_units"}),
    ("scaling-book", {"peak", "memory_bandwidth", "interconnect"}),
    ("Google Cloud TPU docs", {"peak", "memory", "interconnect"}),
    ("aws-neuron-sdk", {"peak", "memory", "memory_bandwidth", "interconnect"}),
    ("metal-benchmarks", {"peak"}),
    ("Apple newsroom", {"memory_bandwidth"}),
    ("MindStudio", {"peak", "memory", "memory_bandwidth", "interconnect"}),
    ("CSET", {"peak", "memory"}),
    ("whitepaper", {"peak", "memory", "memory_bandwidth", "tdp"}),
    ("datasheet", {"peak", "memory", "memory_bandwidth", "tdp"}),
    ("data sheet", {"peak", "memory", "memory_bandwidth", "tdp"}),
    ("gpu_configs", {"peak", "memory_bandwidth"}),
    ("gpu-price-tracker", {"street"}),
    ("specification table", {"peak", "memory", "memory_bandwidth", "tdp", "release"}),
    ("two RTX 3080 of laptops", {"memory", "memory_bandwidth"}),
    ("ascend-for-volcano", {"interconnect"}),
    ("docs.habana.ai Network", {"interconnect"}),
    ("system descriptions of Habana", {"interconnect"}),
    ("argonne-lcf", {"interconnect"}),
    ("DGX-1 topology", {"interconnect"}),
    ("LUMI documentation", {"interconnect"}),
    ("TechPowerUp", set()),
]
DTYPES = ("fp64", "fp32", "tf32", "fp16", "bf16", "fp8", "fp4", "int8", "fp16_tensor_fp16acc")
NAMES = {
    "nvidia": "NVIDIA",
    "amd": "AMD",
    "intel": "Intel",
    "huawei": "Huawei",
    "google": "Google",
    "aws": "AWS",
    "apple": "Apple",
    "cerebras": "Cerebras",
    "graphcore": "Graphcore",
    "cambricon": "Cambricon",
    "hygon": "Hygon",
    "moore threads": "Moore Threads",
    "metax": "MetaX",
    "biren": "Biren",
    "iluvatar": "Iluvatar",
}

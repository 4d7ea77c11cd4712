"""Machine: what was seen. Probes return plain dicts of this shape; unknown keys are errors."""

from __future__ import annotations

from advisor.schema.base import Fact, Frozen, Notice, Status


class Slurm(Frozen):
    """The Slurm allocation this process runs in, or the signs of a login node."""

    in_allocation: bool = False
    job_id: str = ""
    partition: str = ""
    nodes: int | None = None
    cpus_per_task: int | None = None
    memory_per_node_bytes: int | None = None
    gpus: str = ""  # as Slurm prints it, e.g. "h100:4"
    login_node: Fact[bool] = Fact()  # true: Slurm is here and this is no compute node: do not calibrate


class Host(Frozen):
    """The computer and the operating system as a whole."""

    hostname: Fact[str] = Fact()
    user: Fact[str] = Fact()
    os_name: Fact[str] = Fact()  # "Debian GNU/Linux 12 (bookworm)"
    os_family: Fact[str] = Fact()  # linux, darwin, windows
    kernel: Fact[str] = Fact()
    arch: Fact[str] = Fact()  # x86_64, aarch64, arm64
    product: Fact[str] = Fact()  # DMI product or board name: "DGX H100", "Mac15,9"
    container: Fact[str] = Fact()  # none, docker, podman, kubernetes, lxc, apptainer, …
    vm: Fact[str] = Fact()  # none, kvm, vmware, hyperv, xen, firecracker, gvisor, …
    wsl: Fact[str] = Fact()  # none, 1, 2
    cgroup: Fact[str] = Fact()  # v1, v2, hybrid, none
    slurm: Slurm = Slurm()


class Cache(Frozen):
    """One level of CPU cache: size of one instance, how many threads share it, how many there are."""

    level: int
    kind: str  # data, instruction, unified
    size_bytes: int
    shared_by_threads: int | None = None
    count: int | None = None


class Cpu(Frozen):
    """The processors, and how much of them this process may use."""

    model: Fact[str] = Fact()
    vendor: Fact[str] = Fact()
    sockets: Fact[int] = Fact()
    cores: Fact[int] = Fact()  # physical, all sockets
    threads: Fact[int] = Fact()  # logical, all sockets, online
    threads_per_core: Fact[int] = Fact()  # 2 = SMT on
    performance_cores: Fact[int] = Fact()  # hybrid parts only
    efficiency_cores: Fact[int] = Fact()
    numa_nodes: Fact[int] = Fact()
    caches: Fact[tuple[Cache, ...]] = Fact()
    instruction_sets: Fact[dict[str, bool]] = Fact()  # avx2, avx512f, avx512_bf16, avx512_vnni, amx_tile, …
    clock_reported_hz: Fact[float] = Fact()
    clock_max_hz: Fact[float] = Fact()
    clock_measured_hz: Fact[float] = Fact()  # dependent-add loop; the one to trust in a VM
    affinity_threads: Fact[int] = Fact()
    quota_threads: Fact[float] = Fact()  # cgroup CPU quota; absent when unlimited
    budget_threads: Fact[int] = Fact()  # min(affinity, floor(quota), Slurm), at least 1
    load_average: Fact[float] = Fact()  # 1 minute


class Memory(Frozen):
    """Main memory and the limits on it. `usable_bytes` is the least of them all."""

    total_bytes: Fact[int] = Fact()
    available_bytes: Fact[int] = Fact()
    swap_bytes: Fact[int] = Fact()
    cgroup_limit_bytes: Fact[int] = Fact()
    cgroup_used_bytes: Fact[int] = Fact()
    slurm_limit_bytes: Fact[int] = Fact()
    usable_bytes: Fact[int] = Fact()
    speed_mts: Fact[float] = Fact()
    kind: Fact[str] = Fact()  # DDR5, LPDDR5X, …


class Storage(Frozen):
    """The file system that holds the working folder."""

    path: Fact[str] = Fact()
    mount_point: Fact[str] = Fact()
    filesystem: Fact[str] = Fact()  # ext4, xfs, overlay, nfs4, lustre, tmpfs, …
    device: Fact[str] = Fact()
    kind: Fact[str] = Fact()  # nvme, ssd, hdd, network, memory, virtual
    model: Fact[str] = Fact()
    size_bytes: Fact[int] = Fact()
    free_bytes: Fact[int] = Fact()


class NetworkInterface(Frozen):
    """One network interface; speed is the negotiated line rate of one direction."""

    name: str
    kind: str  # ethernet, wifi, infiniband, virtual, bridge, loopback
    state: str = ""
    driver: str = ""
    speed_bits_per_s: Fact[float] = Fact()
    pci_address: str = ""


class RdmaPort(Frozen):
    """One port of an InfiniBand or RoCE adapter."""

    device: str
    port: int
    link_layer: str  # InfiniBand, Ethernet (= RoCE)
    state: str = ""
    rate_bits_per_s: Fact[float] = Fact()


class Network(Frozen):
    """Interfaces and RDMA ports, as far as this process may see them."""

    interfaces: Fact[tuple[NetworkInterface, ...]] = Fact()
    rdma_ports: Fact[tuple[RdmaPort, ...]] = Fact()


class PcieDevice(Frozen):
    """A display, accelerator, network or storage device on PCIe, and the link it sits on.

    `slot_*` is the least over the upstream bridges: what the slot can give, whatever the card could do.
    """

    address: str
    class_code: str  # "0302"
    vendor_id: str  # "10de"
    device_id: str
    kind: str  # gpu, accelerator, network, storage
    driver: str = ""
    numa_node: Fact[int] = Fact()
    max_speed_gts: Fact[float] = Fact()
    max_width: Fact[int] = Fact()
    current_speed_gts: Fact[float] = Fact()
    current_width: Fact[int] = Fact()
    slot_speed_gts: Fact[float] = Fact()
    slot_width: Fact[int] = Fact()


class MigInstance(Frozen):
    """One MIG instance: its own memory, not its parent's."""

    uuid: Fact[str] = Fact()
    name: Fact[str] = Fact()
    memory_total_bytes: Fact[int] = Fact()
    memory_free_bytes: Fact[int] = Fact()
    compute_slices: Fact[int] = Fact()


class NvLink(Frozen):
    """One NVLink of a device."""

    index: int
    active: Fact[bool] = Fact()
    version: Fact[int] = Fact()
    remote_pci_address: Fact[str] = Fact()
    remote_kind: Fact[str] = Fact()  # gpu, switch, cpu


class GpuProcess(Frozen):
    """A process that holds device memory."""

    pid: int
    name: str = ""
    memory_bytes: int | None = None


class Device(Frozen):
    """One accelerator as its driver tells of it. Never joined on index: on UUID or PCI address."""

    vendor: str  # nvidia, amd, intel, apple, huawei, google
    kind: str = "gpu"  # gpu, npu, tpu
    index: int = 0  # order of the driver's own list
    status: Status = Status.ok  # lost: the others go on without it
    name: Fact[str] = Fact()
    uuid: Fact[str] = Fact()
    serial: Fact[str] = Fact()
    pci_address: Fact[str] = Fact()
    pci_id: Fact[str] = Fact()  # "10de:2335"
    compute_capability: Fact[str] = Fact()  # NVIDIA "9.0"
    architecture: Fact[str] = Fact()  # "gfx942", "Ascend910B3", "Apple M3 Max"
    compute_units: Fact[int] = Fact()  # SMs, CUs, GPU cores, AI cores
    unified_memory: Fact[bool] = Fact()
    memory_total_bytes: Fact[int] = Fact()
    memory_free_bytes: Fact[int] = Fact()
    memory_used_bytes: Fact[int] = Fact()
    clock_hz: Fact[float] = Fact()
    clock_max_hz: Fact[float] = Fact()
    memory_clock_max_hz: Fact[float] = Fact()
    power_w: Fact[float] = Fact()
    power_limit_w: Fact[float] = Fact()  # enforced now
    power_limit_default_w: Fact[float] = Fact()
    power_limit_max_w: Fact[float] = Fact()
    temperature_c: Fact[float] = Fact()
    utilization: Fact[float] = Fact()  # 0..1
    throttle_reasons: Fact[tuple[str, ...]] = Fact()
    pcie_gen_max: Fact[int] = Fact()
    pcie_width_max: Fact[int] = Fact()
    pcie_gen_current: Fact[int] = Fact()
    pcie_width_current: Fact[int] = Fact()
    pcie_slot_gen: Fact[int] = Fact()
    pcie_slot_width: Fact[int] = Fact()
    ecc_enabled: Fact[bool] = Fact()
    ecc_uncorrected: Fact[int] = Fact()
    row_remap_pending: Fact[bool] = Fact()
    row_remap_failed: Fact[bool] = Fact()
    mig_enabled: Fact[bool] = Fact()
    mig_instances: tuple[MigInstance, ...] = ()
    virtual: Fact[str] = Fact()  # none, vgpu, passthrough
    nvlinks: Fact[tuple[NvLink, ...]] = Fact()
    processes: Fact[tuple[GpuProcess, ...]] = Fact()
    framework_name: Fact[str] = Fact()  # "cuda:0" in the framework that sees it, joined on UUID
    accelerator_id: Fact[str] = Fact()  # catalogue entry, by exact match only


class DeviceLink(Frozen):
    """How two devices reach each other: nvlink, pcie switch, host bridge, numa node, system."""

    a: str  # uuid or pci address
    b: str
    kind: str
    count: int | None = None


class Driver(Frozen):
    """A vendor's driver stack."""

    vendor: str
    driver_version: Fact[str] = Fact()
    runtime_version: Fact[str] = Fact()  # CUDA, ROCm, CANN, … that the driver offers
    binding: Fact[str] = Fact()  # "nvidia-ml-py 13.615.71"


class FrameworkDevice(Frozen):
    """A device as a framework sees it."""

    name: str  # "cuda:0"
    device_name: str = ""
    uuid: str = ""
    pci_address: str = ""
    memory_total_bytes: int | None = None
    memory_free_bytes: int | None = None
    integrated: bool | None = None
    compute_capability: str = ""
    compute_units: int | None = None  # SMs, CUs: NVML tells CUDA cores, not these


class Framework(Frozen):
    """torch, tensorflow, jax or mindspore: its build, and what it really sees."""

    name: str
    version: Fact[str] = Fact()
    build: Fact[str] = Fact()  # "cpu", "cuda 13.0", "rocm 6.4", "cann 8.2", "mps"
    sees: Fact[tuple[FrameworkDevice, ...]] = Fact()


class Software(Frozen):
    """What can train here: the Python asked for, its frameworks and the packages that matter."""

    python: Fact[str] = Fact()  # executable
    python_version: Fact[str] = Fact()
    environment: str = "this"  # or the path given with --python
    frameworks: tuple[Framework, ...] = ()
    packages: Fact[dict[str, str]] = Fact()  # name -> version


class Skipped(Frozen):
    """A probe that gave nothing, why, and what to do about it."""

    probe: str
    status: Status
    reason: str
    hint: str = ""


class Machine(Frozen):
    """Everything that was seen, each fact with its source."""

    probed_at: str  # ISO 8601, UTC
    host: Host = Host()
    cpu: Cpu = Cpu()
    memory: Memory = Memory()
    storage: Storage = Storage()
    network: Network = Network()
    pcie: Fact[tuple[PcieDevice, ...]] = Fact()
    devices: tuple[Device, ...] = ()
    device_links: tuple[DeviceLink, ...] = ()
    drivers: tuple[Driver, ...] = ()
    software: Software = Software()
    skipped: tuple[Skipped, ...] = ()
    notices: tuple[Notice, ...] = ()
    seconds: dict[str, float] = {}  # wall time each probe took

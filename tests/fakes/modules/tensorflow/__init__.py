"""A TensorFlow with one GPU, or one that dies while it loads (FAKE_TF=crash)."""

import os
import signal
import types

if os.environ.get("FAKE_TF") == "crash":
    os.kill(os.getpid(), signal.SIGSEGV)
__version__ = "2.18.0"
_gpu = types.SimpleNamespace(name="/physical_device:GPU:0", device_type="GPU")
_cpu = types.SimpleNamespace(name="/physical_device:CPU:0", device_type="CPU")
config = types.SimpleNamespace(
    list_physical_devices=lambda: [_cpu, _gpu],
    experimental=types.SimpleNamespace(
        get_device_details=lambda d: {"device_name": "NVIDIA H100", "compute_capability": (9, 0)}
    ),
)
sysconfig = types.SimpleNamespace(get_build_info=lambda: {"cuda_version": "12.5.1", "is_cuda_build": True})

"""A MindSpore on two Ascend chips."""

import types

__version__ = "2.6.0"
hal = types.SimpleNamespace(
    is_available=lambda target: target == "Ascend",
    device_count=lambda target: 2 if target == "Ascend" else 0,
    get_device_properties=lambda index, target: types.SimpleNamespace(
        name="Ascend910B3", total_memory=65452113920, free_memory=65000000000
    ),
)

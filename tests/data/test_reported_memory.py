"""What a driver shows of a device's memory is nobody's file alone: it says where it was read."""

from __future__ import annotations

from advisor.data.catalogue import load_catalogue


def test_memory_as_reported_names_its_source_whole():
    found = {}
    for entry in load_catalogue().accelerators.values():
        if entry.memory_reported_bytes is not None:
            found[entry.id] = entry.source_of("memory_reported")
    assert len(found) > 8
    assert not [name for name, source in found.items() if source.endswith(".toml")]


def test_sources_are_told_whole():
    entry = load_catalogue().accelerators["nvidia-h100-sxm5-80gb"]
    cited = [entry.sources[key] for key in entry.cites["peak"]]
    assert len(cited) > 2 and entry.source_of("peak") == "; ".join(cited)

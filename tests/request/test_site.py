"""A site's file: read whole, or refused with file, key and value."""

from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from advisor.errors import DataError
from advisor.request import load_site, site_of


@pytest.mark.parametrize(
    ("body", "words"),
    [
        ('acount = "x"', "acount"),
        ('account = "a b; rm -rf /"', "account"),
        ('chain = "loop"', "chain"),
        ('setup = ["a\\nb"]', "setup"),
        ("[[node]]\ngpus = 8", "node.name"),
        ('[[node]]\nname = "n"\ngpus = 0', "node.gpus"),
        ('[[node]]\nname = "n"\nmemory = "lots"', "node.memory"),
        ('[[node]]\nname = "n"\nmemory = 64', "node.memory"),
        ('[[node]]\nname = "n"\ngres = "gpu; x"', "node.gres"),
        ('[[node]]\nname = "n"\nconstraint = "a; b"', "node.constraint"),
        ('[[node]]\nname = "n"\nconstraint = "a\\nb"', "node.constraint"),
        ('[[node]]\nname = "n"\nnode_selector = { a = 1 }', "node.node_selector"),
        ('[[partition]]\nname = "p"\nmax_wall = "2 TB"', "partition.max_wall"),
        ('[[partition]]\nname = "p"\nnodes = ["m"]', "no \\[\\[node\\]\\]"),
        ('[[partition]]\nname = "p"\nmax_wall = "0:00"', "partition.max_wall"),
        ('[[partition]]\nname = "p"\nmax_wall = "36:99:00"', "partition.max_wall"),
        ('[[partition]]\nname = "p"\nmax_wall = "90"', "Slurm counts minutes"),
        ('partition = "p"', "partition"),
        ("[kubernetes]\nnode_selector = 3", "kubernetes.node_selector"),
        ('[skypilot]\nregion = "x"', "skypilot.region"),
        ('[kubernetes]\nimage = "file:///etc/passwd"', "kubernetes.image"),
        ('[skypilot]\nimage = "/etc/passwd"', "skypilot.image"),
        ('[skypilot]\nbucket = "file:///etc"', "skypilot.bucket"),
        ('[skypilot]\nbucket = "s3://../x"', "skypilot.bucket"),
        ('[kubernetes]\ntolerations = ["gpu"]', "kubernetes.tolerations"),
        ('[[kubernetes.tolerations]]\neffect = "Never"', "kubernetes.tolerations.effect"),
        ('[[kubernetes.tolerations]]\nkey = "a"\nwhy = "b"', "kubernetes.tolerations.why"),
        ('[[kubernetes.tolerations]]\neffect = "NoSchedule"', "has no key"),
        ("name = 'x", "not valid TOML"),
    ],
)
def test_what_is_wrong_is_named(tmp_path: Path, body: str, words: str):
    path = tmp_path / "site.toml"
    path.write_text(body)
    with pytest.raises(DataError, match=words) as error:
        load_site(path)
    assert "site.toml" in error.value.message


def test_images_and_buckets_of_all_kinds_are_taken():
    for bucket in ("s3://mine", "gs://mine/run_1/", "https://me.blob.core.windows.net/mine"):
        site_of(
            Path("site.toml"),
            {"skypilot": {"bucket": bucket, "image": "docker:nvcr.io/nvidia/pytorch:25.10"}},
        )
    site_of(Path("site.toml"), {"kubernetes": {"image": "localhost:5000/a_b/c@sha256:" + "a" * 64}})


@pytest.mark.parametrize(
    ("text", "seconds"),
    [
        ("30:00", 1800),
        ("36:00:00", 129600),
        ("1-12", 129600),
        ("1-12:30", 131400),
        ("1-12:00:00", 129600),
        ("2 days", 172800),
        ("infinite", None),
        ("UNLIMITED", None),
    ],
)
def test_limits_are_read_as_sinfo_prints_them(text: str, seconds: float | None):
    raw = {"partition": [{"name": "p", "max_wall": text}], "kubernetes": {"max_wall": text}}
    site = site_of(Path("site.toml"), raw)
    assert (site.partitions[0].max_wall_s, site.kubernetes["max_wall_s"]) == (seconds, seconds)


VALUES = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(max_size=20),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=10), inner, max_size=3),
)
KEYS = st.sampled_from(
    ["name", "account", "qos", "folder", "chain", "setup", "node", "partition", "kubernetes", "skypilot"]
)


@given(st.dictionaries(KEYS, VALUES, max_size=4))
def test_any_table_is_a_site_or_an_error_in_words(raw):
    try:
        site_of(Path("site.toml"), raw)
    except DataError as error:
        assert "site.toml" in error.message

"""Files given with --workload: any content gives flags or one line that names file, key and value."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from advisor.cli.estimate import _read, estimate
from advisor.cli.recipe import DETAILS
from advisor.errors import UserError

KNOWN = tuple(option.name for option in estimate.params if option.name)
SCALARS = st.one_of(st.booleans(), st.integers(-(2**70), 2**70), st.floats(), st.text(max_size=20))
KEYS = st.sampled_from([*KNOWN, *(name.replace("_", "-") for name in KNOWN)]) | st.text(max_size=9)


def toml(value: object) -> str:
    if isinstance(value, bool):
        return str(value).lower()
    return json.dumps(value) if isinstance(value, str) else repr(value)


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None)
@given(job=st.dictionaries(KEYS, SCALARS | st.lists(SCALARS, max_size=2), max_size=6))
def test_any_keys_and_values(tmp_path: Path, job: dict[str, object]) -> None:
    path = tmp_path / "job.toml"
    lines = [f"{json.dumps(key)} = {toml(value)}" for key, value in job.items()]
    path.write_bytes("\n".join(lines).encode("utf-8", "surrogatepass"))
    try:
        found = _read(path, KNOWN)
    except UserError as error:
        assert "job.toml" in error.message
        assert len(error.message) < 400
        return
    assert set(found) <= set(KNOWN)
    assert all(isinstance(value, (str, bool)) for value in found.values())


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None)
@given(content=st.binary(max_size=200) | st.text(alphabet='[]{}="\n.a1#,', max_size=100).map(str.encode))
def test_any_file(tmp_path: Path, content: bytes) -> None:
    path = tmp_path / "job.toml"
    path.write_bytes(content)
    try:
        _read(path, KNOWN)
    except UserError as error:
        assert "job.toml" in error.message


@pytest.mark.parametrize(
    ("content", "words"),
    [
        (b"x" * 200_000, "larger than"),
        (b"model = " + b"[" * 5000, "nested too deeply"),
        (b"model = 1" + b"0" * 5000, "absurd number"),
        (b"a" + b".a" * 49_000 + b" = 1", "more than 200 dots"),
        (b"\xff\xfe", "UTF-8"),
        (b"[model]\nname = 1", "is no text or number"),
        (b'modell = "x"', "is no known flag"),
        (b'ema = ["1"]', "is no text or number"),
    ],
)
def test_files_that_are_no_workload(tmp_path: Path, content: bytes, words: str) -> None:
    path = tmp_path / "job.toml"
    path.write_bytes(content)
    with pytest.raises(UserError) as caught:
        _read(path, KNOWN)
    assert words in caught.value.message


def test_every_detail_of_a_recipe_is_a_key(tmp_path: Path) -> None:
    path = tmp_path / "job.toml"
    path.write_text("".join(f"{name.replace('_', '-')} = 1\n" for name in DETAILS), encoding="utf-8")
    assert _read(path, KNOWN) == dict.fromkeys(DETAILS, "1")

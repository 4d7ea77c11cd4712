"""The sampler's process runs nothing of the folder that the user happens to be in."""

from __future__ import annotations

import subprocess

from advisor.calibrate.sampler import isolated_command


def test_a_json_py_in_the_working_folder_is_not_run(tmp_path, monkeypatch):
    (tmp_path / "json.py").write_text("open('ran', 'w').close()\nraise SystemExit(9)\n")
    monkeypatch.chdir(tmp_path)
    monkeypatch.syspath_prepend(str(tmp_path))
    command = [part.replace("main; main()", "run; print(run.__name__)") for part in isolated_command()]
    done = subprocess.run(command, capture_output=True, check=False, timeout=30)
    assert done.stdout.strip() == b"run", done.stderr
    assert not (tmp_path / "ran").exists()

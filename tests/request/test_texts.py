"""The texts for schedulers: read by their own readers, whatever names are in them."""

from __future__ import annotations

import json
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
import yaml
from hypothesis import given, settings
from hypothesis import strategies as st

sys.path.insert(0, str(Path(__file__).parent))
import made

from advisor.errors import DataError, UserError
from advisor.request import SCHEDULERS, Options, build, pick, site_of, words, write
from advisor.request.check import check, check_bash, check_directives, check_yaml
from advisor.request.quote import clock, job_name, remark
from advisor.request.yaml import documents

HOSTILE = "x'; touch /tmp/pwned; $(reboot) `id` \"\n#SBATCH --uid=0\n---\nkind: Pod \u202e<script>"
ANY = st.text(max_size=80)


def job(advice=None, site=None, options=None, **changes):
    held = advice or made.advice()
    return build(
        pick(held), site_of(Path("site.toml"), site or {}), options or Options(), held.calibration, **changes
    )


def directives(text: str) -> dict[str, str]:
    found = [line.removeprefix("#SBATCH --") for line in text.splitlines() if line.startswith("#SBATCH")]
    return dict(line.partition("=")[::2] for line in found)


def test_slurm_says_what_the_job_needs():
    asked = job()
    files, left = write(asked, "slurm")
    assert list(files) == ["job.sbatch"] and left == []
    told = directives(files["job.sbatch"])
    assert told["nodes"] == "2" and told["gres"] == "gpu:8" and told["ntasks-per-node"] == "1"
    assert told["time"] == clock(asked.wall_s) == "3-07:12:00"
    assert told["mem"] == f"{asked.memory_gib}G" and told["cpus-per-task"] == str(8 * asked.cpus_per_gpu)
    assert "array" not in told and "requeue" in told and told["signal"].startswith("B:USR1@")
    assert "torchrun" in files["job.sbatch"] and "--nproc-per-node=8" in files["job.sbatch"]


@pytest.mark.parametrize("chain", ["array", "dependency"])
def test_a_long_run_becomes_a_chain(chain):
    files, _ = write(job(site={"chain": chain}, wall_limit_s=made.DAY), "slurm")
    told = directives(files["job.sbatch"])
    assert told["time"] == "1-00:00:00"
    if chain == "array":
        assert re.fullmatch(r"1-[45]%1", told["array"]) and list(files) == ["job.sbatch"]
    else:
        assert "array" not in told and '--dependency="afterany:$job"' in files["submit.sh"]


def bash_words(line: str) -> list[str]:
    """The words that bash makes of a line; $HOME is left alone."""
    line = line.replace("${HOME}", "'$HOME'").replace('"$SLURM_', '"x$SLURM_')
    script = f"printf '%s\\0' {line}"
    done = subprocess.run(["bash", "-c", script], capture_output=True, check=True, env={"LC_ALL": "C"})
    return done.stdout.decode("utf-8").split("\0")[:-1]


FOLDER = job().folder
OF_SLURM = {"SLURM_JOB_ID": "7", "SLURM_NNODES": "2", "SLURM_JOB_NODELIST": "n[1-2]"}
OF_SKYPILOT = {"SKYPILOT_NODE_RANK": "0", "SKYPILOT_NUM_NODES": "1", "SKYPILOT_NUM_GPUS_PER_NODE": "8",
               "SKYPILOT_NODE_IPS": "10.0.0.1", "CHECKPOINTS": FOLDER}  # fmt: skip


def script_of(scheduler: str, site: dict | None = None) -> str:
    text = next(iter(write(job(site=site, scheduler=scheduler), scheduler)[0].values()))
    return yaml.safe_load(text)["run"] if scheduler == "skypilot" else text


def run_script(
    tmp_path: Path,
    training: str,
    *,
    stop_s: float = 0,
    scheduler: str = "slurm",
    site: dict | None = None,
    edit: tuple[str, str] = ("", ""),
) -> tuple[int, Path, str]:
    """The script with stand-ins for srun and scontrol; `training` is what srun runs. Minutes pass at once."""
    tools = tmp_path / "bin"
    tools.mkdir(exist_ok=True)
    for name in ("srun", "torchrun"):
        (tools / name).write_text(f"#!/bin/bash\n{training}\n")
    (tools / "sleep").write_text(f"#!/bin/bash\nexec {shutil.which('sleep')} 0.05\n")
    (tools / "scontrol").write_text('#!/bin/bash\necho "$@" >> scontrol.log\n')
    for tool in tools.iterdir():
        tool.chmod(0o755)
    (tmp_path / "job.sbatch").write_text(script_of(scheduler, site).replace(*edit, 1))
    process = subprocess.Popen(
        ["bash", "job.sbatch"], cwd=tmp_path,
        env={"PATH": f"{tools}:/usr/bin:/bin", **(OF_SLURM if scheduler == "slurm" else OF_SKYPILOT)},
        stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True,
    )  # fmt: skip
    if stop_s:
        ready = tmp_path / FOLDER / "running"
        for _ in range(200):
            if ready.exists():
                break
            subprocess.run(["sleep", "0.05"], check=True)
        process.send_signal(10)  # SIGUSR1, as Slurm sends it
    out = process.communicate(timeout=20)[0]
    return process.returncode, tmp_path / FOLDER, out


def test_a_run_that_ends_is_not_started_again(tmp_path):
    code, folder, _ = run_script(tmp_path, "echo trained >> trained; exit 0")
    assert code == 0 and (folder / "done").exists()
    code, _, _ = run_script(tmp_path, "echo trained >> trained; exit 0")
    assert code == 0 and (tmp_path / "trained").read_text().count("trained") == 1


def test_a_run_that_fails_says_so_and_is_not_done(tmp_path):
    code, folder, _ = run_script(tmp_path, "exit 3")
    assert code == 3 and not (folder / "done").exists()


def test_a_signal_lets_the_run_save_and_go_on_later(tmp_path):
    waits = 'touch "$CHECKPOINTS/running"; while [[ ! -e "$STOP" ]]; do sleep 0.05; done; '
    training = waits + 'touch "$CHECKPOINTS/saved"'
    code, folder, said = run_script(tmp_path, training, stop_s=1)
    assert code == 75 and (folder / "saved").exists() and not (folder / "done").exists()
    assert "ask for more time" in said


@pytest.mark.parametrize("scheduler", ["slurm", "skypilot"])
def test_restarts_take_no_more_than_was_asked_for(tmp_path, scheduler):
    asked = job(scheduler=scheduler)
    folder = tmp_path / FOLDER
    folder.mkdir(parents=True)
    total, lead = int(asked.total_s), round(asked.lead_s)
    # a second before the run must save: it is told to, and ends as one that did not get through
    (folder / "spent").write_text(f"{total - lead - 1}\n")
    waits = 'while [[ ! -e "$STOP" ]]; do sleep 1; done; touch "$CHECKPOINTS/saved"'
    code, _, said = run_script(tmp_path, waits, scheduler=scheduler)
    assert code == 75 and (folder / "saved").exists() and "ask for more time" in said
    assert total - lead <= int((folder / "spent").read_text()) < total
    # whoever starts it again gets nothing
    code, _, said = run_script(tmp_path, 'touch "$CHECKPOINTS/again"', scheduler=scheduler)
    assert code == 75 and not (folder / "again").exists() and "is spent" in said


@pytest.mark.parametrize("scheduler", ["slurm", "skypilot"])
def test_a_program_that_does_not_listen_is_ended(tmp_path, scheduler):
    later = f"set -u\nSECONDS={int(job().total_s)}\n"  # all of the time has passed
    code, folder, _ = run_script(
        tmp_path, "while :; do sleep 1; done", scheduler=scheduler, edit=("set -u\n", later)
    )
    assert code == 128 + 15 and not (folder / "done").exists()


def test_nothing_starts_itself_again():
    assert "scontrol requeue" not in script_of("slurm")
    task = yaml.safe_load(write(job(scheduler="skypilot"), "skypilot")[0]["sky.yaml"])
    assert task["resources"]["job_recovery"]["max_restarts_on_errors"] == 0
    assert "Without a bucket" in " ".join(job(scheduler="skypilot").notes)
    assert (
        "if no machine is lost 1,267 GPU-hours" in write(job(scheduler="skypilot"), "skypilot")[0]["sky.yaml"]
    )
    bucket = {"skypilot": {"bucket": "s3://mine"}}
    held = job(scheduler="skypilot", site=bucket)
    assert "Without a bucket" not in " ".join(held.notes)
    assert "with all restarts 1,267 GPU-hours" in write(held, "skypilot")[0]["sky.yaml"]


@pytest.mark.parametrize("scheduler", ["slurm", "skypilot"])
def test_a_site_s_lines_may_read_what_nobody_set(tmp_path, scheduler):
    lines = ['echo "was: $CONDA_NEVER_SET"']
    site = {"setup": lines} if scheduler == "slurm" else {"skypilot": {"setup": lines}}
    code, folder, said = run_script(tmp_path, "echo trained", scheduler=scheduler, site=site)
    assert code == 0 and "was: \n" in said and (folder / "done").exists()


def test_modules_of_a_cluster_are_not_loaded_on_rented_machines():
    assert "module load x" in script_of("slurm", {"setup": ["module load x"]})
    assert "module load x" not in script_of("skypilot", {"setup": ["module load x"]})


def test_skypilot_starts_a_process_for_each_device_of_a_chip():
    held = made.advice(estimate=made.estimate(32, accelerator="aws-trainium1", each=2))
    task = yaml.safe_load(write(job(held, scheduler="skypilot"), "skypilot")[0]["sky.yaml"])
    assert task["resources"]["accelerators"] == "Trainium:16" and "--nproc-per-node=32" in task["run"]


def test_jobs_on_one_node_do_not_meet():
    text = script_of("slurm")
    assert (
        "29500" not in text
        and "port=$((20000 + SLURM_JOB_ID % 10000))" in text
        and '$head_node:$port"' in text
    )


def test_what_is_asked_for_is_told_as_it_is_billed():
    text = write(job(wall_limit_s=made.DAY), "slurm")[0]["job.sbatch"]
    assert "# asked for: 4 days in 4 jobs of 24 h; with all restarts 1,536 GPU-hours at most" in text


TRAINIUM = made.advice(estimate=made.estimate(128, accelerator="aws-trainium2", each=8))
MI250X = made.advice(estimate=made.estimate(16, accelerator="amd-mi250x-128gb", each=2))


def test_chips_of_several_devices_are_counted_as_their_schedulers_count_them():
    asked = job(TRAINIUM)
    told = directives(write(asked, "slurm")[0]["job.sbatch"])
    assert (told["nodes"], told["gres"]) == ("1", "neuron:16")
    assert int(told["cpus-per-task"]) <= 192, "a trn2.48xlarge has no more"
    text = write(asked, "slurm")[0]["job.sbatch"]
    assert "on 16 x Made-up aws-trainium2 (128 devices)" in text and "--nproc-per-node=128" in text
    assert "1,267 accelerator hours at most" in text and "export NEURON_LOGICAL_NC_CONFIG=1\nsrun" in text
    pairs = made.advice(estimate=made.estimate(64, accelerator="aws-trainium2", each=4))
    assert "export NEURON_LOGICAL_NC_CONFIG=2\n" in write(job(pairs), "slurm")[0]["job.sbatch"]
    pod = list(yaml.safe_load_all(write(job(TRAINIUM, scheduler="k8s"), "k8s")[0]["job.yaml"]))[-1]
    limits = pod["spec"]["template"]["spec"]["containers"][0]["resources"]["limits"]
    assert limits["aws.amazon.com/neuron"] == "16" and int(limits["cpu"]) <= 190
    told = pod["spec"]["template"]["spec"]["containers"][0]["env"]
    assert {"name": "NEURON_LOGICAL_NC_CONFIG", "value": "1"} in told
    two = made.advice(estimate=made.estimate(256, accelerator="aws-trainium2", each=8))
    assert directives(write(job(two), "slurm")[0]["job.sbatch"])["nodes"] == "2"
    # AMD's two dies are two GPUs to Slurm and Kubernetes, and one to who pays
    told = directives(write(job(MI250X), "slurm")[0]["job.sbatch"])
    assert (told["nodes"], told["gres"]) == ("2", "gpu:8") and job(MI250X).choice.count == 8


def test_comments_on_chips_of_several_devices_have_chinese():
    from advisor.render.comments import commented

    text = commented(write(job(TRAINIUM), "slurm")[0], "zh")["job.sbatch"]
    remarks = [line for line in text.splitlines() if line.startswith("# ") and "layout" not in line]
    english = [line for line in remarks if re.search(r"devices\)|accelerator hours|Each core", line)]
    assert not english and "（共 128 个设备）" in text


def test_what_a_site_or_a_flag_counts_is_what_its_scheduler_counts():
    node = {"name": "t", "accelerator": "aws-trainium2", "gpus": 16, "cpus": 192, "gres": "neuron:trn2"}
    told = directives(write(job(TRAINIUM, {"node": [node]}), "slurm")[0]["job.sbatch"])
    assert (told["gres"], told["mem"], told["cpus-per-task"]) == ("neuron:trn2:16", "0", "128")
    told = directives(write(job(TRAINIUM, options=Options(gpus_per_node=4)), "slurm")[0]["job.sbatch"])
    assert (told["nodes"], told["gres"]) == ("4", "neuron:4")


def test_slurm_gives_all_memory_of_nodes_taken_whole():
    node = {"name": "n", "accelerator": made.H100, "gpus": 8, "cpus": 96, "memory": "1 TB"}
    told = directives(write(job(site={"node": [node]}), "slurm")[0]["job.sbatch"])
    assert told["mem"] == "0" and told["cpus-per-task"] == "96"
    few = made.advice(estimate=made.estimate(4))
    told = directives(write(job(few, {"node": [node]}), "slurm")[0]["job.sbatch"])
    assert re.fullmatch(r"\d+G", told["mem"]) and told["mem"] != "0G"


def test_kubernetes_tells_of_one_job_and_puts_up_with_taints():
    taint = {"key": "nvidia.com/gpu", "operator": "Exists", "effect": "NoSchedule"}
    site = {"kubernetes": {"max_wall": "1 day", "tolerations": [taint]}}
    asked = job(site=site, scheduler="k8s")
    text = write(asked, "k8s")[0]["job.yaml"]
    assert "4 jobs" not in text and "one Job, whose pods are started 4 times" in text
    found = {d["kind"]: d for d in yaml.safe_load_all(text)}
    assert found["Job"]["spec"]["template"]["spec"]["tolerations"] == [taint]
    deadline = found["Job"]["spec"]["activeDeadlineSeconds"]
    assert deadline + asked.lead_s <= asked.total_s < deadline + asked.lead_s + 2
    assert found["Job"]["metadata"]["name"] == asked.run


def test_kubernetes_over_several_nodes_is_indexed_with_a_service():
    found = {d["kind"]: d for d in yaml.safe_load_all(write(job(), "k8s")[0]["job.yaml"])}
    assert set(found) == {"PersistentVolumeClaim", "Job", "Service"}
    spec = found["Job"]["spec"]
    assert spec["completionMode"] == "Indexed" and spec["completions"] == spec["parallelism"] == 2
    pod = spec["template"]["spec"]
    assert pod["subdomain"] == found["Service"]["metadata"]["name"]
    assert pod["containers"][0]["resources"]["limits"]["nvidia.com/gpu"] == "8"
    assert found["Service"]["spec"]["clusterIP"] == "None"


def test_kubernetes_on_one_node_and_as_pytorchjob():
    one = [
        d["kind"]
        for d in yaml.safe_load_all(write(job(made.advice(estimate=made.estimate(8))), "k8s")[0]["job.yaml"])
    ]
    assert one == ["PersistentVolumeClaim", "Job"]
    several = list(yaml.safe_load_all(write(job(), "k8s", kind="pytorchjob")[0]["job.yaml"]))
    replicas = several[1]["spec"]["pytorchReplicaSpecs"]
    assert several[1]["kind"] == "PyTorchJob" and replicas["Worker"]["replicas"] == 1
    assert replicas["Master"]["template"]["spec"]["containers"][0]["name"] == "pytorch"


def test_skypilot_names_the_accelerator_its_own_way():
    task = yaml.safe_load(write(job(), "skypilot")[0]["sky.yaml"])
    assert task["resources"]["accelerators"] == "H100:8" and task["num_nodes"] == 2
    unknown = made.advice(estimate=made.estimate(accelerator="nvidia-k80-24gb"))
    with pytest.raises(UserError, match="SkyPilot's name"):
        write(job(unknown), "skypilot")
    named = write(job(unknown, site={"skypilot": {"accelerator": "K80"}}), "skypilot")[0]["sky.yaml"]
    assert yaml.safe_load(named)["resources"]["accelerators"] == "K80:8"


def test_kubernetes_asks_for_the_nodes_of_the_shape_and_takes_a_claim_that_is_there():
    node = {"name": "n", "accelerator": made.H100, "gpus": 8, "node_selector": {"gpu": "h100"}}
    site = {"node": [node], "kubernetes": {"node_selector": {"gpu": "any"}, "claim": "shared"}}
    text = write(job(site=site, scheduler="k8s"), "k8s")[0]["job.yaml"]
    found = list(yaml.safe_load_all(text))
    assert [one["kind"] for one in found] == ["Job", "Service"]
    pod = found[0]["spec"]["template"]["spec"]
    assert pod["nodeSelector"] == {"gpu": "h100"}
    assert pod["volumes"][0]["persistentVolumeClaim"] == {"claimName": "shared"}
    assert "The claim shared must be there" in text
    del node["node_selector"], site["kubernetes"]["claim"]
    found = list(yaml.safe_load_all(write(job(site=site, scheduler="k8s"), "k8s")[0]["job.yaml"]))
    assert [one["kind"] for one in found] == ["PersistentVolumeClaim", "Job", "Service"]
    assert found[1]["spec"]["template"]["spec"]["nodeSelector"] == {"gpu": "any"}


@pytest.mark.parametrize("scheduler", list(SCHEDULERS))
def test_a_site_gives_the_same_texts_however_its_keys_are_ordered(scheduler):
    """The record that rides in the page sorts them, and the page is made again from it."""
    site = {
        "setup": ["module load b", "module load a"],
        "node": [{"name": "n", "gpus": 8, "accelerator": made.H100, "node_selector": {"z": "1", "a": "2"}}],
        "partition": [{"name": "p", "nodes": ["n"], "max_wall": "1 day"}],
        "kubernetes": {"tolerations": [{"operator": "Exists", "key": "b", "effect": "NoSchedule"}],
                       "queue": "q", "namespace": "n"},
        "skypilot": {"use_spot": True, "bucket": "s3://mine", "infra": "aws"},
    }  # fmt: skip
    again = json.loads(json.dumps(site, sort_keys=True))
    first, second = (write(job(site=one, scheduler=scheduler), scheduler)[0] for one in (site, again))
    assert first == second


def test_a_constraint_is_written_as_slurm_joins_features():
    node = {"name": "n", "accelerator": made.H100, "gpus": 8, "constraint": "[h100*2&ib|nvl]"}
    told = directives(write(job(site={"node": [node]}), "slurm")[0]["job.sbatch"])
    assert told["constraint"] == "[h100*2&ib|nvl]"


def test_skypilot_takes_tpus_as_one_slice():
    """Hosts asked for as nodes of their own would have no links between them."""
    for count, slice_ in ((4, "tpu-v5p-8"), (16, "tpu-v5p-32")):
        held = made.advice(estimate=made.estimate(count, accelerator="google-tpu-v5p"))
        task = yaml.safe_load(write(job(held, scheduler="skypilot"), "skypilot")[0]["sky.yaml"])
        assert (task["resources"]["accelerators"], task["num_nodes"]) == (slice_, 1)
    named = {"skypilot": {"accelerator": "tpu-v5litepod-16"}}
    task = yaml.safe_load(write(job(held, named, scheduler="skypilot"), "skypilot")[0]["sky.yaml"])
    assert (task["resources"]["accelerators"], task["num_nodes"]) == ("tpu-v5litepod-16", 1)


@pytest.mark.parametrize("scheduler", list(SCHEDULERS))
def test_hostile_names_stay_text(scheduler, tmp_path):
    held = made.advice(made.workload(model=HOSTILE))
    work = held.workloads[0].model_copy(update={"title": HOSTILE})
    accelerator = held.accelerators[0].model_copy(update={"title": HOSTILE})
    held = held.model_copy(update={"workloads": (work,), "accelerators": (accelerator,)})
    options = Options(
        name=HOSTILE, command=("train.py", HOSTILE), folder=HOSTILE.replace("\n", " "), image="a/b:c"
    )
    files, _ = write(job(held, options=options), scheduler)
    text = next(iter(files.values()))
    if scheduler == "slurm":
        assert "uid" not in directives(text) and directives(text)["job-name"] == job_name(HOSTILE)
        assert "\\x0a#SBATCH --uid=0" in text and "\\xe2\\x80\\xae<script>" in text
    else:
        assert [d.get("kind") for d in yaml.safe_load_all(text)] != ["Pod"] and "kind: Pod" not in [
            line for line in text.splitlines() if not line.startswith((" ", "#"))
        ]
    assert not [line for line in text.splitlines() if line.startswith("#") and "\u202e" in line]


@settings(max_examples=40, deadline=None)
@given(ANY, st.lists(ANY.filter(lambda s: "\0" not in s), min_size=1, max_size=3))
def test_any_command_reaches_the_program_as_it_was_typed(name, command):
    text = write(job(options=Options(name=name, command=tuple(command))), "slurm")[0]["job.sbatch"]
    launched = text[text.index("srun ") : text.index(" &\nprocess=")]
    assert bash_words(launched.replace("\\\n", " "))[-len(command) :] == command


@settings(max_examples=80, deadline=None)
@given(
    st.recursive(
        ANY | st.integers() | st.booleans(), lambda inner: st.lists(inner) | st.dictionaries(ANY, inner)
    )
)
def test_yaml_reads_back_as_it_was(value):
    assert list(yaml.safe_load_all(documents([{"a": value}]))) == [{"a": value}]


@pytest.mark.parametrize(
    "word", ["1e3", "no", "0o17", "12:30", "null", "~", "y", "=", "0x1F", "1_000", ".inf", "2026-11-20"]
)
def test_words_that_some_readers_take_for_something_else_are_quoted(word):
    assert f'"{word}"' in documents([{"a": word}])


@given(ANY)
def test_any_name_becomes_one_that_every_scheduler_takes(name):
    assert re.fullmatch(r"[a-z]([a-z0-9-]{0,46}[a-z0-9])?", job_name(name))
    assert "\n" not in remark(name) and "\r" not in remark(name)


def test_clock_rounds_up():
    assert [clock(s) for s in (1, 60, 61, 86399, 86400, 90061)] == [
        "0-00:01:00", "0-00:01:00", "0-00:02:00", "1-00:00:00", "1-00:00:00", "1-01:02:00",
    ]  # fmt: skip


@pytest.mark.parametrize(
    ("text", "words_"),
    [
        ("#!/bin/bash\n#SBATCH --partitoin=gpu\n", "line 2: no directive --partitoin"),
        ("#!/bin/bash\n#SBATCH --nodes=two\n", "not of the right shape"),
        ("#!/bin/bash\n#SBATCH --nodes=0\n", "not of the right shape"),
        ("#!/bin/bash\necho\n#SBATCH --nodes=2\n", "after a command"),
        ("#!/bin/bash\n#SBATCH nodes=2\n", "is no directive"),
        ("#!/bin/bash\n#SBATCH --time=2 days\n", "not of the right shape"),
    ],
)
def test_wrong_directives_are_refused(text, words_):
    with pytest.raises(DataError, match=words_):
        check_directives("job.sbatch", text)


def test_short_and_long_directives_are_read():
    check_directives(
        "job.sbatch", "#!/bin/bash\n#SBATCH -N 2 \n#SBATCH --time 2-00:00:00\n\n# x\n#SBATCH --requeue\n"
    )


def test_a_script_that_bash_cannot_read_is_refused():
    with pytest.raises(DataError, match="bash cannot read"):
        check_bash("job.sbatch", "if true; then\n")


@pytest.mark.parametrize(
    ("text", "words_"),
    [
        ("a: [", "is not YAML"),
        ("", "is empty"),
        ("kind: Jobb\n", "no object of the kind 'Jobb'"),
        ("apiVersion: batch/v1\nkind: Job\nmetadata: {name: x}\nspec: {templat: {}}\n", "templat"),
        ("- 1\n", "no object of the kind"),
    ],
)
def test_wrong_objects_are_refused(text, words_):
    with pytest.raises(DataError, match=words_):
        check_yaml("job.yaml", text)


def test_scripts_inside_objects_are_checked_too():
    with pytest.raises(DataError, match="bash cannot read"):
        check("sky.yaml", "run: 'if'\n")


def test_a_template_of_one_s_own(tmp_path):
    path = tmp_path / "own.sbatch"
    path.write_text(
        "#!/bin/bash\n#SBATCH --nodes={{nodes}} \n#SBATCH --time={{ wall }}\necho {{workload}} ${HOME}\n"
    )
    held = made.advice()
    work = held.workloads[0].model_copy(update={"title": HOSTILE})
    text = write(job(held.model_copy(update={"workloads": (work,)})), "slurm", template=path)[0]["job.sbatch"]
    assert "--nodes=2" in text and "--time=3-07:12:00" in text and "${HOME}" in text
    assert bash_words(text.splitlines()[3]) == ["echo", HOSTILE, "$HOME"]


@pytest.mark.parametrize(
    ("body", "words_"),
    [
        ("{{node}}", "nothing is called 'node'"),
        ("if {{nodes}}", "bash cannot"),
        ("root:x:0:0:root:/root:/bin/bash\n", "does not begin with #!"),
        ("#!/bin/bash\ntrain\n", "no #SBATCH directive"),
    ],
)
def test_a_template_that_is_wrong(tmp_path, body, words_):
    path = tmp_path / "own.sbatch"
    path.write_text(body)
    with pytest.raises(DataError, match=words_):
        write(job(), "slurm", template=path)


def test_commands_are_read_as_a_shell_reads_them():
    assert words("train.py --name 'two words'") == ("train.py", "--name", "two words")
    for wrong in ("", "  ", "a 'b", "a\nb", "a\0b"):
        with pytest.raises(UserError):
            words(wrong)

"""A job as a Slurm batch script: directives, then a launch that saves, stops and goes on."""

from __future__ import annotations

import math
from collections.abc import Iterable

from advisor.errors import UserError
from advisor.request.job import Job
from advisor.request.quote import clock, remark, shell
from advisor.units import show, show_end, show_ranged

OVER = 75  # EX_TEMPFAIL: stopped in time, go on from the checkpoint

COUNT = """# However often this starts again, in all it takes {total} s at most: see the file "spent".
count_file="$CHECKPOINTS/spent"
spent=$(cat -- "$count_file" 2> /dev/null)
[[ "$spent" =~ ^[0-9]+$ ]] || spent=0
left=$(({total} - 10#$spent))
if [[ "$left" -le {lead} ]]; then
  echo "All the time asked for is spent, and the run has not ended. Ask for more: it goes on from there." >&2
  exit {over}
fi
keep_count() {{
  echo "$((10#$spent + SECONDS))" > "$count_file.new" && mv -f -- "$count_file.new" "$count_file"
}}
"""
"""What bounds a job that its scheduler may start any number of times."""

WATCH = """(
  while sleep 30; do
    {keep}keep_count
    if [[ "$SECONDS" -ge $((left - {lead})) ]]; then touch -- "$STOP"; fi
    if [[ "$SECONDS" -ge "$left" ]]; then kill -TERM "$process"; fi
  done
) > /dev/null 2>&1 &
watch=$!"""
"""Counts beside the run, tells it in time to save, and ends it when nothing is left."""

WAIT = """signalled=1
while [[ "$signalled" -eq 1 ]]; do  # a signal ends `wait`, not the run
  signalled=0
  wait "$process"
  code=$?
done"""
"""Waits for $process in the background, whose exit code is then in $code; a trap sets `signalled`."""

_LAUNCH = """
port=$((20000 + SLURM_JOB_ID % 10000))  # jobs that share a node must not meet
head_node=$(scontrol show hostnames "$SLURM_JOB_NODELIST" | head -n 1)
export SRUN_CPUS_PER_TASK="${{SLURM_CPUS_PER_TASK:-1}}"  # sbatch hands it on no more (22.05)
export OMP_NUM_THREADS={threads}
{environment}srun --kill-on-bad-exit=1 {launcher} {command} &
"""
_TORCHRUN = (
    'torchrun --nnodes="$SLURM_NNODES" --nproc-per-node={per_node} \\\n'
    '  --rdzv-id="$SLURM_JOB_ID" --rdzv-backend=c10d --rdzv-endpoint="$head_node:$port" \\\n '
)

_BODY = """
set -u

# The training program writes its checkpoints to $CHECKPOINTS every {every} min, goes on from the newest one
# there when it starts, and when $STOP appears it writes one more and ends with exit code 0.
export CHECKPOINTS={folder}
export STOP="$CHECKPOINTS/stop"
done_file="$CHECKPOINTS/done"
mkdir -p -- "$CHECKPOINTS" || exit 1
if [[ -e "$done_file" ]]; then
  echo "The run has ended; nothing is left to do."
  exit 0
fi
rm -f -- "$STOP"

{count}
# Slurm sends USR1 to this shell {lead} s before the end of the job.
trap 'touch -- "$STOP"; signalled=1' USR1
{setup}{launch}
process=$!
{watch}
{wait}
kill "$watch" 2> /dev/null
keep_count

if [[ "$code" -eq 0 && ! -e "$STOP" ]]; then
  touch -- "$done_file"
  exit 0
fi
{again}
exit "$code"
"""
_ENDS = f"""if [[ -e "$STOP" && "$code" -eq 0 ]]; then
  echo "It took longer than asked for. The checkpoint is written: ask for more time, and it goes on." >&2
  exit {OVER}
fi"""
_NEXT = """if [[ -e "$STOP" && "$code" -eq 0 ]]; then
  echo "The checkpoint is written: the next job of the chain goes on from it (none left: ask for more)." >&2
fi"""

_SUBMIT = """#!/bin/bash
# Hands in {count} jobs, each starting when the one before has ended, however it ended.
set -eu
job=$(sbatch --parsable job.sbatch)
job=${{job%%;*}}
echo "$job"
for _ in $(seq 2 {count}); do
  job=$(sbatch --parsable --dependency="afterany:$job" job.sbatch)
  job=${{job%%;*}}
  echo "$job"
done
"""


def write(job: Job) -> dict[str, str]:
    """job.sbatch, and submit.sh where jobs are chained by dependency.

    Raises UserError for an accelerator that neither we nor the site have a name for.
    """
    if job.names is None and job.node is None:
        raise UserError(
            f"nobody has told how a {remark(job.choice.title, 60)} is asked for",
            "Describe its node in --site, with its gres.",
        )
    by_array = job.segments > 1 and job.site.chain == "array"
    lines = ["#!/bin/bash", *(f"#SBATCH --{line}" for line in _directives(job, by_array)), "#"]
    lines += [f"# {line}" for line in told(job)]
    if job.node is None:
        lines.append(f"# Add your site's name for the {remark(job.choice.title)} to --gres or --constraint.")
    files = {"job.sbatch": "\n".join(lines) + "\n" + body(job)}
    if job.segments > 1 and not by_array:
        files["submit.sh"] = _SUBMIT.format(count=job.segments)
    return files


def _directives(job: Job, by_array: bool) -> list[str]:
    partition, node = job.partition, job.node
    gres = node.gres if node and node.gres else job.names.gres if job.names else "gpu"
    found = [f"job-name={job.name}"]
    if partition:
        found.append(f"partition={partition.name}")
    found += [f"account={job.account}"] if job.account else []
    found += [f"qos={job.qos}"] if job.qos else []
    found += [f"constraint={node.constraint}"] if node and node.constraint else []
    found += [
        f"nodes={job.nodes}",
        "ntasks-per-node=1",
        f"gres={gres}:{job.counted_per_node}",
        f"cpus-per-task={job.cpus_per_gpu * job.gpus_per_node}",
        f"mem={0 if job.whole_nodes else f'{job.memory_gib}G'}",  # 0: all that a node has
        f"time={clock(job.segment_s)}",
        f"signal=B:USR1@{max(60, round(job.lead_s))}",
        "requeue",
        "open-mode=append",
    ]
    if by_array:
        found += [f"array=1-{job.segments}%1", "output=%x-%A-%a.log"]
    else:
        found.append("output=%x-%j.log")
    return found


def told(job: Job) -> list[str]:
    """What the job is and what its figures rest on, as comments."""
    choice = job.choice
    hours = (job.needs["gpu_seconds"].value or 0.0) / 3600
    span = (choice.time.value, choice.time.low, choice.time.high)
    devices = "" if choice.count == choice.devices else f" ({choice.devices} devices)"
    unit = "GPU-hours" if job.names is None or job.names.gres == "gpu" else "accelerator hours"
    restarts = "with all restarts" if job.bounded else "if no machine is lost"
    lines = [
        remark(f"{choice.workload.title}, on {choice.count} x {choice.title}{devices}"),
        remark("layout: " + ", ".join(f"{name} {value}" for name, value in choice.layout.items())),
        f"time: {show_ranged(*span, 's').figure} expected, {show_end(choice.upper_s, *span, 's')} "
        f"planned for ({remark(choice.upper_why)})",
        f"asked for: {_asked(job)}; {restarts} {hours:,.0f} {unit} at most",
        "checkpoints: in a folder with a digest of workload, layout, hardware and command in its name, so "
        "that no other run goes on from them",
        remark(f"cores for each device: {job.needs['cpus'].why}"),
        remark(f"main memory of a node: {job.needs['memory'].why}"),
    ]
    if job.disk_gib is not None:
        lines.append(remark(f"disk for checkpoints: {job.disk_gib:,} GiB ({job.needs['disk'].why})"))
    return [*lines, *(remark(note) for note in job.notes)]


def _asked(job: Job) -> str:
    """The whole time, and how it is parted."""
    each, whole = show(job.segment_s, "s"), show(job.total_s, "s")
    if job.segments == 1:
        return whole
    if job.scheduler == "k8s":
        return f"{whole} in one Job, whose pods start {job.segments} times for {each} at most"
    return f"{whole} in {job.segments} jobs of {each}"


def launcher(job: Job, torchrun: str) -> str:
    """What starts the training program; where torchrun is not used, the program's own Python."""
    return (
        torchrun.format(per_node=job.gpus_per_node) if job.names is None or job.names.torchrun else "python"
    )


def prepared(setup: Iterable[str]) -> str:
    """The site's own lines; what they source (conda, modules) reads variables that nobody has set."""
    lines = "".join(f"{line}\n" for line in setup)
    return f"set +u  # what is sourced here may read what nobody has set\n{lines}set -u\n" if lines else ""


def body(job: Job) -> str:
    """The shell after the directives."""
    command = " ".join(shell(word) for word in job.options.command)
    lead = max(60, round(job.lead_s))
    launch = _LAUNCH.format(
        threads=max(1, job.cpus_per_gpu),
        environment="".join(f"export {name}={value}\n" for name, value in job.environment.items()),
        launcher=launcher(job, _TORCHRUN),
        command=command,
    )
    return _BODY.format(
        wait=WAIT,
        folder=shell(job.folder),
        lead=lead,
        every=30,
        setup=prepared(job.site.setup) and f"\n{prepared(job.site.setup)}",
        launch=launch.strip("\n"),
        count=COUNT.format(total=math.floor(job.total_s), lead=lead, over=OVER),
        watch=WATCH.format(lead=lead, keep=""),
        again=_NEXT if job.segments > 1 else _ENDS,
    )

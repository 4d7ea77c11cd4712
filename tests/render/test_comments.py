"""Comments of a job's files in another language: what a machine reads stays byte for byte."""

from advisor.render.comments import commented

SCRIPT = """#!/bin/bash
#SBATCH --nodes=2
# asked for: 3.6 days; with all restarts 1,376 GPU-hours at most
# A remark that nobody has translated.
  # Slurm sends USR1 to this shell 300 s before the end of the job.
left=$((345600 - 10#$spent))  # Slurm sends USR1 to this shell 300 s before the end of the job.
"""


def test_whole_comments_are_told_and_all_else_stands() -> None:
    told = commented({"job.sbatch": SCRIPT}, "zh")["job.sbatch"].splitlines()
    before = SCRIPT.splitlines()
    assert [told[at] for at in (0, 1, 3, 5)] == [before[at] for at in (0, 1, 3, 5)]
    assert told[2] == "# 申请：3.6 天；连同所有重新启动，最多 1,376 卡时"
    assert told[4] == "  # 作业结束前 300 秒，Slurm 向这个 shell 发送 USR1。"


def test_english_stays() -> None:
    assert commented({"a": SCRIPT}, "en") == {"a": SCRIPT}

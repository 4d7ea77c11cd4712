"""The measuring of `scan` and `calibrate`: whether to measure here at all, and each figure as it comes."""

from __future__ import annotations

from collections.abc import Generator
from contextlib import closing
from typing import TYPE_CHECKING

from advisor.app_answers import with_estimates
from advisor.errors import AdvisorError
from advisor.schema import Advice, Calibration, Notice

if TYPE_CHECKING:
    from advisor.app_knowledge import Knowledge
    from advisor.app_options import Listener, MeasureListener, ScanOptions
    from advisor.calibrate import CalibrateOptions
    from advisor.data.advice import Keeper

KEPT = "Interrupted: what was measured is kept."


def measure(
    advice: Advice, options: CalibrateOptions, listen: MeasureListener
) -> Generator[Advice, None, None]:
    """Calibrate, yielding the advice after every figure so that the caller can save it.

    Ctrl-C ends it with what was measured so far, marked as interrupted. Raises UserError when the
    Python or device asked for cannot be measured; without torch it measures what needs none.
    """
    from advisor.calibrate import run_calibration

    machine = advice.machine
    assert machine is not None  # noqa: S101 - every caller has probed
    last = Calibration(mode=options.mode)
    try:
        for last in run_calibration(machine, options, listen.event):
            advice = advice.model_copy(update={"stage": "calibrating", "calibration": last})
            yield advice
        yield advice.model_copy(update={"stage": "calibrated"})
    except KeyboardInterrupt:
        listen.say(KEPT)
        stopped = last.model_copy(update={"complete": False, "stopped": "interrupted"})
        yield advice.model_copy(update={"calibration": stopped})


def calibrated(
    options: ScanOptions, knowledge: Knowledge, advice: Advice, keeper: Keeper, listen: Listener
) -> Generator[Advice, None, None]:
    """Measure if it is right to measure here; the verdict is refined after each training rate.

    Each figure is yielded before anything is done with it, so that an interrupt cannot cost it.
    """
    from advisor.calibrate import CalibrateOptions

    choice = CalibrateOptions(
        mode=options.mode, python=options.python, device=options.device, workdir=options.workdir
    )
    earlier = _reused(options, choice, advice, listen)
    if earlier is not None:
        yield earlier
        return
    reason = _why_not_measure(options, advice)
    if reason is not None:
        yield advice.model_copy(update={"notices": (*advice.notices, reason)})
        listen.say(reason.message)
        return
    refined = advice
    with closing(measure(advice, choice, listen)) as measuring:
        while True:
            try:
                snapshot = next(measuring)
            except StopIteration:
                return
            except AdvisorError as error:  # what can be told without figures is worth a report all the same
                listen.say(f"Not measured: {error.message}")
                lost = Notice(
                    code="not_calibrated", message=f"Not measured: {error.message}.", hint=error.hint
                )
                yield advice.model_copy(update={"notices": (*advice.notices, lost)})
                return
            # the generator goes on from its own copy, which knows nothing of what has been refined
            advice = snapshot.model_copy(update={"estimates": refined.estimates, "trace": refined.trace})
            yield advice
            done = snapshot.calibration.measurements if snapshot.calibration else ()
            if done and done[-1].bench == "train_rate":
                refined = advice = with_estimates(knowledge, advice, catalogue=False)
                listen.verdict(refined)
            keeper.snapshot(advice)


def _reused(
    options: ScanOptions, choice: CalibrateOptions, advice: Advice, listen: Listener
) -> Advice | None:
    """The advice with figures of an earlier report of this machine; None without --reuse or such one."""
    if not options.reuse or advice.machine is None:
        return None
    from advisor.calibrate import find_earlier

    earlier = find_earlier(options.output, advice.machine, choice)
    if earlier.calibration is None:
        listen.say(f"No earlier figures are used: {earlier.reason}.")
        return None
    message = f"Figures measured at {earlier.when} are used again ({earlier.path})."
    listen.say(message)
    told = Notice(code="calibration_reused", message=message, hint="Leave --reuse away to measure again.")
    return advice.model_copy(
        update={
            "stage": "calibrated",
            "calibration": earlier.calibration,
            "notices": (*advice.notices, told),
        }
    )


def _why_not_measure(options: ScanOptions, advice: Advice) -> Notice | None:
    if options.measure is False:
        return Notice(code="not_calibrated", message="Not calibrated, as asked: nothing here is measured.")
    on_login_node = advice.machine is not None and advice.machine.host.slurm.login_node.value
    if options.measure is None and on_login_node:
        return Notice(
            code="login_node",
            message="This looks like a cluster's login node, so nothing was measured here.",
            hint="Run `srun … hwadvisor scan` on a compute node, or give --calibrate to measure here.",
        )
    return None

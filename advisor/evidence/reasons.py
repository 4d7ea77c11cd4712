"""Why nothing is said of a run, in a sentence for readers who do not know the rules' names."""

from __future__ import annotations

import re

from advisor.evidence.inputs import Run

_OPERATOR = re.compile(r"^(?:operator \w+: )+")
_UNCOVERED = re.compile(r"^no rule for (\w+) covers this row: .*", re.DOTALL)
_UNKNOWN = re.compile(r"^(\w+) is not known(?: \((.*)\))?$", re.DOTALL)


def plain_reason(told: str, run: Run) -> str:
    """A reason of the rules (`why_unknown`) as a sentence about the run's network, device and set-up."""
    told = _OPERATOR.sub("", told)
    if found := _UNCOVERED.match(told):
        return f"the rules give no {found[1].replace('_', ' ')} for {_set_up(run)}"
    if not (found := _UNKNOWN.match(told)):
        return told or "the rules give no value for this set-up"
    column, text = found[1], found[2] or found[1].replace("_", " ")
    if column.startswith("hw_"):
        return f"the catalogue has no such figure of {run.entry.title}: {text}"
    if column.startswith("stated_"):
        name = run.record.text("model")[:60] or "this network"
        return f"what the operators of {name} compute and write has not been counted"
    return f"not known: {text}"


def _set_up(run: Run) -> str:
    values = run.inputs.values
    said = [f"networks of the kind '{run.network.family}'"]
    if recompute := values.get("recompute"):
        said.append(f"recompute {recompute}")
    if (method := values.get("method")) and method != "full":
        said.append(str(method))
    return " with ".join((said[0], " and ".join(said[1:]))) if said[1:] else said[0]

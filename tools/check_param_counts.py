"""Parameter counts of the presets against the real modules: `python tools/check_param_counts.py`.

Needs torch and transformers (and for pictures torchvision and diffusers); builds every network of
tools/known_models.py on the meta device, so no weights are loaded or downloaded. A weight that is used
twice counts once. `--write` writes rules/models/<id>.toml of those that are not there yet; `--only ID`
takes one. Exit 1 when a count differs.
"""

from __future__ import annotations

import argparse
import sys
from pathlib import Path
from typing import Any

from known_models import MODELS, Known

from advisor.data.catalogue import load_catalogue
from advisor.data.files import shipped
from advisor.estimate import Table, evaluate
from advisor.model import parse_hf_config
from advisor.rulebook import RuleBook, load_book
from advisor.schema import Model

RULES = Path(__file__).resolve().parent.parent / "rules"


def config_of(known: Known) -> Any:
    """The configuration object of the transformers library."""
    import transformers

    module = getattr(transformers, known.architecture)
    more = {"num_labels": 1000} if "Classification" in known.architecture else {}
    return module.config_class(**known.fields, **more, architectures=[known.architecture])


def count(known: Known) -> int:
    """Parameters of the real module, shared ones once."""
    import torch
    import transformers

    with torch.device("meta"):
        module = getattr(transformers, known.architecture)(config_of(known))
        module.tie_weights()
    found = sum(weight.numel() for weight in module.parameters())
    head = module.get_output_embeddings() if known.fields.get("tie_word_embeddings") is False else None
    if head is not None and head.weight is module.get_input_embeddings().weight:
        found += head.weight.numel()  # newer versions share T5's in any case; the checkpoint has both
    return int(found)


def parsed(known: Known) -> Model:
    """What advisor.model reads from the config.json that the library would write."""
    raw = {**config_of(known).to_dict(), **known.fields}
    return parse_hf_config(raw, Path("config.json"))


def rules_say(book: RuleBook, model: Model) -> float | None:
    """Parameters by the family's rules."""
    row = {"family": model.family, "method": "full", **model.numbers}
    return evaluate(book, Table.from_rows(book, [row]), ["params"]).value("params")


def preset(known: Known, numbers: dict[str, float], family: str, exact: int) -> str:
    """The text of rules/models/<id>.toml."""
    lines = [f'id = "{known.id}"', f'title = "{known.title}"', f'family = "{family}"']
    if known.aliases:
        lines.append("aliases = [" + ", ".join(f'"{alias}"' for alias in known.aliases) + "]")
    lines += [f'source = "{known.source}"', f"published_params = {exact} # of the instantiated module", ""]
    lines.append("[numbers] # names: rules/columns.toml")
    return "\n".join([*lines, *(f"{key} = {value:.12g}" for key, value in numbers.items())]) + "\n"


def main() -> int:
    """Compare, and write what is missing."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--write", action="store_true")
    parser.add_argument("--only")
    flags = parser.parse_args()
    book, shipped_models = load_book([shipped("rules")]), load_catalogue().models
    wrong = 0
    for known in MODELS:
        if flags.only not in (None, known.id):
            continue
        exact = count(known)
        model = parsed(known)
        said = rules_say(book, model)
        own = shipped_models.get(known.id)
        own_said = None if own is None else rules_say(book, own)
        target = RULES / "models" / f"{known.id}.toml"
        problem = "" if said == exact else f"  config.json: rules give {said}"
        if own is not None and (own_said != exact or own.family != model.family):
            problem += f"  preset: rules give {own_said} ({own.family})"
        elif own is not None and own.numbers != model.numbers:
            differ = {k: (own.numbers.get(k), v) for k, v in model.numbers.items() if own.numbers.get(k) != v}
            problem += f"  preset differs: {differ}"
        print(f"{known.id:24} {exact:17,}{problem}", flush=True)
        wrong += bool(problem)
        if flags.write and said == exact and not target.exists():
            target.write_text(preset(known, model.numbers, model.family, exact), "utf-8")
    return 1 if wrong else 0


if __name__ == "__main__":
    sys.exit(main())

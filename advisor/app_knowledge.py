"""What every command stands on: rules, catalogue and published runs, loaded and checked once."""

from __future__ import annotations

import math
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING

from advisor import __version__
from advisor.data.files import shipped
from advisor.schema import Model, Notice, Versions

if TYPE_CHECKING:
    from advisor.app_options import WorkloadFlags
    from advisor.data.catalogue import Catalogue
    from advisor.published import Published
    from advisor.rulebook import RuleBook


@dataclass(frozen=True)
class Knowledge:
    """The shipped and the user's rules and catalogue, loaded and checked once."""

    book: RuleBook
    catalogue: Catalogue
    folders: tuple[Path, ...]
    published: Published

    def versions(self) -> Versions:
        """What an advice made with this knowledge is stamped with."""
        return Versions(
            tool=__version__,
            rules_digest=self.book.digest,
            rules_dirs=tuple(folder.name for folder in self.folders[1:]),
            prices_as_of=self.catalogue.prices_as_of,
        )

    def notices(self) -> tuple[Notice, ...]:
        """What of the shipped knowledge the user's own folders replaced: the report must say so."""
        replaced = [f"{o.kind} {o.id}" for o in self.book.overrides]
        replaced += [f"entry {key}" for key in self.catalogue.overridden]
        if not replaced:
            return self._own_times()
        shown = ", ".join(replaced[:8]) + (f" and {len(replaced) - 8} more" if len(replaced) > 8 else "")
        return (
            *self._own_times(),
            Notice(
                code="rules_overridden",
                message=f"Shipped knowledge replaced by folders given with --rules: {shown}.",
                hint="Run without --rules to compare.",
            ),
        )

    def _own_times(self) -> tuple[Notice, ...]:
        """That the user's own rules change times, which published runs then do not correct."""
        if len(self.folders) < 2:
            return ()
        from advisor.search.nearby import own_time_rules

        own = own_time_rules(self.book)
        if not own:
            return ()
        named = ", ".join(own[:4]) + (f" and {len(own) - 4} more" if len(own) > 4 else "")
        told = f"Rules of your own: {named}. Published runs do not correct the times: theirs are other rules."
        return (Notice(code="own_time_rules", message=told),)


def load_knowledge(user_rules: tuple[Path, ...] = ()) -> Knowledge:
    """Load rules and catalogue, the user's folders on top. Raises DataError naming file and key.

    The shipped ones alone are kept, once read and checked, for the next process.
    """
    folders = (shipped("rules"), *user_rules)
    if user_rules:
        return _read(folders)
    from advisor import store

    try:
        key = store.key_of(folders[0])
    except OSError:  # a file that cannot be read: reading them one by one says which
        return _read(folders)
    known = store.load(key)
    if known is None:
        read = _read(folders)
        store.save(key, store.Known(read.book, read.catalogue, read.published))
        return read
    return Knowledge(known.book, known.catalogue, folders, known.published)


def _read(folders: tuple[Path, ...]) -> Knowledge:
    from advisor.data.catalogue import load_catalogue
    from advisor.rulebook import load_book

    return Knowledge(load_book(folders), load_catalogue(folders), folders, load_neighbours())


def load_neighbours() -> Published:
    """The shipped published runs with their residuals. Raises DataError when the file is broken."""
    from advisor.published import FILE, load_published

    return load_published(shipped("rules") / FILE)


def network_of(flags: WorkloadFlags, catalogue: Catalogue) -> Model | str:
    """What --model or --params means. Raises UserError when nothing of that name is known here."""
    if isinstance(flags.model, Model):
        return flags.model
    name = flags.model or ""
    known = {key.casefold() for key in (*catalogue.models, *catalogue.model_aliases)}
    if flags.params is None and name.strip().casefold() in known:
        return name
    if ":" in name:
        from advisor.trial.trace import refuse_code

        refuse_code(name)
    if name.rstrip(":").endswith(".py"):
        from advisor.errors import UserError

        path = name.rstrip(":")
        raise UserError(f"{name}: which factory of it?", f"Name it after a colon: {path}:build.")
    from advisor.model import find_config, model_of_size, read_hf_config

    if flags.params is not None:
        return model_of_size(flags.params)
    config = find_config(name, flags.hub)
    if config is None:
        return name
    from advisor.model.config import load
    from advisor.model.diffusers_config import preset_of

    preset = preset_of(load(config), config)
    if preset not in catalogue.models:
        return read_hf_config(config)
    told = f"{config.name}, of the shape of {preset}"
    return catalogue.models[preset].model_copy(update={"source": told})


def now() -> str:
    """The time in UTC, to the second, as stored in files."""
    return datetime.now(UTC).isoformat(timespec="seconds")


def params_of(knowledge: Knowledge) -> dict[str, float | None]:
    """Of each preset its number of parameters by the rules; None where they do not know it."""
    from advisor.estimate import Table, evaluate

    book, models = knowledge.book, knowledge.catalogue.models
    if "params" not in book.quantities or not models:
        return dict.fromkeys(models)
    rows = [{"family": model.family, **model.numbers} for model in models.values()]
    known = [{name: value for name, value in row.items() if name in book.columns} for row in rows]
    found = evaluate(book, Table.from_rows(book, known), ("params",), keep_all=False).columns["params"]
    return dict(zip(models, (None if math.isnan(one) else float(one) for one in found), strict=True))

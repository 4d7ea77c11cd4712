"""`hwadvisor hardware refresh`: today's prices of clouds, into the user's own folder of rules."""

from __future__ import annotations

import datetime
import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from advisor.cli.options import json_flag, rules_option

if TYPE_CHECKING:
    from advisor.data.live import Names, Offer

_MOST_TOLD = 12
_Left = dict[tuple[str, str, float | None, str], int]


@click.command()
@click.option(
    "--to", type=click.Path(path_type=Path, file_okay=False), metavar="DIR",
    help="The folder of rules to write into (DIR/offers); without it your own, which every command reads.",
)  # fmt: skip
@click.option("--provider", "asked", multiple=True, metavar="NAME", help="This provider alone (repeatable).")
@click.option("--only", metavar="ID,…", default="", help="Offers of these accelerators alone.")
@click.option("--dry-run", is_flag=True, help="Say what would be written, and write nothing.")
@rules_option
@json_flag
def refresh(
    to: Path | None, asked: tuple[str, ...], only: str, dry_run: bool, rules: tuple[Path, ...], as_json: bool
) -> None:
    """Today's prices of clouds, by the library gpuhunt (the extra `prices`; asks the network).

    They are matched to accelerators by exact name, memory and instance; what has no match is listed. A price
    takes the place of an older one of the same provider, region and kind.
    """
    from advisor.app import load_knowledge
    from advisor.data.files import make_folder
    from advisor.data.live import load_names, offers_of, write_offers
    from advisor.data.live_ask import ask
    from advisor.errors import NothingFits

    knowledge = load_knowledge(rules)
    accelerators = knowledge.catalogue.accelerators
    names = load_names(knowledge.folders, accelerators)
    wanted = _wanted(only, accelerators)
    folder = _folder(to)
    answer = ask(_providers(asked, names, knowledge.folders), datetime.datetime.now(datetime.UTC).date())
    failed = {names.providers.get(theirs, theirs): why for theirs, why in answer.failed.items()}
    offers, left = offers_of(answer.rows, names, accelerators, answer.dated)
    offers = [one for one in offers if not wanted or one.accelerator in wanted]
    if not offers:
        why = "; ".join(f"{name}: {reason}" for name, reason in failed.items())
        raise NothingFits(
            "no price of what was asked for" + (f" ({why})" if why else ""),
            "Nothing was written. Leave out --only or --provider to see what there is.",
        )
    written = [] if dry_run else write_offers(make_folder(folder / "offers"), offers, wanted)
    if as_json:
        click.echo(json.dumps(_as_json(offers, left, failed, written), indent=1))
        return
    _tell(offers, left, failed, written)


def _wanted(only: str, accelerators: Any) -> tuple[str, ...]:
    """The accelerators of --only. Raises UserError with the nearest for one that there is not."""
    from advisor.errors import UserError, did_you_mean

    wanted = tuple(filter(None, (one.strip().lower() for one in only.split(","))))
    for one in wanted:
        if one not in accelerators:
            near = did_you_mean(one, accelerators) or "`hwadvisor hardware` lists the known ones."
            raise UserError(f"unknown accelerator {one[:80]!r}", near)
    return wanted


def _folder(to: Path | None) -> Path:
    from advisor.errors import UserError
    from advisor.paths import user_rules

    folder = to or user_rules()
    if folder is None:
        raise UserError("there is no home folder to write into", "Name a folder with --to.")
    return folder


def _providers(asked: Sequence[str], names: Names, folders: Sequence[Path]) -> list[str]:
    """The library's names of the providers asked for; of all whose prices count where none is named."""
    from advisor.data.catalogue import provider_settings
    from advisor.errors import UserError, did_you_mean

    if not asked:
        settings = provider_settings(folders)
        count = {*settings.get("clouds", ()), *settings.get("clouds_if_asked", ())}
        return sorted(theirs for theirs, ours in names.providers.items() if ours in count)
    found = []
    for one in asked:
        name = one.strip().lower()
        theirs = [key for key, ours in names.providers.items() if name in (key, ours)]
        if not theirs:
            known = sorted(set(names.providers.values()))
            near = did_you_mean(name, known) or f"Known: {', '.join(known)}."
            raise UserError(f"unknown provider {one[:60]!r}", near)
        found += theirs
    return list(dict.fromkeys(found))


def _tell(offers: Sequence[Offer], left: _Left, failed: Mapping[str, str], written: Sequence[Path]) -> None:
    from advisor.cli.language import told
    from advisor.cli.screen import plain

    for provider in dict.fromkeys(one.provider for one in offers):
        rows = [one for one in offers if one.provider == provider]
        kinds = len({one.accelerator for one in rows})
        click.echo(plain(told(f"{provider}: {len(rows)} offers of {kinds} accelerators, {rows[0].as_of}")))
    for provider, why in failed.items():
        click.echo(plain(told(f"{provider}: no prices, {why}")), err=True)
    if left:
        click.echo(told("Without a match in the catalogue, and left out:"))
    ordered = sorted(left.items(), key=lambda one: (-one[1], str(one[0])))
    for (provider, name, memory, why), number in ordered[:_MOST_TOLD]:
        size = f" {memory:g} GB" if memory else ""
        click.echo(plain(f"  {provider} {name}{size} ({number}): {told(why)}"))
    if len(ordered) > _MOST_TOLD:
        click.echo(told(f"  and {len(ordered) - _MOST_TOLD} more (--json has all)"))
    if not written:
        click.echo(told("Nothing was written (--dry-run)."))
    for path in written:
        click.echo(plain(told(f"Written: {path}")))


def _as_json(
    offers: Sequence[Offer], left: _Left, failed: Mapping[str, str], written: Sequence[Path]
) -> dict[str, Any]:
    return {
        "written": [str(path) for path in written],
        "offers": [
            {"accelerator": one.accelerator, "provider": one.provider, "instance": one.instance,
             "packages": one.packages, "kind": one.kind, "region": one.region,
             "usd_per_hour": one.price_per_hour, "as_of": one.as_of.isoformat(), "source": one.source}
            for one in offers
        ],
        "unmatched": [
            {"provider": provider, "name": name, "memory_gb": memory, "rows": number, "why": why}
            for (provider, name, memory, why), number in left.items()
        ],
        "failed": dict(failed),
    }  # fmt: skip

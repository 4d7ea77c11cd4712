"""`hwadvisor rules`: the rules behind every estimate."""

from __future__ import annotations

import re
from pathlib import Path

import click

from advisor.cli.language import ENGLISH, spoken, told, told_error
from advisor.cli.options import rules_option
from advisor.cli.screen import plain
from advisor.cli.text import folded, label, text_width
from advisor.data.files import shipped
from advisor.errors import AdvisorError, UserError


@click.group()
def rules() -> None:
    """List, show, check and test the rules behind the estimates."""


@rules.command("list")
@rules_option
def list_rules(rules: tuple[Path, ...]) -> None:
    """One line a rule, rule of operators, total over them, and operator: id, what it gives, its place."""
    from rich.table import Table

    from advisor.app import load_knowledge
    from advisor.cli.screen import console

    book = load_knowledge(rules).book
    table = Table(box=None, pad_edge=False, header_style="bold")
    for heading in ("Rule", "Gives", "Unit", "File"):
        table.add_column(heading, no_wrap=heading == "Rule")
    for rule in (*book.rules.values(), *book.op_rules.values()):
        table.add_row(rule.id, rule.gives, rule.unit, f"{rule.file}:{rule.line}")
    for total in book.op_totals.values():
        table.add_row(total.id, total.gives, total.unit, f"{total.file}:{total.line}")
    for operator in book.operators.values():
        table.add_row(operator.id, "(an operator)", "", f"{operator.file}:{operator.line}")
    console().print(table)


@rules.command("show")
@click.argument("rule_id")
@rules_option
def show_rule(rule_id: str, rules: tuple[Path, ...]) -> None:
    """The manual page of a rule, an operator, a rule of operators or a total over them."""
    from advisor.app import load_knowledge
    from advisor.rulebook import manual_page

    page = manual_page(load_knowledge(rules).book, rule_id)
    click.echo(page if spoken() == ENGLISH else "\n".join(_told_page(page)))


_FURTHER = re.compile(r"\n(?: {11}| {4})(?=\S)")  # a manual page's long rows and items go on like this
_ROW = re.compile(r"([a-z]+(?: [a-z]+)?:) +(\S.*)")
_SAID = ("why:", "text:", "operator:")  # rows in words; the rest are names, formulas and quoted sources


def _told_page(page: str) -> list[str]:
    """The page with what rules and columns say of themselves in the language in use."""
    lines, width = [], text_width()
    for line in _FURTHER.sub(" ", page).split("\n"):
        if row := _ROW.fullmatch(line):
            key, text = row[1], row[2]
            said = told(text) if key in _SAID or text == "always" else text
            lines.append(folded(said, width, label(key, 11), " " * 11))
        elif line.startswith("  "):
            lines.append(folded(told(line.strip()), width, "  ", "    "))
        else:
            lines.append(told(line))
    return lines


@rules.command("check")
@click.argument("folder", type=click.Path(path_type=Path, file_okay=False, exists=True))
def check(folder: Path) -> None:
    """Everything that is wrong with the rule files in FOLDER, on top of the shipped ones."""
    from advisor.rulebook import check_dirs

    if not any(folder.rglob("*.toml")):
        raise UserError(f"{folder} holds no TOML file", "See docs/rules.md for what a rule folder holds.")
    problems = [str(problem) for problem in check_dirs((shipped("rules"), folder))]
    if not problems:
        problems = _wrong_data(folder) or _wrong_cases(folder)
    for problem in problems:
        click.echo(plain(problem), err=True)
    if problems:
        count = len(problems)
        raise UserError(f"{count} problem{'s' if count > 1 else ''} in {folder}", "Mend the lines above.")
    click.echo(told_error(f"{folder}: no problem found"))


def _wrong_data(folder: Path) -> list[str]:
    """What is wrong with accelerators, models, workloads and prices of the folder: the first of it."""
    from advisor.data.catalogue import load_catalogue

    try:
        load_catalogue((shipped("rules"), folder))
    except AdvisorError as error:
        return [f"{error.message}. {error.hint}" if error.hint else error.message]
    return []


def _wrong_cases(folder: Path) -> list[str]:
    """Cases that do not hold once the folder lies on top of the shipped rules."""
    from advisor.app import load_knowledge
    from advisor.estimate import run_cases

    return [str(outcome) for outcome in run_cases(load_knowledge((folder,)).book) if not outcome.ok]


@rules.command("test")
@rules_option
def test(rules: tuple[Path, ...]) -> None:
    """Run the cases that the rules carry; exit 2 when one fails."""
    from advisor.app import load_knowledge
    from advisor.estimate import run_cases

    book = load_knowledge(rules).book
    failed = [outcome for outcome in run_cases(book) if not outcome.ok]
    for outcome in failed:
        click.echo(str(outcome), err=True)
    if failed:
        raise UserError(
            f"{len(failed)} rule case{'s' * (len(failed) > 1)} failed",
            "`hwadvisor rules show ID` prints the rule.",
        )
    click.echo(told(f"all cases of {len(book.rules) + len(book.op_rules)} rules hold"))

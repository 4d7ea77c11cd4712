"""`hwadvisor hardware refresh` with a library that is made up: the real one asks the network."""

from __future__ import annotations

import datetime
import json
import sys
from pathlib import Path
from types import ModuleType, SimpleNamespace
from typing import Any

import pytest
from click.testing import CliRunner, Result

from advisor.cli.hardware import hardware
from advisor.errors import AdvisorError, MissingLibrary, NothingFits, UserError

SXM = "nvidia-h100-sxm5-80gb"


def item(
    provider: str, instance: str, price: float, name: str, memory: float, **more: Any
) -> SimpleNamespace:
    usual = {"location": "us-east-1", "gpu_count": 8, "spot": False, "flags": []}
    return SimpleNamespace(
        **{"provider": provider, "instance_name": instance, "price": price, "gpu_name": name,
           "gpu_memory": memory, **usual, **more}
    )  # fmt: skip


ITEMS = [
    item("aws", "p5.48xlarge", 8.0, "H100", 80),
    item("aws", "p5.48xlarge", 4.0, "H100", 80, spot=True),
    item("aws", "strange", 4.0, "Q9", 80),
    item("aws", "none", "free", "H100", 80),  # type: ignore[arg-type]
    item("lambdalabs", "gpu_1x_gh200", 1.0, "GH200", 96, gpu_count=1),
]


def library(items: list[SimpleNamespace], broken: str = "") -> ModuleType:
    """What stands in for gpuhunt."""

    class Failed(Exception):
        pass

    class Catalog:
        def __init__(self, *, auto_reload: bool = True) -> None:
            self.catalog = {"aws": SimpleNamespace(version="20261118-3")} if auto_reload else {}

        def query(self, *, provider: str, min_gpu_count: int) -> list[SimpleNamespace]:
            if provider == broken:
                raise RuntimeError("no\nanswer")
            if provider == "vultr":
                raise ValueError("Provider is not loaded: vultr")
            return [one for one in items if one.provider == provider and one.gpu_count >= min_gpu_count]

    def default_catalog() -> Catalog:
        if broken == "all":
            raise Failed("Failed to load catalogs of all providers") from OSError("Network is unreachable")
        return Catalog()

    module = ModuleType("gpuhunt")
    module.__dict__.update(
        GPUHuntError=Failed, Catalog=Catalog, default_catalog=default_catalog, __version__="9"
    )
    return module


@pytest.fixture
def own(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The user's own folder of rules, not there yet; the library has the items."""
    monkeypatch.setenv("XDG_DATA_HOME", str(tmp_path))
    monkeypatch.delenv("GPUHUNT_CATALOG_DIR", raising=False)
    monkeypatch.setitem(sys.modules, "gpuhunt", library(ITEMS))
    return tmp_path / "hwadvisor" / "rules"


def call(*arguments: str) -> Result:
    return CliRunner().invoke(hardware, ["refresh", *arguments])


def fails(kind: type[AdvisorError], *arguments: str) -> AdvisorError:
    done = call(*arguments)
    assert isinstance(done.exception, kind), done.output
    return done.exception


def test_prices_are_written_into_the_own_folder_and_count_from_then_on(own: Path) -> None:
    done = call()
    assert done.exit_code == 0, done.output
    assert sorted(path.name for path in (own / "offers").iterdir()) == ["live-aws.toml", "live-lambda.toml"]
    assert "aws: 2 offers of 1 accelerators, 2026-11-18" in done.output
    assert "aws Q9 80 GB (1): no such name in the catalogue" in done.output
    assert "vultr: no prices, it asks for an account" in done.output
    shown = json.loads(CliRunner().invoke(hardware, ["show", SXM, "--json"]).output)
    rent = shown["figures"]["rent_usd_per_h"]
    assert rent["value"] == pytest.approx(1.0)
    assert "aws p5.48xlarge of 8" in rent["source"] and "gpuhunt 9, its file 20261118-3" in rent["source"]


def test_a_plan_pays_the_live_price(own: Path) -> None:
    from advisor.app_options import WorkloadFlags
    from advisor.app_plan import PlanOptions, run_plan
    from advisor.paths import with_user_rules
    from advisor.schema import PlanLimits

    def cost() -> tuple[float | None, str]:
        flags = WorkloadFlags("llama-3-8b", None, method="lora", tokens=1e8)
        options = PlanOptions(flags, PlanLimits(only=(SXM,)), rules=with_user_rules())
        found = run_plan(options).advice.plan
        assert found is not None
        return found.options[0].quantities["rent_usd"].value, found.options[0].price_note

    before, _ = cost()
    assert call("--only", SXM).exit_code == 0
    after, note = cost()
    assert before is not None and after is not None and after < before
    assert note == "aws p5.48xlarge of 8, 2026-11-18"


def test_dry_run_and_to(own: Path, tmp_path: Path) -> None:
    done = call("--dry-run", "--json")
    told = json.loads(done.output)
    assert told["written"] == [] and len(told["offers"]) == 3 and not own.exists()
    assert told["unmatched"] == [
        {
            "provider": "aws",
            "name": "Q9",
            "memory_gb": 80.0,
            "rows": 1,
            "why": "no such name in the catalogue",
        }
    ]
    assert call("--to", str(tmp_path / "mine"), "--provider", "lambda").exit_code == 0
    assert [path.name for path in (tmp_path / "mine" / "offers").iterdir()] == ["live-lambda.toml"]
    assert not own.exists()


def test_without_the_library_the_command_to_install_it(own: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "gpuhunt", None)
    error = fails(MissingLibrary)
    assert error.exit_code == 2 and "pip install" in error.hint and "[prices]" in error.hint


def test_without_a_network_one_line_and_nothing_written(own: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "gpuhunt", library(ITEMS, "all"))
    error = fails(UserError)
    assert error.message == "no prices: Network is unreachable" and error.exit_code == 2
    assert not own.exists()


def test_one_provider_that_fails_leaves_the_others(own: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "gpuhunt", library(ITEMS, "lambdalabs"))
    told = json.loads(call("--json").output)
    assert told["failed"]["lambda"] == "no answer"
    assert [Path(path).name for path in told["written"]] == ["live-aws.toml"]


def test_names_that_are_none(own: Path) -> None:
    assert "Did you mean aws" in fails(UserError, "--provider", "awz").hint
    assert SXM in fails(UserError, "--only", "nvidia-h100-sxm5").hint
    assert fails(NothingFits, "--only", "nvidia-l4-24gb").exit_code == 1
    assert not own.exists()


def test_a_file_of_the_library_s_own_has_its_own_day(own: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    import os

    folder = own.parent / "csv"
    folder.mkdir(parents=True)
    (folder / "aws.csv").write_text("", "utf-8")
    when = datetime.datetime(2026, 3, 4, 12, tzinfo=datetime.UTC).timestamp()
    os.utime(folder / "aws.csv", (when, when))
    monkeypatch.setenv("GPUHUNT_CATALOG_DIR", str(folder))
    told = json.loads(call("--provider", "aws", "--json").output)
    assert {one["as_of"] for one in told["offers"]} == {"2026-03-04"}


def test_every_command_reads_the_own_folder_before_those_that_are_named(own: Path, tmp_path: Path) -> None:
    import click

    from advisor.cli.options import rules_option

    @click.command()
    @rules_option
    def echo(rules: tuple[Path, ...]) -> None:
        click.echo(" ".join(map(str, rules)))

    def read(*named: str) -> list[str]:
        return CliRunner().invoke(echo, [part for one in named for part in ("--rules", one)]).output.split()

    assert read() == [] and read("other") == ["other"], "it is not there yet"
    own.mkdir(parents=True)
    assert read("other") == [str(own), "other"]
    assert read("other", str(own)) == ["other", str(own)], "named: at its place"

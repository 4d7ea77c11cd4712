"""What the terminal says of the jobs of a file."""

from __future__ import annotations

import pytest

from advisor.cli.several import tell_several
from advisor.schema import PlanLimits
from advisor.search.several_fleet import Fleet, Several

FLEET = Fleet(
    accelerator_id="a", label="2 x a", packages=2, machines=1, busy_s=1.0, used=0.001, rent_usd=100.0,
    own_usd=200.0, energy_j=3.6e6, power_w=1e3, price_old=True, offloads=1,
)  # fmt: skip


@pytest.mark.parametrize(
    ("acquire", "rent", "own"), [("rent", "USD 100 *", "USD 200"), ("buy", "USD 100", "USD 200 *")]
)
def test_the_old_price_is_marked_where_it_is(
    capsys: pytest.CaptureFixture[str], acquire: str, rent: str, own: str
) -> None:
    tell_several(Several(3, 5.0, (FLEET,), whole=3), PlanLimits(acquire=acquire))
    out = capsys.readouterr().out
    row = next(line for line in out.splitlines() if "2 x a" in line)
    assert [cell.strip() for cell in row.split("  ") if cell.strip()][1:4] == ["<1%", rent, own]
    assert "On the first 1 of 3 jobs keep states or weights in the host's memory." in " ".join(out.split())

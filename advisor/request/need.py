"""A figure of a request, with where it comes from."""

from __future__ import annotations

from dataclasses import dataclass

from advisor.schema import Kind, Quantity


@dataclass(frozen=True)
class Need:
    """A figure of the request with where it comes from."""

    value: float | None
    unit: str
    kind: Kind
    why: str
    source: str = ""

    def quantity(self) -> Quantity:
        """The same as the report shows figures."""
        reason = self.why if self.value is None else ""
        source = f"{self.why}; {self.source}" if self.source else self.why
        return Quantity(value=self.value, unit=self.unit, kind=self.kind, source=source, reason=reason)

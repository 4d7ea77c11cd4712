"""Make reports/sample anew: its machine and measurements as they are, all else by rules and pages of today.

python tools/make_sample.py
"""

from __future__ import annotations

from pathlib import Path

from advisor.app_answers import with_estimates
from advisor.app_knowledge import load_knowledge
from advisor.data.embedded import load_any
from advisor.render import render_report
from advisor.schema import Advice

SAMPLE = Path(__file__).resolve().parent.parent / "reports" / "sample"


def today(old: Advice) -> Advice:
    """The advice with everything computed again."""
    knowledge = load_knowledge(())
    workloads = knowledge.catalogue.workloads
    return with_estimates(
        knowledge, old.model_copy(update={"versions": knowledge.versions(), "workloads": workloads})
    )


def main() -> None:
    """Read the sample's data from its PDF, and write both languages."""
    advice = today(load_any(SAMPLE / "report.pdf"))
    for lang, folder in (("en", SAMPLE), ("zh", SAMPLE / "zh")):
        result = render_report(advice, folder, lang=lang)
        for path in result.written:
            print(f"{path.stat().st_size / 1e6:.2f} MB  {path}")
        for notice in result.notices:
            print(notice.message)
        if result.skipped:
            raise SystemExit(str(result.skipped))


if __name__ == "__main__":
    main()

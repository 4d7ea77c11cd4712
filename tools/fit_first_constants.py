"""Fit the shares of peak that published runs reach, write rules/constants/fitted.toml, and score the fit.

    python tools/fit_first_constants.py            fit, write, print the cross-validated errors
    python tools/fit_first_constants.py --check    without writing (exit 1 when the file would change)

What is fitted: log(share) of every usable run, share = executed FLOPs / (device-seconds x dense peak), all
three from the product's own rules. The logarithm is a sum of effects: family (transformer, CNN), vendor,
generation, number format, width, encoder and vision transformer, LoRA, QLoRA, number of devices, tuned or
ordinary, and one effect for each publisher, which separates "this source is fast" from "this device is
fast". Weighted ridge regression: each publisher weighs the square root of its rows, outliers are weighed down
(Huber). Ranges are the 10 % and 90 % points of the residuals when the publisher is left out of the fit.
"""

from __future__ import annotations

import argparse
import sys
from pathlib import Path

from evidence_table import RULES, read_rows, usable_runs
from fitted_file import render
from shares import MAX_SHARE, MIN_SHARE, left_out, report, samples_of

from advisor.data.catalogue import load_catalogue


def main() -> int:
    """Fit, score, write."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--check", action="store_true")
    parser.add_argument("--out", type=Path, default=RULES / "constants" / "fitted.toml")
    options = parser.parse_args()
    runs, left = usable_runs(read_rows(), load_catalogue([RULES]))
    samples, odd = samples_of(runs)
    residual = left_out(samples)
    print(f"{len(samples)} runs used; {odd} with a share of peak outside {MIN_SHARE:.0%} to {MAX_SHARE:.0%}.")
    print("Not used:")
    for reason, number in left.most_common():
        print(f"  {number:5d}  {reason}")
    print(report(samples, residual))
    text = render(samples, residual)
    if options.check:
        return 0 if options.out.read_text("utf-8") == text else 1
    options.out.write_text(text, encoding="utf-8")
    return 0


if __name__ == "__main__":
    sys.exit(main())

"""Make the small font that the report ships, so that English needs no font of the system.

Source: Inter (SIL Open Font License 1.1, no reserved font name), the Debian package `fonts-inter`:

    apt-get install fonts-inter
    python tools/make_font.py /usr/share/fonts/opentype/inter

Writes templates/fonts/report-{regular,semibold}.woff2. The licence lies beside them and must stay there.
Needs fonttools and brotli (both come with weasyprint).
"""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Any

OUT = Path(__file__).resolve().parent.parent / "templates" / "fonts"
FACES = {"report-regular.woff2": "Inter-Regular.otf", "report-semibold.woff2": "Inter-SemiBold.otf"}

NAME = "Report Sans"

RANGES = (
    (0x20, 0x7E),
    (0xA0, 0x17F),  # Latin-1 and Extended-A: names of people, places and products
    (0x370, 0x3FF),  # Greek: µ, Ω, σ
    (0x2010, 0x2027),  # dashes, quotes, ellipsis
    (0x2030, 0x203A),
    (0x2070, 0x209C),  # superscripts and subscripts
    (0x20A0, 0x20BF),  # currencies
    (0x2190, 0x2199),  # arrows
)
SINGLES = "\u2009\u202f\u2044ⅠⅡⅢ™ℓ№∆∑−∕∙√∞∫≈≠≤≥⌘■□▲△▶▼▽◆◇○●★✓✗⚠�"
FEATURES = ["kern", "tnum", "mark", "mkmk", "ccmp", "locl"]  # not calt: it turns 2x4 into 2×4


def _rename(font: Any, style: str) -> None:
    """Give the subset its own name, so that it is not taken for an installed Inter (nor the reverse)."""
    table = font["name"]
    names = {1: NAME, 2: style, 4: f"{NAME} {style}", 6: f"{NAME}-{style}".replace(" ", "")}
    for record in list(table.names):
        if record.nameID in names:
            table.setName(
                names[record.nameID], record.nameID, record.platformID, record.platEncID, record.langID
            )
    cff = font["CFF "].cff
    cff.fontNames = [names[6]]
    for top in cff.topDictIndex:
        top.FamilyName, top.FullName = NAME, names[4]


def main(folder: str) -> None:
    """Subset both faces from `folder` and say how large they became."""
    from fontTools import subset

    wanted = {code for first, last in RANGES for code in range(first, last + 1)} | {ord(c) for c in SINGLES}
    for target, name in FACES.items():
        options = subset.Options()
        options.flavor = "woff2"
        options.layout_features = FEATURES
        options.name_IDs = [0, 1, 2, 3, 4, 5, 6, 13, 14]
        options.notdef_outline = True
        options.hinting = False  # screens and printers of today do without; saves a third
        options.desubroutinize = True
        font = subset.load_font(str(Path(folder) / name), options)
        subsetter = subset.Subsetter(options)
        subsetter.populate(unicodes=sorted(wanted))
        subsetter.subset(font)
        _rename(font, "SemiBold" if "semibold" in target else "Regular")
        font["head"].modified = font["head"].created  # the same bytes each time
        font.recalcTimestamp = False
        subset.save_font(font, str(OUT / target), options)
        print(
            f"{target}: {(OUT / target).stat().st_size / 1024:.1f} kB, {len(font.getBestCmap())} characters"
        )


if __name__ == "__main__":
    main(sys.argv[1] if len(sys.argv) > 1 else "/usr/share/fonts/opentype/inter")

"""Make the small fonts that the report ships, so that neither English nor Chinese needs a font of the system.

Sources, both SIL Open Font License 1.1: Inter (no reserved font name), the Debian package `fonts-inter`, and
Noto Sans CJK SC (Reserved Font Name "Source", which is not used), the Debian package `fonts-noto-cjk`:

    apt-get download fonts-inter fonts-noto-cjk     # and `dpkg -x` each into one folder
    python tools/make_font.py FOLDER

Writes templates/fonts/report-{regular,semibold}.woff2 and report-sc-{regular,semibold}.woff2. The licence
lies beside them and must stay there. Needs fonttools and brotli (both come with weasyprint).

    python tools/make_font.py own                   # after new Chinese wording; needs no package

writes report-sc-own.woff2 and report-marks-*.woff2 from the shipped Chinese faces.
"""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parent.parent
OUT = ROOT / "templates" / "fonts"
LATIN = {"report-regular.woff2": "Inter-Regular.otf", "report-semibold.woff2": "Inter-SemiBold.otf"}
SC_FACE = 2  # of the collection: JP, KR, SC, TC, HK, then the monospaced ones

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

CHINESE_PUNCTUATION = (
    "·—‘’“”…、。〈〉《》「」『』【】〔〕！＂％＇（）＊＋，－．／：；＜＝＞？［］～￥×÷±℃①②③④⑤⑥⑦⑧⑨⑩"
)


def latin_codes() -> set[int]:
    """What the Latin faces hold."""
    return {code for first, last in RANGES for code in range(first, last + 1)} | {ord(c) for c in SINGLES}


def own_chinese_codes() -> set[int]:
    """Punctuation and all that our own Chinese wording uses."""
    files = (ROOT / "templates" / "lang" / "zh.toml", ROOT / "templates" / "lang" / "rules" / "zh.toml")
    own = "".join(path.read_text(encoding="utf-8") for path in files)
    return {0x20, 0xA0, *map(ord, CHINESE_PUNCTUATION)} | {ord(c) for c in own if ord(c) > 0x2E7F}


def chinese_codes() -> set[int]:
    """Our own wording and level 1 of GB 2312: 3,755 characters, 99.7 % of running text."""
    level = bytes(byte for row in range(0xB0, 0xD8) for at in range(0xA1, 0xFF) for byte in (row, at))
    return own_chinese_codes() | set(map(ord, level.decode("gb2312", "ignore")))


CHINESE = {
    "report-sc-regular.woff2": ("NotoSansCJK-Regular.ttc", chinese_codes),
    # Bold, for the package has no weight between; our own wording alone, headings of strangers are few.
    "report-sc-semibold.woff2": ("NotoSansCJK-Bold.ttc", own_chinese_codes),
}


def _rename(font: Any, family: str, style: str) -> None:
    """Give the subset its own name, so that it is not taken for an installed font (nor the reverse)."""
    table = font["name"]
    names = {1: family, 2: style, 4: f"{family} {style}", 6: f"{family}-{style}".replace(" ", "")}
    for record in list(table.names):
        if record.nameID in names:
            table.setName(
                names[record.nameID], record.nameID, record.platformID, record.platEncID, record.langID
            )
    cff = font["CFF "].cff
    cff.fontNames = [names[6]]
    for top in cff.topDictIndex:
        top.FamilyName, top.FullName = family, names[4]


def _options(features: list[str]) -> Any:
    from fontTools import subset

    options = subset.Options()
    options.flavor = "woff2"
    options.layout_features = features
    options.name_IDs = [0, 1, 2, 3, 4, 5, 6, 13, 14]
    options.name_languages = [0x409]
    options.notdef_outline = True
    options.hinting = False  # screens and printers of today do without; saves a third
    options.desubroutinize = True
    options.drop_tables += ["vhea", "vmtx", "VORG", "BASE"]  # nothing is set vertically
    return options


def make(source: Path, target: str, wanted: set[int], features: list[str], face: int = -1) -> None:
    """One subset, renamed, the same bytes each time."""
    from fontTools import subset

    options = _options(features)
    options.font_number = face
    font = subset.load_font(str(source), options)
    subsetter = subset.Subsetter(options)
    subsetter.populate(unicodes=sorted(wanted))
    subsetter.subset(font)
    family = f"{NAME} SC" if "-sc-" in target else NAME
    _rename(font, family, "SemiBold" if "semibold" in target else "Regular")
    font["OS/2"].usWeightClass = 600 if "semibold" in target else 400
    font["head"].modified = font["head"].created
    font.recalcTimestamp = False
    subset.save_font(font, str(OUT / target), options)
    size = (OUT / target).stat().st_size / 1024
    print(f"{target}: {size:.1f} kB, {len(font.getBestCmap())} characters")


def own_faces() -> None:
    """What a Chinese page carries, of the shipped faces: our own wording, and the wide marks."""
    sys.path.insert(0, str(ROOT))
    from advisor.render.fonts import WIDE_MARKS

    marks = {0x20, 0xA0, *map(ord, WIDE_MARKS)}
    for target, source, wanted in (
        ("report-sc-own.woff2", "report-sc-regular.woff2", own_chinese_codes()),
        ("report-marks-regular.woff2", "report-sc-regular.woff2", marks),
        ("report-marks-semibold.woff2", "report-sc-semibold.woff2", marks),
    ):
        make(OUT / source, target, wanted, [])


def main(folder: str, which: str = "all") -> None:
    """Subset all faces found below `folder` and say how large they became."""
    if folder == "own":
        own_faces()
        return
    jobs = [(name, target, latin_codes(), FEATURES, -1) for target, name in LATIN.items()]
    if which == "sc":
        jobs = []
    jobs += [(name, target, codes(), [], SC_FACE) for target, (name, codes) in CHINESE.items()]
    for name, target, wanted, features, face in jobs:
        found = sorted(Path(folder).rglob(name))
        if not found:
            print(f"{name} is not below {folder}; {target} stays as it is", file=sys.stderr)
            continue
        make(found[0], target, wanted, features, face)
    own_faces()


if __name__ == "__main__":
    main(*(sys.argv[1:] or ["/usr/share/fonts"]))

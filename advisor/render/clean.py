"""Strings from drivers, hosts and files are hostile until shown otherwise: make them safe to look at.

Escaping is Jinja's work (autoescape is always on). This module takes care of what escaping leaves:
control characters, bidirectional overrides, lone surrogates and texts of 10 kB.
"""

from __future__ import annotations

import hashlib
import re
import unicodedata

LIMIT = 400
"""Characters of a foreign string that a report shows at most."""

# Format characters that reorder or hide text. Joiners (200C, 200D) stay: scripts need them.
_HIDING = {0x00AD, 0x061C, 0x180E, 0x200B, 0x200E, 0x200F, 0x2060, 0xFEFF}
_HIDING |= set(range(0x202A, 0x202F)) | set(range(0x2061, 0x2070)) | set(range(0xFFF9, 0xFFFC))
_HIDING |= set(range(0xE0000, 0xE0080))


def clean(text: str, limit: int = LIMIT) -> str:
    """`text` on one line, shortened to `limit`, with control and reordering characters written out.

    "A\\x00B" gives "A\\\\x00B"; "\\u202e" is written as "\\\\u202e"; line ends and tabs become spaces.
    """
    length = len(text)
    # Cut before looking at each character: a driver may answer with megabytes.
    shown = re.sub(r"\s+", " ", text[: limit * 2]).strip()
    if len(shown) > limit or length > limit * 2:
        shown = f"{shown[: limit - 1].rstrip()}… ({length:,} characters)"
    if shown.isascii() and shown.isprintable():
        return shown
    return "".join(_visible(character) for character in shown)


def _visible(character: str) -> str:
    code = ord(character)
    category = unicodedata.category(character)
    if code in _HIDING or category in ("Cc", "Cs", "Co", "Cn", "Zl", "Zp"):
        return f"\\x{code:02x}" if code < 0x100 else f"\\u{code:04x}"
    return character


def needs_no_glyph(character: str) -> bool:
    """Whether a character prints nothing of its own, so that no font must have it."""
    return (
        unicodedata.category(character) in ("Cc", "Cf", "Zs", "Zl", "Zp")
        or 0xFE00 <= ord(character) <= 0xFE0F
    )


def slug(prefix: str, key: str) -> str:
    """An id for HTML and PDF made from any text: nothing of the text itself is in it."""
    return f"{prefix}-{hashlib.sha256(key.encode('utf-8', 'replace')).hexdigest()[:12]}"

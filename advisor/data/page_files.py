"""Files that ride in an HTML page: each packed in the link that saves it.

Packed they are letters of base64 in one attribute: nothing of them is markup, script or style, and no
browser reads them before a reader clicks. The same text gives the same link on every computer with the same
zlib.
"""

from __future__ import annotations

import base64
import binascii
import re
import struct
import zlib

GZIP = b"\x1f\x8b"
MOST_BYTES = 50_000_000  # of any file that is read: the largest report known has three
_HEAD = GZIP + b"\x08\x00" + b"\x00" * 4 + b"\x02\xff"  # no name, no date, no system: they would differ
_LINK = re.compile(
    r'<a class="file" download="([\w.-]{1,80})\.gz" '
    r'href="data:application/gzip;base64,([A-Za-z0-9+/]*={0,2})">'
)


def link(name: str, text: str) -> str:
    """The link, as markup, that holds a file and saves it as NAME.gz. `name` is one of our own."""
    data = base64.b64encode(packed(text)).decode("ascii")
    return f'<a class="file" download="{name}.gz" href="data:application/gzip;base64,{data}">{name}.gz</a>'


def files_in(page: str) -> dict[str, bytes]:
    """Name -> content of the files in a page. Raises ValueError for one that is damaged or there twice."""
    found: dict[str, bytes] = {}
    for one in _LINK.finditer(page):
        if one[1] in found:
            raise ValueError(f"{one[1]} is in it twice")
        try:
            found[one[1]] = unpacked(base64.b64decode(one[2], validate=True))
        except (binascii.Error, ValueError) as error:
            raise ValueError(f"{one[1]}: {error}") from error
    return found


def packed(text: str) -> bytes:
    """A text as gzip."""
    data = text.encode("utf-8")
    press = zlib.compressobj(9, zlib.DEFLATED, -zlib.MAX_WBITS)
    return _HEAD + press.compress(data) + press.flush() + struct.pack("<LL", zlib.crc32(data), len(data))


def unpacked(data: bytes) -> bytes:
    """What gzip data holds. Raises ValueError for what is damaged, cut short, or larger than is read."""
    inflate = zlib.decompressobj(16 + zlib.MAX_WBITS)
    try:
        found = inflate.decompress(data, MOST_BYTES + 1)
    except zlib.error as error:
        raise ValueError(str(error)) from error
    if len(found) > MOST_BYTES:
        raise ValueError(f"it unpacks to more than {MOST_BYTES // 1_000_000} MB")
    if not inflate.eof:
        raise ValueError("it is cut short")
    if inflate.unused_data:
        raise ValueError("something follows its end")
    return found

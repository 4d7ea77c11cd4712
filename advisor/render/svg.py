"""SVG of a chart made fit for a page: checked against what fails silently, ids made unique.

Tested against WeasyPrint 70: style elements and classes of the page turn shapes black, var() and @media
are ignored, foreignObject vanishes, paint-order hides text. Presentation attributes work everywhere.
"""

from __future__ import annotations

import re
from xml.etree import ElementTree as ET

SVG = "http://www.w3.org/2000/svg"
_ALLOWED = {
    "svg",
    "g",
    "path",
    "text",
    "tspan",
    "rect",
    "line",
    "circle",
    "defs",
    "clipPath",
    "title",
    "polygon",
}
_DROPPED = {"role", "class"}
_FORBIDDEN_TEXT = re.compile(r"var\(|@media|javascript:|expression\(|url\((?!#)", re.IGNORECASE)


def tidy(text: str, prefix: str, title: str) -> str:
    """The SVG with a title (its alternate text), prefixed ids and nothing but plain drawing elements.

    Raises ValueError for an element or value that a page must not hold.
    """
    root = ET.fromstring(text)  # noqa: S314 - written by vl-convert a moment ago, and has no DTD
    for element in root.iter():
        name = _local(element.tag)
        if name not in _ALLOWED:
            raise ValueError(f"the chart holds <{name}>, which not every viewer draws")
        for key, value in list(element.attrib.items()):
            if key in _DROPPED or key.startswith("aria-"):
                del element.attrib[key]
            elif _local(key) == "href" or key.startswith("on") or _FORBIDDEN_TEXT.search(value):
                raise ValueError(f"the chart holds {key}={value[:40]!r}, which a report must not")
            elif key == "id":
                element.set(key, f"{prefix}-{value}")
            elif "url(#" in value:
                element.set(key, value.replace("url(#", f"url(#{prefix}-"))
            elif key == "style":
                _styles_to_attributes(element)
    label = ET.Element(f"{{{SVG}}}title")
    label.text = title
    root.insert(0, label)
    root.set("role", "img")
    ET.register_namespace("", SVG)
    return ET.tostring(root, encoding="unicode")


def _styles_to_attributes(element: ET.Element) -> None:
    """style="fill: red" -> fill="red"; what is no presentation attribute (white-space, …) is dropped."""
    for declaration in element.attrib.pop("style").split(";"):
        key, _, value = declaration.partition(":")
        if key.strip() in ("fill", "stroke", "opacity", "font-size", "font-family", "font-weight"):
            element.set(key.strip(), value.strip())


def _local(tag: str) -> str:
    return tag.rpartition("}")[2]

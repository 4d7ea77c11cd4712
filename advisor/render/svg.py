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
    _lighten(root)
    label = ET.Element(f"{{{SVG}}}title")
    label.text = title
    root.insert(0, label)
    root.set("role", "img")
    ET.register_namespace("", SVG)
    return ET.tostring(root, encoding="unicode")


# --- fewer elements: WeasyPrint takes half a millisecond for each ------------------------------------

_PLAIN = {"opacity": "1", "stroke-width": "1", "transform": "translate(0,0)"}
"""Attributes that say what holds without them, since no group of these charts says otherwise."""

_MOVE = re.compile(r"translate\((-?[\d.]+),(-?[\d.]+)\)")
_LONG_NUMBER = re.compile(r"-?\d+\.\d{3,}(?:e-?\d+)?")


def _lighten(element: ET.Element) -> None:
    """Take out what draws nothing, open groups that group nothing, and draw alike lines as one path."""
    for key, value in list(element.attrib.items()):
        if key == "pointer-events" or _PLAIN.get(key) == value:
            del element.attrib[key]
        elif key in ("d", "transform", "x2", "y2"):
            element.set(key, _LONG_NUMBER.sub(_rounded, value))
    kept: list[ET.Element] = []
    for child in element:
        _lighten(child)
        if not _draws_nothing(child):
            kept += list(child) if _local(child.tag) == "g" and not child.attrib else [child]
    element[:] = _joined(kept)


def _rounded(found: re.Match[str]) -> str:
    """Hundredths of a pixel are more than any printer draws."""
    return f"{round(float(found[0]), 2):g}"


def _draws_nothing(element: ET.Element) -> bool:
    name = _local(element.tag)
    if element.get("display") == "none":
        return True
    if name == "g":
        return not len(element)
    return name == "path" and element.get("d") in ("", "M0,0h0v0h0Z")


def _joined(elements: list[ET.Element]) -> list[ET.Element]:
    """Lines that follow each other and look alike as one path: grids and ticks are dozens of them."""
    found: list[ET.Element] = []
    for element in elements:
        line = _path_of_line(element)
        if line is None:
            found.append(element)
        elif found and _local(found[-1].tag) == "path" and _look(found[-1]) == _look(line):
            found[-1].set("d", found[-1].get("d", "") + line.get("d", ""))
        else:
            found.append(line)
    return found


def _path_of_line(element: ET.Element) -> ET.Element | None:
    """A line as a path, with its place in it; None for what is no plain line."""
    moved = _MOVE.fullmatch(element.get("transform", "translate(0,0)"))
    if _local(element.tag) != "line" or moved is None or {"x1", "y1", "id"} & set(element.keys()):
        return None
    rest = {key: value for key, value in element.items() if key not in ("transform", "x2", "y2")}
    d = f"M{moved[1]},{moved[2]}l{element.get('x2', '0')},{element.get('y2', '0')}"
    return ET.Element(f"{{{SVG}}}path", {**rest, "d": d})


def _look(element: ET.Element) -> dict[str, str]:
    return {key: value for key, value in element.items() if key != "d"}


def _styles_to_attributes(element: ET.Element) -> None:
    """style="fill: red" -> fill="red"; what is no presentation attribute (white-space, …) is dropped."""
    for declaration in element.attrib.pop("style").split(";"):
        key, _, value = declaration.partition(":")
        if key.strip() in ("fill", "stroke", "opacity", "font-size", "font-family", "font-weight"):
            element.set(key.strip(), value.strip())


def _local(tag: str) -> str:
    return tag.rpartition("}")[2]

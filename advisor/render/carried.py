"""The data that an HTML document carries, each file a link that saves it, so that `verify` needs no other."""

from __future__ import annotations

from collections.abc import Mapping

from markupsafe import Markup

from advisor.data.page_files import link
from advisor.render.texts import Texts


def carried(data: Mapping[str, str], page: str, t: Texts) -> Markup:
    """A line with the data's files; nothing where there are none. `page` is the document's file name."""
    if not data:
        return Markup()
    files = t("list.comma", ", ").join(Markup(link(name, text)) for name, text in data.items())  # noqa: S704 - base64
    told = t(
        "carried.text",
        "This page carries its data, to be saved: {files}. {command} reads it from the page and makes every "
        "figure again.",
        files=files,
        command=Markup("<code>hwadvisor verify {}</code>").format(page),
    )
    return Markup('<p class="hint carried">{}</p>\n').format(told)

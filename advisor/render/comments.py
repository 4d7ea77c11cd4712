"""The comments of a job's files in another language; what a machine reads of them stays as it is."""

from __future__ import annotations

import re
from collections.abc import Mapping

from advisor.render.texts import full_texts

_COMMENT = re.compile(r"^( *# )(\S.*)$", re.MULTILINE)  # neither "#SBATCH" nor "#!/bin/bash"


def commented(files: Mapping[str, str], lang: str) -> dict[str, str]:
    """Name -> text with each comment that the language knows whole; what it does not know stays."""
    sentences = full_texts(lang).sentences
    if not sentences:
        return dict(files)

    def told(line: re.Match[str]) -> str:
        return line[1] + (sentences.find(line[2]) or line[2])

    return {name: _COMMENT.sub(told, text) for name, text in files.items()}

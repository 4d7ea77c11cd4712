"""The errors a user can meet, and their exit codes.

AdvisorError                    anything that ends a command with one line and a hint
├── UserError                   exit 2: a flag, a file or a name is wrong
│   └── DataError               exit 2: a data or rule file is wrong (says file, key, value)
├── NothingFits                 exit 1: asked for something that no candidate can do
├── MissingLibrary              exit 2: a system or Python library is missing (says how to get it)
└── Interrupted                 exit 130: stopped by Ctrl-C or SIGTERM (says where the results are)

Anything else that reaches the command line is a bug: exit 3, with a file to send.
"""

from __future__ import annotations

from collections.abc import Iterable

EXIT_DONE = 0
EXIT_NOTHING_FITS = 1
EXIT_USER = 2
EXIT_INTERNAL = 3
EXIT_UNCHECKED = 4  # of `verify`: nothing was found wrong, and not everything could be checked
EXIT_INTERRUPTED = 130  # the shell's convention for Ctrl-C


class AdvisorError(Exception):
    """What was wrong and where (`message`), and what to do about it (`hint`)."""

    exit_code = EXIT_USER

    def __init__(self, message: str, hint: str = "") -> None:
        super().__init__(message)
        self.message = message
        self.hint = hint


class UserError(AdvisorError):
    """A flag, a file or a name given by the user is wrong."""


class DataError(UserError):
    """A data file is wrong: `DataError.at(file, key, value, problem, hint)` says where."""

    @classmethod
    def at(cls, file: object, key: str, value: object, problem: str, hint: str = "") -> DataError:
        """An error that names file, key and value, the three things one needs to mend it."""
        shown = "" if value is None else f" = {_short(value)}"
        return cls(f"{file}: {key}{shown}: {problem}" if key else f"{file}: {problem}", hint)


class NothingFits(AdvisorError):
    """The question was understood and no candidate answers it."""

    exit_code = EXIT_NOTHING_FITS


class MissingLibrary(AdvisorError):
    """A library is missing; `hint` is the command that installs it."""


class Interrupted(AdvisorError):
    """A stop by Ctrl-C or SIGTERM after which something is left; `hint` is how to go on from it."""

    exit_code = EXIT_INTERRUPTED


def nearest(name: str, choices: Iterable[str], count: int = 3) -> list[str]:
    """The `count` choices most like `name`, best first; empty when nothing is near."""
    pool, asked = {choice.lower(): choice for choice in choices}, name.lower()
    import difflib

    # "nvidia-h100" begins one, "h200" is a part of one, before what is spelt like it ("nvidia-gh200-96gb")
    whole = [key for key in pool if len(asked) > 2 and key.startswith(f"{asked}-")]
    whole += [key for key in pool if asked in key.split("-")]
    found = difflib.get_close_matches(asked, list(pool), n=count, cutoff=0.6)
    inside = [key for key in pool if asked in key]
    if not found and not inside:  # "h100sxm" leaves dashes out
        plain = _letters(asked)
        inside = [key for key in pool if len(plain) > 3 and plain in _letters(key)]
    if not found and not inside:  # "h1000" is like a part of "nvidia-h100-sxm5-80gb"
        parts = sorted({part for key in pool for part in key.split("-") if len(part) > 2})
        like = difflib.get_close_matches(asked, parts, n=1, cutoff=0.75)
        inside = [key for key in pool if like and like[0] in key.split("-")]
    return [pool[key] for key in list(dict.fromkeys([*whole, *found, *inside]))[:count]]


def _letters(name: str) -> str:
    """Letters and digits alone."""
    return "".join(one for one in name if one.isalnum())


def did_you_mean(name: str, choices: Iterable[str]) -> str:
    """'Did you mean a, b or c?' or an empty text."""
    near = nearest(name, choices)
    if not near:
        return ""
    listed = near[0] if len(near) == 1 else ", ".join(near[:-1]) + " or " + near[-1]
    return f"Did you mean {listed}?"


def _short(value: object, limit: int = 80) -> str:
    text = repr(value)
    return text if len(text) <= limit else text[: limit - 1] + "…"

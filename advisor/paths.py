"""Where a user's own rules lie, and whether something is there where one may not even look: `Path.exists`
raises, or calls it absent.

Python 3.11 and 3.12 raise PermissionError when a folder on the way is closed to this user, later ones
answer False. Neither is true: a sign that may not be looked for is unknown.
"""

from __future__ import annotations

import errno
import os
from pathlib import Path

_ABSENT = frozenset({errno.ENOENT, errno.ENOTDIR, errno.ELOOP, errno.ENAMETOOLONG})


def there(path: Path) -> bool | None:
    """Whether `path` is there, links followed; None when it may not be looked at or looking fails."""
    try:
        os.stat(path)  # noqa: PTH116 - the same call, without pathlib's own reading of its errors
    except OSError as error:
        return False if error.errno in _ABSENT else None
    except ValueError:  # a NUL byte: no file has such a name
        return False
    return True


def user_rules() -> Path | None:
    """The user's own folder of rules and prices, read by every command where it is there; None: no home."""
    stated = os.environ.get("XDG_DATA_HOME", "")
    try:
        base = Path(stated) if Path(stated).is_absolute() else Path.home() / ".local" / "share"
    except RuntimeError:
        return None
    return base / "hwadvisor" / "rules"


def with_user_rules(stated: tuple[Path, ...] = ()) -> tuple[Path, ...]:
    """The user's own folder first, where it is there, then those that are named."""
    own = user_rules()
    return stated if own is None or own in stated or not there(own) else (own, *stated)

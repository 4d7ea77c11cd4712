"""SSH signatures of files: `ssh-keygen -Y`, with keys that people have anyway."""

from __future__ import annotations

import re
import shutil
import subprocess
import tempfile
from pathlib import Path
from typing import NamedTuple

from advisor.errors import MissingLibrary, UserError

NAMESPACE = "hwadvisor"
_DEADLINE_S = 120  # a key may ask for its passphrase
_KEY = re.compile(r"(ssh-|ecdsa-|sk-)[\w@.-]+ [A-Za-z0-9+/=]+")


class Signed(NamedTuple):
    """What is known of a file's signature. `good` None: there is none, or nobody to hold it against."""

    good: bool | None
    text: str
    who: str = ""


def signature_of(path: Path) -> Path:
    """Where the signature of a file lies."""
    return path.with_name(path.name + ".sig")


def sign(path: Path, key: Path) -> Path:
    """Sign a file, beside it. Raises UserError when the key or the place will not do."""
    target = signature_of(path)
    target.unlink(missing_ok=True)
    done = _run(["-Y", "sign", "-f", _plain(key), "-n", NAMESPACE, _plain(path)])
    if done.returncode or not target.exists():
        raise UserError(
            f"cannot sign {path} with {key}: {_said(done)}", "Give a private SSH key that you can read."
        )
    return target


def check(path: Path, signers: Path | None) -> Signed:
    """A file's signature against `signers` (an allowed_signers file or a public key).

    Raises UserError for a list of signers that cannot be read.
    """
    target = signature_of(path)
    if signers is not None and not signers.is_file():
        raise UserError(f"cannot read {signers}", "Give an allowed_signers file or a public key.")
    if not target.is_file():
        return Signed(
            None if signers is None else False, f"there is no {target.name}" if signers else "not signed"
        )
    if signers is None:
        done = _run(["-Y", "check-novalidate", "-n", NAMESPACE, "-s", _plain(target)], path)
        if done.returncode:
            return Signed(False, f"the signature does not belong to this file ({_said(done)})")
        return Signed(None, f"signed by a key nobody vouched for ({_fingerprint(done)}); give --signer FILE")
    with tempfile.TemporaryDirectory(prefix="hwadvisor-signers-") as folder:
        allowed = _allowed(signers, Path(folder))
        found = _run(["-Y", "find-principals", "-f", _plain(allowed), "-s", _plain(target)])
        who = found.stdout.decode("utf-8", "replace").split("\n")[0].strip()
        if found.returncode or not who:
            return Signed(False, "signed by none of the keys in the list of signers")
        done = _run(
            ["-Y", "verify", "-f", _plain(allowed), "-I", who, "-n", NAMESPACE, "-s", _plain(target)], path
        )
    if done.returncode:
        return Signed(False, f"the signature does not belong to this file ({_said(done)})", who)
    return Signed(True, f"signed by {who if who != '*' else 'the key given'} ({_fingerprint(done)})", who)


def _allowed(signers: Path, folder: Path) -> Path:
    """The list as ssh-keygen wants it: a bare public key is let in under any name."""
    try:
        text = signers.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise UserError(
            f"cannot read {signers}: {error}", "Give an allowed_signers file or a public key."
        ) from error
    lines = text.splitlines()
    keys = [line for line in lines if line.strip() and not line.startswith("#")]
    if not keys:
        raise UserError(f"{signers} names no signer", "Give an allowed_signers file or a public key.")
    if not all(_KEY.match(line) for line in keys):
        return signers
    target = folder / "allowed_signers"
    target.write_text("".join(f"* {line}\n" for line in keys), encoding="utf-8")
    return target


def _plain(path: Path) -> str:
    return str(path.absolute())  # never taken for an option


def _run(arguments: list[str], content: Path | None = None) -> subprocess.CompletedProcess[bytes]:
    tool = shutil.which("ssh-keygen")
    if tool is None:
        raise MissingLibrary("ssh-keygen is not installed", "apt install openssh-client")
    data = content.read_bytes() if content is not None else b""
    try:
        return subprocess.run(
            [tool, *arguments], input=data, capture_output=True, timeout=_DEADLINE_S, check=False
        )
    except subprocess.TimeoutExpired as error:
        raise UserError(
            f"ssh-keygen gave no answer in {_DEADLINE_S} s", "Use a key without a passphrase, or an agent."
        ) from error


def _said(done: subprocess.CompletedProcess[bytes]) -> str:
    lines = (done.stderr or done.stdout).decode("utf-8", "replace").strip().splitlines()
    return " ".join(lines[-1].split())[:160] if lines else "no reason given"


def _fingerprint(done: subprocess.CompletedProcess[bytes]) -> str:
    found = re.search(r"SHA256:\S+", (done.stdout + done.stderr).decode("utf-8", "replace"))
    return found[0] if found else "fingerprint not told"

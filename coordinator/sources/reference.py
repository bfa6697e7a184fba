"""Reads what names a recording: a path, or an address whose scheme is allowed."""

from __future__ import annotations

import os
import re
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from typing import TYPE_CHECKING
from urllib.parse import SplitResult, quote, unquote, urlsplit

from coordinator.errors import BadSourceError
from coordinator.sources.shown import printable, shown

if TYPE_CHECKING:
    from collections.abc import Callable

    from schemas.settings import SourceSettings

#: The longest reference that is looked at, in characters (Linux: PATH_MAX).
MAX_CHARACTERS = 4096
#: The highest port.
MAX_PORT = 65535
#: What an address begins with; chains such as `simplecache::file://` too, so that they are refused.
_ADDRESS = re.compile(r"^([A-Za-z][A-Za-z0-9+.:_-]*)://")
#: A chain of fsspec's, whose parts could name anything.
_CHAIN = re.compile(r"^[A-Za-z][A-Za-z0-9+._-]*::")
#: A bucket, or a container.
_BUCKET = re.compile(r"^[A-Za-z0-9][A-Za-z0-9._-]{1,221}[A-Za-z0-9]$")


@dataclass(frozen=True, slots=True)
class Reference:
    """A recording that was asked for; nothing of it has been opened yet."""

    #: `path`, or one of the schemes.
    scheme: str
    #: A path of this machine, an https address, or bucket with key.
    target: str
    #: The last part of it, for people to read.
    name: str
    #: The whole in an error or a log: no query, no password.
    shown: str

    @property
    def local(self) -> bool:
        """Whether it lies on this machine."""
        return self.scheme in {"path", "file"}


def read_reference(source: str | os.PathLike[str], rules: SourceSettings) -> Reference:
    """Return what `source` names.

    Raises:
        BadSourceError: it can name no recording, or its scheme is not allowed.
    """
    text = os.fspath(source)
    if not text.strip():
        message = "no recording given: the path is empty"
        raise BadSourceError(message)
    address = _ADDRESS.match(text)
    if address is None and _CHAIN.match(text) and not Path(text[:MAX_CHARACTERS]).exists():
        address = _CHAIN.match(text)
    if address is None:
        return _path(text)
    scheme = address[0].partition("://")[0].lower()
    if scheme not in rules.schemes:
        allowed = ", ".join(f"{name}://" for name in rules.schemes) or "none"
        message = (
            f"{shown(_masked(text))} cannot be read: allowed are paths, and addresses with "
            f"{allowed} (security.sources.schemes)"
        )
        raise BadSourceError(message)
    if len(text) > MAX_CHARACTERS or printable(text) != text or "\\" in text:
        message = (
            f"{shown(_masked(text))} is no address: it is too long, or holds characters that no "
            "address has"
        )
        raise BadSourceError(message)
    return _READERS[scheme](text, rules)


def _path(text: str) -> Reference:
    if len(text) > MAX_CHARACTERS:
        message = f"{shown(text)} is no path: it has {len(text)} characters"
    elif "\x00" in text:
        message = f"{shown(text)} is no path: it holds a NUL character"
    else:
        return Reference("path", text, printable(Path(text).name), shown(text))
    raise BadSourceError(message)


def _masked(text: str) -> str:
    """Return an address without what may be secret in it."""
    head, mark, rest = text.partition("://")
    rest = re.split(r"[?#]", rest, maxsplit=1)[0]
    rest = rest.rpartition("@")[2] if "@" in rest.partition("/")[0] else rest
    return f"{head}{mark}{rest}"


def _split(text: str) -> SplitResult:
    try:
        parts = urlsplit(text)
        port = parts.port
    except ValueError:
        parts, port = SplitResult("", "", "", "", ""), None
    if not parts.hostname or port == 0:
        message = f"{shown(_masked(text))} is no address: its host or port cannot be read"
        raise BadSourceError(message)
    if parts.username is not None or parts.password is not None:
        message = (
            f"{shown(_masked(text))} carries a user or a password: give the bare address; "
            "a signed one will do"
        )
        raise BadSourceError(message)
    return parts


def _file(text: str, rules: SourceSettings) -> Reference:
    """Read a `file://` address; it has to lie below a configured folder, links resolved."""
    host, slash, rest = text.partition("://")[2].partition("/")
    label = shown(_masked(text))
    path = unquote(slash + rest)
    if host.lower() not in {"", "localhost"}:
        message = f"{label} names another machine: file:// reads this one's files alone"
        raise BadSourceError(message)
    if "?" in rest or "#" in rest or printable(path) != path:
        message = f"{label} is no address of a file"
        raise BadSourceError(message)
    resolved = os.path.realpath(path)
    if not any(_below(resolved, root) for root in rules.file_roots):
        message = f"{label} lies in no folder that may be read (security.sources.file_roots)"
        raise BadSourceError(message)
    return Reference("file", resolved, printable(Path(path).name), label)


def _below(resolved: str, root: Path) -> bool:
    return Path(resolved).is_relative_to(os.path.realpath(root))


def check_still_below(path: str, rules: SourceSettings) -> None:
    """Look again, once a file is open, that no link was put in its way meanwhile.

    Raises:
        BadSourceError: it lies elsewhere by now.
    """
    if os.path.realpath(path) != path or not any(_below(path, root) for root in rules.file_roots):
        message = f"{shown(path)} changed into a link while it was opened"
        raise BadSourceError(message)


def _https(text: str, rules: SourceSettings) -> Reference:
    del rules
    parts = _split(text)
    host = str(parts.hostname)
    try:
        netloc = f"[{host}]" if ":" in host else host.encode("idna").decode()
    except UnicodeError:
        message = f"{shown(_masked(text))} is no address: its host cannot be read"
        raise BadSourceError(message) from None
    netloc += f":{parts.port}" if parts.port else ""
    path = quote(parts.path or "/", safe="/%:@!$&'()*+,;=~-._")
    query = "?" + quote(parts.query, safe="/%:@!$&'()*+,;=~-._?") if parts.query else ""
    name = printable(PurePosixPath(unquote(parts.path)).name) or host
    return Reference("https", f"https://{netloc}{path}{query}", name, shown(_masked(text)))


def _bucket(text: str, rules: SourceSettings) -> Reference:
    del rules
    scheme, _, rest = text.partition("://")
    bucket, _, key = rest.partition("/")
    parts = key.split("/")
    if not _BUCKET.match(bucket) or "@" in bucket:
        message = f"{shown(_masked(text))} names no bucket"
    elif not key or any(part in {".", ".."} for part in parts) or "?" in key or "#" in key:
        message = f"{shown(_masked(text))} names no object of a bucket"
    else:
        label = shown(_masked(text))
        return Reference(scheme.lower(), f"{bucket}/{key}", printable(parts[-1] or key), label)
    raise BadSourceError(message)


_READERS: dict[str, Callable[[str, SourceSettings], Reference]] = {
    "file": _file,
    "https": _https,
    "s3": _bucket,
    "gs": _bucket,
    "az": _bucket,
}

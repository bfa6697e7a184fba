"""What the servers' addresses may look like; no message shows one, as it may hold a password."""

from __future__ import annotations

import re
from urllib.parse import urlsplit

from pydantic import SecretStr

#: What a broker's address begins with.
BROKER_SCHEMES = ("redis", "rediss", "redis+socket", "sentinel")
ENCODE = "; in a name or password write @ as %40, : as %3A, / as %2F, # as %23, ? as %3F, % as %25"
_BAD_PERCENT = re.compile(r"%(?![0-9A-Fa-f]{2})")
_BLANK = re.compile(r"[\s\x00-\x1f\x7f]")


def broker_address(value: SecretStr) -> SecretStr:
    """Return a broker's address without blanks around it.

    Raises:
        ValueError: it is none.
    """
    address = _checked(value.get_secret_value())
    scheme = address.partition(":")[0].lower()
    if scheme not in BROKER_SCHEMES:
        message = f"the broker's address has to begin with one of {', '.join(BROKER_SCHEMES)}"
        raise ValueError(message)
    return SecretStr(address)


def ledger_address(value: SecretStr) -> SecretStr:
    """Return a database's address without blanks around it; its kind is looked at when it is used.

    Raises:
        ValueError: it is none.
    """
    return SecretStr(_checked(value.get_secret_value()))


def _checked(text: str) -> str:
    address = text.strip(" \t\r\n")
    if not address:
        message = "the address is empty"
    elif _BLANK.search(address):
        message = "the address has a blank or a control character"
    elif _BAD_PERCENT.search(address):
        message = "the address has a % that is not followed by two hexadecimal digits" + ENCODE
    else:
        message = _structure(address)
    if message:
        raise ValueError(message)
    return address


def _structure(address: str) -> str:
    """Return what is wrong with an address's parts."""
    try:
        parts = urlsplit(address)
    except ValueError:
        return "the address's host is wrong; an IPv6 address stands in [ ]" + ENCODE
    rest = f"{parts.path}?{parts.query}#{parts.fragment}"
    if parts.fragment or parts.netloc.count("@") > 1 or (parts.netloc and "@" in rest):
        return "the address cannot be taken apart" + ENCODE
    try:
        port = parts.port
    except ValueError:
        return "the address's port is no number from 1 to 65535" + ENCODE
    return "the address's port is 0" if port == 0 else ""

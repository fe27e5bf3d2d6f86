# Copyright (c) 2026, The cryptoki.hsm authors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""PKCS#11 URIs (RFC 7512): read and written, without a PIN in either direction.

Note that this module util is **PRIVATE** to the collection. It can have breaking changes at any time.
Do not use it from outside.
"""

from __future__ import annotations

import re
import typing as t
from dataclasses import dataclass, fields
from urllib.parse import quote, unquote, unquote_to_bytes

_SCHEME = "pkcs11:"
_QUERY = ("module_path", "module_name")
_TYPES = ("public", "private", "cert", "secret-key", "data")

# RFC 7512, 2.3, pk11-pchar and pk11-qchar: what stands for itself beside letters, digits and "-._~". A URI may have "&"
# in the path and "?" in the query, too; we escape them, so that no value looks like the start of an attribute.
_PATH_SAFE = ":[]@!$'()*+,="
_QUERY_SAFE = ":[]@!$'()*+,=/|"
_PATH_VALUE = re.compile(rf"(?:[A-Za-z0-9\-._~&{re.escape(_PATH_SAFE)}]|%[0-9A-Fa-f]{{2}})*")
_QUERY_VALUE = re.compile(rf"(?:[A-Za-z0-9\-._~?{re.escape(_QUERY_SAFE)}]|%[0-9A-Fa-f]{{2}})*")
_BAD_ESCAPE = re.compile(r"%(?![0-9A-Fa-f]{2})")
_VERSION = re.compile(r"[0-9]{1,3}(?:\.[0-9]{1,3})?")
_PIN = re.compile(r"(?:^[^:]*:|[;?&])\s*pin-(value|source)", re.IGNORECASE)
# What looks like a PIN to whoever masks, more broadly than what is refused: vendors' and misspelt attributes, too.
_LIKE_PIN = re.compile(r"[:;?&]\s*[^:;?&=]*pin[^:;?&=]*=([^;?&]*)", re.IGNORECASE)


@dataclass(frozen=True)
class PKCS11Uri:
    """The attributes of a URI, decoded; None is one that is not in it, '' one that is there and empty.

    C(id) is raw bytes, C(slot_id) a number, C(type) one of public, private, cert, secret-key and data,
    C(library_version) as C(major.minor) or C(major). An underscore here is a hyphen in the URI.
    """

    token: str | None = None
    manufacturer: str | None = None
    serial: str | None = None
    model: str | None = None
    library_manufacturer: str | None = None
    library_description: str | None = None
    library_version: str | None = None
    slot_manufacturer: str | None = None
    slot_description: str | None = None
    slot_id: int | None = None
    object: str | None = None
    type: str | None = None
    id: bytes | None = None
    module_path: str | None = None
    module_name: str | None = None


_NAMES = {field.name.replace("_", "-"): field.name for field in fields(PKCS11Uri)}


def parse_uri(text: str) -> PKCS11Uri:
    """The attributes of a PKCS#11 URI.

    Raises C(ValueError) with a reason of one line that holds no value of the URI, for a value may be a PIN. A PIN in
    the URI is refused; vendors' attributes (C(x-...)) and other programs' in the query are passed over; unknown ones of
    the path are refused, since a token or key would otherwise be chosen by less than what was said.
    """
    if not isinstance(text, str):
        raise ValueError("a PKCS#11 URI is a text")
    _refuse_pin(text)
    if text[: len(_SCHEME)].lower() != _SCHEME:
        raise ValueError("a PKCS#11 URI starts with 'pkcs11:'")
    path, mark, query = text[len(_SCHEME) :].partition("?")
    found: dict[str, t.Any] = {}
    for part in path.split(";") if path else ():
        _take(part, _PATH_VALUE, False, found)
    for part in query.split("&") if query else ():
        _take(part, _QUERY_VALUE, True, found)
    return PKCS11Uri(**found)


def build_uri(uri: PKCS11Uri) -> str:
    """The URI that says this, in the order of L{PKCS11Uri}; L{parse_uri} gives the same attributes back.

    Escaped as RFC 7512, 2.3 wants it: every byte of C(id), and of the others what has to be. Raises C(ValueError) for
    a text that is not UTF-8 (a lone surrogate), without the text.
    """
    path: list[str] = []
    query: list[str] = []
    for attribute, name in _NAMES.items():
        value = getattr(uri, name)
        if value is None:
            continue
        in_query = name in _QUERY
        (query if in_query else path).append(f"{attribute}={_escaped(attribute, value, in_query)}")
    return _SCHEME + ";".join(path) + ("?" + "&".join(query) if query else "")


def pins_in(text: str) -> list[str]:
    """What must not be seen of a text that may be a URI with a PIN: all of it, and the PIN by itself."""
    for spelt in (text, unquote(text)):
        if _SCHEME in spelt.lower() and _LIKE_PIN.search(spelt):
            values = [value for found in (text, spelt) for value in _LIKE_PIN.findall(found)]
            return [text, *(one for value in values for one in (value, unquote(value)) if len(one) > 1)]
    return []


def _escaped(attribute: str, value: str | int | bytes, in_query: bool) -> str:
    if isinstance(value, bytes):
        return "".join(f"%{byte:02X}" for byte in value)
    try:
        return quote(str(value), safe=_QUERY_SAFE if in_query else _PATH_SAFE)
    except UnicodeEncodeError:
        raise ValueError(f"{attribute} is not valid UTF-8") from None


def _refuse_pin(text: str) -> None:
    """Looks for a PIN before anything else may speak of the URI's parts; what only resembles one is refused, too."""
    pin = _PIN.search(text)
    if pin:
        raise ValueError(f"pin-{pin[1].lower()} in a URI is refused: give the PIN by the option pin or pin_file")


def _take(part: str, allowed: re.Pattern[str], in_query: bool, found: dict[str, t.Any]) -> None:
    """Adds one C(name=value) to C(found); raises C(ValueError) as L{parse_uri}."""
    attribute, equals, value = part.partition("=")
    if not equals or not attribute:
        raise ValueError(f"the {'query' if in_query else 'path'} of the URI has a part without a name or without '='")
    if re.fullmatch(r"x-[A-Za-z0-9_-]+", attribute):
        return
    name = _NAMES.get(attribute, "")
    if in_query and _of_other_programs(attribute):
        return
    if not name or (name in _QUERY) != in_query:
        raise ValueError(_unknown(attribute, in_query))
    if name in found:
        raise ValueError(f"{attribute} is twice in the URI")
    if _BAD_ESCAPE.search(value):
        raise ValueError(f"{attribute} has a '%' that two hexadecimal digits do not follow; '%' itself is %25")
    if not allowed.fullmatch(value):
        raise ValueError(f"{attribute} has a character that has to be percent-encoded (a blank is %20, '/' is %2F)")
    found[name] = _decoded(attribute, unquote_to_bytes(value))


def _unknown(attribute: str, in_query: bool) -> str:
    """Why an attribute is refused; its name is no secret."""
    known = ", ".join(key for key, one in _NAMES.items() if (one in _QUERY) == in_query)
    shown = f" '{attribute}'" if re.fullmatch(r"[A-Za-z0-9_%-]{1,40}", attribute) else ""
    where = "query" if in_query else "path"
    return f"the {where} of the URI has an attribute{shown} that is unknown there; known are {known}"


def _of_other_programs(attribute: str) -> bool:
    """Whether an unknown attribute of the query may be passed over: programs have their own, which choose nothing."""
    unknown = attribute not in _NAMES and re.fullmatch(r"[A-Za-z0-9_-]+", attribute)
    return bool(unknown) and "pin" not in attribute.lower()


def _decoded(attribute: str, raw: bytes) -> str | int | bytes:
    """The value of an attribute from its bytes, checked against the grammar of RFC 7512, 2.3."""
    if attribute == "id":
        return raw
    try:
        value = raw.decode()
    except UnicodeDecodeError:
        raise ValueError(f"{attribute} is not valid UTF-8") from None
    if "\0" in value:
        raise ValueError(f"{attribute} has a NUL character")
    if attribute == "slot-id":
        if not re.fullmatch(r"[0-9]{1,20}", value):
            raise ValueError("slot-id is not a decimal number, as RFC 7512 wants it; the option slot_id takes 0x… too")
        return int(value)
    if attribute == "type" and value not in _TYPES:
        raise ValueError(f"type is none of {', '.join(_TYPES)}")
    if attribute == "library-version" and not _VERSION.fullmatch(value):
        raise ValueError("library-version is not like 2 or 2.6")
    return value

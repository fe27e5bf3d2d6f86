# Copyright (c) 2026, The cryptoki.hsm authors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""PKCS#11 URIs (RFC 7512), read; a PIN in one is refused. Most tasks are given none."""

from __future__ import annotations

import re
import typing as t
from urllib.parse import unquote_to_bytes

from ansible_collections.cryptoki.hsm.plugins.module_utils._standard import uri

_TYPES = ("public", "private", "cert", "secret-key", "data")
_PATH_VALUE = re.compile(rf"(?:[A-Za-z0-9\-._~&{re.escape(uri.PATH_SAFE)}]|%[0-9A-Fa-f]{{2}})*")
_QUERY_VALUE = re.compile(rf"(?:[A-Za-z0-9\-._~?{re.escape(uri.QUERY_SAFE)}]|%[0-9A-Fa-f]{{2}})*")
_BAD_ESCAPE = re.compile(r"%(?![0-9A-Fa-f]{2})")
_VERSION = re.compile(r"[0-9]{1,3}(?:\.[0-9]{1,3})?")
_PIN = re.compile(r"(?:^[^:]*:|[;?&])\s*pin-(value|source)", re.IGNORECASE)


def parse_uri(text: str) -> uri.PKCS11Uri:
    """The attributes of a PKCS#11 URI.

    Raises `ValueError` with a reason of one line that holds no value of the URI, for a value may be a PIN. A PIN in
    the URI is refused; vendors' attributes (`x-...`) and other programs' in the query are passed over; unknown ones of
    the path are refused, since a token or key would otherwise be chosen by less than what was said.
    """
    if not isinstance(text, str):
        raise ValueError("a PKCS#11 URI is a text")
    # Before anything else may speak of the URI's parts; what only resembles a PIN is refused, too.
    pin = _PIN.search(text)
    if pin:
        raise ValueError(f"pin-{pin[1].lower()} in a URI is refused: give the PIN by the option pin or pin_file")
    if text[: len(uri.SCHEME)].lower() != uri.SCHEME:
        raise ValueError("a PKCS#11 URI starts with 'pkcs11:'")
    path, mark, query = text[len(uri.SCHEME) :].partition("?")
    found: dict[str, t.Any] = {}
    for part in path.split(";") if path else ():
        _take(part, _PATH_VALUE, False, found)
    for part in query.split("&") if query else ():
        _take(part, _QUERY_VALUE, True, found)
    return uri.PKCS11Uri(**found)


def _take(part: str, allowed: re.Pattern[str], in_query: bool, found: dict[str, t.Any]) -> None:
    """Adds one `name=value` to `found`; raises `ValueError` as `parse_uri`."""
    attribute, equals, value = part.partition("=")
    if not equals or not attribute:
        raise ValueError(f"the {'query' if in_query else 'path'} of the URI has a part without a name or without '='")
    if re.fullmatch(r"x-[A-Za-z0-9_-]+", attribute):
        return
    name = uri.NAMES.get(attribute, "")
    if in_query and _of_other_programs(attribute):
        return
    if not name or (name in uri.QUERY) != in_query:
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
    known = ", ".join(key for key, one in uri.NAMES.items() if (one in uri.QUERY) == in_query)
    shown = f" '{attribute}'" if re.fullmatch(r"[A-Za-z0-9_%-]{1,40}", attribute) else ""
    where = "query" if in_query else "path"
    return f"the {where} of the URI has an attribute{shown} that is unknown there; known are {known}"


def _of_other_programs(attribute: str) -> bool:
    """Whether an unknown attribute of the query may be passed over: programs have their own, which choose nothing."""
    unknown = attribute not in uri.NAMES and re.fullmatch(r"[A-Za-z0-9_-]+", attribute)
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

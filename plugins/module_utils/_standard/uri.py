# Copyright (c) 2026, The cryptoki.hsm authors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""PKCS#11 URIs (RFC 7512): what they say, and how it is written; `uri_parser.py` reads them."""

from __future__ import annotations

import functools
import re
from dataclasses import dataclass, fields
from urllib.parse import quote, unquote

SCHEME = "pkcs11:"
QUERY = ("module_path", "module_name")

# RFC 7512, 2.3, pk11-pchar and pk11-qchar: what stands for itself beside letters, digits and "-._~". A URI may have "&"
# in the path and "?" in the query, too; we escape them, so that no value looks like the start of an attribute.
PATH_SAFE = ":[]@!$'()*+,="
QUERY_SAFE = ":[]@!$'()*+,=/|"
# What looks like a PIN to whoever masks, more broadly than what is refused: vendors' and misspelt attributes, too.
_LIKE_PIN = re.compile(r"[:;?&]\s*[^:;?&=]*pin[^:;?&=]*=([^;?&]*)", re.IGNORECASE)


@dataclass(frozen=True)
class PKCS11Uri:
    """The attributes of a URI, decoded; None is one that is not in it, '' one that is there and empty.

    `id` is raw bytes, `slot_id` a number, `type` one of public, private, cert, secret-key and data,
    `library_version` as `major.minor` or `major`. An underscore here is a hyphen in the URI.
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


NAMES = {field.name.replace("_", "-"): field.name for field in fields(PKCS11Uri)}


def build_uri(uri: PKCS11Uri) -> str:
    """The URI that says this, in the order of `PKCS11Uri`; `parse_uri` gives the same attributes back.

    Escaped as RFC 7512, 2.3 wants it: every byte of `id`, and of the others what has to be. Raises `ValueError` for
    a text that is not UTF-8 (a lone surrogate), without the text.
    """
    path: list[str] = []
    query: list[str] = []
    for attribute, name in NAMES.items():
        value = getattr(uri, name)
        if value is None:
            continue
        in_query = name in QUERY
        (query if in_query else path).append(f"{attribute}={_escaped(attribute, value, in_query)}")
    return SCHEME + ";".join(path) + ("?" + "&".join(query) if query else "")


def pins_in(text: str) -> list[str]:
    """What must not be seen of a text that may be a URI with a PIN: all of it, and the PIN by itself."""
    if ":" not in text and "%" not in text:  # no URI, however it is spelt: most texts
        return []
    for spelt in (text, unquote(text)):
        if SCHEME in spelt.lower() and _LIKE_PIN.search(spelt):
            values = [value for found in (text, spelt) for value in _LIKE_PIN.findall(found)]
            return [text, *(one for value in values for one in (value, unquote(value)) if len(one) > 1)]
    return []


@functools.lru_cache  # the URIs of a large token have most of their parts in common
def _escaped(attribute: str, value: str | int | bytes, in_query: bool) -> str:
    if isinstance(value, bytes):
        return f"%{value.hex('%').upper()}" if value else ""
    try:
        return quote(str(value), safe=QUERY_SAFE if in_query else PATH_SAFE)
    except UnicodeEncodeError:
        raise ValueError(f"{attribute} is not valid UTF-8") from None

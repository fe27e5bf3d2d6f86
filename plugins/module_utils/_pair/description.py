# Copyright (c) 2026, The cryptoki.hsm authors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What a module returns of a pair, of a key and of its attributes, in check mode too."""

from __future__ import annotations

import re
import typing as t

from ansible_collections.cryptoki.hsm.plugins.module_utils._pair import keypair
from ansible_collections.cryptoki.hsm.plugins.module_utils._standard import public_key, uri
from ansible_collections.cryptoki.hsm.plugins.module_utils._standard.attributes import (
    ATTRIBUTES,
    URI_TYPES,
    Kind,
    Value,
)
from ansible_collections.cryptoki.hsm.plugins.module_utils._standard.text import colon_hex

_WORDS = {bool, type(None)}  # no secret is one
# Read for the pairing only: the public key is returned as PEM.
_NOT_RETURNED = ("public_key_info", "check_value")


def describe(
    pair: keypair.KeyPair | None,
    uri_attributes: t.Mapping[str, str],
    half_told: t.Callable[[keypair.TokenObject], dict[str, t.Any]] | None = None,
    names: t.Collection[str] | None = None,
) -> dict[str, t.Any]:
    """`key_pair` of the documentation; an empty dictionary where there is no pair. A lone half describes itself.

    `half_told`: what is returned of each half, if not itself with its attributes, or those of `names`.
    """
    if pair is None:
        return {}
    leading = (pair.privates or pair.publics)[0]
    public = (pair.publics or pair.privates)[0]
    spki, sharing = pair.spki, leading.sharing
    described: dict[str, t.Any] = {
        "label": leading.label,
        **_ids(leading.id),
        "key_type": None if leading.hides("key_type") else leading.key_type,
        "public_key_pem": public_key.public_key_pem(spki) if spki else None,
        "fingerprint": colon_hex(bytes.fromhex(public_key.fingerprint(spki))) if spki else None,
        "uri": _uri(uri_attributes, leading),
        "pairing": pair.pairing,
        "public_key": None,
        "private_key": None,
    }
    for half in pair.halves:
        found = pair.half(half)
        described[f"{half}_key"] = (
            half_told(found) if half_told else describe_object(found, uri_attributes, spki, names)
        )
    if sharing:  # only where the HSM tells it
        described |= {
            "owner": sharing.owner,
            "shared_with": list(sharing.shared_with),
            "quorum": sharing.quorum,
            "management_quorum": sharing.manage_quorum,
        }
    if leading.key_type == "rsa":
        return {**described, "modulus_bits": public.modulus_bits, "public_exponent": public.public_exponent}
    return {**described, "curve": public.curve.name if public.curve else None}


def _ids(raw: bytes) -> dict[str, str | None]:
    """The id as a text, where it is one, and in hexadecimal digits."""
    try:
        text = raw.decode() or None
    except UnicodeDecodeError:
        text = None
    return {"id": text, "id_hex": colon_hex(raw) if raw else None}


def describe_object(
    found: keypair.TokenObject,
    uri_attributes: t.Mapping[str, str],
    spki: bytes | None,
    names: t.Collection[str] | None = None,
) -> dict[str, t.Any]:
    """One key; `spki` is its public key, where it is known from the other half."""
    told = found.attributes.items()
    attributes = {name: plain(name, value) for name, value in told if value is not None and name not in _NOT_RETURNED}
    attributes |= _ids(found.id)
    check_value = found.attributes.get("check_value")
    if isinstance(check_value, bytes) and check_value:
        attributes["kcv"] = check_value.hex()
    elif spki:
        attributes["kcv"] = public_key.kcv(spki)
    return {
        "handle": found.handle or None,
        "uri": half_uri(found, uri_attributes),
        "attributes": attributes if names is None else {name: attributes[name] for name in attributes if name in names},
        "unreadable": sorted(found.unreadable),
    }


def plain(name: str, value: Value) -> t.Any:
    """The value of an attribute as it is returned."""
    if isinstance(value, (bool, str)):  # most are
        return value
    kind = ATTRIBUTES[name].kind
    if name == "public_exponent" and isinstance(value, bytes):
        return int.from_bytes(value, "big")
    if isinstance(value, bytes):
        return colon_hex(value)
    if isinstance(value, tuple):
        return sorted(_mechanism_name(code) for code in value)
    if kind is Kind.MECHANISM and isinstance(value, int):
        return _mechanism_name(value)
    if kind in (Kind.CLASS, Kind.KEY_TYPE) and isinstance(value, int):
        return f"0x{value:08x}"
    return value


def _mechanism_name(code: int) -> str:
    # Most keys tell no mechanism, and need no table of them.
    from ansible_collections.cryptoki.hsm.plugins.module_utils._standard import mechanisms

    return mechanisms.mechanism_name(code)


def half_uri(found: keypair.TokenObject, token: t.Mapping[str, str] | None = None) -> str:
    """RFC 7512 URI of one object, on any token where none is named."""
    return _uri(token or {}, found, URI_TYPES[found.half])


def _uri(token: t.Mapping[str, str], found: keypair.TokenObject, kind: str | None = None) -> str:
    """RFC 7512 URI of an object, or of both halves where `kind` is None."""
    named = {"object": found.label or None, "id": found.id or None, "type": kind}
    values: dict[str, t.Any] = {**token, **named}
    return uri.build_uri(uri.PKCS11Uri(**values))


def spoiled(value: t.Any, secrets: t.Collection[str]) -> list[str]:
    """Paths of returned values in which a secret occurs, which Ansible will mask: they must not be relied on."""
    search = re.compile("|".join(map(re.escape, secrets)) or "(?!)").search
    return [path.removeprefix(".") for path in _hits(value, search)]


def _hits(value: t.Any, search: t.Any) -> list[str]:
    """As `spoiled`; a result may have a million values, most of which are true, false or null."""
    if isinstance(value, dict):
        members = [(key, member) for key, member in value.items() if type(member) not in _WORDS]
        return [f".{key}{path}" for key, member in members for path in _hits(member, search)]
    if isinstance(value, list):
        return [f"[{index}]{path}" for index, member in enumerate(value) for path in _hits(member, search)]
    return [""] if type(value) not in _WORDS and search(str(value)) else []

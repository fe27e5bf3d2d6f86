# Copyright (c) 2026, The cryptoki.hsm authors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What a module returns of a pair: one function for the result, for check mode and for the diff.

Note that this module util is **PRIVATE** to the collection. It can have breaking changes at any time.
Do not use it from outside.
"""

from __future__ import annotations

import typing as t

from ansible_collections.cryptoki.hsm.plugins.module_utils._pair.keypair import KeyPair, Sharing, TokenObject
from ansible_collections.cryptoki.hsm.plugins.module_utils._standard import public_key as _public_key
from ansible_collections.cryptoki.hsm.plugins.module_utils._standard.attributes import (
    ATTRIBUTES,
    URI_TYPES,
    Kind,
    Value,
)
from ansible_collections.cryptoki.hsm.plugins.module_utils._standard.mechanisms import mechanism_name
from ansible_collections.cryptoki.hsm.plugins.module_utils._standard.text import colon_hex
from ansible_collections.cryptoki.hsm.plugins.module_utils._standard.uri import PKCS11Uri, build_uri

# Read for the pairing only: the public key is returned as PEM.
_NOT_RETURNED = ("public_key_info", "check_value")


def describe(
    pair: KeyPair | None, uri_attributes: t.Mapping[str, str], names: t.Collection[str] | None = None
) -> dict[str, t.Any]:
    """C(key_pair) of the documentation; an empty dictionary where there is no pair. A lone half describes itself.

    C(names): the attributes to return, all if None.
    """
    if pair is None:
        return {}
    leading = (pair.privates or pair.publics)[0]
    public = (pair.publics or pair.privates)[0]
    text, spki = _text(leading.id), pair.spki
    described: dict[str, t.Any] = {
        "label": leading.label,
        "id": text,
        "id_hex": colon_hex(leading.id) if leading.id else None,
        "key_type": None if leading.hides("key_type") else leading.key_type,
        "public_key_pem": _public_key.public_key_pem(spki) if spki else None,
        "fingerprint": colon_hex(bytes.fromhex(_public_key.fingerprint(spki))) if spki else None,
        "uri": _uri(uri_attributes, leading),
        "pairing": pair.pairing,
        **_sharing(leading.sharing),
        "public_key": describe_object(pair.publics[0], uri_attributes, spki, names) if pair.publics else None,
        "private_key": describe_object(pair.privates[0], uri_attributes, spki, names) if pair.privates else None,
    }
    if leading.key_type == "rsa":
        described["modulus_bits"] = public.modulus_bits
        described["public_exponent"] = public.public_exponent
    else:
        described["curve"] = public.curve.name if public.curve else None
    return described


def _sharing(sharing: Sharing | None) -> dict[str, t.Any]:
    """Owner, users and quorum, where the HSM tells them."""
    if sharing is None:
        return {}
    return {"owner": sharing.owner, "shared_with": list(sharing.shared_with), "quorum": sharing.quorum}


def describe_object(
    found: TokenObject,
    uri_attributes: t.Mapping[str, str],
    spki: bytes | None,
    names: t.Collection[str] | None = None,
) -> dict[str, t.Any]:
    """One key; C(spki) is its public key, where it is known from the other half."""
    attributes = {
        name: _plain(name, value)
        for name, value in found.attributes.items()
        if value is not None and name not in _NOT_RETURNED
    }
    attributes["id"] = _text(found.id)
    attributes["id_hex"] = colon_hex(found.id) if found.id else None
    check_value = found.attributes.get("check_value")
    if isinstance(check_value, bytes) and check_value:
        attributes["kcv"] = check_value.hex()
    elif spki:
        attributes["kcv"] = _public_key.kcv(spki)
    return {
        "handle": found.handle or None,
        "uri": _uri(uri_attributes, found, URI_TYPES[found.half]),
        "attributes": {name: value for name, value in attributes.items() if names is None or name in names},
        "unreadable": sorted(found.unreadable),
    }


def _plain(name: str, value: Value) -> t.Any:
    kind = ATTRIBUTES[name].kind
    if name == "public_exponent" and isinstance(value, bytes):
        return int.from_bytes(value, "big")
    if isinstance(value, bytes):
        return colon_hex(value)
    if isinstance(value, tuple):
        return sorted(mechanism_name(code) for code in value)
    if kind is Kind.MECHANISM and isinstance(value, int):
        return mechanism_name(value)
    if kind in (Kind.CLASS, Kind.KEY_TYPE) and isinstance(value, int):
        return f"0x{value:08x}"
    return value


def _text(raw: bytes) -> str | None:
    try:
        return raw.decode() or None
    except UnicodeDecodeError:
        return None


def _uri(token: t.Mapping[str, str], found: TokenObject, kind: str | None = None) -> str:
    """RFC 7512 URI of an object, or of both halves where C(kind) is None."""
    values: dict[str, t.Any] = dict(token)
    if found.label:
        values["object"] = found.label
    if found.id:
        values["id"] = found.id
    if kind:
        values["type"] = kind
    return build_uri(PKCS11Uri(**values))


def spoiled(value: t.Any, secrets: t.Collection[str], path: str = "") -> list[str]:
    """Paths of returned values in which a secret occurs, which Ansible will mask: they must not be relied on."""
    if isinstance(value, dict):
        rows = [(f"{path}.{key}" if path else str(key), member) for key, member in value.items()]
    elif isinstance(value, list):
        rows = [(f"{path}[{index}]", member) for index, member in enumerate(value)]
    elif isinstance(value, (str, int, float)) and not isinstance(value, bool):
        return [path] if any(secret in str(value) for secret in secrets) else []
    else:
        return []
    return [name for row_path, member in rows for name in spoiled(member, secrets, row_path)]

# Copyright (c) 2026, The cryptoki.hsm authors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What a task's result proves of tokens, key pairs and documents; only fields that are known here are taken over."""

from __future__ import annotations

import base64
import binascii
import hashlib
import re
import typing as t
import urllib.parse

Result = t.Mapping[str, t.Any]
# What the page shows of a private key: where it comes from, whether it can leave, what it may do.
ORIGIN = ("local", "sensitive", "always_sensitive", "extractable", "never_extractable")
USAGE = ("sign", "sign_recover", "decrypt", "unwrap", "derive")
LIMITS = ("wrap_with_trusted", "always_authenticate", "modifiable", "destroyable", "copyable")
_PAIR = (
    *("label", "id", "id_hex", "key_type", "modulus_bits", "public_exponent", "curve", "fingerprint", "uri", "pairing"),
    *("verified", "unverified_reason", "owner", "quorum", "management_quorum", "public_key_pem", "problems"),
)
# What a task with many pairs tells of each
_BECAME = ("outcome", "changes", "failed", "msg", "ckr")
_TOKEN = ("label", "serial", "manufacturer", "model", "hardware_version", "firmware_version", "uri", "user_pin")
_DOCUMENT = (
    *("subject", "issuer", "serial_number", "not_before", "not_after", "last_update", "next_update", "number"),
    *("extensions", "public_key_fingerprint", "signature", "revoked_certificates"),
)
# kind of document, the field with its PEM, the field that describes it, and what only its description has
DOCUMENTS = (
    ("certificate", "certificate", "details", "not_after"),
    ("request", "csr", "request", "subject"),
    ("revocation list", "crl", "details", "next_update"),
)
_PEM = re.compile(r"-----BEGIN [A-Z0-9 ]+-----(.*?)-----END", re.DOTALL)


def evidence_of(result: Result) -> dict[str, t.Any]:
    """Everything that one result of a module of this collection proves; what it does not have is left out."""
    found = {
        "tokens": [*_tokens(result)],
        "key_pairs": [_pair(pair) for pair in _pairs(result)],
        "documents": [*_documents(result)],
        "nodes": [_chosen(node, ("name", "status")) for node in _dicts(result.get("nodes"))],
    }
    return {name: rows for name, rows in found.items() if rows}


def token_in(uri: t.Any) -> dict[str, str]:
    """What a PKCS#11 URI says of its token."""
    text = uri if isinstance(uri, str) else ""
    parts = (part.partition("=") for part in text.removeprefix("pkcs11:").split(";"))
    names = {"token": "label", "serial": "serial", "manufacturer": "manufacturer", "model": "model"}
    return {names[name]: urllib.parse.unquote(value) for name, dummy, value in parts if name in names}


def der_sum(pem: t.Any) -> str | None:
    """SHA-256 of what is in a PEM text, or in base64 alone, colon-separated; None where it is neither.

    It is neither where a PIN occurs in it by chance, which Ansible masks.
    """
    text = pem if isinstance(pem, str) else ""
    found = _PEM.search(text)
    try:
        der = base64.b64decode("".join((found[1] if found else text).split()), validate=True)
    except binascii.Error:
        return None
    return hashlib.sha256(der).digest().hex(":") if der else None


def _dicts(value: t.Any) -> list[Result]:
    return [row for row in value if isinstance(row, dict)] if isinstance(value, list) else []


def _chosen(row: Result, names: t.Iterable[str]) -> dict[str, t.Any]:
    return {name: row[name] for name in names if row.get(name) is not None}


def _pairs(result: Result) -> list[Result]:
    one = result.get("key_pair")
    return [one] if isinstance(one, dict) else _dicts(result.get("key_pairs"))


def _pair(pair: Result) -> dict[str, t.Any]:
    half = pair.get("private_key")
    attributes = half.get("attributes") if isinstance(half, dict) else None
    told = {**_chosen(pair, _PAIR), **{name: pair[name] for name in _BECAME if pair.get(name)}}
    if isinstance(attributes, dict):
        told["private_key"] = _chosen(attributes, (*ORIGIN, *USAGE, *LIMITS))
    return told


def _tokens(result: Result) -> t.Iterator[dict[str, t.Any]]:
    """The tokens that the result describes itself: those of hsm_token_info, with their library, and of hsm_token."""
    library = result.get("library")
    told = _chosen(library, ("path", "sha256", "version")) if isinstance(library, dict) else {}
    shared = {f"library_{name}": value for name, value in told.items()}
    for slot in _dicts(result.get("slots")):
        if isinstance(slot.get("token"), dict):
            yield {**_chosen(slot["token"], _TOKEN), **shared}
    for hsm in _dicts(result.get("hsms")):
        if isinstance(hsm.get("expect_token"), dict):
            yield {"label": hsm.get("name"), **_chosen(hsm["expect_token"], (*_TOKEN, "firmware_id", "fips_state"))}
    if isinstance(result.get("token"), dict):
        yield _chosen(result["token"], _TOKEN)


def _documents(result: Result) -> t.Iterator[dict[str, t.Any]]:
    for kind, pem, details, mark in DOCUMENTS:
        if not isinstance(result.get(details), dict) or mark not in result[details]:
            continue
        told = _chosen(result[details], _DOCUMENT)
        # In check mode there is no PEM, and the description is what is foretold.
        text = result[pem] if isinstance(result.get(pem), str) else None
        known = {"kind": kind, "file": result.get("filename"), "sha256": der_sum(text), "pem": text}
        yield {**_chosen(known, known), **told}

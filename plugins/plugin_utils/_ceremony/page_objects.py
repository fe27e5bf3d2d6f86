# Copyright (c) 2026, The cryptoki.hsm authors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The tokens, key pairs and documents of a page, each in a box with all that is told of it."""

from __future__ import annotations

import typing as t

from ansible_collections.cryptoki.hsm.plugins.plugin_utils._ceremony.evidence import LIMITS, ORIGIN, USAGE
from ansible_collections.cryptoki.hsm.plugins.plugin_utils._ceremony.page_parts import (
    facts,
    missing,
    sum_of,
    table,
    text,
)

Row = t.Mapping[str, t.Any]
_ATTRIBUTES = {
    "local": "made inside the token",
    "sensitive": "cannot be read in clear",
    "always_sensitive": "never could be read in clear",
    "extractable": "can leave the token, wrapped",
    "never_extractable": "never could leave the token",
    "sign_recover": "may sign with recovery",
    "wrap_with_trusted": "leaves wrapped by a trusted key only",
    "always_authenticate": "asks for the PIN at each use",
    "modifiable": "can be changed",
    "destroyable": "can be destroyed",
    "copyable": "can be copied inside the token",
}
_TOKEN = {
    "label": "Label",
    "serial": "Serial number",
    "manufacturer": "Manufacturer",
    "model": "Model",
    "hardware_version": "Hardware version",
    "firmware_version": "Firmware version",
    "firmware_id": "Firmware",
    "fips_state": "FIPS state",
    "library_path": "Library",
    "library_version": "Version of the library",
    "pinned": "Compared before each step with",
    "pinned_at_times": "Compared before some of the steps with",
}
_DOCUMENT = {
    "file": "File",
    "subject": "Subject",
    "issuer": "Issuer",
    "serial_number": "Serial number",
    "number": "Number",
    "not_before": "Valid from",
    "not_after": "Valid until",
    "last_update": "Issued at",
    "next_update": "Next one by",
    "signature": "Signature",
}


def token(told: Row) -> str:
    """A token, and its library."""
    rows = facts(told, _TOKEN)
    if told.get("library_sha256"):
        rows.append(("SHA-256 of the library", sum_of(told["library_sha256"])))
    return _box(told.get("label") or "Token", table(rows))


def key_pair(told: Row) -> str:
    """A key pair: what it is, how it was proven, and what its private half may do."""
    half = told.get("private_key", {})
    rows = [
        ("Key", text(_kind(told))),
        *facts(
            told, {"id_hex": "Identifier", "uri": "Where it is", "owner": "Owner", "quorum": "Approvals of each use"}
        ),
        ("SHA-256 of the public key", sum_of(told.get("fingerprint"), told["foretold"])),
        *facts(told, {"verified": "Proven with", "unverified_reason": "Not proven in this run"}),
    ]
    if half:
        rows.append(("The private key may", text([words for words in USAGE if half.get(words) is True] or "nothing")))
    names = [name for name in (*ORIGIN, *LIMITS) if name in half]
    attributes = "".join(f"<div>{text(_ATTRIBUTES[name])}<b>{text(half[name])}</b></div>" for name in names)
    return _box(told.get("label") or "Key pair", f'{table(rows)}<div class="attributes">{attributes}</div>')


def document(told: Row) -> str:
    """A certificate, a request or a revocation list, decoded."""
    rows = facts(told, _DOCUMENT)
    if told["kind"] == "certificate" and not told.get("serial_number"):
        rows.append(("Serial number", missing(told["foretold"])))
    rows += map(_extension, told.get("extensions", ()))
    rows += [(f"Revoked {one.get('serial_number')}", text(one)) for one in told.get("revoked_certificates", ())]
    if told["kind"] != "revocation list":
        rows.append(("SHA-256 of its public key", sum_of(told.get("public_key_fingerprint"), told["foretold"])))
    rows.append(("SHA-256 of its content (DER)", sum_of(told.get("sha256"), told["foretold"])))
    return _box(told["kind"].capitalize(), table(rows))


def _box(title: t.Any, body: str) -> str:
    return f'<div class="box"><h3>{text(title)}</h3>{body}</div>'


def _kind(pair: Row) -> str:
    size = f"{pair['modulus_bits']} bits" if pair.get("modulus_bits") else pair.get("curve") or ""
    return f"{str(pair.get('key_type') or '').upper()} {size}"


def _extension(told: Row) -> tuple[str, str]:
    name = str(told.get("name") or told.get("oid")).replace("_", " ").capitalize()
    value = told.get("text") or f"base64 {told.get('value')}"
    return name, text(f"{value} (critical)" if told.get("critical") else value)

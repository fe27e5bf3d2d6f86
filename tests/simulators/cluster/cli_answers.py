# Copyright (c) 2026, The cryptoki.hsm authors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What CloudHSM CLI prints.

Forms: AWS cloudhsm_cli-key-generate-asymmetric-pair-rsa and -ec, -key-list, -user-list, -cluster-hsm-info; the
attributes in the order of their samples.
"""

from __future__ import annotations

import json
import typing as t

from . import keys, material
from .curves import BY_NAME
from .faults import Fault
from .state import Key, State
from .users import ROLES

# What the HSM refuses, in the words of CloudHSM CLI. Where no source is named, the text is assumed.
TEXTS = {
    # measured by a third party, for unreachable HSMs
    "disconnected": "HSM is disconnected",
    # github.com/aws-samples/aws-cloudhsm-jce-examples/issues/81: the same SDK's words for a wrong login
    "password": "Incorrect credentials are passed for this operation: Incorrect authentication credentials.",
    "cluster": "Cluster id {} is not one of the configured clusters",
    "no_credentials": "Credentials are required for this operation. Set CLOUDHSM_ROLE and CLOUDHSM_PIN.",
    # AWS manage-keys-cloudhsm-cli-filtering; that 0 keys are told in the same way is assumed
    "not_one": "Key selection criteria matched {} keys. Refine selection criteria to select a single key.",
    # AWS key-quorum-auth-chsm-cli-first-time
    "quorum_value": "Invalid quorum value provided.",
    # measured by a third party
    "quorum_low": "The manage key and use key quorum values must be set to a value greater than 1",
    # AWS key-quorum-auth-chsm-cli-crypto-user
    "quorum": "Quorum Failed",
    "quorum_used": "Quorum approval is required for this operation",
    # measured by a third party
    "quorum_signature": "Invalid username-signature pair for quorum authorization",
    "quorum_few": "Too few quorum approvals: {}",
    "availability": (
        "Cannot perform the requested key operation as the key must be available on at least 2 HSMs. Either increase"
        " the number of HSMs in the cluster, or disable the key availability check."
    ),
    # measured by a third party for extractable=true
    "attribute": "Attribute {} cannot be set to the value {} by the user for this operation",
    # AWS cloudhsm_cli-crypto-verify-rsa-pkcs
    "signature": "Signature verification failed",
    "policy": "This operation violates the current configured/FIPS policies",
    "full": "The HSM holds as many keys as it can",
    "limited_write": "The cluster is in limited-write mode",
    "not_owner": "Key Access is denied",
    "usage": "The key cannot be used for this operation",
    "share": "The key cannot be shared with user {}",
    "unknown_user": "User {} does not exist",
    "unknown_attribute": "Invalid attribute {}",
    "label": "Label is longer than {} characters",
    "id": "An object with this id exists",
    "role": "The role {} is not allowed to run this command",
    "token": "The token in --starting-token is invalid",
    "file": "Could not read or write the file {}",
}
# A user without a password, of another role, or locked looks to the caller like a wrong password: assumed.
for _kind in ("no_user", "locked", "user_type"):
    TEXTS[_kind] = TEXTS["password"]

_BOOLEANS = (
    *("encrypt", "decrypt", "token", "always-sensitive", "derive", "destroyable", "extractable", "local", "modifiable"),
    *("never-extractable", "private", "sensitive", "sign", "trusted", "unwrap", "verify", "wrap", "wrap-with-trusted"),
)


def envelope(code: int, data: t.Any) -> str:
    """The answer to a command: an object, or on failure a text (AWS, all samples)."""
    return json.dumps({"error_code": code, "data": data}, indent=2, ensure_ascii=False) + "\n"


def text_of(kind: str, *values: object) -> str:
    """The text of a refusal."""
    return TEXTS[kind].format(*values)


def attributes(state: State, key: Key) -> dict[str, t.Any]:
    """All attributes of a key, in the order of the samples."""
    values: dict[str, t.Any] = {
        "key-type": key.key_type,
        "label": key.label,
        "id": f"0x{key.id}" if key.id else state.settings["empty_id"],
        "check-value": f"0x{material.check_value(key.public['der'])}",
        "class": key.key_class,
    }
    values.update({name: key.attributes[name] for name in _BOOLEANS})
    values["key-length-bytes"] = length(key)
    if key.key_type == "rsa":
        values["public-exponent"] = f"0x{key.public['exponent']}"
        values["modulus"] = f"0x{key.public['modulus']}"
        values["modulus-size-bits"] = key.public["bits"]
    else:
        values["ec-point"] = f"0x{_point(state, key)}"
        values["curve"] = key.public["curve"]
    return values


def length(key: Key) -> int:
    """The length of a key as both tools show it.

    RSA-2048: 512 of the public half, 1216 to 1219 of the private one (AWS cloudhsm_cli-key-generate-asymmetric-pair-rsa
    and others); how it grows with the modulus is assumed. EC: curves.py.
    """
    public = key.key_class == "public-key"
    if key.key_type == "rsa":
        octets = key.public["bits"] // 8
        return octets * 2 if public else octets * 9 // 2 + 65
    curve = BY_NAME[key.public["curve"]]
    return curve.point_length if public else curve.private_length


def listed(state: State, key: Key, verbose: bool, fault: Fault) -> dict[str, t.Any]:
    """A key in a list; without verbose only its reference and label (AWS cloudhsm_cli-key-list)."""
    reference = {"key-reference": reference_of(key)}
    if not verbose:
        return {**reference, "attributes": {"label": key.label}}
    values = attributes(state, key)
    values.update({name: "inconsistent" for name in keys.inconsistent(state, key) if name in values})
    values.update(dict.fromkeys(fault.attributes if fault.kind == "inconsistent" else (), "inconsistent"))
    return {**reference, "key-info": _info(state, key, fault), "attributes": values}


def reference_of(key: Key) -> str:
    """Sixteen digits in all samples."""
    return f"0x{key.handle:016x}"


def users(state: State) -> list[dict[str, t.Any]]:
    """AWS cloudhsm_cli-user-list, mfa too; quorum from key-quorum-auth-chsm-cli-first-time; locked is a text."""
    return [
        {
            "username": user.name,
            "role": ROLES[user.type],
            "locked": "true" if user.locked else "false",
            "mfa": [{"strategy": "token-sign", "status": "enabled"}] if user.mfa else [],
            "quorum": [{"strategy": "token-sign", "status": "enabled"}] if user.quorum_key else [],
            "cluster-coverage": user.coverage,
        }
        for user in state.users
    ]


def hsms(state: State) -> list[dict[str, str]]:
    """AWS cloudhsm_cli-cluster-hsm-info, with its numbers; HSMs that are off are not listed (assumed)."""
    fips = "2 [FIPS mode with single factor authentication]"
    return [
        {
            "vendor": "Marvell Semiconductors, Inc.",
            "model": "NITROX-III CNN35XX-NFBE",
            "serial-number": node.serial,
            "hardware-version-major": "5",
            "hardware-version-minor": "3",
            "firmware-version-major": "2",
            "firmware-version-minor": "6",
            "firmware-build-number": "16",
            "firmware-id": "CNN35XX-NFBE-FW-2.06-16",
            "fips-state": fips if state.settings["fips"] else "0 [non-FIPS mode with single factor authentication]",
        }
        for node in state.running()
    ]


def _info(state: State, key: Key, fault: Fault) -> dict[str, t.Any]:
    """Owner, sharing and quorum. Quorum values are shown since 5.14 (AWS client-version-previous)."""
    differs = fault.kind == "inconsistent" and not fault.attributes
    coverage = "inconsistent" if differs else keys.coverage(state, key)
    names = {user.id: user.name for user in state.users}
    missed = keys.inconsistent(state, key)
    shared = {number: "inconsistent" if f"shared {number}" in missed else coverage for number in key.shared}
    info: dict[str, t.Any] = {
        "key-owners": [{"username": names[key.owner], "key-coverage": coverage}],
        "shared-users": [{"username": names[number], "key-coverage": told} for number, told in shared.items()],
    }
    if version(state) >= (5, 14):
        info["key-quorum-values"] = {
            "manage-key-quorum-value": key.manage_quorum,
            "use-key-quorum-value": key.use_quorum,
        }
    info["cluster-coverage"] = coverage if differs else keys.cluster_coverage(state, key)
    return info


def version(state: State) -> tuple[int, ...]:
    """The tool's version."""
    return tuple(int(part) for part in state.settings["version"].split("."))


def _point(state: State, key: Key) -> str:
    """The point as it is, or as a DER octet string: the samples and the table of attributes differ."""
    point = bytes.fromhex(key.public["point"])
    if state.settings["point_form"] == "raw":
        return point.hex()
    size = bytes([len(point)]) if len(point) < 128 else bytes([0x81, len(point)])
    return (b"\x04" + size + point).hex()

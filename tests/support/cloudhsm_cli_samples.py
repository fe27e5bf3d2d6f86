# Copyright (c) 2026, The cryptoki.hsm authors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Outputs of the CloudHSM CLI as the user guide of AWS CloudHSM shows them, each with its page.

Data for compatibility. Mended where the page is no valid JSON: commas that are missing or too many, and
`...8 keys later...`. The pages are those of docs.aws.amazon.com/cloudhsm/latest/userguide.
"""

from __future__ import annotations

import json
import typing as t


def _info(shared: t.Sequence[str] = (), manage: int = 0, use: int = 0, owner: str = "cu1") -> dict[str, t.Any]:
    return {
        "key-owners": [{"username": owner, "key-coverage": "full"}],
        "shared-users": [{"username": name, "key-coverage": "full"} for name in shared],
        "key-quorum-values": {"manage-key-quorum-value": manage, "use-key-quorum-value": use},
        "cluster-coverage": "full",
    }


def _half(**said: t.Any) -> dict[str, t.Any]:
    """The attributes that all samples have, in their order, with what one of them says otherwise."""
    usual: dict[str, t.Any] = {
        "key-type": "ec",
        "label": "",
        "id": "",
        "check-value": "0x000000",
        "class": "private-key",
        "encrypt": False,
        "decrypt": False,
        "token": True,
        "always-sensitive": False,
        "derive": False,
        "destroyable": True,
        "extractable": True,
        "local": True,
        "modifiable": True,
        "never-extractable": False,
        "private": True,
        "sensitive": False,
        "sign": False,
        "trusted": False,
        "unwrap": False,
        "verify": False,
        "wrap": False,
        "wrap-with-trusted": False,
    }
    return {**usual, **{name.replace("_", "-"): value for name, value in said.items()}}


_POINT = (
    "0x0487af31882189ec29eddf17a48e8b9cebb075b7b5afc5522fe9c83a029a450cc68592889a1ebf45f32240da5140d58729ffd7b2d44262dd"
    "b8"
)
_MODULUS = (
    "0xa8855cba933cec0c21a4df0450ec31675c024f3e65b2b215a53d2bda6dcd191f75729150b59b4d86df58254c8f518f7d000cc04d8e958e75"
    "02c7c33098e28da4d94378ef34fb57d1cc7e042d9119bd79be0df728421a980a397095157da24cf3cc2b6dab12225d33fdca11f0c6ed1a5127"
    "f12488cda9a556814b39b06cd8373ff5d371db2212887853621b8510faa7b0779fbdec447e1f1d19f343acb02b22526487a31f6c704f8f003c"
    "b4f7013136f90cc17c2c20e414dc1fc7bcfb392d59c767900319679fc3307388633485657ce2e1a3deab0f985b0747ef4ed339de78147d1985"
    "d14fdd8634219321e49e3f5715e79c298f18658504bab04086bfbdcd3b"
)
# cloudhsm_cli-key-generate-asymmetric-pair-ec, the example with quorum values.
EC_PAIR: dict[str, t.Any] = {
    "public_key": {
        "key-reference": "0x00000000002806eb",
        "key-info": _info(),
        "attributes": _half(
            label="ec-public-key-example",
            check_value="0xedef86",
            **{"class": "public-key"},
            verify=True,
            key_length_bytes=57,
            ec_point=_POINT,
            curve="secp224r1",
        ),
    },
    "private_key": {
        "key-reference": "0x0000000000280c82",
        "key-info": _info(("cu2", "cu3", "cu4"), 4, 2),
        "attributes": _half(
            label="ec-private-key-example",
            check_value="0xedef86",
            always_sensitive=True,
            sensitive=True,
            sign=True,
            key_length_bytes=122,
            ec_point=_POINT,
            curve="secp224r1",
        ),
    },
}
# manage-keys-cloudhsm-cli-filtering, the first example.
RSA_PRIVATE: dict[str, t.Any] = {
    "key-reference": "0x00000000001c0686",
    "key-info": _info(("alice",)),
    "attributes": _half(
        key_type="rsa",
        label="my_unique_key_label",
        check_value="0xae8ff0",
        decrypt=True,
        always_sensitive=True,
        sensitive=True,
        sign=True,
        unwrap=True,
        key_length_bytes=1219,
        public_exponent="0x010001",
        modulus=_MODULUS,
        modulus_size_bits=2048,
    ),
}
# cloudhsm_cli-key-list, of the pages of two keys.
AES: dict[str, t.Any] = {
    "key-reference": "0x0000000000000030",
    "key-info": _info(),
    "attributes": _half(
        key_type="aes",
        label="98a6688d1d964ed7b45b9cec5c4b1909",
        check_value="0xb28a46",
        **{"class": "secret-key"},
        always_sensitive=True,
        sensitive=True,
        sign=True,
        verify=True,
        key_length_bytes=32,
    ),
}
# cloudhsm_cli-cluster-hsm-info.
HSMS: dict[str, t.Any] = {
    "hsms": [
        {
            "vendor": "Marvell Semiconductors, Inc.",
            "model": "NITROX-III CNN35XX-NFBE",
            "serial-number": serial,
            "hardware-version-major": "5",
            "hardware-version-minor": "3",
            "firmware-version-major": "2",
            "firmware-version-minor": "6",
            "firmware-build-number": "16",
            "firmware-id": "CNN35XX-NFBE-FW-2.06-16",
            "fips-state": "2 [FIPS mode with single factor authentication]",
        }
        for serial in ("5.3G1941-ICM000590", "5.3G1941-ICM000625", "5.3G1941-ICM000663")
    ]
}
# cloudhsm_cli-user-list.
USERS: dict[str, t.Any] = {
    "users": [
        {"username": "admin", "role": "admin", "locked": "false", "mfa": [], "cluster-coverage": "full"},
        {
            "username": "test_user",
            "role": "admin",
            "locked": "false",
            "mfa": [{"strategy": "token-sign", "status": "enabled"}],
            "cluster-coverage": "full",
        },
        {
            "username": "app_user",
            "role": "internal(APPLIANCE_USER)",
            "locked": "false",
            "mfa": [],
            "cluster-coverage": "full",
        },
    ]
}
# Texts of failures: manage-keys-cloudhsm-cli-filtering, key-quorum-auth-chsm-cli-first-time,
# key-quorum-auth-chsm-cli-crypto-user, troubleshoot-key-availability-check, troubleshoot-sdk5-key-replicate-failures.
FAILURES = (
    "Key selection criteria matched 48 keys. Refine selection criteria to select a single key.",
    "Invalid quorum value provided.",
    "Quorum Failed",
    "Quorum approval is required for this operation",
    "Cannot perform the requested key operation as the key must be available on at least 2 HSMs. Either increase the"
    " number of HSMs in the cluster, or disable the key availability check.",
    "The selected key is not synchronized throughout the cluster",
)


def success(data: t.Any) -> bytes:
    """The whole output of a success."""
    return json.dumps({"error_code": 0, "data": data}, indent=2).encode() + b"\n"


def failure(text: str) -> bytes:
    """The whole output of a failure."""
    return json.dumps({"error_code": 1, "data": text}, indent=2).encode() + b"\n"


def page(*keys: t.Any, total: int | None = None, token: str | None = None) -> dict[str, t.Any]:
    """`data` of `key list --verbose` (page cloudhsm_cli-key-list)."""
    data: dict[str, t.Any] = {
        "matched_keys": list(keys),
        "total_key_count": len(keys) if total is None else total,
        "returned_key_count": len(keys),
    }
    return data if token is None else {**data, "next_token": token}

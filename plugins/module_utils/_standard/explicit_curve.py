# Copyright (c) 2026, The cryptoki.hsm authors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""A curve that is spelt out, as explicit ECParameters (X9.62, SEC 1 C.2), instead of named: which one it is."""

from __future__ import annotations

import hashlib
import typing as t

# The digests are those of `openssl ecparam -name NAME -param_enc explicit` (OpenSSL 3.0.19); the unit test makes
# them anew.
DIGESTS = {
    "secp256r1": "5a06bb577a3b439051e24d785fa0ab75",
    "secp384r1": "6bafd87cf9a79b8109d6514c00b1be2b",
    "secp521r1": "11344b2cf5daf7e8f688804f64c58d95",
    "secp224r1": "861d67693bb8617178fcbccf28ea1b5f",
    "secp256k1": "5010c66d8d5ef9d86f738d2f489c6bae",
    "secp224k1": "d5f3acd04c75e20accbbeae61f133905",
    "prime239v1": "f2e71f7e0bd19a6ae3ac2643cbfb635b",
    "prime239v2": "2eccb21a1f423ed8803cd3e596e6f892",
    "prime239v3": "4c00dd4c0a890da0f2f7d4101277004f",
    "brainpoolP224r1": "7c204de052047ca0b5f109731925b6b2",
    "brainpoolP224t1": "88c75f76b0557ccf918c75bca5ac331d",
    "brainpoolP256r1": "328d9b9e36d0363db45b0f26e3ab2f41",
    "brainpoolP256t1": "114cb8720b58c53858e204cc266cd531",
    "brainpoolP320r1": "cee5283a0a49f919dafebd578fe05877",
    "brainpoolP320t1": "846841f4b6c32d31b62ef6060bef4feb",
    "brainpoolP384r1": "4d6ce9808ed1e176c093093e549483be",
    "brainpoolP384t1": "d4a42872d9054907ae65fa1cdae6a055",
    "brainpoolP512r1": "c6833830b1eec6c0b7083d26821dd007",
    "brainpoolP512t1": "6019040a4003023784af254497391098",
    "sm2p256v1": "6cfcee44d27eff5a652fea7dd15e1b1a",
}
_NAMES = {digest: name for name, digest in DIGESTS.items()}


def name_of(der: bytes) -> str:
    """The name of the curve with these parameters, compared by value; '' where it is none of the table."""
    from asn1crypto import keys

    return _NAMES.get(_digest(keys.SpecifiedECDomain.load(der, strict=True)), "")


def _digest(domain: t.Any) -> str:
    """128 bits of SHA-256 over p, a, b, the base point's x and y's parity, and n, in hexadecimal, joined by dots.

    An uncompressed base point must be on the curve, so that parity settles y: a made-up generator (CVE-2020-0601) is
    not taken for the right one. Returns '' for what is not over a prime field, has a cofactor other than 1 (none of
    the table has) or a base point that is none.
    """
    if domain["field_id"]["field_type"].native != "prime_field" or domain["cofactor"].native not in (1, None):
        return ""
    p = domain["field_id"]["parameters"].native
    a, b = (int.from_bytes(domain["curve"][key].native, "big") for key in ("a", "b"))
    point = domain["base"].contents
    size = (p.bit_length() + 7) // 8
    x, y = int.from_bytes(point[1 : 1 + size], "big"), int.from_bytes(point[1 + size :], "big")
    compressed = len(point) == 1 + size and point[0] in (2, 3)
    parity = point[0] & 1 if compressed else y & 1
    if not compressed and not _on_curve(point, size, (p, a, b, x, y)):
        return ""
    values = (p, a, b, x, parity, domain["order"].native)
    return hashlib.sha256(".".join(f"{value:x}" for value in values).encode()).hexdigest()[:32]


def _on_curve(point: bytes, size: int, values: tuple[int, int, int, int, int]) -> bool:
    """Whether an uncompressed (04) or hybrid (06, 07) point (SEC 1, 2.3.3; X9.62, 4.3.6) lies on the curve."""
    p, a, b, x, y = values
    well_formed = len(point) == 1 + 2 * size and (point[0] == 4 or point[0] == 6 + (y & 1))
    return well_formed and y < p and (y * y - x * x * x - a * x - b) % p == 0

# Copyright (c) 2026, The cryptoki.hsm authors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Fills a token with pairs on P-256 in one session: `fill.py LIBRARY TOKEN_LABEL PAIRS`, the PIN on stdin."""

from __future__ import annotations

import sys

import pkcs11
from pkcs11.util.ec import encode_named_curve_parameters


def fill(path: str, token_label: str, pin: str, pairs: int) -> None:
    """Makes the pairs, each with a label and an id of its own."""
    curve = {pkcs11.Attribute.EC_PARAMS: encode_named_curve_parameters("secp256r1")}
    with pkcs11.lib(path).get_token(token_label=token_label).open(rw=True, user_pin=pin) as session:
        for number in range(pairs):
            session.generate_keypair(
                pkcs11.KeyType.EC,
                label=f"filler {number}",
                id=b"filler" + number.to_bytes(4, "big"),
                store=True,
                public_template=curve,
            )


if __name__ == "__main__":
    fill(sys.argv[1], sys.argv[2], sys.stdin.read(), int(sys.argv[3]))

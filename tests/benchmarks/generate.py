# Copyright (c) 2026, The cryptoki.hsm authors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Pairs made one after the other in one session of plain python-pkcs11.

`generate.py LIBRARY TOKEN_LABEL RSA-2048|P-256 PAIRS`, the PIN on stdin.
"""

from __future__ import annotations

import sys

import pkcs11
from pkcs11.util.ec import encode_named_curve_parameters


def generate(path: str, token_label: str, pin: str, kind: str, pairs: int) -> None:
    """Stores so many pairs, and does nothing else."""
    curve = {pkcs11.Attribute.EC_PARAMS: encode_named_curve_parameters("secp256r1")}
    with pkcs11.lib(path).get_token(token_label=token_label).open(rw=True, user_pin=pin) as session:
        for number in range(pairs):
            label = f"pair {number}"
            if kind == "RSA-2048":
                session.generate_keypair(pkcs11.KeyType.RSA, 2048, label=label, store=True)
            else:
                session.generate_keypair(pkcs11.KeyType.EC, label=label, store=True, public_template=curve)


if __name__ == "__main__":
    generate(sys.argv[1], sys.argv[2], sys.stdin.read(), sys.argv[3], int(sys.argv[4]))

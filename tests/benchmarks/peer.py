# Copyright (c) 2026, The cryptoki.hsm authors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The peer: a look at one pair by plain python-pkcs11, `peer.py LIBRARY TOKEN_LABEL LABEL`, the PIN on stdin.

It takes the public interface of the library and its kindest way to read: all attributes of a half at once.
"""

from __future__ import annotations

import sys

import pkcs11
from pkcs11 import Attribute, ObjectClass

_BOTH = (Attribute.TOKEN, Attribute.PRIVATE, Attribute.LABEL, Attribute.KEY_TYPE, Attribute.ID, Attribute.LOCAL)
_OF_HALF = {
    ObjectClass.PUBLIC_KEY: (
        *_BOTH,
        Attribute.VERIFY,
        Attribute.ENCRYPT,
        Attribute.WRAP,
        Attribute.MODULUS,
        Attribute.PUBLIC_EXPONENT,
        Attribute.EC_PARAMS,
        Attribute.EC_POINT,
    ),
    ObjectClass.PRIVATE_KEY: (
        *_BOTH,
        Attribute.SENSITIVE,
        Attribute.EXTRACTABLE,
        Attribute.SIGN,
        Attribute.DECRYPT,
        Attribute.UNWRAP,
        Attribute.DERIVE,
        Attribute.MODULUS,
        Attribute.EC_PARAMS,
    ),
}


def look(path: str, token_label: str, pin: str, label: str) -> None:
    """Finds the two halves by their label and reads what a comparison needs."""
    library = pkcs11.lib(path)
    with library.get_token(token_label=token_label).open(user_pin=pin) as session:
        for half, attributes in _OF_HALF.items():
            session.get_key(object_class=half, label=label).get_attributes(list(attributes))
    library.finalize()


if __name__ == "__main__":
    look(sys.argv[1], sys.argv[2], sys.stdin.read(), sys.argv[3])

# Copyright (c) 2026, The cryptoki.hsm authors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Twin of _CHOICE in module_utils/_options/groups.py.

Note that this doc fragment is **PRIVATE** to the collection. It can have breaking changes at any time.
Do not use it from outside.
"""

from __future__ import annotations


class ModuleDocFragment:
    """What chooses keys that are there."""

    DOCUMENTATION = r"""
options:
  label:
    description:
      - Label of the key, compared as a whole. An empty one chooses keys without a label.
    type: raw
  id:
    description:
      - Identifier of the key (C(CKA_ID)) as a text. An empty one chooses keys without an identifier.
      - Quote it if it looks like a number.
    type: raw
  id_hex:
    description:
      - Identifier of the key as bytes in hexadecimal digits, with or without colons.
    type: raw
  fingerprint:
    description:
      - SHA-256 of the public key (SubjectPublicKeyInfo in DER) in hexadecimal digits, with or without colons.
      - It names one key exactly. A private half that does not tell its public key goes by the public half with the
        same curve and identifier.
    type: raw
  uri:
    description:
      - RFC 7512 URI of the key, as it is returned. It needs C(object) or C(id); what it says of the token is compared.
      - With C(type) it chooses that half alone.
    type: str
  key_type:
    description:
      - Type of the key, V(rsa), V(dsa), V(dh), V(ec), V(ec_edwards), V(ec_montgomery), V(aes), V(des2), V(des3),
        V(generic_secret), or a vendor's number as C(0x…).
    type: raw
  handle:
    description:
      - Handle of the key, where handles outlive a session. Those of PKCS#11 do not, so O(provider=pkcs11) refuses it.
      - Those of a cluster can change with a restore. Give the label, the id or the fingerprint of the key beside it.
    type: int
"""

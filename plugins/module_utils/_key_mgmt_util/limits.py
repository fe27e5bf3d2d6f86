# Copyright (c) 2026, The cryptoki.hsm authors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What key_mgmt_util cannot make: a pure check before the generation.

Its commands set size or curve, exponent, label, id, -nex, -sess, sharing and quorum; all other attributes are as the
tool makes them: a dump of every class is in the documentation of genRSAKeyPair and genECCKeyPair or inferred from it.
No dump shows every attribute, and those of older builds lack what came later (19 of an ECC key in genECCKeyPair, 20 of
an RSA key in an earlier edition of the AWS CloudHSM user guide).
"""

from __future__ import annotations

import typing as t

from ansible_collections.cryptoki.hsm.plugins.module_utils._key_mgmt_util import command
from ansible_collections.cryptoki.hsm.plugins.module_utils._pair import vendors
from ansible_collections.cryptoki.hsm.plugins.module_utils._pair.wish import Family, Wish
from ansible_collections.cryptoki.hsm.plugins.module_utils._standard import attributes, curves

# What a new half has true of that which an option of ours could ask for. Of the RSA private half and of the ECC public
# half no dump is documented: assumed from the other halves.
_BORN_TRUE: dict[tuple[Family, attributes.Half], frozenset[str]] = {
    ("rsa", attributes.PUBLIC): frozenset({"private", "encrypt", "wrap", "verify", "destroyable", "modifiable"}),
    ("rsa", attributes.PRIVATE): frozenset({"private", "decrypt", "unwrap", "sign", "destroyable", "modifiable"}),
    ("ecc", attributes.PUBLIC): frozenset({"private", "verify", "destroyable", "modifiable"}),
    ("ecc", attributes.PRIVATE): frozenset({"private", "sign", "destroyable", "modifiable"}),
}
_NO_SUCH = frozenset({"sign_recover", "verify_recover", "always_authenticate", "copyable"})
# What has an option or is always as wished; and where the vendors' builds differ: wrap_with_trusted is false for AWS,
# true for Azure (key management in Azure Cloud HSM).
LATER = "wrap_with_trusted"
_NOT_REFUSED = frozenset({"label", "id", "sensitive", "extractable", LATER})
# In which the dump of an older build has false.
_OLDER_FALSE = frozenset({"private", "wrap"})
_FAMILIES: t.Mapping[object, Family] = {"rsa": "rsa", "ec": "ecc"}

FACTS = vendors.VendorFacts(
    "key_mgmt_util",
    id_length=8,  # as 16 hexadecimal digits, because ids are texts here
    label_max=127,
    not_sent=frozenset(
        (half, name) for half in attributes.HALVES for name in (*attributes.ALL_USAGE_BITS[half], "private")
    ),
    set_attribute=False,
    copy=False,
    curves=frozenset(curve.name for curve in curves.CURVES if curve.number is not None),
)


# Where the build has no shareKey (page shareKey of cloudhsm_mgmt_util).
SHARED_ELSEWHERE = {"shared_with": "share it by shareKey of the vendor's management tool (cloudhsm_mgmt_util)"}


def generation_refusal(wish: Wish, older: bool = False) -> str | None:
    """Why a pair as wished cannot be had from key_mgmt_util, or None; `older`: from a build without `LATER`."""
    if wish.label is not None and not command.typable(wish.label):
        return "a label with blanks, with control characters or with a hyphen at its beginning cannot be typed there"
    if wish.id is not None and command.id_text(wish.id) is None:
        return "its id cannot be typed there: it must be a text without blanks, which the tool's prompt can read"
    if wish.session and wish.share_with:
        return "it shares no pair that lives as long as the session only"
    return next(filter(None, (_attribute_refusal(wish, half, older) for half in attributes.HALVES)), None)


def untold(half: attributes.KeyClass, told: t.Mapping[str, attributes.Value | None]) -> dict[str, attributes.Value]:
    """The attributes that the dump of a key does not show, as the tool makes them."""
    family = _FAMILIES.get(told.get("key_type"))
    if family is None or half not in attributes.HALVES:
        return {}
    names = (name for name in attributes.SETTABLE[half] if name not in told and name not in _NO_SUCH)
    return {name: name in _BORN_TRUE[family, half] for name in names}


def _attribute_refusal(wish: Wish, half: attributes.Half, older: bool) -> str | None:
    not_refused = _NOT_REFUSED
    if older:
        not_refused = not_refused - {LATER} | (_OLDER_FALSE if half == attributes.PUBLIC else set())
    for name, value in wish.required(half).items():
        if name in not_refused:
            continue
        if name in _NO_SUCH:
            return f"its keys have no attribute {name}"
        born = name in _BORN_TRUE[wish.family, half]
        if value is not born:
            told = "true" if born else "false"
            return f"its commands have no option for {name}, which is {told} for the {half} half of every new pair"
    return None

# Copyright (c) 2026, The cryptoki.hsm authors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What is known of vendors' PKCS#11 libraries where they differ: one table, chosen by the library's own description."""

from __future__ import annotations

import dataclasses
import re
import typing as t

from ansible_collections.cryptoki.hsm.plugins.module_utils._standard.attributes import PRIVATE, PUBLIC, Half, Value

KeyWrap = t.Literal["KWP", "PAD", "KW"]


@dataclasses.dataclass(frozen=True)
class VendorFacts:
    """One row; the defaults are what the standard says.

    `marks`: lower-case words, one of which is in the manufacturer or description of the library or of the token.
    `id_length`: bytes of the id that is drawn for a pair without one; 0: none is drawn.
    `id_max`, `label_max`: bytes; 0: no limit known.
    `not_sent`: attributes that a template for a half must not hold, whatever their value.
    `only_true`: bits of a half that may be sent as true only.
    `fixed`: attributes that the token does not change in place although the standard lets it.
    `copy_sets_copyable`: whether a copy may be made that is not CKA_COPYABLE.
    `elsewhere`: what the user can do by another program where this one cannot change an attribute.
    `set_attribute`, `copy`: whether C_SetAttributeValue and C_CopyObject exist.
    `read_only_sessions`: whether a session may be opened without CKF_RW_SESSION.
    `certificates`: whether it has certificate objects.
    `threads`: whether several threads may work with the library at once.
    `composite_pin`: the PIN is `user:password`.
    `key_wraps`: the mechanisms by which AES keys wrap others: RFC 5649, RFC 3394 after a padding, RFC 3394 alone.
    `curves`: names of the only curves the library has; empty: not known, the token decides.
    """

    name: str
    marks: tuple[str, ...] = ()
    id_length: int = 16
    id_max: int = 0
    label_max: int = 0
    not_sent: frozenset[tuple[Half, str]] = frozenset()
    only_true: frozenset[tuple[Half, str]] = frozenset()
    fixed: frozenset[str] = frozenset()
    elsewhere: t.Mapping[str, str] = dataclasses.field(default_factory=dict)
    set_attribute: bool = True
    copy: bool = True
    copy_sets_copyable: bool = True
    read_only_sessions: bool = True
    certificates: bool = True
    threads: bool = True
    composite_pin: bool = False
    key_wraps: tuple[tuple[KeyWrap, str], ...] = (
        ("KWP", "CKM_AES_KEY_WRAP_KWP"),
        ("PAD", "CKM_AES_KEY_WRAP_PAD"),
        ("KW", "CKM_AES_KEY_WRAP"),
    )
    curves: frozenset[str] = frozenset()

    def sends(self, half: Half, name: str, value: object) -> bool:
        """Whether a template for `half` may hold this attribute with this value."""
        return (half, name) not in self.not_sent and ((half, name) not in self.only_true or value is True)

    def sent(self, half: Half, values: t.Mapping[str, Value]) -> dict[str, Value]:
        """What of a template for `half` is sent."""
        return {name: value for name, value in values.items() if self.sends(half, name, value)}


def _attributes(half: Half, names: str) -> frozenset[tuple[Half, str]]:
    return frozenset((half, name) for name in names.split())


_TABLE = (
    VendorFacts("generic"),
    # SoftHSM 2.6.1, measured: these are read-only after birth, CKA_COPYABLE in a copy too.
    VendorFacts(
        "softhsm",
        marks=("softhsm",),
        fixed=frozenset({"wrap_with_trusted", "allowed_mechanisms"}),
        copy_sets_copyable=False,
        # What it wraps by CKM_AES_KEY_WRAP_PAD is RFC 5649, which NSS reads as CKM_AES_KEY_WRAP_KWP; measured.
        key_wraps=(("KWP", "CKM_AES_KEY_WRAP_PAD"), ("KW", "CKM_AES_KEY_WRAP")),
    ),
    # AWS CloudHSM client SDK 5: user guide, pages pkcs11-apis, pkcs11-attributes-interpreting, ki-pkcs11-sdk,
    # pkcs11-pin, pkcs11-key-types. The id is set at birth and must be unique among pairs.
    VendorFacts(
        "cloudhsm",
        marks=("cloudhsm", "cavium", "marvell"),
        label_max=127,
        not_sent=_attributes(PRIVATE, "sign_recover allowed_mechanisms always_authenticate copyable")
        | _attributes(PUBLIC, "verify_recover copyable"),
        only_true=_attributes(PRIVATE, "private") | _attributes(PUBLIC, "private"),
        set_attribute=False,
        copy=False,
        read_only_sessions=False,
        composite_pin=True,
        curves=frozenset({"secp224r1", "secp256r1", "secp256k1", "secp384r1", "secp521r1", "ed25519"}),
    ),
    # YubiHSM 2: an object's id has two bytes and its label 40 (Yubico's PKCS#11 notes); the device draws ids itself.
    VendorFacts("yubihsm", marks=("yubihsm", "yubico"), id_length=0, id_max=2, label_max=40, copy=False),
    # openCryptoki 3.23 soft token: nothing known to differ so far.
    VendorFacts("opencryptoki", marks=("opencryptoki",)),
    # NSS softokn 3.87, measured: a template with one of these is answered by CKR_GENERAL_ERROR.
    VendorFacts(
        "nss",
        marks=("mozilla", "nss"),
        not_sent=_attributes(PRIVATE, "wrap_with_trusted destroyable copyable")
        | _attributes(PUBLIC, "destroyable copyable"),
        # Several threads wait for each other's database locks: ten removals took a minute and more, two times of three.
        threads=False,
    ),
)
VENDORS: dict[str, VendorFacts] = {row.name: row for row in _TABLE}


def vendor_facts(choice: str, *descriptions: str) -> VendorFacts:
    """The row named `choice`, or for `auto` the one that a manufacturer or description names, else `generic`."""
    if choice != "auto":
        return VENDORS[choice]
    words = set(re.findall(r"[a-z0-9]+", " ".join(descriptions).lower()))
    return next((row for row in _TABLE if words.intersection(row.marks)), VENDORS["generic"])

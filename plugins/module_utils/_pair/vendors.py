# Copyright (c) 2026, The cryptoki.hsm authors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What is known of vendors' PKCS#11 libraries where they differ: one table, chosen by the library's own description."""

from __future__ import annotations

import dataclasses
import re
import typing as t

from ansible_collections.cryptoki.hsm.plugins.module_utils._standard import attributes

KeyWrap = t.Literal["KWP", "PAD", "KW"]


@dataclasses.dataclass(frozen=True)
class VendorFacts:
    """One row; the defaults are what the standard says.

    `marks`: lower-case words, one of which is in the manufacturer or description of the library or of the token.
    `id_length`: bytes of the id that is drawn for a pair without one; 0: none is drawn.
    `id_max`, `label_max`: bytes; 0: no limit known.
    `label_is_id`: a key has one name, which is its label and its id.
    `halves_are_one`: both halves are one object of the HSM, so that they are removed together.
    `not_sent`: attributes that a template for a half must not hold, whatever their value.
    `only_true`: bits of a half that may be sent as true only.
    `fixed`: attributes that the token does not change in place although the standard lets it.
    `not_searched`: attributes that a search must not hold, because the token refuses or ignores them, or finds nothing.
    `copy_sets_copyable`: whether a copy may be made that is not CKA_COPYABLE.
    `elsewhere`: what the user can do by another program where this one cannot change an attribute.
    `set_attribute`, `copy`: whether C_SetAttributeValue and C_CopyObject exist.
    `read_only_sessions`: whether a session may be opened without CKF_RW_SESSION.
    `certificates`: whether it has certificate objects.
    `threads`: whether several threads may work with the library at once.
    `login_each_session`: a login counts for the session in which it was made, not for all of the process.
    `composite_pin`: the PIN is `user:password`.
    `key_wraps`: the mechanisms by which AES keys wrap others: RFC 5649, RFC 3394 after a padding, RFC 3394 alone.
    `curves`: names of the only curves the library has; empty: not known, the token decides.
    `older`: what is otherwise in libraries older than a version, as the library tells that.
    """

    name: str
    marks: tuple[str, ...] = ()
    id_length: int = 16
    id_max: int = 0
    label_max: int = 0
    label_is_id: bool = False
    halves_are_one: bool = False
    not_sent: frozenset[tuple[attributes.Half, str]] = frozenset()
    only_true: frozenset[tuple[attributes.Half, str]] = frozenset()
    fixed: frozenset[str] = frozenset()
    not_searched: frozenset[str] = frozenset()
    elsewhere: t.Mapping[str, str] = dataclasses.field(default_factory=dict)
    set_attribute: bool = True
    copy: bool = True
    copy_sets_copyable: bool = True
    read_only_sessions: bool = True
    certificates: bool = True
    threads: bool = True
    login_each_session: bool = False
    composite_pin: bool = False
    key_wraps: tuple[tuple[KeyWrap, str], ...] = (
        ("KWP", "CKM_AES_KEY_WRAP_KWP"),
        ("PAD", "CKM_AES_KEY_WRAP_PAD"),
        ("KW", "CKM_AES_KEY_WRAP"),
    )
    curves: frozenset[str] = frozenset()
    older: tuple[tuple[tuple[int, int], t.Mapping[str, t.Any]], ...] = ()

    def of_version(self, version: tuple[int, ...]) -> VendorFacts:
        """The row as it is for a library of this version."""
        changes = [values for before, values in self.older if version < before]
        return dataclasses.replace(self, **changes[0]) if changes else self

    def sends(self, half: attributes.Half, name: str, value: object) -> bool:
        """Whether a template for `half` may hold this attribute with this value."""
        return (half, name) not in self.not_sent and ((half, name) not in self.only_true or value is True)

    def sent(self, half: attributes.Half, values: t.Mapping[str, attributes.Value]) -> dict[str, attributes.Value]:
        """What of a template for `half` is sent."""
        return {name: value for name, value in values.items() if self.sends(half, name, value)}


def _attributes(half: attributes.Half, names: str) -> frozenset[tuple[attributes.Half, str]]:
    return frozenset((half, name) for name in names.split())


# All that the standard lets be changed, beside label and id.
_ALL_BUT_NAMES = frozenset({"extractable", "allowed_mechanisms"}.union(*attributes.SETTABLE.values()))
_NO_WRAPPING = _attributes(attributes.PRIVATE, "unwrap") | _attributes(attributes.PUBLIC, "wrap")

# Where each fact is from: measured with the library itself, or read in its source or its vendor's documentation.
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
    # AWS CloudHSM client SDK 5, read: user guide, pages pkcs11-apis, pkcs11-attributes-interpreting, ki-pkcs11-sdk,
    # pkcs11-pin, pkcs11-key-types. The id is set at birth and must be unique among pairs.
    VendorFacts(
        "cloudhsm",
        marks=("cloudhsm", "cavium", "marvell"),
        label_max=127,
        not_sent=_attributes(attributes.PRIVATE, "sign_recover allowed_mechanisms always_authenticate copyable")
        | _attributes(attributes.PUBLIC, "verify_recover copyable"),
        only_true=_attributes(attributes.PRIVATE, "private") | _attributes(attributes.PUBLIC, "private"),
        set_attribute=False,
        copy=False,
        read_only_sessions=False,
        composite_pin=True,
        curves=frozenset({"secp224r1", "secp256r1", "secp256k1", "secp384r1", "secp521r1", "ed25519"}),
    ),
    # YubiHSM 2. Measured with the module 2.6.0: it makes a wrap key of a pair whose private template holds CKA_UNWRAP,
    # even as false; every key tells that it is not modifiable. Read in yubihsm-shell, pkcs11/yubihsm_pkcs11.c and
    # util_pkcs11.c of 2.2.0 to 2.8.0: the former lasts up to 2.7.2; the public half is no object of its own, which
    # C_DestroyObject leaves alone and calls removed; no search compares a modulus or point, and the key type is not
    # compared or has to agree with the class; ids of other than 2 bytes and labels of more than 40 are kept in an
    # object beside the key from 2.4.0 on, which C_SetAttributeValue changes. It tells its version 2.4.0 as 2.40. The
    # device draws ids of 2 bytes itself; others cost an object each, of which it has 256.
    VendorFacts(
        "yubihsm",
        marks=("yubihsm",),
        id_length=0,
        id_max=256,
        label_max=256,
        halves_are_one=True,
        not_sent=_NO_WRAPPING,
        fixed=_ALL_BUT_NAMES,
        not_searched=frozenset({"key_type", "modulus", "ec_point"}),
        copy=False,
        older=(((2, 40), {"id_max": 2, "label_max": 40, "set_attribute": False}),),
    ),
    # openCryptoki 3.23 soft token, measured: nothing known to differ so far.
    VendorFacts("opencryptoki", marks=("opencryptoki",)),
    # NSS softokn 3.87, measured: a template with one of these is answered by CKR_GENERAL_ERROR.
    VendorFacts(
        "nss",
        marks=("mozilla", "nss"),
        not_sent=_attributes(attributes.PRIVATE, "wrap_with_trusted destroyable copyable")
        | _attributes(attributes.PUBLIC, "destroyable copyable"),
        # Several threads wait for each other's database locks: ten removals took a minute and more, two times of three.
        threads=False,
    ),
    # Thales Luna 7, read: nothing known to differ in what is sent. Its Crypto User is the option user_type.
    VendorFacts("luna", marks=("luna", "lunasa", "chrystoki")),
    # Entrust nShield, read: libp11 issue 685 and pkcs11-provider issue 791 tell that it answers
    # CKR_TEMPLATE_INCONSISTENT where every use is true. Which uses go together is for the task to say.
    VendorFacts("nshield", marks=("nshield", "ncipher")),
    # Nitrokey NetHSM. Measured with nethsm-pkcs11 2.0.0: one object, one name, a login for each session. Read in its
    # source: ids have at most 128 characters; C_SetAttributeValue takes CKA_ID alone; C_CopyObject is prohibited; no
    # key wraps; every EC key tells CKA_DERIVE, and no public half tells what it may be used for; a search goes by class
    # and by id, or by label where no id is given, and ignores the rest.
    VendorFacts(
        "nethsm",
        marks=("nethsm",),
        id_length=0,
        id_max=128,
        label_max=128,
        label_is_id=True,
        halves_are_one=True,
        not_sent=_attributes(attributes.PRIVATE, "unwrap")
        | _attributes(attributes.PUBLIC, "encrypt verify wrap verify_recover derive"),
        only_true=_attributes(attributes.PRIVATE, "derive"),
        not_searched=frozenset({"key_type", "token", "modulus", "ec_point"}),
        set_attribute=False,
        copy=False,
        login_each_session=True,
        curves=frozenset(
            {"secp256r1", "secp384r1", "secp521r1", "secp256k1", "ed25519"}
            | {f"brainpoolP{bits}r1" for bits in (256, 384, 512)}
        ),
        older=(((2, 0), {"curves": frozenset({"secp224r1", "secp256r1", "secp384r1", "secp521r1", "ed25519"})}),),
    ),
    # tpm2-pkcs11 1.9. Measured: bits that are false undo what others set, so that nothing is left. Read in its source:
    # it has no C_CopyObject, C_WrapKey and C_UnwrapKey; what C_SetAttributeValue changes, the TPM never learns.
    VendorFacts(
        "tpm2",
        marks=("tpm2",),
        not_sent=_NO_WRAPPING,
        only_true=_attributes(attributes.PRIVATE, "sign decrypt") | _attributes(attributes.PUBLIC, "encrypt verify"),
        fixed=_ALL_BUT_NAMES,
        copy=False,
    ),
    # FreeHSM-C 2.0, measured: nothing known to differ in what is sent. It makes every key not extractable.
    VendorFacts("freehsm", marks=("freehsm",)),
)
VENDORS: dict[str, VendorFacts] = {row.name: row for row in _TABLE}


def vendor_facts(choice: str, *descriptions: str, version: str = "") -> VendorFacts:
    """The row named `choice`, or for `auto` the one that a manufacturer or description names, else `generic`.

    `version`: that of the library; the newest where it is not told.
    """
    if choice != "auto":
        row = VENDORS[choice]
    else:
        words = set(re.findall(r"[a-z0-9]+", " ".join(descriptions).lower()))
        row = next((row for row in _TABLE if words.intersection(row.marks)), VENDORS["generic"])
    return row.of_version(tuple(map(int, version.split(".")))) if version and row.older else row

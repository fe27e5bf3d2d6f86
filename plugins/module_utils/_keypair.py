# Copyright (c) 2026, The cryptoki.hsm authors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Key pairs: the one that is wished for, and the objects and pairs that a token holds. Immutable, without any HSM.

Note that this module util is **PRIVATE** to the collection. It can have breaking changes at any time.
Do not use it from outside.
"""

from __future__ import annotations

import dataclasses
import functools
import typing as t

from ansible_collections.cryptoki.hsm.plugins.module_utils import _public_key
from ansible_collections.cryptoki.hsm.plugins.module_utils._attributes import (
    ALL_USAGE_BITS,
    COMPARE_ONLY,
    FREEZING,
    PRIVATE,
    PUBLIC,
    USAGE_BITS,
    Half,
    KeyClass,
    Value,
)
from ansible_collections.cryptoki.hsm.plugins.module_utils._curves import Curve, curve_by_ec_params
from ansible_collections.cryptoki.hsm.plugins.module_utils._mechanisms import mechanism_name

Family = t.Literal["rsa", "ecc"]
HALVES: tuple[Half, Half] = (PUBLIC, PRIVATE)
# The key types that each module manages.
KEY_TYPES_OF: dict[Family, tuple[str, ...]] = {"rsa": ("rsa",), "ecc": ("ec", "ec_edwards")}
FAMILY_NAME: dict[Family, str] = {"rsa": "RSA", "ecc": "ECC"}
DEFAULT_USAGE: dict[Family, tuple[str, ...]] = {"rsa": ("sign", "decrypt", "wrap"), "ecc": ("sign",)}
DEFAULT_EXPONENT = 65537
# With this the label of a new pair begins until the pair that it replaces is gone.
PROVISIONAL = "replacement "


@dataclasses.dataclass(frozen=True)
class Wish:
    """The wished pair, validated. None means: not compared; the defaults of a new pair are in L{template}."""

    family: Family
    label: str | None = None
    id: bytes | None = None
    fingerprint: str | None = None
    modulus_bits: int | None = None
    public_exponent: int | None = None
    curve: Curve | None = None
    session: bool = False
    extractable: bool | None = None
    usage: tuple[str, ...] | None = None
    private_attributes: t.Mapping[str, bool] = dataclasses.field(default_factory=dict)
    public_attributes: t.Mapping[str, bool] = dataclasses.field(default_factory=dict)
    allowed_mechanisms: tuple[int, ...] | None = None
    key_gen_mechanism: int | None = None
    on_mismatch: t.Literal["fail", "keep", "replace"] = "fail"
    verify: bool | None = None
    # What to do where an existing pair cannot be made as wished.
    remedy: t.ClassVar[str] = (
        "set on_mismatch=keep to leave the pair as it is, or on_mismatch=replace to generate another and destroy this"
        " one"
    )

    def __str__(self) -> str:
        names = [f"'{self.label}'"] if self.label is not None else []
        if self.id is not None:
            names.append(f"id {self.id.hex(':')}")
        if self.fingerprint is not None:
            names.append(f"fingerprint {bytes.fromhex(self.fingerprint).hex(':')}")
        return f"the {FAMILY_NAME[self.family]} key pair {', '.join(names)}"

    @property
    def exact(self) -> bool:
        """Whether it names one key, and not only a label that others may have too."""
        return self.id is not None or self.fingerprint is not None

    @property
    def key_type(self) -> str:
        """Name of the CKA_KEY_TYPE of a new pair."""
        return self.curve.key_type if self.curve else KEY_TYPES_OF[self.family][0]

    def own_attributes(self, half: Half) -> t.Mapping[str, bool]:
        """The three-state booleans that the user set for C(half); they win over C(usage)."""
        return self.private_attributes if half == PRIVATE else self.public_attributes

    def required(self, half: Half) -> dict[str, Value]:
        """What an existing half must have: that which the user said, and CKA_SENSITIVE."""
        wished: dict[str, Value] = {}
        if self.label is not None:
            wished["label"] = self.label
        if self.id is not None:
            wished["id"] = self.id
        if half == PRIVATE:
            wished["sensitive"] = True
            if self.extractable is not None:
                wished["extractable"] = self.extractable
            if self.allowed_mechanisms is not None:
                wished["allowed_mechanisms"] = self.allowed_mechanisms
        if self.usage is not None:
            wished.update(self._usage_bits(half, self.usage))
        wished.update(self.own_attributes(half))
        return wished

    def _usage_bits(self, half: Half, usage: t.Sequence[str]) -> dict[str, bool]:
        return {bits[half]: word in usage for word, bits in USAGE_BITS.items() if half in bits}

    def template(self, half: Half) -> dict[str, Value]:
        """Every attribute of a new half with its value, less the key's size or curve and what freezes the pair."""
        usage = self.usage if self.usage is not None else DEFAULT_USAGE[self.family]
        wished: dict[str, Value] = {"token": not self.session, "private": half == PRIVATE}
        wished.update(dict.fromkeys(ALL_USAGE_BITS[half], False))
        wished.update(self._usage_bits(half, usage))
        if half == PRIVATE:
            wished["extractable"] = True
        wished.update(self.required(half))
        later = self.freezing(half)
        return {name: value for name, value in wished.items() if name not in COMPARE_ONLY and name not in later}

    def new_half(self, half: Half) -> dict[str, Value]:
        """All attributes that a new half gets, with those that describe the key itself."""
        values = self.template(half)
        if half == PUBLIC and self.family == "rsa":
            exponent = self.public_exponent or DEFAULT_EXPONENT
            values["modulus_bits"] = self.modulus_bits or 0
            values["public_exponent"] = exponent.to_bytes((exponent.bit_length() + 7) // 8, "big")
        if half == PUBLIC and self.curve:
            values["ec_params"] = self.curve.ec_params()
        return values

    def freezing(self, half: Half) -> dict[str, bool]:
        """The attributes of a half that are set to false after every check, in this order.

        C(copyable) alone is set at birth; beside another one it has to wait for the copy which that needs.
        """
        own = self.own_attributes(half)
        wished = {name: False for name in FREEZING if own.get(name) is False}
        return {} if list(wished) == ["copyable"] else wished

    def unfrozen(self) -> Wish:
        """The same wish without what is set to false after every check."""
        later = {half: self.freezing(half) for half in HALVES}
        return dataclasses.replace(
            self,
            private_attributes={k: v for k, v in self.private_attributes.items() if k not in later[PRIVATE]},
            public_attributes={k: v for k, v in self.public_attributes.items() if k not in later[PUBLIC]},
        )


@dataclasses.dataclass(frozen=True)
class Changes(Wish):
    """What is wished of a pair, or of one half, that was chosen otherwise: nothing else is compared.

    C(chosen): how messages name it; C(chosen_exactly): whether that names one key. C(label) and C(id) are the new ones.
    """

    chosen: str = ""
    chosen_exactly: bool = False
    remedy: t.ClassVar[str] = "leave out what the token does not let be changed"

    def __str__(self) -> str:
        return f"the key chosen by {self.chosen}"

    @property
    def exact(self) -> bool:
        return self.chosen_exactly

    def required(self, half: Half) -> dict[str, Value]:
        wished = super().required(half)
        wished.pop("sensitive", None)
        return wished


@dataclasses.dataclass(frozen=True)
class TokenObject:
    """One key object as read, or as it would be made (then C(handle) is 0, CK_INVALID_HANDLE).

    Attributes by name: one that is absent the object lacks. C(unreadable): those that it has and does not tell, with
    the reason.
    """

    handle: int
    half: KeyClass
    attributes: t.Mapping[str, Value | None]
    unreadable: t.Mapping[str, str] = dataclasses.field(default_factory=dict)

    @functools.cached_property
    def spki(self) -> bytes | None:
        """DER of the SubjectPublicKeyInfo, where this half tells it."""
        return _public_key.spki_of(self.attributes)

    @property
    def fingerprint(self) -> str | None:
        """SHA-256 of the SubjectPublicKeyInfo, where this half tells it."""
        return _public_key.fingerprint(self.spki) if self.spki else None

    @property
    def label(self) -> str | None:
        """CKA_LABEL, None where it is no text."""
        value = self.attributes.get("label")
        return value if isinstance(value, str) else None

    @property
    def id(self) -> bytes:
        """CKA_ID, empty where there is none."""
        value = self.attributes.get("id")
        return value if isinstance(value, bytes) else b""

    @property
    def key_type(self) -> str:
        """Name of the key type; a vendor's own, or one that the table lacks, as its number."""
        value = self.attributes.get("key_type")
        return f"0x{value:08x}" if isinstance(value, int) else str(value or "unknown")

    @functools.cached_property
    def curve(self) -> Curve | None:
        """The curve, where this is an EC key on one that we know."""
        params = self.attributes.get("ec_params")
        return curve_by_ec_params(params) if isinstance(params, bytes) else None

    @property
    def modulus_bits(self) -> int | None:
        """Size of an RSA key in bits, from the modulus itself: a private half has no CKA_MODULUS_BITS."""
        modulus = self.attributes.get("modulus")
        if isinstance(modulus, bytes) and modulus:
            return int.from_bytes(modulus, "big").bit_length()
        bits = self.attributes.get("modulus_bits")
        return bits if isinstance(bits, int) else None

    @property
    def public_exponent(self) -> int | None:
        """Exponent of an RSA key."""
        exponent = self.attributes.get("public_exponent")
        return int.from_bytes(exponent, "big") if isinstance(exponent, bytes) and exponent else None

    def hides(self, name: str) -> bool:
        """Whether it is unknown what the object has of an attribute: the token did not tell it."""
        return name in self.unreadable or not self.attributes

    def __str__(self) -> str:
        parts = [f"{self.half} {self.key_type} key"]
        if self.modulus_bits:
            parts.append(f"of {self.modulus_bits} bits")
        elif self.curve:
            parts.append(f"on {self.curve.name}")
        parts.append(f"label '{self.label}'" if self.label is not None else "label unreadable")
        parts.append(f"id {self.id.hex(':') or 'none'}")
        parts.append(f"fingerprint {bytes.fromhex(self.fingerprint or '').hex(':') or 'unknown'}")
        return f"({', '.join(parts)})"


@dataclasses.dataclass(frozen=True)
class KeyPair:
    """Objects that belong together: usually one of each half; C(pairing) says how they were joined."""

    publics: tuple[TokenObject, ...] = ()
    privates: tuple[TokenObject, ...] = ()
    pairing: t.Literal["material", "id"] | None = None

    @property
    def whole(self) -> bool:
        """Whether this is exactly one public and one private half."""
        return len(self.publics) == len(self.privates) == 1

    @property
    def lone(self) -> TokenObject | None:
        """The object, when this is a single half."""
        return self.objects[0] if len(self.objects) == 1 else None

    @property
    def objects(self) -> tuple[TokenObject, ...]:
        """All objects, public halves first."""
        return self.publics + self.privates

    @property
    def public(self) -> TokenObject:
        """The public half of a whole pair."""
        return self.publics[0]

    @property
    def private(self) -> TokenObject:
        """The private half of a whole pair."""
        return self.privates[0]

    @property
    def halves(self) -> tuple[Half, ...]:
        """The halves that are there: both of a whole pair."""
        return tuple(half for half, there in ((PUBLIC, self.publics), (PRIVATE, self.privates)) if there)

    def half(self, half: Half) -> TokenObject:
        """One half of a whole pair, or the one that a lone half is."""
        return self.private if half == PRIVATE else self.public

    def with_half(self, found: TokenObject) -> KeyPair:
        """The pair with one of its halves exchanged."""
        if found.half == PRIVATE:
            return dataclasses.replace(self, privates=(found,))
        return dataclasses.replace(self, publics=(found,))

    @property
    def spki(self) -> bytes | None:
        """DER of the SubjectPublicKeyInfo, from the first object that tells it."""
        return next((found.spki for found in self.objects if found.spki), None)

    @property
    def fingerprint(self) -> str | None:
        """SHA-256 of the SubjectPublicKeyInfo."""
        return _public_key.fingerprint(self.spki) if self.spki else None

    def __str__(self) -> str:
        return " and ".join(map(str, self.objects))


def pair_up(objects: t.Sequence[TokenObject]) -> list[KeyPair]:
    """Joins halves: RSA by modulus, EC by the public key where the private half tells it, else by curve and id.

    Without an id, by curve and label. Halves that share none of these stay alone. The order is that of the objects.
    """
    told_by_private = {found.spki for found in objects if found.half == PRIVATE}
    groups: dict[t.Hashable, list[TokenObject]] = {}
    for found in objects:
        groups.setdefault(_joint(found, told_by_private), []).append(found)
    return [_as_pair(group) for group in groups.values()]


def _joint(found: TokenObject, told_by_private: t.Collection[bytes | None]) -> t.Hashable:
    """What the halves of one pair have in common."""
    modulus = found.attributes.get("modulus")
    if isinstance(modulus, bytes) and modulus:
        return ("modulus", int.from_bytes(modulus, "big"))
    if found.spki and found.spki in told_by_private:
        return ("spki", found.spki)
    curve = found.curve.name if found.curve else found.attributes.get("ec_params")
    name = found.id or found.label
    return ("name", found.key_type, curve, name) if name else ("handle", found.half, found.handle)


def _as_pair(group: t.Sequence[TokenObject]) -> KeyPair:
    publics = tuple(found for found in group if found.half == PUBLIC)
    privates = tuple(found for found in group if found.half == PRIVATE)
    pairing: t.Literal["material", "id"] | None = None
    if publics and privates:
        pairing = "material" if privates[0].spki or privates[0].attributes.get("modulus") else "id"
    return KeyPair(publics, privates, pairing)


@dataclasses.dataclass(frozen=True)
class Difference:
    """One attribute that is not as wished; C(half) is None for what both halves share."""

    half: Half | None
    name: str
    found: t.Any
    wished: t.Any

    def __str__(self) -> str:
        where = f"{self.half} half's " if self.half else ""
        return f"{where}{self.name} is {_shown(self.name, self.found)}, wished {_shown(self.name, self.wished)}"


def _shown(name: str, value: t.Any) -> str:
    if isinstance(value, bytes):
        return value.hex(":") or "empty"
    if isinstance(value, tuple):
        return "[" + ", ".join(map(mechanism_name, value)) + "]"
    if isinstance(value, bool):
        return str(value).lower()
    return "missing" if value is None else str(value)


def key_differences(wish: Wish, pair: KeyPair) -> list[Difference]:
    """What differs of the key itself (size, exponent, curve, type): nothing can change it."""
    public = pair.objects[0]
    rows: list[tuple[str, t.Any, t.Any]] = []
    if wish.family == "rsa":
        rows.append(("modulus_bits", public.modulus_bits, wish.modulus_bits))
        rows.append(("public_exponent", public.public_exponent, wish.public_exponent))
    elif wish.curve:
        rows.append(("curve", public.curve.name if public.curve else "unknown", wish.curve.name))
    return [Difference(None, name, found, wished) for name, found, wished in rows if wished not in (None, found)]


def attribute_differences(half: Half, found: TokenObject, wished: t.Mapping[str, Value]) -> list[Difference]:
    """What differs of the attributes of one half; an attribute that the object lacks counts as missing."""
    rows = []
    for name, wish in wished.items():
        value = found.attributes.get(name)
        same = set(value) == set(wish) if isinstance(value, tuple) and isinstance(wish, tuple) else value == wish
        if not same:
            rows.append(Difference(half, name, value, wish))
    return rows

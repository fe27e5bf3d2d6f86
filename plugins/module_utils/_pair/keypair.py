# Copyright (c) 2026, The cryptoki.hsm authors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Key objects and key pairs as a token holds them. Immutable, without any HSM."""

from __future__ import annotations

import dataclasses
import functools
import typing as t

from ansible_collections.cryptoki.hsm.plugins.module_utils._standard import errors, public_key
from ansible_collections.cryptoki.hsm.plugins.module_utils._standard.attributes import (
    HALVES,
    PRIVATE,
    PUBLIC,
    Half,
    KeyClass,
    Value,
)

if t.TYPE_CHECKING:
    from ansible_collections.cryptoki.hsm.plugins.module_utils._standard import curves


@dataclasses.dataclass(frozen=True)
class Sharing:
    """Who may use a key, where the HSM has users: names in lower case, `shared_with` sorted and without the owner.

    `quorum`: how many must approve a use of the key, `manage_quorum` a change of it or of its sharing; 0 for none.
    """

    owner: str | None
    shared_with: tuple[str, ...] = ()
    quorum: int = 0
    manage_quorum: int = 0


@dataclasses.dataclass(frozen=True)
class TokenObject:
    """One key object as read, or as it would be made (then `handle` is 0, CK_INVALID_HANDLE).

    Attributes by name: one that is absent the object lacks. `unreadable`: those that it has and does not tell, with
    the reason. `untold`: those that this token tells of no key, as its keys are made. `dump`: what
    getAttribute wrote of it.
    """

    handle: int
    half: KeyClass
    attributes: t.Mapping[str, Value | None]
    unreadable: t.Mapping[str, str] = dataclasses.field(default_factory=dict)
    sharing: Sharing | None = None
    untold: t.Mapping[str, Value] = dataclasses.field(default_factory=dict)
    dump: str | None = None

    @property
    def other(self) -> Half:
        """The other half's class."""
        return PUBLIC if self.half == PRIVATE else PRIVATE

    @functools.cached_property
    def spki(self) -> bytes | None:
        """DER of the SubjectPublicKeyInfo, where this half tells it."""
        return public_key.spki_of(self.attributes)

    @property
    def fingerprint(self) -> str | None:
        """SHA-256 of the SubjectPublicKeyInfo, where this half tells it."""
        return public_key.fingerprint(self.spki) if self.spki else None

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
    def curve(self) -> curves.Curve | None:
        """The curve, where this is an EC key on one that we know."""
        params = self.attributes.get("ec_params")
        if not isinstance(params, bytes):
            return None
        # RSA keys need no table of curves.
        from ansible_collections.cryptoki.hsm.plugins.module_utils._standard import curves

        return curves.curve_by_ec_params(params)

    @property
    def modulus(self) -> int | None:
        """Modulus of an RSA key."""
        modulus = self.attributes.get("modulus")
        return int.from_bytes(modulus, "big") if isinstance(modulus, bytes) and modulus else None

    @property
    def modulus_bits(self) -> int | None:
        """Size of an RSA key in bits, from the modulus itself: a private half has no CKA_MODULUS_BITS."""
        if self.modulus:
            return self.modulus.bit_length()
        bits = self.attributes.get("modulus_bits")
        return bits if isinstance(bits, int) else None

    @property
    def public_exponent(self) -> int | None:
        """Exponent of an RSA key."""
        exponent = self.attributes.get("public_exponent")
        return int.from_bytes(exponent, "big") if isinstance(exponent, bytes) and exponent else None

    def forbids(self, *names: str) -> bool:
        """Whether one of these bits is false; one that the object lacks forbids nothing."""
        return any(self.attributes.get(name) is False for name in names)

    @property
    def needs_signatures(self) -> bool:
        """Whether a change of this key needs the approval of several users, which no task can gather."""
        return self.sharing is not None and self.sharing.manage_quorum > 0

    def hides(self, name: str) -> bool:
        """Whether it is unknown what the object has of an attribute: the token did not tell it."""
        return name in self.unreadable or not self.attributes

    def __str__(self) -> str:
        parts = [f"{self.half} {self.key_type} key"]
        if self.modulus_bits:
            parts.append(f"of {self.modulus_bits} bits")
        elif self.curve:
            parts.append(f"on {self.curve.name}")
        parts.append(f"label '{errors.one_line(self.label)}'" if self.label is not None else "label unreadable")
        parts.append(f"id {self.id.hex(':') or 'none'}")
        parts.append(f"fingerprint {bytes.fromhex(self.fingerprint or '').hex(':') or 'unknown'}")
        return f"({', '.join(parts)})"


@dataclasses.dataclass(frozen=True)
class KeyPair:
    """Objects that belong together: usually one of each half; `pairing` says how they were joined."""

    publics: tuple[TokenObject, ...] = ()
    privates: tuple[TokenObject, ...] = ()
    pairing: t.Literal["material", "id"] | None = None

    @property
    def whole(self) -> bool:
        """Whether this is exactly one public and one private half."""
        return len(self.publics) == len(self.privates) == 1

    @property
    def ids_differ(self) -> bool:
        """Whether another program gave one half of a whole pair an id of its own."""
        return self.whole and self.public.id != self.private.id

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
        return tuple(half for half in HALVES if self.all_of(half))

    def all_of(self, half: Half) -> tuple[TokenObject, ...]:
        """The objects of one half: one of a whole pair."""
        return self.privates if half == PRIVATE else self.publics

    def half(self, half: Half) -> TokenObject:
        """One half of a whole pair, or the one that a lone half is."""
        return self.all_of(half)[0]

    def with_half(self, found: TokenObject) -> KeyPair:
        """The pair with one of its halves exchanged."""
        if found.half == PRIVATE:
            return dataclasses.replace(self, privates=(found,))
        return dataclasses.replace(self, publics=(found,))

    @property
    def handles(self) -> frozenset[int]:
        """The handles of all objects."""
        return frozenset(found.handle for found in self.objects)

    @property
    def ids(self) -> frozenset[bytes]:
        """The ids of all objects that have one."""
        return frozenset(found.id for found in self.objects if found.id)

    @property
    def spki(self) -> bytes | None:
        """DER of the SubjectPublicKeyInfo, from the first object that tells it."""
        return next((found.spki for found in self.objects if found.spki), None)

    @property
    def fingerprint(self) -> str | None:
        """SHA-256 of the SubjectPublicKeyInfo."""
        return public_key.fingerprint(self.spki) if self.spki else None

    def __str__(self) -> str:
        return " and ".join(map(str, self.objects))


def pair_up(objects: t.Sequence[TokenObject]) -> list[KeyPair]:
    """Joins halves: RSA by modulus and exponent, EC by the public key where the private half tells it.

    Otherwise RSA by the modulus, EC by curve and id, and without an id by curve and label. Halves that share none of
    these stay alone. The order is that of the objects.
    """
    told_by_private = {found.spki for found in objects if found.half == PRIVATE}
    vague = {found.modulus for found in objects if found.public_exponent is None}
    groups: dict[t.Hashable, list[TokenObject]] = {}
    for found in objects:
        groups.setdefault(_joint(found, told_by_private, vague), []).append(found)
    return [pair_of(group) for group in groups.values()]


def _joint(
    found: TokenObject, told_by_private: t.Collection[bytes | None], vague: t.Collection[int | None]
) -> t.Hashable:
    """What the halves of one pair have in common; `vague`: moduli of which a half does not tell the exponent."""
    if found.modulus:
        return ("modulus", found.modulus, None if found.modulus in vague else found.public_exponent)
    if found.spki and found.spki in told_by_private:
        return ("spki", found.spki)
    curve = found.curve.name if found.curve else found.attributes.get("ec_params")
    name = found.id or found.label
    return ("name", found.key_type, curve, name) if name else ("handle", found.half, found.handle)


def pair_of(group: t.Iterable[TokenObject]) -> KeyPair:
    """The pair of halves that belong together."""
    group = tuple(group)
    publics, privates = (tuple(found for found in group if found.half == half) for half in HALVES)
    if not (publics and privates):
        return KeyPair(publics, privates)
    return KeyPair(publics, privates, "material" if privates[0].spki else "id")

# Copyright (c) 2026, The cryptoki.hsm authors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What is wished of a key pair. Immutable, without any HSM."""

from __future__ import annotations

import dataclasses
import typing as t

from ansible_collections.cryptoki.hsm.plugins.module_utils._standard import attributes

if t.TYPE_CHECKING:
    from ansible_collections.cryptoki.hsm.plugins.module_utils._standard import curves

Family = t.Literal["rsa", "ecc"]
# The key types that each module manages.
KEY_TYPES_OF: dict[Family, tuple[str, ...]] = {"rsa": ("rsa",), "ecc": ("ec", "ec_edwards")}
FAMILY_NAME: dict[Family, str] = {"rsa": "RSA", "ecc": "ECC"}
DEFAULT_USAGE: dict[Family, tuple[str, ...]] = {"rsa": ("sign", "decrypt", "wrap"), "ecc": ("sign",)}
DEFAULT_EXPONENT = 65537
# With this the label of a new pair begins until the pair that it replaces is gone.
PROVISIONAL = "replacement "


@dataclasses.dataclass(frozen=True)
class Wish:
    """The wished pair, validated. None means: not compared; the defaults of a new pair are in `template`."""

    family: Family
    label: str | None = None
    id: bytes | None = None
    fingerprint: str | None = None
    modulus_bits: int | None = None
    public_exponent: int | None = None
    curve: curves.Curve | None = None
    session: bool = False
    extractable: bool | None = None
    usage: tuple[str, ...] | None = None
    private_attributes: t.Mapping[str, bool] = dataclasses.field(default_factory=dict)
    public_attributes: t.Mapping[str, bool] = dataclasses.field(default_factory=dict)
    allowed_mechanisms: tuple[int, ...] | None = None
    key_gen_mechanism: int | None = None
    on_mismatch: t.Literal["fail", "keep", "replace"] = "fail"
    verify: bool | None = None
    # What a new pair gets where `id` is None, so that what a lost process made can be found; drawn if None, too.
    drawn_id: bytes | None = None
    # Crypto users besides the owner, in lower case: exactly these, or these in addition, or without these.
    share_with: tuple[str, ...] | None = None
    share_mode: t.Literal["exact", "add", "remove"] = "exact"
    # How many users must approve a use, and a change where that is another number.
    quorum: int | None = None
    management_quorum: int | None = None
    min_servers: int | None = None
    timeout: int | None = None
    attest: bool = False
    # What becomes of certificates that have the id of a pair which is replaced, removed or gets another id.
    certificates: t.Literal["fail", "keep", "follow"] = "fail"
    # Why no such pair is made, where it is to be kept or removed only.
    refusal: str = ""
    # Whether a private half without its public one gets that from its own modulus.
    complete: bool = False
    # Whether an existing pair whose halves only an id joins is proven in every run.
    proven_always: t.ClassVar[bool] = True
    # What to do where an existing pair cannot be made as wished: where no other can take its place, and else.
    keeping: t.ClassVar[str] = "set on_mismatch=keep to leave the pair as it is"
    remedy: t.ClassVar[str] = f"{keeping}, or on_mismatch=replace to generate another and destroy this one"

    def __str__(self) -> str:
        names = [f"'{self.label}'"] if self.label is not None else []
        if self.id is not None:
            names.append(f"id {self.id.hex(':')}")
        if self.fingerprint is not None:
            names.append(f"fingerprint {bytes.fromhex(self.fingerprint).hex(':')}")
        return f"the {FAMILY_NAME[self.family]} key pair {', '.join(names)}"

    def on(self, token: str) -> str:
        """The pair and the token, as messages name them."""
        return f"{self} on the token '{token}'"

    @property
    def exact(self) -> bool:
        """Whether it names one key, and not only a label that others may have too."""
        return self.id is not None or self.fingerprint is not None

    @property
    def key_type(self) -> str:
        """Name of the CKA_KEY_TYPE of a new pair."""
        return self.curve.key_type if self.curve else KEY_TYPES_OF[self.family][0]

    def own_attributes(self, half: attributes.Half) -> t.Mapping[str, bool]:
        """The three-state booleans that the user set for `half`; they win over `usage`."""
        return self.private_attributes if half == attributes.PRIVATE else self.public_attributes

    def required(self, half: attributes.Half) -> dict[str, attributes.Value]:
        """What an existing half must have: that which the user said, and CKA_SENSITIVE."""
        wished: dict[str, attributes.Value | None] = {"label": self.label, "id": self.id}
        if half == attributes.PRIVATE:
            wished |= {"sensitive": True, "extractable": self.extractable}
            wished["allowed_mechanisms"] = self.allowed_mechanisms
        if self.usage is not None:
            wished |= self._usage_bits(half, self.usage)
        wished |= self.own_attributes(half)
        return {name: value for name, value in wished.items() if value is not None}

    def _usage_bits(self, half: attributes.Half, usage: t.Sequence[str]) -> dict[str, bool]:
        return {bits[half]: word in usage for word, bits in attributes.USAGE_BITS.items() if half in bits}

    def template(self, half: attributes.Half) -> dict[str, attributes.Value]:
        """Every attribute of a new half with its value, less the key's size or curve and what freezes the pair."""
        usage = DEFAULT_USAGE[self.family] if self.usage is None else self.usage
        wished: dict[str, attributes.Value] = {"token": not self.session, "private": half == attributes.PRIVATE}
        wished |= dict.fromkeys(attributes.ALL_USAGE_BITS[half], False) | self._usage_bits(half, usage)
        if half == attributes.PRIVATE:
            wished["extractable"] = True
        wished |= self.required(half)
        for name in (*attributes.COMPARE_ONLY, *self.freezing(half)):
            wished.pop(name, None)
        return wished

    def new_half(self, half: attributes.Half) -> dict[str, attributes.Value]:
        """All attributes that a new half gets, with those that describe the key itself."""
        values = self.template(half)
        if half == attributes.PUBLIC and self.family == "rsa":
            exponent = self.public_exponent or DEFAULT_EXPONENT
            values["modulus_bits"] = self.modulus_bits or 0
            values["public_exponent"] = exponent.to_bytes((exponent.bit_length() + 7) // 8, "big")
        if half == attributes.PUBLIC and self.curve:
            values["ec_params"] = self.curve.ec_params()
        return values

    def users(self, there: t.Collection[str] = ()) -> tuple[str, ...]:
        """The users that the pair shall be shared with, beside those that it is shared with already."""
        wished = set(self.share_with or ())
        if self.share_with is None or self.share_mode == "add":
            wished |= set(there)
        elif self.share_mode == "remove":
            wished = set(there) - wished
        return tuple(sorted(wished))

    def freezing(self, half: attributes.Half) -> dict[str, bool]:
        """The attributes of a half that are set to false after every check, in this order.

        `copyable` alone is set at birth; beside another one it has to wait for the copy which that needs.
        """
        own = self.own_attributes(half)
        wished = {name: False for name in attributes.FREEZING if own.get(name) is False}
        return {} if list(wished) == ["copyable"] else wished

    def unfrozen(self) -> Wish:
        """The same wish without what is set to false after every check."""
        if not any(map(self.freezing, attributes.HALVES)):
            return self
        public, private = (
            {name: value for name, value in self.own_attributes(half).items() if name not in self.freezing(half)}
            for half in attributes.HALVES
        )
        return dataclasses.replace(self, private_attributes=private, public_attributes=public)

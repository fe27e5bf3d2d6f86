# Copyright (c) 2026, The cryptoki.hsm authors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""How a private key gets from one token into another without ever being outside one in clear.

The source wraps it under a key-encryption key (KEK) that only the two tokens have. They get it in one of three ways:

- ecdh: both make a pair on P-521 and derive the AES key (PKCS#11 3.1, CKM_ECDH1_DERIVE); it is made in milliseconds,
  and as strong as any key;
- rsa: where one of them does not derive. The replica makes an RSA transport pair, the source wraps an AES key under its
  public half (RSAES-OAEP). For keys that are no stronger than an RSA key that a token makes in reasonable time: P-384
  would need RSA-7680 (SP 800-57 part 1, table 2);
- trusted: an AES key that the security officer put on both tokens (the option wrapping_key).

The transport keys are trusted because the module itself made them through the libraries; a hostile host between the
tokens could exchange them for its own.
"""

from __future__ import annotations

import dataclasses
import typing as t

from ansible_collections.cryptoki.hsm.plugins.module_utils._pair import keypair, vendors
from ansible_collections.cryptoki.hsm.plugins.module_utils._pair.wish import Wish
from ansible_collections.cryptoki.hsm.plugins.module_utils._standard import attributes, curves, errors
from ansible_collections.cryptoki.hsm.plugins.module_utils._standard.mechanisms import KEY_GEN, MECHANISMS

TRANSPORT_CURVE = "secp521r1"
KEK_BYTES = 32
_SMALLEST_RSA, _LARGEST_RSA = 3072, 4096
_RSA_MATCHES_CURVE_BITS = 256  # RSA-3072 is as strong as a curve of 256 bits (SP 800-57 part 1, table 2)
_EXPONENT = (65537).to_bytes(3, "big")
# What a copy cannot have as the original has it: it was not made where it is (PKCS#11 3.1, section 4.8 and table 22).
NOT_COPIED = ("local", "always_sensitive", "never_extractable", "key_gen_mechanism")


@dataclasses.dataclass(frozen=True)
class Way:
    """How keys are carried from a source to a replica; `wraps` and `unwraps` are the mechanisms of either side."""

    kind: t.Literal["rsa", "ecdh", "trusted"]
    wraps: str
    unwraps: str
    rsa_bits: int = 0
    wrapping_key: str | None = None


@dataclasses.dataclass(frozen=True)
class Able:
    """What a token can do for a transfer."""

    token_name: str
    mechanisms: frozenset[int]
    facts: vendors.VendorFacts

    def has(self, *names: str) -> bool:
        """Whether it has all these mechanisms."""
        return all(MECHANISMS[name].code in self.mechanisms for name in names)

    def key_wraps(self) -> dict[vendors.KeyWrap, str]:
        """By which mechanisms AES keys wrap others, best first."""
        return {kind: name for kind, name in self.facts.key_wraps if self.has(name)}


def choose_way(pair: keypair.KeyPair, source: Able, replica: Able, wrapping_key: str | None) -> Way:
    """The way for a pair; raises `HsmError` where the tokens have none in common."""
    ours, theirs = source.key_wraps(), replica.key_wraps()
    kind = next((kind for kind in ours if kind in theirs), None)
    if kind is None:
        raise _no_way(source, replica, "no AES key wrap (CKM_AES_KEY_WRAP_KWP, CKM_AES_KEY_WRAP_PAD, CKM_AES_KEY_WRAP)")
    wraps = ours[kind], theirs[kind]
    if wrapping_key is not None:
        return Way("trusted", *wraps, wrapping_key=wrapping_key)
    bits = _rsa_bits(pair.public)
    oaep, ecdh = "CKM_RSA_PKCS_OAEP", (KEY_GEN["ec"], "CKM_ECDH1_DERIVE")
    if source.has(*ecdh) and replica.has(*ecdh):
        return Way("ecdh", *wraps)
    if bits and source.has("CKM_AES_KEY_GEN", oaep) and replica.has(KEY_GEN["rsa"], oaep):
        return Way("rsa", *wraps, rsa_bits=bits)
    raise _no_way(source, replica, "neither RSA-OAEP nor ECDH to agree on a key that is strong enough")


def _rsa_bits(key: keypair.TokenObject) -> int:
    """The size of an RSA transport key that is at least as strong as `key`; 0 where none is practical."""
    if key.curve:
        return _SMALLEST_RSA if key.curve.bits <= _RSA_MATCHES_CURVE_BITS else 0
    bits = max(_SMALLEST_RSA, key.modulus_bits or 0)
    return bits if bits <= _LARGEST_RSA else 0


def _no_way(source: Able, replica: Able, what: str) -> errors.HsmError:
    return errors.HsmError(
        f"Refused to copy a key from the token '{source.token_name}' to '{replica.token_name}': they have {what} in"
        " common. Name an AES key that is on both by wrapping_key, or use the vendor's own cloning."
    )


def transport_pair(way: Way) -> dict[attributes.Half, dict[str, attributes.Value]]:
    """The templates of a transport pair, of the session and for nothing else: RSA wraps and unwraps, EC derives."""
    values: dict[attributes.Half, dict[str, attributes.Value]] = {
        half: {
            "token": False,
            "private": half == attributes.PRIVATE,
            **dict.fromkeys(attributes.ALL_USAGE_BITS[half], False),
        }
        for half in attributes.HALVES
    }
    values[attributes.PRIVATE] |= {"sensitive": True, "extractable": False}
    if way.kind == "rsa":
        values[attributes.PUBLIC] |= {"wrap": True, "modulus_bits": way.rsa_bits, "public_exponent": _EXPONENT}
        values[attributes.PRIVATE]["unwrap"] = True
    else:
        values[attributes.PUBLIC]["ec_params"] = curves.curve_by_name(TRANSPORT_CURVE).ec_params()
        values[attributes.PRIVATE]["derive"] = True
    return values


def transport_public(modulus: bytes) -> dict[str, attributes.Value]:
    """The replica's public transport key as an object of the source's session, which may only wrap."""
    values: dict[str, attributes.Value] = {"key_type": "rsa", "token": False, "private": False}
    values |= dict.fromkeys(attributes.ALL_USAGE_BITS[attributes.PUBLIC], False)
    return {**values, "wrap": True, "modulus": modulus, "public_exponent": _EXPONENT}


def kek(*, wraps: bool, extractable: bool = False) -> dict[str, attributes.Value]:
    """The template of the KEK, of the session: on the source it may only wrap, on the replica only unwrap."""
    bits = dict.fromkeys(("encrypt", "decrypt", "sign", "verify", "derive"), False)
    values: dict[str, attributes.Value] = {"key_type": "aes", "token": False, "private": True, **bits}
    return {**values, "sensitive": True, "extractable": extractable, "wrap": wraps, "unwrap": not wraps}


def copied(wish: Wish, pair: keypair.KeyPair, half: attributes.Half) -> dict[str, attributes.Value]:
    """The attributes of the copy of one half: as the source's are, and as wished. What freezes it comes last of all."""
    names = ["label", "id", "key_type", "token", *attributes.SETTABLE[half]]
    if half == attributes.PRIVATE:
        names += ["sensitive", "extractable", "allowed_mechanisms"]
    else:
        names += ["modulus", "public_exponent", "ec_params", "ec_point"]
    found = pair.half(half).attributes
    values = {
        name: value for name in names if name not in attributes.FREEZING and (value := found.get(name)) is not None
    }
    if not values.get("allowed_mechanisms", True):  # an empty list means all
        del values["allowed_mechanisms"]
    values |= wish.unfrozen().required(half)
    return {name: value for name, value in values.items() if name not in attributes.COMPARE_ONLY}


def not_as_original(original: keypair.KeyPair, copy: keypair.KeyPair) -> list[str]:
    """In what a copy differs, and has to: for the report."""
    rows = [(original.private.attributes.get(name), copy.private.attributes.get(name), name) for name in NOT_COPIED]
    return [name for first, second, name in rows if first is not None and first != second]

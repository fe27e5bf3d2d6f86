# Copyright (c) 2026, The cryptoki.hsm authors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The proof: which mechanisms may serve, what cannot be proven, and real keys that are proven or found out."""

from __future__ import annotations

import dataclasses
import itertools
import typing as t

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ansible_collections.cryptoki.hsm.plugins.module_utils._pair import proof as _proof
from ansible_collections.cryptoki.hsm.plugins.module_utils._pair import proof_outside as _outside
from ansible_collections.cryptoki.hsm.plugins.module_utils._pair.keypair import KeyPair
from ansible_collections.cryptoki.hsm.plugins.module_utils._pair.proof import candidates, refuse_unprovable, unprovable
from ansible_collections.cryptoki.hsm.plugins.module_utils._pair.session import Proof, Signer
from ansible_collections.cryptoki.hsm.plugins.module_utils._pair.wish import Family, Wish
from ansible_collections.cryptoki.hsm.plugins.module_utils._pkcs11.context_login import NO_PIN
from ansible_collections.cryptoki.hsm.plugins.module_utils._standard.attributes import PRIVATE
from ansible_collections.cryptoki.hsm.plugins.module_utils._standard.curves import curve_by_name
from ansible_collections.cryptoki.hsm.plugins.module_utils._standard.errors import TokenError
from ansible_collections.cryptoki.hsm.plugins.module_utils._standard.mechanisms import MECHANISMS, Mechanism
from ansible_collections.cryptoki.hsm.tests.support import memory_keys
from ansible_collections.cryptoki.hsm.tests.support.memory_keys import pair_of, private_key, usual
from ansible_collections.cryptoki.hsm.tests.support.memory_token import Keys, MemorySigner
from ansible_collections.cryptoki.hsm.tests.support.refusal import refusal

ALL = frozenset(row.code for row in MECHANISMS.values())
RSA_SIGNING = [
    "CKM_SHA256_RSA_PKCS",
    "CKM_SHA384_RSA_PKCS",
    "CKM_SHA512_RSA_PKCS",
    "CKM_SHA256_RSA_PKCS_PSS",
    "CKM_SHA384_RSA_PKCS_PSS",
    "CKM_SHA512_RSA_PKCS_PSS",
    "CKM_RSA_PKCS",
]
EC_SIGNING = ["CKM_ECDSA", "CKM_ECDSA_SHA256", "CKM_ECDSA_SHA384", "CKM_ECDSA_SHA512"]
NOTHING = "the private key may neither sign, decrypt nor derive with a mechanism that can be checked outside"
DERIVES = "the key only derives, which makes an object and is not done where nothing may be made"
NO_MECHANISM = "the token has no mechanism for it that can be checked outside"


def wish_for(kind: str, **given_options: t.Any) -> Wish:
    if kind.isdigit():
        return Wish("rsa", label="x", modulus_bits=int(kind), **given_options)
    return Wish("ecc", label="x", curve=curve_by_name(kind), **given_options)


def names(kind: str, attributes: t.Mapping[str, t.Any], **given_options: t.Any) -> list[str]:
    return [row.name for row in candidates(wish_for(kind, **given_options), attributes)]


def codes(*mechanisms: str) -> tuple[int, ...]:
    return tuple(MECHANISMS[name].code for name in mechanisms)


def proven(pair: KeyPair, key: t.Any, kind: str, mechanisms: t.Collection[int] = ALL) -> tuple[Proof, list[str]]:
    """The proof, and what was asked of the token for it; `key` is what the token holds as the private half."""
    keys = Keys()
    keys.of[pair.private.handle] = key
    keys.mechanisms = mechanisms
    return prove(keys, kind, pair), keys.uses


def prove(keys: Keys, kind: str, pair: KeyPair, passive: bool = False) -> Proof:
    """The proof by what the token does with one of its keys."""
    return _proof.prove(MemorySigner(keys, pair.private), wish_for(kind), pair, passive)


@pytest.mark.parametrize(
    ("kind", "bits", "expected"),
    [
        ("2048", ["sign"], RSA_SIGNING),
        ("2048", ["decrypt"], ["CKM_RSA_PKCS_OAEP", "CKM_RSA_PKCS"]),
        ("2048", ["sign", "decrypt"], [*RSA_SIGNING, "CKM_RSA_PKCS_OAEP", "CKM_RSA_PKCS"]),
        ("2048", ["unwrap", "derive"], []),
        ("secp256r1", ["sign", "derive"], [*EC_SIGNING, "CKM_ECDH1_DERIVE"]),
        ("secp256r1", ["derive"], ["CKM_ECDH1_DERIVE"]),
        ("secp256r1", ["decrypt", "unwrap", "sign_recover"], []),
        ("ed25519", ["sign", "derive"], ["CKM_EDDSA"]),
        ("ed448", [], []),
    ],
)
def test_candidates_in_order(kind: str, bits: list[str], expected: list[str]) -> None:
    assert names(kind, dict.fromkeys(bits, True)) == expected
    assert names(kind, {**dict.fromkeys(bits, True), "verify": True, "unwrap": 1}) == expected
    assert names(kind, dict.fromkeys(bits, False)) == []


@pytest.mark.parametrize("where", ["the key", "the wish"])
def test_candidates_are_within_allowed_mechanisms(where: str) -> None:
    allowed = codes("CKM_RSA_PKCS_OAEP", "CKM_SHA512_RSA_PKCS", "CKM_RSA_X_509")
    attributes: dict[str, t.Any] = {"sign": True, "decrypt": True}
    if where == "the key":
        found = names("2048", {**attributes, "allowed_mechanisms": allowed})
    else:
        found = names("2048", {**attributes, "allowed_mechanisms": ()}, allowed_mechanisms=allowed)
    assert found == ["CKM_SHA512_RSA_PKCS", "CKM_RSA_PKCS_OAEP"]


def test_each_candidate_has_a_prover_for_its_use() -> None:
    kinds = {"rsa": "2048", "ec": "secp256r1", "ec_edwards": "ed25519"}
    for key_type, kind in kinds.items():
        for bit in ("sign", "decrypt", "derive"):
            for row in candidates(wish_for(kind), {bit: True}):
                assert (row.use, key_type) in _outside._PROVERS and row.use == bit, row.name


@pytest.mark.parametrize(
    ("kind", "attributes", "reason"),
    [
        ("secp256r1", {"sign": True}, None),
        ("secp256r1", {"sign": True, "always_authenticate": True}, None),
        ("secp256r1", {}, NOTHING),
        ("2048", {"unwrap": True}, NOTHING),
        ("2048", {"sign": True, "allowed_mechanisms": codes("CKM_RSA_X_509")}, NOTHING),
    ],
)
def test_why_a_pair_cannot_be_proven(kind: str, attributes: dict[str, t.Any], reason: str | None) -> None:
    assert unprovable(wish_for(kind), attributes) == reason


@pytest.mark.parametrize(
    ("kind", "options", "reason"),
    [
        ("2048", {"usage": ("wrap",)}, NOTHING),
        ("ed25519", {"usage": ()}, NOTHING),
        ("secp256r1", {"private_attributes": {"sign": False}}, NOTHING),
        ("secp256r1", {"allowed_mechanisms": codes("CKM_ECDSA_SHA1")}, NOTHING),
        ("brainpoolP224r1", {}, "cryptography on this host does not know the curve"),
    ],
)
def test_an_explicit_verify_that_cannot_be_done(kind: str, options: dict[str, t.Any], reason: str) -> None:
    message = refusal(lambda: refuse_unprovable(wish_for(kind, verify=True, **options)))
    assert message == f"verify 'true' is refused: a pair with these options cannot be proven, because {reason}."
    for verify in (None, False):
        refuse_unprovable(wish_for(kind, verify=verify, **options))


@pytest.mark.parametrize("kind", ["2048", *memory_keys.CURVES, "ed25519", "ed448"])
def test_a_new_pair_of_each_kind_is_proven_by_its_first_mechanism(kind: str) -> None:
    refuse_unprovable(wish_for(kind, verify=True))
    key = private_key(kind)
    first = {"2": "CKM_SHA256_RSA_PKCS", "e": "CKM_EDDSA"}.get(kind[0], "CKM_ECDSA")
    proof, uses = proven(pair_of(key, private=wish_for(kind).new_half(PRIVATE)), key, kind)
    assert (proof, uses) == (Proof(first), [f"sign {first}"])


EACH = [
    *((name, "2048", "sign") for name in RSA_SIGNING),
    ("CKM_RSA_PKCS_OAEP", "2048", "decrypt"),
    ("CKM_RSA_PKCS", "2048", "decrypt"),
    *((name, kind, "sign") for name, kind in itertools.product(EC_SIGNING, ("secp224r1", "secp384r1", "secp521r1"))),
    ("CKM_ECDH1_DERIVE", "secp256r1", "derive"),
    ("CKM_ECDH1_DERIVE", "secp521r1", "derive"),
    ("CKM_EDDSA", "ed448", "sign"),
]


@pytest.mark.parametrize(("mechanism", "kind", "bit"), EACH)
def test_each_mechanism_proves_and_finds_out(mechanism: str, kind: str, bit: str) -> None:
    key, other = private_key(kind), private_key(kind, 1)
    private: dict[str, t.Any] = {bit: True, "allowed_mechanisms": codes(mechanism)}
    pair = pair_of(key, private=private)
    assert proven(pair, key, kind) == (Proof(mechanism), [f"{bit} {mechanism}"])
    # On a token that has nothing else, without a list on the key
    assert proven(pair_of(key, private={bit: True}), key, kind, codes(mechanism))[0] == Proof(mechanism)
    if kind == "2048" and bit == "decrypt":
        return  # a wrong RSA key answers a decryption with an error or with other bytes
    message = refusal(lambda: proven(pair, other, kind))
    assert message == (
        f"The halves {pair} do not belong together: what the private half did by {mechanism} does not fit the public"
        " half."
    )


class Choosy(Keys):
    """A token whose policy refuses what its list of mechanisms has."""

    def __init__(self, answer: str, *taken: int) -> None:
        super().__init__()
        self.answer, self.taken = answer, taken

    def sign(self, found: t.Any, mechanism: Mechanism, data: bytes) -> bytes:
        if mechanism.code not in self.taken:
            raise TokenError("sign", self.answer)
        return super().sign(found, mechanism, data)


@pytest.mark.parametrize(
    "answer", ["CKR_MECHANISM_INVALID", "CKR_MECHANISM_PARAM_INVALID", "CKR_KEY_FUNCTION_NOT_PERMITTED"]
)
def test_the_next_mechanism_is_tried_when_one_is_refused(answer: str) -> None:
    keys = Choosy(answer, *codes("CKM_SHA512_RSA_PKCS_PSS", "CKM_RSA_PKCS"))
    pair = pair_of(private_key("2048"), private={"sign": True})
    keys.of[2] = private_key("2048")
    assert prove(keys, "2048", pair) == Proof("CKM_SHA512_RSA_PKCS_PSS")
    keys.taken = ()
    assert refusal(lambda: prove(keys, "2048", pair)) == (
        f"Could not sign: the HSM answered {answer}; a key that this token does not let be used this way can be made"
        " with verify=false."
    )


class OnlySigning(Signer):
    """What the tools of clusters can do."""

    mechanisms = frozenset({MECHANISMS["CKM_SHA256_RSA_PKCS"].code})

    def sign(self, mechanism: Mechanism, data: bytes) -> bytes:
        raise AssertionError


@pytest.mark.parametrize(("kind", "bit"), [("2048", "decrypt"), ("secp256r1", "derive")])
def test_what_can_only_sign_says_why_the_rest_is_not_proven(kind: str, bit: str) -> None:
    pair = pair_of(private_key(kind), private={bit: True})
    assert _proof.prove(OnlySigning(), wish_for(kind), pair) == Proof(None, NO_MECHANISM)


def test_what_the_token_has_is_looked_at_once_it_has_refused() -> None:
    class Asked(MemorySigner):
        asked = 0

        @property
        def mechanisms(self) -> t.Collection[int]:
            self.asked += 1
            return codes("CKM_SHA512_RSA_PKCS")

    keys = Choosy("CKR_MECHANISM_INVALID", *codes("CKM_SHA256_RSA_PKCS"))
    pair = pair_of(private_key("2048"), private={"sign": True})
    keys.of[2] = private_key("2048")
    signer = Asked(keys, pair.private)
    assert (_proof.prove(signer, wish_for("2048"), pair), signer.asked) == (Proof("CKM_SHA256_RSA_PKCS"), 0)
    keys.taken = codes("CKM_SHA384_RSA_PKCS", "CKM_SHA512_RSA_PKCS")
    assert _proof.prove(signer, wish_for("2048"), pair) == Proof("CKM_SHA512_RSA_PKCS")  # the list tells, not a trial


def test_another_answer_is_an_error_at_once() -> None:
    keys = Choosy("CKR_DEVICE_ERROR", *codes("CKM_RSA_PKCS"))
    pair = pair_of(private_key("2048"), private={"sign": True})
    keys.of[2] = private_key("2048")
    with pytest.raises(TokenError, match="CKR_DEVICE_ERROR"):
        prove(keys, "2048", pair)


def test_a_passive_proof_makes_no_object() -> None:
    key, keys = private_key("secp256r1"), Keys()
    keys.of[2] = key
    for private, method in (({"derive": True}, None), ({"derive": True, "sign": True}, "CKM_ECDSA")):
        pair = pair_of(key, private=private)
        proof = prove(keys, "secp256r1", pair, passive=True)
        assert proof == (Proof(method) if method else Proof(None, DERIVES))
    assert keys.uses == ["sign CKM_ECDSA"]


def test_a_wrong_decryption_is_found_out() -> None:
    class Wrong(Keys):
        def decrypt(self, found: t.Any, mechanism: Mechanism, data: bytes) -> bytes:
            return b"\0" * 32

    pair = pair_of(private_key("2048"), private={"decrypt": True})
    message = refusal(lambda: prove(Wrong(), "2048", pair))
    assert "do not belong together" in message and "CKM_RSA_PKCS_OAEP" in message


def test_what_is_not_proven_says_why() -> None:
    key = private_key("secp256r1")
    pair = pair_of(key, private={"sign": True})
    assert proven(pair, key, "secp256r1", codes("CKM_ECDH1_DERIVE")) == (Proof(None, NO_MECHANISM), [])
    assert proven(pair_of(key), key, "secp256r1") == (Proof(None, NOTHING), [])


def test_a_key_that_asks_for_the_pin_is_proven_where_there_is_one() -> None:
    key = private_key("secp256r1")
    asking = pair_of(key, private={"sign": True, "always_authenticate": True})
    assert proven(asking, key, "secp256r1") == (Proof("CKM_ECDSA"), ["sign CKM_ECDSA"])
    keys = Keys()
    keys.pin_pad = True
    assert prove(keys, "secp256r1", asking) == Proof(None, NO_PIN) and keys.uses == []


@pytest.mark.parametrize(
    ("public", "reason"),
    [
        ({"ec_point": b"\x04\x02\x01\x01"}, "the token does not tell the public key"),
        (
            {"ec_params": curve_by_name("secp224k1").ec_params(), "ec_point": b"\x04" + b"\x01" * 56},
            "cryptography on this host does not know the curve",
        ),
    ],
)
def test_a_public_half_that_cannot_be_used(public: dict[str, t.Any], reason: str) -> None:
    key = private_key("secp256r1")
    pair = pair_of(key, private={"sign": True})
    odd = dataclasses.replace(pair.public, attributes={**pair.public.attributes, **public})
    assert proven(dataclasses.replace(pair, publics=(odd,)), key, "secp256r1") == (Proof(None, reason), [])


@pytest.mark.parametrize("kinds", list(itertools.permutations(("2048", "secp256r1", "ed25519"), 2)))
def test_halves_of_two_types_are_no_pair(kinds: tuple[str, str]) -> None:
    """Another program may have given them one id."""
    one, other = (pair_of(private_key(kind), private={"sign": True}) for kind in kinds)
    mixed = dataclasses.replace(one, publics=other.publics)
    message = refusal(lambda: proven(mixed, private_key(kinds[0]), kinds[0]))
    assert f"do not belong together: the private half is of type {one.private.key_type}." in message


@pytest.mark.parametrize(("wished", "found"), [("ed25519", "secp256r1"), ("secp256r1", "ed25519")])
def test_a_kept_pair_of_another_type_is_proven_as_what_it_is(wished: str, found: str) -> None:
    # on_mismatch=keep with verify=true: the wish names another curve than the pair that is kept
    key = private_key(found)
    keys = Keys()
    keys.of[2] = key
    proof = prove(keys, wished, pair_of(key, private={"sign": True}))
    assert proof.method == {"ed25519": "CKM_EDDSA", "secp256r1": "CKM_ECDSA"}[found]


@given(
    st.sampled_from([("rsa", "2048"), ("ecc", "secp256r1"), ("ecc", "ed25519")]),
    st.dictionaries(st.sampled_from(["sign", "decrypt", "derive", "unwrap", "always_authenticate"]), st.booleans()),
    st.none() | st.sets(st.sampled_from(sorted(ALL)), min_size=1).map(tuple),
    st.sets(st.sampled_from(sorted(ALL))),
)
def test_a_proof_uses_what_the_key_may_and_the_token_has_or_says_why_not(
    which: tuple[Family, str], bits: dict[str, bool], allowed: tuple[int, ...] | None, mechanisms: set[int]
) -> None:
    _family, kind = which
    attributes = {**usual(PRIVATE), **bits, **({"allowed_mechanisms": allowed} if allowed else {})}
    key = private_key(kind)
    pair = pair_of(key, private=attributes)
    proof, uses = proven(pair, key, kind, mechanisms)
    assert (proof.method is None) is bool(proof.reason)
    if proof.method is None:
        assert uses == []
    else:
        code = MECHANISMS[proof.method].code
        assert code in mechanisms and (allowed is None or code in allowed) and len(uses) == 1


@pytest.mark.parametrize(
    ("bits", "name"),
    [(224, "sha256"), (256, "sha256"), (257, "sha384"), (384, "sha384"), (385, "sha512"), (521, "sha512")],
)
def test_the_hash_is_no_weaker_than_the_curve(bits: int, name: str) -> None:
    assert _outside._fitting_hash(bits) == name

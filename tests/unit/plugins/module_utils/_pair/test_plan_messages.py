# Copyright (c) 2026, The cryptoki.hsm authors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The decision's refusals and warnings word for word, the order of its steps, and what a new pair must honour."""

from __future__ import annotations

import dataclasses
import typing as t

import pytest

from ansible_collections.cryptoki.hsm.plugins.module_utils._pair.absence import decide_absent
from ansible_collections.cryptoki.hsm.plugins.module_utils._pair.expectation import dishonoured, predicted
from ansible_collections.cryptoki.hsm.plugins.module_utils._pair.keypair import KeyPair, Sharing
from ansible_collections.cryptoki.hsm.plugins.module_utils._pair.plan import (
    Action,
    Plan,
    Step,
    decide_present,
)
from ansible_collections.cryptoki.hsm.plugins.module_utils._pair.vendors import VENDORS, VendorFacts
from ansible_collections.cryptoki.hsm.plugins.module_utils._pair.wish import Wish
from ansible_collections.cryptoki.hsm.plugins.module_utils._standard.attributes import (
    HALVES,
    PRIVATE,
    PUBLIC,
    Changeable,
)
from ansible_collections.cryptoki.hsm.plugins.module_utils._standard.curves import curve_by_name
from ansible_collections.cryptoki.hsm.plugins.module_utils._standard.errors import HsmError
from ansible_collections.cryptoki.hsm.plugins.module_utils._standard.refused_curves import weak_curve
from ansible_collections.cryptoki.hsm.tests.support.memory_keys import pair_of, private_key, rsa_material, without
from ansible_collections.cryptoki.hsm.tests.support.memory_token import MemorySession
from ansible_collections.cryptoki.hsm.tests.support.refusal import refusal
from ansible_collections.cryptoki.hsm.tests.support.scenarios import WISH

GENERIC = VENDORS["generic"]
FIXED_WORDS = (
    "That cannot be changed in place; set on_mismatch=keep to leave the pair as it is, or on_mismatch=replace to"
    " generate another and destroy this one."
)
RSA = rsa_material(2**2047 + 1)


def colons(digits: str | None) -> str:
    return bytes.fromhex(digits or "").hex(":")


def rsa_wish(**given: t.Any) -> Wish:
    return Wish("rsa", **{"label": "root", "modulus_bits": 2048, **given})


def decided(wish: Wish, pair: KeyPair | None, facts: VendorFacts = GENERIC) -> t.Any:
    return decide_present(wish, pair, facts, "demo")


def test_each_difference_is_listed() -> None:
    pair = pair_of(RSA, private={"extractable": False, "modifiable": False, "sign": None}, public={"wrap": True})
    wish = rsa_wish(
        modulus_bits=3072,
        public_exponent=65539,
        extractable=True,
        usage=("sign",),
        allowed_mechanisms=(0x40, 0x80000001),
        private_attributes={"modifiable": True, "private": False},
        public_attributes={"trusted": True},
    )
    with pytest.raises(HsmError) as caught:
        decided(wish, pair)
    # What the public half's modifiable lets be changed (verify, wrap) is no reason.
    assert caught.value.msg == (
        "Refused to change the RSA key pair 'root' on the token 'demo': modulus_bits is 2048, wished 3072;"
        " public_exponent is 65537, wished 65539; public half's trusted is false, wished true; private half's"
        " extractable is false, wished true; private half's allowed_mechanisms is missing, wished"
        " [CKM_SHA256_RSA_PKCS, 0x80000001]; private half's sign is missing, wished true; private half's modifiable is"
        f" false, wished true; private half's private is true, wished false. {FIXED_WORDS}"
    )
    assert caught.value.data["differences"][:3] == [
        {"half": None, "name": "modulus_bits", "found": 2048, "wished": 3072},
        {"half": None, "name": "public_exponent", "found": 65537, "wished": 65539},
        {"half": "public", "name": "trusted", "found": False, "wished": True},
    ]
    (row,) = [row for row in caught.value.data["differences"] if row["name"] == "allowed_mechanisms"]
    assert row["wished"] == ["CKM_SHA256_RSA_PKCS", "0x80000001"]


def test_another_curve() -> None:
    pair = pair_of(private_key("secp256r1"))
    wish = Wish("ecc", label="root", curve=curve_by_name("P-384"))
    assert refusal(lambda: decided(wish, pair)) == (
        "Refused to change the ECC key pair 'root' on the token 'demo': curve is secp256r1, wished secp384r1."
        f" {FIXED_WORDS}"
    )


def test_keep_warns() -> None:
    plan = decided(rsa_wish(modulus_bits=3072, on_mismatch="keep"), pair_of(RSA))
    assert plan.action is Action.NOTHING
    assert plan.warnings == (
        "Kept the RSA key pair 'root' on the token 'demo' as it is: modulus_bits is 2048, wished 3072.",
    )


def test_keep_tells_or_mends_what_could_be_changed() -> None:
    pair = pair_of(RSA, private={"sign": False}, public={"verify": True})
    plan = decided(rsa_wish(modulus_bits=3072, usage=("sign",), on_mismatch="keep"), pair)
    assert plan.steps or "sign is false, wished true" in plan.warnings[0]


@pytest.mark.parametrize(
    ("given", "private", "facts", "message"),
    [
        (
            {},
            {},
            VendorFacts("cloudy", set_attribute=False),
            "Refused to replace the RSA key pair 'root' on the token 'demo': cloudy cannot rename a key, which a safe"
            " replacement needs. What differs: modulus_bits is 2048, wished 3072.",
        ),
        (
            {"private_attributes": {"destroyable": False}},
            {},
            VendorFacts("small", copy=False),
            "Refused to replace the RSA key pair 'root' on the token 'demo': small cannot copy a key, which"
            " destroyable=false and modifiable=false need after the renaming. What differs: modulus_bits is 2048,"
            " wished 3072; private half's destroyable is true, wished false.",
        ),
        (
            {},
            {"destroyable": False},
            GENERIC,
            "Refused to replace the RSA key pair 'root' on the token 'demo': destroyable is false for (private rsa key,"
            f" of 2048 bits, label 'root', id 01, fingerprint {colons(pair_of(RSA).fingerprint)}). What differs:"
            " modulus_bits is 2048, wished 3072.",
        ),
    ],
)
def test_replacements_that_are_refused(
    given: dict[str, t.Any], private: dict[str, t.Any], facts: VendorFacts, message: str
) -> None:
    wish = rsa_wish(modulus_bits=3072, on_mismatch="replace", **given)
    assert refusal(lambda: decided(wish, pair_of(RSA, private=private), facts)) == message


def test_a_replacement() -> None:
    wish = rsa_wish(modulus_bits=3072, on_mismatch="replace", private_attributes={"destroyable": False})
    pair = pair_of(RSA, private={"modifiable": False, "copyable": False})
    plan = decided(wish, pair)
    assert (plan.action, plan.pair, plan.steps, plan.warnings) == (Action.REPLACE, pair, (), ())
    after = predicted(wish, plan)
    assert after and (after.public.modulus_bits, after.private.attributes["destroyable"]) == (3072, False)
    assert after.private.attributes["class"] == "private_key" and after.public.key_type == "rsa"


def test_a_missing_pair_that_is_named_by_its_fingerprint() -> None:
    message = refusal(lambda: decided(rsa_wish(fingerprint="ab" * 32), None))
    assert message == (
        f"Refused to generate the RSA key pair 'root', fingerprint {colons('ab' * 32)} on the token 'demo':"
        " fingerprint names an existing pair, and it is not there."
    )
    assert decided(rsa_wish(fingerprint="ab" * 32), pair_of(RSA)).action is Action.NOTHING


def test_steps_in_their_order() -> None:
    wish = rsa_wish(
        usage=("sign",),
        extractable=False,
        private_attributes={"wrap_with_trusted": True, "destroyable": False, "copyable": False},
        public_attributes={"modifiable": False},
    )
    pair = pair_of(RSA, private={"sensitive": False, "label": "old"}, public={"wrap": True})
    plan = decided(wish, pair)
    assert plan.action is Action.CHANGE
    assert plan.steps == (
        Step(PRIVATE, {"label": "root", "sign": True}, Changeable.ANY),
        Step(PUBLIC, {"verify": True, "wrap": False}, Changeable.ANY),
        Step(PRIVATE, {"sensitive": True, "extractable": False, "wrap_with_trusted": True}, Changeable.TO_TRUE),
        Step(PRIVATE, {"destroyable": False, "copyable": False}, Changeable.BY_COPY),
        Step(PUBLIC, {"modifiable": False}, Changeable.BY_COPY),
    )
    softhsm = refusal(lambda: decided(wish, pair, VENDORS["softhsm"]))
    assert "private half's wrap_with_trusted is false, wished true; private half's copyable is true, wished" in softhsm


def test_a_label_that_is_missing_can_be_set() -> None:
    plan = decided(rsa_wish(), pair_of(RSA, private={"label": None}))
    assert plan.steps == (Step(PRIVATE, {"label": "root"}, Changeable.ANY),)


def test_removals_that_are_refused() -> None:
    pair = pair_of(RSA, public={"destroyable": False})
    shown = f"(public rsa key, of 2048 bits, label 'root', id 01, fingerprint {colons(pair.fingerprint)})"
    assert refusal(lambda: decide_absent(rsa_wish(), [pair], "demo")) == (
        f"Refused to remove the RSA key pair 'root' on the token 'demo': destroyable is false for {shown}."
    )
    lone = KeyPair(publics=pair_of(RSA).publics)
    assert refusal(lambda: decide_absent(rsa_wish(), [lone], "demo")) == (
        "Refused to remove the RSA key pair 'root' on the token 'demo': it is a public half without its private half,"
        f" {shown}. Name it by id or fingerprint to remove it."
    )
    for name in ({"id": b"\x01"}, {"fingerprint": lone.fingerprint}):
        assert decide_absent(rsa_wish(**name), [lone], "demo").action is Action.REMOVE


def test_what_a_new_pair_must_honour() -> None:
    wish = rsa_wish(extractable=False, private_attributes={"sign_recover": True, "destroyable": False})
    made = MemorySession().generate(wish)
    assert dishonoured(wish, made, GENERIC) == [], "destroyable is set to false later, by a copy"
    no_copy = [str(row) for row in dishonoured(wish, made, VendorFacts("small", copy=False))]
    assert no_copy == ["private half's destroyable is true, wished false"]
    lacking = KeyPair(made.publics, (without(made.private, "sign_recover", "derive", "unwrap"),))
    assert [row.name for row in dishonoured(wish, lacking, GENERIC)] == ["sign_recover"], "defaults may be missing"
    other = {**made.public.attributes, "verify": False, "encrypt": False}
    changed = KeyPair(pair_of(RSA, public=other).publics, made.privates)
    assert {row.name for row in dishonoured(wish, changed, GENERIC)} == {"verify", "encrypt"}
    unsent = VendorFacts("cloudy", not_sent=frozenset({(PUBLIC, "verify")}))
    assert {row.name for row in dishonoured(wish, changed, unsent)} == {"encrypt"}, "a default that was not sent"


def test_a_new_pair_of_another_type_is_not_honoured() -> None:
    other = pair_of({half: {**RSA[half], "key_type": "ec"} for half in (PUBLIC, PRIVATE)})
    rows = [str(row) for row in dishonoured(rsa_wish(), other, GENERIC) if row.name == "key_type"]
    assert rows == [f"{half} half's key_type is ec, wished rsa" for half in ("public", "private")]


def test_a_pair_that_is_foretold_has_its_owner_where_there_are_users() -> None:
    wish = dataclasses.replace(WISH, share_with=("bob",), quorum=2)
    pair = predicted(wish, Plan(Action.GENERATE), owner="ann")
    assert pair and pair.private.sharing == Sharing("ann", ("bob",), 2, 2) and pair.public.sharing is None
    pair = predicted(WISH, Plan(Action.GENERATE), owner="ann")
    assert pair and pair.private.sharing == Sharing("ann")
    pair = predicted(wish, Plan(Action.GENERATE))
    assert pair and pair.private.sharing is None


def test_what_may_not_be_made_today_is_kept_and_compared() -> None:
    weak = rsa_material(2**1023 + 1, exponent=3)
    wish = rsa_wish(
        modulus_bits=1024, public_exponent=3, on_mismatch="keep", refusal="modulus_bits 1024 is refused: no."
    )
    assert decided(wish, pair_of(weak)) == Plan(Action.NOTHING, pair_of(weak))
    assert refusal(lambda: decided(wish, None)) == (
        "Refused to generate the RSA key pair 'root' on the token 'demo': modulus_bits 1024 is refused: no. There is"
        " none that could be kept."
    )
    assert decided(wish, pair_of(RSA)).warnings == (
        "Kept the RSA key pair 'root' on the token 'demo' as it is: modulus_bits is 2048, wished 1024;"
        " public_exponent is 65537, wished 3.",
    )


def test_what_is_told_of_a_pair_that_is_to_go_must_be_so() -> None:
    weak = pair_of(rsa_material(2**1023 + 1, exponent=3))
    told = rsa_wish(modulus_bits=1024, public_exponent=3, refusal="modulus_bits 1024 is refused: no.")
    assert decide_absent(told, [weak], "demo").action is Action.REMOVE
    with pytest.raises(HsmError) as caught:
        decide_absent(told, [pair_of(RSA)], "demo")
    assert caught.value.msg == (
        "Refused to remove the RSA key pair 'root' on the token 'demo': modulus_bits is 2048, wished 1024;"
        " public_exponent is 65537, wished 3."
    )
    assert [row["name"] for row in caught.value.data["differences"]] == ["modulus_bits", "public_exponent"]


def on_curve(pair: KeyPair, params: bytes) -> KeyPair:
    for half in HALVES:
        found = pair.half(half)
        pair = pair.with_half(dataclasses.replace(found, attributes={**found.attributes, "ec_params": params}))
    return pair


def test_weak_curves_are_told_apart() -> None:
    """The table has none of them; CKA_EC_PARAMS names them all the same."""
    strong = pair_of(private_key("secp256r1"))
    weak, unknown = on_curve(strong, b"\x06\x08*\x86H\xce=\x03\x01\x01"), on_curve(strong, b"\x05\x00")
    weak_wish = Wish("ecc", label="root", curve=weak_curve("P-192"))
    assert decide_absent(weak_wish, [weak], "demo").action is Action.REMOVE
    assert "curve is secp256r1, wished secp192r1" in refusal(lambda: decide_absent(weak_wish, [strong], "demo"))
    assert "curve is secp192r1, wished secp256r1" in refusal(lambda: decide_absent(WISH, [weak], "demo"))
    assert "curve is unknown, wished secp192r1" in refusal(lambda: decide_absent(weak_wish, [unknown], "demo"))

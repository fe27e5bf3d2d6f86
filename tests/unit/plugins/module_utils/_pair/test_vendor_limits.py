# Copyright (c) 2026, The cryptoki.hsm authors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What a vendor's HSMs cannot make."""

from __future__ import annotations

import pytest

from ansible_collections.cryptoki.hsm.plugins.module_utils._pair.vendor_limits import use_refusal, vendor_refusal
from ansible_collections.cryptoki.hsm.plugins.module_utils._pair.vendors import VENDORS, VendorFacts
from ansible_collections.cryptoki.hsm.plugins.module_utils._pair.wish import Wish
from ansible_collections.cryptoki.hsm.plugins.module_utils._standard.curves import curve_by_name
from ansible_collections.cryptoki.hsm.tests.unit.plugins.module_utils._pair.test_plan_messages import GENERIC, rsa_wish

OLD_YUBIHSM = VENDORS["yubihsm"].of_version((2, 32))


@pytest.mark.parametrize(
    ("wish", "facts", "reason"),
    [
        (rsa_wish(label="x" * 40, id=b"12"), OLD_YUBIHSM, None),
        (rsa_wish(label="x" * 41), OLD_YUBIHSM, "yubihsm takes at most 40 bytes of label"),
        (rsa_wish(id=b"123"), OLD_YUBIHSM, "yubihsm takes at most 2 bytes of id"),
        (rsa_wish(label="x" * 41, id=b"123"), VENDORS["yubihsm"], None),
        (rsa_wish(id=b"1" * 257), VENDORS["yubihsm"], "yubihsm takes at most 256 bytes of id"),
        (rsa_wish(label="x"), VENDORS["nethsm"], None),
        (rsa_wish(label="x", id=b"x"), VENDORS["nethsm"], None),
        (
            rsa_wish(label="x", id=b"y"),
            VENDORS["nethsm"],
            "nethsm has one name for a key, its label and its id; give id the same text, or leave id out",
        ),
        (rsa_wish(public_attributes={"copyable": False}), VENDORS["softhsm"], None),
        (
            rsa_wish(private_attributes={"copyable": False, "destroyable": False}),
            VENDORS["softhsm"],
            "softhsm cannot set copyable=false in the copy that destroyable=false and modifiable=false need",
        ),
        (rsa_wish(private_attributes={"copyable": False, "destroyable": False}), GENERIC, None),
        (
            rsa_wish(public_attributes={"trusted": True}),
            GENERIC,
            "only the security officer can make a key trusted, with the vendor's tool",
        ),
        (rsa_wish(public_attributes={"trusted": False}), GENERIC, None),
        (
            Wish("ecc", label="x", curve=curve_by_name("brainpoolP256r1")),
            VENDORS["cloudhsm"],
            "cloudhsm has the curves ed25519, secp224r1, secp256k1, secp256r1, secp384r1, secp521r1",
        ),
        (Wish("ecc", label="x", curve=curve_by_name("P-256")), VENDORS["cloudhsm"], None),
        (Wish("ecc", label="x", curve=curve_by_name("brainpoolP256r1")), GENERIC, None),
    ],
)
def test_what_a_vendor_cannot_make(wish: Wish, facts: VendorFacts, reason: str | None) -> None:
    assert vendor_refusal(wish, facts) == reason


@pytest.mark.parametrize(
    ("wish", "vendor", "reason"),
    [
        (rsa_wish(), "yubihsm", None),  # the default takes what is there
        (rsa_wish(usage=("sign", "decrypt")), "yubihsm", None),
        (rsa_wish(usage=("sign", "wrap")), "yubihsm", "no public key of yubihsm may wrap"),
        (rsa_wish(usage=("sign", "wrap")), "softhsm", None),
        (rsa_wish(private_attributes={"unwrap": True}), "tpm2", "no private key of tpm2 may unwrap"),
        (rsa_wish(private_attributes={"unwrap": False}), "tpm2", None),
        (rsa_wish(private_attributes={"copyable": True}), "nss", None),  # no use: told when it was not made so
        (rsa_wish(usage=("sign",)), "nethsm", "no public key of nethsm may verify"),
    ],
)
def test_uses_that_no_key_of_a_vendor_has(wish: Wish, vendor: str, reason: str | None) -> None:
    told = use_refusal(wish, VENDORS[vendor])
    assert told == (reason and f"{reason}; leave that out of usage, or usage itself")

# Copyright (c) 2026, The cryptoki.hsm authors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What the commands of key_mgmt_util can make, and what not."""

from __future__ import annotations

import dataclasses

import pytest

from ansible_collections.cryptoki.hsm.plugins.module_utils._key_mgmt_util.limits import generation_refusal, untold
from ansible_collections.cryptoki.hsm.plugins.module_utils._pair.wish import Wish
from ansible_collections.cryptoki.hsm.plugins.module_utils._standard.attributes import Value
from ansible_collections.cryptoki.hsm.plugins.module_utils._standard.curves import curve_by_name

RSA = Wish("rsa", label="rsa_test", modulus_bits=2048)
ECC = Wish("ecc", label="ecc14", curve=curve_by_name(14))


@pytest.mark.parametrize(
    ("wish", "said"),
    [
        (dataclasses.replace(RSA, label="a b"), "cannot be typed"),
        (dataclasses.replace(RSA, label="x\ndeleteKey"), "cannot be typed"),
        (dataclasses.replace(RSA, id=b"\xff"), "cannot be typed"),
        (dataclasses.replace(RSA, usage=("sign",)), "no option for encrypt, which is true for the public half"),
        (
            dataclasses.replace(ECC, usage=("sign", "derive")),
            "no option for derive, which is false for the private half",
        ),
        (dataclasses.replace(ECC, private_attributes={"private": False}), "no option for private"),
        (dataclasses.replace(ECC, public_attributes={"verify_recover": False}), "no attribute verify_recover"),
        (dataclasses.replace(ECC, session=True, share_with=("bob",)), "it shares no pair"),
    ],
)
def test_what_the_commands_cannot_make(wish: Wish, said: str) -> None:
    assert said in (generation_refusal(wish) or "")


@pytest.mark.parametrize(
    "wish",
    [
        RSA,
        ECC,
        dataclasses.replace(RSA, usage=("sign", "decrypt", "wrap"), extractable=False),
        dataclasses.replace(ECC, usage=("sign",), public_attributes={"private": True}),
        dataclasses.replace(ECC, private_attributes={"wrap_with_trusted": True, "destroyable": True}),
    ],
)
def test_what_the_commands_make(wish: Wish) -> None:
    assert generation_refusal(wish) is None


@pytest.mark.parametrize(
    ("wish", "said"),
    [
        (dataclasses.replace(RSA, public_attributes={"wrap": False}), None),
        (dataclasses.replace(RSA, usage=("sign", "decrypt", "wrap")), None),
        (dataclasses.replace(RSA, public_attributes={"private": False}), None),
        (dataclasses.replace(ECC, usage=("sign",), private_attributes={"wrap_with_trusted": False}), None),
        (
            dataclasses.replace(ECC, private_attributes={"wrap_with_trusted": True}),
            "its commands have no option for wrap_with_trusted, which is false for the private half of every new pair",
        ),
    ],
)
def test_what_the_commands_of_an_older_build_make(wish: Wish, said: str | None) -> None:
    assert generation_refusal(wish, older=True) == said


def test_what_a_dump_does_not_show_is_as_the_tool_makes_it() -> None:
    shown: dict[str, Value | None] = {"key_type": "ec", "sign": True, "wrap_with_trusted": True}
    told = untold("private", shown)
    assert (told["derive"], told["destroyable"], told["modifiable"]) == (False, True, True)
    assert not {"sign", "wrap_with_trusted", "sign_recover", "copyable"} & told.keys()
    assert untold("secret", {"key_type": "aes"}) == untold("public", {"key_type": "dsa"}) == {}

# Copyright (c) 2026, The cryptoki.hsm authors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What is typed at the prompt of key_mgmt_util, what is not, and the signatures that it writes."""

from __future__ import annotations

import dataclasses

import pytest
from cryptography.hazmat.primitives.asymmetric.utils import encode_dss_signature
from hypothesis import given
from hypothesis import strategies as st

from ansible_collections.cryptoki.hsm.plugins.module_utils._key_mgmt_util import command as _kmu_command
from ansible_collections.cryptoki.hsm.plugins.module_utils._key_mgmt_util.command import Command, typable
from ansible_collections.cryptoki.hsm.plugins.module_utils._key_mgmt_util.limits import generation_refusal
from ansible_collections.cryptoki.hsm.plugins.module_utils._key_mgmt_util.signatures import mechanisms_for, side_by_side
from ansible_collections.cryptoki.hsm.plugins.module_utils._pair.wish import Wish
from ansible_collections.cryptoki.hsm.plugins.module_utils._standard.curves import curve_by_name

RSA = Wish("rsa", label="rsa_test", modulus_bits=2048)
ECC = Wish("ecc", label="ecc14", curve=curve_by_name(14))


@pytest.mark.parametrize(
    ("wish", "users", "typed"),
    [
        (RSA, (), "genRSAKeyPair -m 2048 -e 65537 -l rsa_test"),
        (
            dataclasses.replace(RSA, label="rsa_mofn", id=b"rsa_mv2", share_with=("bob",), quorum=2),
            (4,),
            "genRSAKeyPair -m 2048 -e 65537 -l rsa_mofn -id rsa_mv2 -m_value 2 -u 4",
        ),
        (ECC, (), "genECCKeyPair -i 14 -l ecc14"),
        (
            dataclasses.replace(ECC, id=b"x", min_servers=2, timeout=9, extractable=False, session=True, attest=True),
            (5, 6),
            "genECCKeyPair -i 14 -l ecc14 -id x -min_srv 2 -nex -sess -timeout 9 -u 5,6 -attest",
        ),
        (dataclasses.replace(ECC, quorum=0, timeout=9, extractable=True), (), "genECCKeyPair -i 14 -l ecc14"),
    ],
)
def test_the_flags_have_the_order_of_the_documentation(wish: Wish, users: tuple[int, ...], typed: str) -> None:
    assert str(_kmu_command.generate(wish, users)) == typed


def test_the_other_commands() -> None:
    told = [
        _kmu_command.find_key("private", "rsa", "2018-sept", b"test01", True),
        _kmu_command.find_key("public", "ec_edwards", "a b", b"\xff", None),
        _kmu_command.find_key("secret", None, None, None, False),
        _kmu_command.get_attribute(6, "/tmp/x/attr_6"),
        _kmu_command.sign("/tmp/x/data", 266309, 1, "/tmp/x/signed"),
        _kmu_command.share_key(7, (4, 5), away=True),
        _kmu_command.share_key(7, (4,), away=False),
        _kmu_command.delete_key(6),
        _kmu_command.find_single_key(6),
        _kmu_command.get_key_info(6),
        _kmu_command.LIST_USERS,
    ]
    assert list(map(str, told)) == [
        "findKey -c 3 -t 0 -l 2018-sept -id test01 -sess 0",
        "findKey -c 2",
        "findKey -c 4 -sess 1",
        "getAttribute -o 6 -a 512 -out /tmp/x/attr_6",
        "sign -f /tmp/x/data -k 266309 -m 1 -out /tmp/x/signed",
        "shareKey -k 7 -d -u 4,5",
        "shareKey -k 7 -u 4",
        "deleteKey -k 6",
        "findSingleKey -k 6",
        "getKeyInfo -k 6",
        "listUsers",
    ]


@given(st.text())
def test_nothing_is_typed_that_the_prompt_would_read_otherwise(text: str) -> None:
    """One line, one word: nobody can put another command behind a label."""
    if typable(text):
        line = str(Command("findKey", ("-l", text)))
        assert line.split(" ") == ["findKey", "-l", text] and line.isprintable()
    elif not typable(text.removeprefix("-")):
        with pytest.raises(ValueError, match="cannot be typed"):
            Command("findKey", ("-l", text))


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


@given(st.integers(1, 2**384 - 1), st.integers(1, 2**384 - 1), st.binary(max_size=20))
def test_a_signature_of_two_numbers(r: int, s: int, rest: bytes) -> None:
    wanted = r.to_bytes(48, "big") + s.to_bytes(48, "big")
    assert side_by_side(encode_dss_signature(r, s) + rest, 48) == wanted
    if wanted[0] != 0x30:
        assert side_by_side(wanted + rest, 48) == wanted


@given(st.binary(max_size=200), st.sampled_from([28, 32, 48, 66]))
def test_any_bytes_give_some_signature(raw: bytes, size: int) -> None:
    side_by_side(raw, size)


def test_the_hash_fits_the_curve() -> None:
    for name, code in (("P-224", 0x1044), ("secp256k1", 0x1044), ("P-384", 0x1045), ("P-521", 0x1046)):
        assert mechanisms_for(curve_by_name(name)) == frozenset({code})
    assert {0x40, 0x43} <= mechanisms_for(None)

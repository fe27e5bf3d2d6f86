# Copyright (c) 2026, The cryptoki.hsm authors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What is typed at the prompt of key_mgmt_util, and what is not."""

from __future__ import annotations

import dataclasses

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ansible_collections.cryptoki.hsm.plugins.module_utils._key_mgmt_util import command
from ansible_collections.cryptoki.hsm.plugins.module_utils._key_mgmt_util.command import Command, typable
from ansible_collections.cryptoki.hsm.plugins.module_utils._pair.session import Query
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
    assert str(command.generate(wish, users)) == typed


def test_the_other_commands() -> None:
    told = [
        command.find_key(Query("private", "2018-sept", b"test01", "rsa", token=True)),
        command.find_key(Query("public", "a b", b"\xff", "ec_edwards")),
        command.find_key(Query("secret", token=False)),
        command.get_attribute(6, "/tmp/x/attr_6"),
        command.sign("/tmp/x/data", 266309, 1, "/tmp/x/signed"),
        command.share_key(7, (4, 5), away=True),
        command.share_key(7, (4,), away=False),
        command.on_key("deleteKey", 6),
        command.on_key("findSingleKey", 6),
        command.on_key("getKeyInfo", 6),
        command.LIST_USERS,
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

# Copyright (c) 2026, The cryptoki.hsm authors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The table of vendors, and how a row is chosen."""

from __future__ import annotations

import typing as t

import pytest

from ansible_collections.cryptoki.hsm.plugins.module_utils._pair.vendors import VENDORS, vendor_facts
from ansible_collections.cryptoki.hsm.plugins.module_utils._standard.attributes import ATTRIBUTES, PRIVATE, PUBLIC, Half
from ansible_collections.cryptoki.hsm.plugins.module_utils._standard.curves import curve_by_name


@pytest.mark.parametrize(
    ("descriptions", "name"),
    [
        (("SoftHSM", "Implementation of PKCS11", "SoftHSM project", "SoftHSM v2"), "softhsm"),
        (("PKCS#11 Kit", "PKCS#11 Kit Proxy Module", "SoftHSM project", "SoftHSM v2"), "softhsm"),
        (("Marvell Semiconductors, Inc.", "CloudHSM PKCS#11"), "cloudhsm"),
        (("Cavium", ""), "cloudhsm"),
        (("Yubico (www.yubico.com)", "YubiHSM PKCS#11 Library"), "yubihsm"),
        (("Yubico (www.yubico.com)", "PKCS#11 PIV Library (SP-800-73)", "YubiKey YK5"), "generic"),
        (("SafeNet", "Chrystoki", "Safenet, Inc.", "LunaSA 7.2.0"), "luna"),
        (("nCipher Corp. Ltd", "nCipher PKCS#11 12.60.8-221-a1b"), "nshield"),
        (("Nitrokey", "Nitrokey NetHsm PKCS#11 library"), "nethsm"),
        (("tpm2-software.github.io", "TPM2.0 Cryptoki", "Intel", "SLB9670"), "tpm2"),
        (("Simorgh Labs", "FreeHSM C (FIPS 140-3)", "FreeHSM-C-v1"), "freehsm"),
        (("IBM", "openCryptoki"), "opencryptoki"),
        (("Mozilla Foundation", "NSS Internal Crypto Services"), "nss"),
        (("Transsecure", "Innssbruck HSM"), "generic"),
        (("", ""), "generic"),
        ((), "generic"),
    ],
)
def test_the_row_that_a_library_describes(descriptions: tuple[str, ...], name: str) -> None:
    assert vendor_facts("auto", *descriptions).name == name


@pytest.mark.parametrize("name", sorted(VENDORS))
def test_a_named_row_wins_over_the_description(name: str) -> None:
    assert vendor_facts(name, "SoftHSM", "NSS") is VENDORS[name]


def _facts(name: str, version: str) -> tuple[int, int, bool, int]:
    row = vendor_facts(name, version=version)
    return row.id_max, row.label_max, row.set_attribute, len(row.curves)


@pytest.mark.parametrize(
    ("name", "version", "facts"),
    [
        ("yubihsm", "2.32", (2, 40, False, 0)),
        ("yubihsm", "2.40", (256, 256, True, 0)),
        ("yubihsm", "2.60", (256, 256, True, 0)),
        ("yubihsm", "3.0", (256, 256, True, 0)),
        ("yubihsm", "", (256, 256, True, 0)),
        ("nethsm", "1.7", (128, 128, False, 5)),
        ("nethsm", "2.0", (128, 128, False, 8)),
        ("nss", "3.87", (0, 0, True, 0)),
    ],
)
def test_the_row_of_a_librarys_version(name: str, version: str, facts: tuple[int, int, bool, int]) -> None:
    assert _facts(name, version) == facts


@pytest.mark.parametrize("half", [PUBLIC, PRIVATE])
def test_what_is_sent(half: Half) -> None:
    cloud, nss = VENDORS["cloudhsm"], VENDORS["nss"]
    for value in (True, False, b"", ()):
        assert VENDORS["generic"].sends(half, "private", value)
        assert not nss.sends(half, "destroyable", value)
        assert cloud.sends(half, "private", value) is (value is True)
    assert cloud.sends(PUBLIC, "verify", True) and not cloud.sends(PUBLIC, "verify_recover", False)
    # A template without unwrap is all that keeps a YubiHSM from making a wrap key.
    assert "unwrap" not in VENDORS["yubihsm"].sent(PRIVATE, {"unwrap": False, "sign": True})
    tpm2 = VENDORS["tpm2"]
    assert tpm2.sent(PRIVATE, {"sign": True, "decrypt": False, "unwrap": True}) == {"sign": True}
    # The private half's rows are its own
    assert nss.sends(PUBLIC, "wrap_with_trusted", True) and not nss.sends(PRIVATE, "wrap_with_trusted", True)


def test_the_rows_name_what_exists() -> None:
    halves: tuple[t.Any, ...] = (PUBLIC, PRIVATE)
    for facts in VENDORS.values():
        for half, name in facts.not_sent | facts.only_true:
            assert half in halves and half in ATTRIBUTES[name].classes
        assert all(name in ATTRIBUTES for name in facts.fixed | facts.not_searched)
        assert not facts.fixed & {"label", "id"}
        assert all(facts.of_version((0, 0)) != facts for _dummy in facts.older)
        assert all(curve_by_name(name).name == name for name in facts.curves)
        assert all(mark == mark.lower() and mark.isalnum() for mark in facts.marks)
        assert facts.id_length <= (facts.id_max or facts.id_length)


def test_what_a_vendors_tokens_can_do() -> None:
    """Each fact has its source beside the row; a row that says nothing says what most tokens can."""
    unlike = {
        name: {vendor for vendor, facts in VENDORS.items() if getattr(facts, name) is not usual}
        for name, usual in (
            *(("set_attribute", True), ("copy", True), ("copy_sets_copyable", True)),
            *(("read_only_sessions", True), ("composite_pin", False), ("login_each_session", False)),
            *(("label_is_id", False), ("halves_are_one", False), ("certificates", True), ("threads", True)),
        )
    }
    assert unlike == {
        "set_attribute": {"cloudhsm", "nethsm"},
        "copy": {"cloudhsm", "yubihsm", "nethsm", "tpm2"},
        "copy_sets_copyable": {"softhsm"},
        "read_only_sessions": {"cloudhsm"},
        "composite_pin": {"cloudhsm"},
        "login_each_session": {"nethsm"},
        "label_is_id": {"nethsm"},
        "halves_are_one": {"nethsm", "yubihsm"},
        "certificates": set(),
        "threads": {"nss"},
    }

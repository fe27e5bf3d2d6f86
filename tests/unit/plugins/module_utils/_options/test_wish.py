# Copyright (c) 2026, The cryptoki.hsm authors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""From options to the wished pair: what contradicts itself is refused before any login, word for word."""

from __future__ import annotations

import typing as t

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ansible_collections.cryptoki.hsm.plugins.module_utils._options.login import Login
from ansible_collections.cryptoki.hsm.plugins.module_utils._pair.wish import Family, Wish
from ansible_collections.cryptoki.hsm.plugins.module_utils._standard.curves import Curve, curve_by_name
from ansible_collections.cryptoki.hsm.plugins.module_utils._standard.errors import InputError
from ansible_collections.cryptoki.hsm.plugins.module_utils._tasks.providers import provider_from
from ansible_collections.cryptoki.hsm.tests.support.refusal import refusal
from ansible_collections.cryptoki.hsm.tests.support.task_options import FAMILIES, params, wished

WORDS = st.text(st.characters(min_codepoint=0x21, max_codepoint=0x7E), min_size=1, max_size=9)


def test_the_least_wish() -> None:
    assert wished("rsa") == Wish("rsa", label="root", modulus_bits=2048)
    assert wished("ecc") == Wish("ecc", label="root", curve=curve_by_name("secp256r1"))


def test_the_whole_wish() -> None:
    assert wished(
        "rsa",
        id="rsa_mv2",
        modulus_bits=3072,
        public_exponent=65539,
        extractable=False,
        usage=["sign", "decrypt"],
        private_attributes={"derive": False, "destroyable": False, "modifiable": True},
        public_attributes={"trusted": False},
        allowed_mechanisms=["sha256_rsa_pkcs", "CKM_RSA_PKCS_OAEP", "0x80000001"],
        key_gen_mechanism="0xa",
        on_mismatch="keep",
        verify=False,
    ) == Wish(
        "rsa",
        label="root",
        id=b"rsa_mv2",
        modulus_bits=3072,
        public_exponent=65539,
        extractable=False,
        usage=("sign", "decrypt"),
        private_attributes={"derive": False, "destroyable": False, "modifiable": True},
        public_attributes={"trusted": False},
        allowed_mechanisms=(0x40, 0x09, 0x80000001),
        key_gen_mechanism=0x0A,
        on_mismatch="keep",
        verify=False,
    )


def test_a_wish_of_absence_may_leave_everything_else_out() -> None:
    assert wished("rsa", state="absent", modulus_bits=None) == Wish("rsa", label="root")
    assert wished("ecc", state="absent", label=None, curve=None, id_hex="00:ff") == Wish("ecc", id=b"\x00\xff")
    assert wished("ecc", state="absent", label=None, curve=None, fingerprint="AB" * 32).fingerprint == "ab" * 32


def test_the_flag_nex_is_the_reverse_of_extractable() -> None:
    assert [wished("ecc", nex=value).extractable for value in (True, False, None)] == [False, True, None]
    assert wished("ecc", nex=None, extractable=False).extractable is False


def test_a_quorum_of_0_is_none() -> None:
    assert wished("ecc", quorum=0).quorum is None
    assert wished("ecc", quorum=0, share_with=["bob"]).quorum is None


def test_blanks_around_a_user_are_no_part_of_the_name() -> None:
    assert wished("ecc", share_with=["4", " 5", "Bob "]).share_with == ("4", "5", "bob")


@pytest.mark.parametrize("value", [2, "2", "P-256", "prime256v1", "nistp256", "1.2.840.10045.3.1.7"])
def test_equal_curves(value: t.Any) -> None:
    assert wished("ecc", curve=value).curve == curve_by_name("secp256r1")


SESSION = "a session pair is always new,"
DIGITS = "give the name of an RSA or EC mechanism, for instance CKM_ECDSA_SHA256, or its number as 0x…"
REFUSALS: list[tuple[Family, dict[str, t.Any], str]] = [
    (
        "rsa",
        {"label": 42798},
        "label 42798 is refused: it came as a number;"
        " quote it, in an INI inventory twice, or end its template in | string.",
    ),
    (
        "rsa",
        {"label": True},
        "label True is refused: it came as a boolean;"
        " quote it, in an INI inventory twice, or end its template in | string.",
    ),
    ("rsa", {"label": ""}, "label is refused: it is empty."),
    (
        "rsa",
        {"id": 1},
        "id 1 is refused: it came as a number; quote it, in an INI inventory twice, or end its template in | string.",
    ),
    ("rsa", {"modulus_bits": 1024}, "modulus_bits 1024 is refused: it must be at least 2048."),
    ("rsa", {"public_exponent": 3}, "public_exponent 3 is refused: it must be at least 65537."),
    ("rsa", {"public_exponent": 65538}, "public_exponent 65538 is refused: it must be odd."),
    ("rsa", {"usage": ["derive"]}, "usage 'derive' is refused: RSA keys derive nothing; choose sign, decrypt or wrap."),
    ("ecc", {"usage": ["decrypt"]}, "usage 'decrypt' is refused: ECC keys encrypt nothing; choose sign or derive."),
    ("ecc", {"usage": ["sign", "wrap"]}, "usage 'wrap' is refused: ECC keys encrypt nothing; choose sign or derive."),
    (
        "ecc",
        {"curve": "ed25519", "usage": ["sign", "derive"]},
        "usage 'derive' is refused: keys on Edwards curves only sign.",
    ),
    (
        "ecc",
        {"curve": True},
        "curve True is refused: give its name, its number or its OID; quote what YAML would change.",
    ),
    (
        "ecc",
        {"curve": 25.5},
        "curve 25.5 is refused: give its name, its number or its OID; quote what YAML would change.",
    ),
    (
        "ecc",
        {"curve": 1},
        "curve 1 is refused: 1 (prime192v1) has 192 bits, below the 224 bits (112 bits of security) that NIST SP"
        " 800-57 part 1 and SP 800-186 require; the HSM command answers it with 0xb3 'violates the current"
        " configured/FIPS policies'.",
    ),
    ("rsa", {"allowed_mechanisms": ["CKM_AES_GCM"]}, f"allowed_mechanisms 'CKM_AES_GCM' is refused: {DIGITS}."),
    (
        "rsa",
        {"allowed_mechanisms": ["CKM_RSA_PKCS", "0x1"]},
        "allowed_mechanisms ['CKM_RSA_PKCS', '0x1'] is refused: it names a mechanism twice.",
    ),
    (
        "rsa",
        {"allowed_mechanisms": []},
        "allowed_mechanisms is refused: it is empty, and a key that no mechanism may use is of no use.",
    ),
    (
        "rsa",
        {"allowed_mechanisms": ["CKM_SHA256_RSA_PKCS", "ECDSA"]},
        "allowed_mechanisms 'CKM_ECDSA' is refused: it is not for keys of the type rsa.",
    ),
    (
        "ecc",
        {"curve": "ed25519", "allowed_mechanisms": ["0x1041"]},
        "allowed_mechanisms 'CKM_ECDSA' is refused: it is not for keys of the type ec_edwards.",
    ),
    (
        "rsa",
        {"allowed_mechanisms": ["CKM_RSA_PKCS_KEY_PAIR_GEN"]},
        "allowed_mechanisms 'CKM_RSA_PKCS_KEY_PAIR_GEN' is refused: it only generates pairs.",
    ),
    (
        "rsa",
        {"key_gen_mechanism": "CKM_RSA_PKCS"},
        "key_gen_mechanism 'CKM_RSA_PKCS' is refused: it does not generate pairs.",
    ),
    (
        "rsa",
        {"key_gen_mechanism": "CKM_EC_KEY_PAIR_GEN"},
        "key_gen_mechanism 'CKM_EC_KEY_PAIR_GEN' is refused: it is not for keys of the type rsa.",
    ),
    (
        "ecc",
        {"private_attributes": {"always_authenticate": True, "private": False}},
        "private_attributes.always_authenticate 'true' is refused: it needs private, which is false.",
    ),
    ("rsa", {"key_gen_mechanism": "RSA"}, f"key_gen_mechanism 'RSA' is refused: {DIGITS}."),
    (
        "ecc",
        {"session": True, "state": "absent"},
        "session True is refused: a session pair is gone when its module ends, state=absent has none to remove.",
    ),
    (
        "ecc",
        {"session": True, "on_mismatch": "keep"},
        f"session True is refused: {SESSION} on_mismatch has nothing to compare.",
    ),
    (
        "ecc",
        {"session": True, "on_mismatch": "replace"},
        f"session True is refused: {SESSION} on_mismatch has nothing to compare.",
    ),
    (
        "ecc",
        {"session": True, "fingerprint": "ab" * 32},
        f"session True is refused: {SESSION} fingerprint names an existing one.",
    ),
    ("ecc", {"timeout": 5}, "timeout 5 is refused: it needs min_servers or replicas."),
    ("ecc", {"timeout": 0, "min_servers": 1}, "timeout 0 is refused: it must be more than 0 seconds."),
    ("ecc", {"min_servers": 0}, "min_servers 0 is refused: it must be at least 1."),
    ("ecc", {"wrapping_key": "kek"}, "wrapping_key 'kek' is refused: it needs replicas."),
    (
        "ecc",
        {"on_mismatch": "replace", "fingerprint": "ab" * 32},
        "on_mismatch 'replace' is refused: a pair named by fingerprint cannot be replaced, a new one has another.",
    ),
    ("ecc", {"lock_timeout": -1}, "lock_timeout -1 is refused: it must not be below 0 seconds."),
    ("ecc", {"share_with": ["a", "A"]}, "share_with ['a', 'A'] is refused: it names a user twice."),
    ("ecc", {"share_with": [4, "4"]}, "share_with [4, '4'] is refused: it names a user twice."),
    (
        "ecc",
        {"share_with": ["bob", "ann"], "crypto_user": "Ann"},
        "share_with 'Ann' is refused: the caller owns the key and is not shared with.",
    ),
    (
        "ecc",
        {"share_with": [True]},
        "share_with True is refused: it came as a boolean;"
        " quote it, in an INI inventory twice, or end its template in | string.",
    ),
    (
        "ecc",
        {"share_with": [1.5]},
        "share_with 1.5 is refused: it came as a number;"
        " quote it, in an INI inventory twice, or end its template in | string.",
    ),
    (
        "ecc",
        {"share_with": ["bob"], "crypto_user": False},
        "crypto_user False is refused: it came as a boolean;"
        " quote it, in an INI inventory twice, or end its template in | string.",
    ),
    ("ecc", {"share_with": ["a"], "quorum": 9}, "quorum 9 is refused: it must be from 0 to 8."),
    ("ecc", {"share_with": ["a"], "quorum": -1}, "quorum -1 is refused: it must be from 0 to 8."),
    (
        "ecc",
        {"share_with": ["a"], "quorum": 3},
        "quorum 3 is refused: it may be at most the number of users in share_with and the owner.",
    ),
    (
        "ecc",
        {"share_with": ["a"], "management_quorum": 2},
        "management_quorum 2 is refused: it needs quorum: a key has both or none.",
    ),
    (
        "ecc",
        {"share_with": ["a"], "quorum": 2, "management_quorum": 3},
        "management_quorum 3 is refused: it may be at most the number of users in share_with and the owner.",
    ),
    (
        "ecc",
        {"quorum": 2},
        "quorum 2 is refused: it may be at most the number of users in share_with and the owner.",
    ),
]


@pytest.mark.parametrize(("family", "options", "message"), REFUSALS)
def test_contradictions(family: Family, options: dict[str, t.Any], message: str) -> None:
    assert refusal(lambda: wished(family, **options)) == message


def test_a_session_with_replicas() -> None:
    message = refusal(lambda: wished("ecc", session=True, replicas=[{"name": "b"}]))
    assert message == "session True is refused: a session pair lives in one session, replicas cannot have it."


@pytest.mark.parametrize("family", FAMILIES)
@pytest.mark.parametrize(
    "options",
    [
        {"share_with": ["a"], "quorum": 2},
        {"share_with": ["a"], "quorum": 0},
        {"share_with": [4, "5"], "crypto_user": 6},
        {"share_with": []},
        {"min_servers": 1, "timeout": 1},
        {"replicas": [{"name": "b"}], "timeout": 1, "wrapping_key": "kek"},
        {"session": True, "on_mismatch": "fail"},
        {"lock_timeout": 0},
    ],
)
def test_what_goes_together_in_both(family: Family, options: dict[str, t.Any]) -> None:
    wished(family, **options)


@pytest.mark.parametrize(
    ("family", "options"),
    [
        ("ecc", {"curve": "ed25519", "key_gen_mechanism": "CKM_EC_KEY_PAIR_GEN", "allowed_mechanisms": ["EDDSA"]}),
        ("ecc", {"key_gen_mechanism": "0x80000001", "allowed_mechanisms": ["0x80000002"]}),
        ("ecc", {"state": "absent", "curve": None, "allowed_mechanisms": ["CKM_EDDSA"]}),
        ("rsa", {"key_gen_mechanism": "CKM_RSA_X9_31_KEY_PAIR_GEN", "allowed_mechanisms": ["64"]}),
        ("rsa", {"private_attributes": {"always_authenticate": False, "private": False}}),
    ],
)
def test_what_goes_together_in_one(family: Family, options: dict[str, t.Any]) -> None:
    wished(family, **options)


CLUSTER = "use the provider cloudhsm_cli or key_mgmt_util, which drive the cluster's own tool"
OTHERS = "one token is one server: name the others in replicas"


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (
            {"share_with": ["4"]},
            f"share_with is refused: the provider pkcs11 cannot do it; PKCS#11 has no sharing: {CLUSTER}.",
        ),
        (
            {"share_with": ["4"], "quorum": 2},
            f"share_with is refused: the provider pkcs11 cannot do it; PKCS#11 has no sharing: {CLUSTER}.",
        ),
        (
            {"attest": True},
            "attest is refused: the provider pkcs11 cannot do it; PKCS#11 has no attestation: pin the token's identity"
            " with expect_token.",
        ),
        (
            {"executable": "/opt/tool"},
            "executable is refused: the provider pkcs11 cannot do it; it loads the library named by module_path.",
        ),
        ({"min_servers": 2}, f"min_servers is refused: the provider pkcs11 cannot do it; {OTHERS}."),
    ],
)
def test_what_the_provider_cannot_do(options: dict[str, t.Any], message: str) -> None:
    assert refusal(lambda: provider_from(params("ecc", **options))) == message


def test_what_asks_for_no_ability() -> None:
    login = {"module_path": "/lib.so", "token_label": "demo", "attest": False, "min_servers": 1}
    login |= {"replicas": [], "share_with": [], "quorum": 0}
    provider, known = provider_from(params("ecc", **login))
    assert (provider.name, provider.persistent_handles) == ("pkcs11", False)
    assert isinstance(known, Login)
    assert (known.module_path, known.secrets()) == ("/lib.so", [])


@given(st.lists(WORDS, unique_by=str.lower, max_size=9), st.integers(0, 8))
def test_a_quorum_is_at_most_the_users_and_the_owner(users: list[str], quorum: int) -> None:
    if quorum <= len(users) + 1:
        wished("rsa", share_with=users, quorum=quorum)
    else:
        with pytest.raises(InputError, match="at most the number of users in share_with and the owner"):
            wished("rsa", share_with=users, quorum=quorum)


def test_an_odd_size_is_refused_only_where_it_would_be_made() -> None:
    assert "modulus_bits 2049 is refused: it must be even" in refusal(lambda: wished("rsa", modulus_bits=2049))
    assert wished("rsa", modulus_bits=2049, state="absent").modulus_bits == 2049


LONG = "é" * 64  # 128 bytes
THERE: list[dict[str, t.Any]] = [{"state": "absent"}, {"on_mismatch": "keep"}]


@pytest.mark.parametrize("there", THERE)
@pytest.mark.parametrize(
    ("family", "described", "known"),
    [
        ("rsa", {"modulus_bits": 1024}, {"modulus_bits": 1024}),
        ("rsa", {"modulus_bits": 2049}, {"modulus_bits": 2049}),
        ("rsa", {"public_exponent": 3}, {"public_exponent": 3}),
        ("rsa", {"label": LONG}, {"label": LONG}),
        ("ecc", {"curve": "P-192"}, {"curve": Curve("secp192r1", "1.2.840.10045.3.1.1", 0)}),
    ],
)
def test_what_is_not_made_any_more_can_be_kept_and_removed(
    family: Family, described: dict[str, t.Any], known: dict[str, t.Any], there: dict[str, t.Any]
) -> None:
    wish = wished(family, **described, **there)
    assert {name: getattr(wish, name) for name in known} == known
    assert wish.refusal == refusal(lambda: wished(family, **described))
    assert refusal(lambda: wished(family, **described, on_mismatch="replace")) == wish.refusal


def test_each_reason_why_it_is_not_made_is_kept() -> None:
    wish = wished("rsa", modulus_bits=1024, public_exponent=3, on_mismatch="keep")
    assert wish.refusal == (
        "modulus_bits 1024 is refused: it must be at least 2048."
        " public_exponent 3 is refused: it must be at least 65537."
    )


@pytest.mark.parametrize("there", THERE)
@pytest.mark.parametrize(
    ("family", "described"),
    [
        ("rsa", {"modulus_bits": 0}),
        ("rsa", {"public_exponent": -3}),
        ("rsa", {"label": ""}),
        ("rsa", {"label": 7}),
        ("ecc", {"curve": "x25519"}),
        ("ecc", {"curve": "P-999"}),
        ("ecc", {"curve": True}),
    ],
)
def test_what_no_pair_is_stays_refused(family: Family, described: dict[str, t.Any], there: dict[str, t.Any]) -> None:
    assert "is refused" in refusal(lambda: wished(family, **described, **there))

# Copyright (c) 2026, The cryptoki.hsm authors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Curves: every spelling, the refusals, and the table against OpenSSL and a real SoftHSM."""

from __future__ import annotations

import importlib.util
import re
import shutil
import subprocess
import sys
import typing as t

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ansible_collections.cryptoki.hsm.plugins.module_utils._standard import curves as _curves
from ansible_collections.cryptoki.hsm.plugins.module_utils._standard import explicit_curve
from ansible_collections.cryptoki.hsm.plugins.module_utils._standard.curves import (
    CURVES,
    Curve,
    curve_by_ec_params,
    curve_by_name,
)
from ansible_collections.cryptoki.hsm.plugins.module_utils._standard.refused_curves import name_of, weak_curve

core = pytest.importorskip("asn1crypto.core")
keys = pytest.importorskip("asn1crypto.keys")

SOFTHSM = "/usr/lib/softhsm/libsofthsm2.so"
OPENSSL_NAMES = {"secp256r1": "prime256v1", "sm2p256v1": "SM2"}
WEIERSTRASS = [curve for curve in CURVES if curve.key_type == "ec"]
needs_openssl = pytest.mark.skipif(not shutil.which("openssl"), reason="needs openssl")


def openssl_params(name: str, encoding: str = "explicit", form: str = "uncompressed") -> bytes:
    command = ["openssl", "ecparam", "-name", name, "-param_enc", encoding, "-conv_form", form, "-outform", "DER"]
    return subprocess.run(command, capture_output=True, check=True).stdout


def by_id(curve: Curve) -> str:
    return curve.name


SPELLINGS = {
    "secp256r1": """secp256r1 SECP256R1 secp-256-r1 prime256v1 PRIME256V1 P-256 p256 P_256 nistp256 NISTP256 nist-p256
        NIST_P-256 NID_X9_62_prime256v1 X9.62-prime256v1 nid_secp256r1 ecdsa-sha2-nistp256 1.2.840.10045.3.1.7 2 02
        ECC_NIST_P256 ansip256r1""",
    "secp384r1": "secp384r1 P-384 nistp384 NID_secp384r1 ecdsa-sha2-nistp384 1.3.132.0.34 14",
    "secp521r1": "secp521r1 P-521 nistp521 NID_secp521r1 ecdsa-sha2-nistp521 1.3.132.0.35 15",
    "secp224r1": "secp224r1 P-224 nistp224 NID_secp224r1 1.3.132.0.33 13",
    "secp256k1": "secp256k1 SECP256K1 P-256K NID_secp256k1 ECC_SECG_P256K1 1.3.132.0.10 16",
    "secp224k1": "secp224k1 1.3.132.0.32",
    "prime239v2": "prime239v2 X9_62_prime239v2 1.2.840.10045.3.1.5",
    "brainpoolP256r1": "brainpoolP256r1 brainpoolp256r1 BRAINPOOLP256R1 brainpool-p256-r1 1.3.36.3.3.2.8.1.1.7",
    "brainpoolP512t1": "brainpoolP512t1 NID_brainpoolP512t1 1.3.36.3.3.2.8.1.1.14",
    "ed25519": "ed25519 Ed25519 ED25519 edwards25519 id-Ed25519 ssh-ed25519 1.3.101.112",
    "ed448": "ed448 Ed448 edwards448 id-Ed448 1.3.101.113",
    "sm2p256v1": "SM2 sm2p256v1 1.2.156.10197.1.301",
}


@pytest.mark.parametrize(
    ("name", "spelling"), [(name, one) for name, many in SPELLINGS.items() for one in many.split()]
)
def test_spellings(name: str, spelling: str) -> None:
    assert curve_by_name(spelling).name == name
    assert curve_by_name(f" {spelling}\n").name == name


@pytest.mark.parametrize(
    ("name", "value"),
    [("secp256r1", "NIST P-256"), ("secp521r1", "nist p-521"), ("secp256r1", 2), ("secp224r1", 13), ("secp384r1", 14)]
    + [("secp521r1", 15), ("secp256k1", 16)],
)
def test_numbers_and_blanks(name: str, value: str | int) -> None:
    assert curve_by_name(value).name == name


@pytest.mark.parametrize("curve", CURVES, ids=by_id)
def test_table_is_consistent(curve: Curve) -> None:
    for spelling in (curve.name, curve.oid, *curve.aliases):
        assert curve_by_name(spelling) is curve
        assert curve_by_name(spelling.upper()) is curve
        assert curve_by_name(f"NID_{curve.name}") is curve
    assert curve_by_ec_params(curve.ec_params()) is curve
    assert curve.bits >= 224


def test_no_two_curves_share_anything() -> None:
    for field in ("name", "oid"):
        assert len({getattr(curve, field) for curve in CURVES}) == len(CURVES)
    assert set(explicit_curve.DIGESTS) == {curve.name for curve in WEIERSTRASS}
    assert len(set(explicit_curve.DIGESTS.values())) == len(WEIERSTRASS)
    plain = [_curves.plain(name) for curve in CURVES for name in (curve.name, *curve.aliases)]
    numbers = [curve.number for curve in CURVES if curve.number]
    assert len(set(plain)) == len(_curves._BY_NAME) and sorted(numbers) == [2, 13, 14, 15, 16]
    for name, curve in _curves._BY_NAME.items():
        assert [other for other in CURVES if name in map(_curves.plain, (other.name, *other.aliases))] == [curve]


REFUSED_192 = ["1", 1, "prime192v1", "P-192", "p192", "NIST P-192", "secp192r1", "nistp192", "NID_X9_62_prime192v1"]


@pytest.mark.parametrize(
    "value", [*REFUSED_192, "1.2.840.10045.3.1.1", "secp192k1", "brainpoolP192r1", "brainpoolP192t1"]
)
def test_refused_for_192_bits(value: str | int) -> None:
    with pytest.raises(ValueError, match=r"192 bits, below the 224 bits \(112 bits of security\)") as caught:
        curve_by_name(value)
    reason = str(caught.value)
    assert "SP 800-57 part 1" in reason and "SP 800-186" in reason
    # The number is the command's own, and so is its answer; a name says nothing of that product.
    assert ("0xb3 'violates the current configured/FIPS policies'" in reason) is (value in ("1", 1))


@pytest.mark.parametrize(
    ("value", "part"),
    [(number, "binary field") for number in range(3, 13)]
    + [(3, "sect163k1"), (4, "sect163r2"), ("12", "sect571r1")]
    + [("sect233k1", "binary"), ("B-283", "binary"), ("K-571", "binary"), ("c2tnb359v1", "binary")]
    + [("c2pnb272w1", "binary"), ("1.3.132.0.26", "(sect233k1) is over a binary"), ("Oakley-EC2N-3", "binary")]
    + [("secp112r1", "112 bits"), ("secp160r2", "160 bits"), ("1.3.132.0.6", "(secp112r1) has 112 bits")]
    + [
        ("brainpoolP160r1", "160 bits"),
        ("wap-wsg-idm-ecid-wtls7", "WAP"),
        ("2.23.43.1.4.7", "wtls7) is a curve of WAP"),
    ]
    + [("wap-wsg-idm-ecid-wtls12", "same curve as secp224r1"), ("X25519", "cannot sign"), ("curve448", "cannot sign")]
    + [("1.3.101.110", "(X25519)"), ("1.3.101.111", "(X448)")]
    + [(0, "none of the HSM command's numbers 2 (secp256r1), 13"), (17, "give the curve's name"), (-2, "none of")]
    + [
        ("secp256r2", "Usual names: secp256r1"),
        ("secp224r2", "Usual names"),
        ("p-257", "Usual names"),
        ("", "Usual names"),
        ("256", "none of"),
    ]
    + [("1.2.3", "Usual names"), ("nid", "Usual names"), ("9" * 5000, "Usual names"), ("x" * 500, "xxx...'")]
    + [(True, "quote it"), (None, "quote it"), (2.0, "quote it"), (["secp256r1"], "quote it")],
)
def test_refusals(value: t.Any, part: str) -> None:
    with pytest.raises(ValueError, match=re.escape(part)) as caught:
        curve_by_name(value)
    assert "\n" not in str(caught.value) and len(str(caught.value)) < 400


@needs_openssl
def test_every_curve_of_openssl_is_taken_or_refused_with_a_reason() -> None:
    listed = subprocess.run(["openssl", "ecparam", "-list_curves"], capture_output=True, text=True, check=True).stdout
    names = re.findall(r"^\s+(\S+?)\s*:", listed, re.MULTILINE)
    assert names
    for name in names:
        try:
            curve_by_name(name)
        except ValueError as error:
            assert "no curve that is known" not in str(error), name


@needs_openssl
@pytest.mark.parametrize("form", ["compressed", "uncompressed", "hybrid"])
@pytest.mark.parametrize("curve", WEIERSTRASS, ids=by_id)
def test_explicit_parameters_of_openssl(curve: Curve, form: str) -> None:
    name = OPENSSL_NAMES.get(curve.name, curve.name)
    explicit = openssl_params(name, form=form)
    digest = explicit_curve._digest(keys.SpecifiedECDomain.load(explicit))
    assert explicit_curve.DIGESTS[curve.name] == digest, f"the parameters of {curve.name} are {digest}"
    assert curve_by_ec_params(explicit) is curve
    assert keys.SpecifiedECDomain.load(explicit)["field_id"]["parameters"].native.bit_length() == curve.bits
    assert openssl_params(name, "named_curve") == curve.ec_params()


@needs_openssl
def test_every_changed_parameter_is_noticed() -> None:
    explicit = openssl_params("secp384r1")
    size = 48
    domain = keys.SpecifiedECDomain.load(explicit)
    parts: list[bytes] = [domain["curve"]["a"].native, domain["curve"]["b"].native]
    parts += [domain["base"].contents[1 : 1 + size], domain["base"].contents[1 + size :]]
    parts += [domain[one].contents for one in ("order", "cofactor")]
    parts += [domain["field_id"]["parameters"].contents]
    for part in parts:
        at = explicit.rindex(part) + len(part) - 1  # the cofactor is the last byte
        for bit in (1, 2, 128):
            changed = explicit[:at] + bytes([explicit[at] ^ bit]) + explicit[at + 1 :]
            assert curve_by_ec_params(changed) is None, part.hex()


@needs_openssl
def test_other_generator_of_the_same_group_is_not_the_curve() -> None:
    """CVE-2020-0601: with a generator of the attacker's choice any key can be made to fit; -G has the same x."""
    explicit = openssl_params("prime256v1")
    domain = keys.SpecifiedECDomain.load(explicit)
    point, p = domain["base"].contents, domain["field_id"]["parameters"].native
    minus = (p - int.from_bytes(point[33:], "big")).to_bytes(32, "big")
    assert curve_by_ec_params(explicit.replace(point[33:], minus)) is None


@needs_openssl
def test_coordinates_are_below_the_prime() -> None:
    """2p - y has y's parity and lies on the curve, but it is -y: P-521 has the room to write it."""
    explicit = openssl_params("secp521r1")
    domain = keys.SpecifiedECDomain.load(explicit)
    y, p = domain["base"].contents[67:], domain["field_id"]["parameters"].native
    other = (2 * p - int.from_bytes(y, "big")).to_bytes(66, "big")
    assert curve_by_ec_params(explicit.replace(y, other)) is None


@needs_openssl
def test_a_base_point_says_how_it_is_written() -> None:
    """Its first byte (SEC 1, 2.3.3; X9.62, 4.3.6): with y, without, or both, and the length that goes with it."""
    explicit = openssl_params("prime256v1")
    point = keys.SpecifiedECDomain.load(explicit)["base"].contents
    odd = point[-1] & 1
    for first in range(9):
        found = curve_by_ec_params(explicit.replace(point, bytes([first]) + point[1:]))
        assert (found is not None) is (first in (4, 6 + odd)), first


@needs_openssl
@pytest.mark.parametrize("encoding", ["named_curve", "explicit"])
def test_nothing_may_follow(encoding: str) -> None:
    der = openssl_params("prime256v1", encoding)
    assert curve_by_ec_params(der) and curve_by_ec_params(der + b"\0") is None
    assert curve_by_ec_params(b"\x13\x05P-256") and curve_by_ec_params(b"\x13\x05P-256\0") is None


@needs_openssl
def test_leading_zeros_and_left_out_cofactor_do_not_matter() -> None:
    domain = keys.SpecifiedECDomain.load(openssl_params("secp521r1"))
    domain["curve"]["a"] = domain["curve"]["a"].native.lstrip(b"\0")
    domain["curve"]["b"] = b"\0\0" + domain["curve"]["b"].native
    del domain["cofactor"]
    assert curve_by_ec_params(domain.dump(force=True)) is curve_by_name("secp521r1")


@needs_openssl
@pytest.mark.parametrize("name", ["prime192v1", "sect283k1", "secp112r1", "brainpoolP192r1"])
def test_refused_curves_are_not_recognised(name: str) -> None:
    assert curve_by_ec_params(openssl_params(name)) is None
    assert curve_by_ec_params(openssl_params(name, "named_curve")) is None


def test_other_descriptions() -> None:
    for name, curve in (("edwards25519", "ed25519"), ("edwards448", "ed448"), ("secp384r1", "secp384r1")):
        assert curve_by_ec_params(core.PrintableString(name).dump()) is curve_by_name(curve)
    for oid, curve in (("1.3.6.1.4.1.11591.15.1", "ed25519"), ("2.23.43.1.4.12", "secp224r1")):
        assert curve_by_ec_params(core.ObjectIdentifier(oid).dump()) is curve_by_name(curve)
    for der in (core.PrintableString("curve25519"), core.ObjectIdentifier("1.3.101.110"), core.Null()):
        assert curve_by_ec_params(der.dump()) is None
    assert curve_by_ec_params(curve_by_name("P-256").ec_params() + b"\0") is None


@given(st.binary(max_size=300))
def test_garbage_is_none(der: bytes) -> None:
    for head in (b"", b"\x06", b"\x13", b"\x30"):
        assert curve_by_ec_params(head + der) is None or head + der in {curve.ec_params() for curve in CURVES}


def test_what_asn1crypto_stumbles_over_is_none(monkeypatch: pytest.MonkeyPatch) -> None:
    def stumble(_domain: t.Any) -> str:
        raise AttributeError

    monkeypatch.setattr(explicit_curve, "_digest", stumble)
    assert curve_by_ec_params(bytes.fromhex("3003020199")) is None


EXPLICIT = openssl_params("prime256v1") if shutil.which("openssl") else b"\x30\x00" + bytes(300)


@given(st.integers(0, len(EXPLICIT) - 1), st.binary(max_size=5), st.integers(0, 5))
def test_damaged_parameters_never_raise(at: int, put: bytes, drop: int) -> None:
    assert curve_by_ec_params(EXPLICIT[:at] + put + EXPLICIT[at + drop :]) in (None, curve_by_name("P-256"))


@given(st.text(max_size=60) | st.integers() | st.sampled_from("-_ .").map(lambda sign: f"P{sign}256"))
def test_names_give_a_curve_or_one_line(value: str | int) -> None:
    try:
        assert curve_by_name(value) in CURVES
    except ValueError as error:
        assert len(str(error).splitlines()) == 1


@pytest.mark.parametrize("curve", CURVES, ids=by_id)
def test_softhsm_generates_it(curve: Curve, softhsm_session: t.Any) -> None:
    pkcs11 = pytest.importorskip("pkcs11")
    mechanism = pkcs11.Mechanism
    kwargs: dict[str, t.Any] = {}
    if curve.key_type == "ec_edwards":
        kwargs["mechanism"] = mechanism.EC_EDWARDS_KEY_PAIR_GEN
    public, private = softhsm_session.generate_keypair(
        getattr(pkcs11.KeyType, curve.key_type.upper()),
        public_template={pkcs11.Attribute.EC_PARAMS: curve.ec_params()},
        **kwargs,
    )
    sign = mechanism.EDDSA if curve.key_type == "ec_edwards" else mechanism.ECDSA
    assert public.verify(b"x" * 28, private.sign(b"x" * 28, mechanism=sign), mechanism=sign)
    assert curve_by_ec_params(private[pkcs11.Attribute.EC_PARAMS]) is curve
    point = core.OctetString.load(public[pkcs11.Attribute.EC_POINT]).native
    size = (curve.bits + 7) // 8
    assert len(point) == {"ed25519": 32, "ed448": 57}.get(curve.name, 2 * size + 1)
    private.destroy()
    public.destroy()


@pytest.fixture(scope="module")
def softhsm_session(tmp_path_factory: pytest.TempPathFactory) -> t.Iterator[t.Any]:
    """A session of a throw-away SoftHSM token, on a copy of the library: its state is a process's."""
    pkcs11 = pytest.importorskip("pkcs11")
    if not shutil.which("softhsm2-util"):
        pytest.skip("needs softhsm2")
    folder = tmp_path_factory.mktemp("softhsm")
    (folder / "tokens").mkdir()
    (folder / "conf").write_text(f"directories.tokendir = {folder}/tokens\n")
    library = shutil.copy(SOFTHSM, folder / "libsofthsm2.so")
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("SOFTHSM2_CONF", str(folder / "conf"))
        init = ["softhsm2-util", "--init-token", "--free", "--label", "curves", "--pin", "1234", "--so-pin", "1234"]
        subprocess.run(init, check=True, capture_output=True)
        token = pkcs11.lib(str(library)).get_token(token_label="curves")
        with token.open(rw=True, user_pin="1234") as session:
            yield session


@pytest.mark.parametrize(
    ("text", "near"), [("sec256r1", "secp256r1"), ("brainpoolP256", "brainpoolP256[rt]1"), ("P-257", "P-25")]
)
def test_a_near_curve_is_asked_for(text: str, near: str) -> None:
    with pytest.raises(ValueError, match=f"is no curve that is known here, did you mean {near}"):
        curve_by_name(text)


@pytest.mark.parametrize(
    ("name", "spellings"),
    [
        ("secp192r1", [1, "1", "P-192", "prime192v1", "nistp192", "secp192r1", "1.2.840.10045.3.1.1"]),
        ("prime192v2", ["prime192v2"]),
        ("secp112r1", ["secp112r1", "1.3.132.0.6"]),
        ("secp160k1", ["secp160k1"]),
        ("brainpoolp160r1", ["brainpoolP160r1"]),
        ("sect163r2", [4, "B-163", "sect163r2", "nistb163"]),
        ("sect163k1", [3, "K-163"]),
        ("sect571r1", [12, "B-571"]),
        ("c2pnb163v1", ["c2pnb163v1"]),
        ("wap-wsg-idm-ecid-wtls4", ["wap-wsg-idm-ecid-wtls4", "2.23.43.1.4.4"]),
    ],
)
def test_weak_curves_by_every_spelling(name: str, spellings: list[t.Any]) -> None:
    for spelling in spellings:
        found = weak_curve(spelling)
        assert found and found.name == name and name_of(found.ec_params()) == name, spelling


@pytest.mark.parametrize("value", [True, 2.5, None, 2, 99, "P-256", "x25519", "1.3.101.110", "P-999", "1.2.3", "wtls"])
def test_what_is_no_weak_curve(value: t.Any) -> None:
    assert weak_curve(value) is None


def test_the_refusals_of_weak_curves_and_their_names_go_together() -> None:
    for oid in keys.NamedCurve._map:
        assert (weak_curve(oid) is None) == (oid in {curve.oid for curve in CURVES}), oid


def test_what_names_no_curve() -> None:
    assert name_of(b"\x06\x03*\x03\x04") == "1.2.3.4" and name_of(b"\x05\x00") is None and name_of(b"") is None
    assert name_of(b"\x06\x03*\x03\x04\x00") is None  # nothing may follow


def test_without_asn1crypto_no_weak_curve_is_known(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "asn1crypto", None)
    spec = importlib.util.spec_from_file_location("curves_alone", _curves.__file__)
    assert spec and spec.loader
    alone = importlib.util.module_from_spec(spec)
    monkeypatch.setitem(sys.modules, spec.name, alone)
    spec.loader.exec_module(alone)
    assert alone.HAS_ASN1CRYPTO is False
    assert alone.curve_by_ec_params(curve_by_name("P-256").ec_params()) is None
    monkeypatch.setattr(_curves, "HAS_ASN1CRYPTO", False)
    assert weak_curve("P-192") is None

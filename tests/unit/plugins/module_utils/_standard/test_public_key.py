# Copyright (c) 2026, The cryptoki.hsm authors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Public keys: the commands' documented dumps, and the SubjectPublicKeyInfo of cryptography, from every form."""

from __future__ import annotations

import hashlib
import typing as t

import pytest
from asn1crypto import keys
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import ec
from hypothesis import given
from hypothesis import strategies as st

from ansible_collections.cryptoki.hsm.plugins.module_utils._standard import ec_key
from ansible_collections.cryptoki.hsm.plugins.module_utils._standard import public_key as _public_key
from ansible_collections.cryptoki.hsm.plugins.module_utils._standard.attributes import PRIVATE, PUBLIC, Value
from ansible_collections.cryptoki.hsm.plugins.module_utils._standard.curves import CURVES, curve_by_name
from ansible_collections.cryptoki.hsm.plugins.module_utils._standard.public_key import spki_of
from ansible_collections.cryptoki.hsm.tests.support import memory_keys
from ansible_collections.cryptoki.hsm.tests.support.memory_keys import SPKI, material, octet_string, private_key

# OBJ_ATTR_MODULUS of the dumps on AWS's pages genRSAKeyPair and genECCKeyPair (a point on P-256).
RSA_DUMP = (
    "bb9301cc362c1d9724eb93da8adab0364296bde7124a241087d9436b9be57e4f7780040df03c2c1c0fe6e3b61aa83c205280119452868f66"
    "541bbbffacbbe787b8284fc81deaeef2b8ec0ba25a077d6983c77a1de7b17cbe8e15b203868704c6452c2810344a7f2736012424cf0703cf"
    "15a37183a1d2d097240829f8f90b063dd3a41171402b162578d581980976653935431da0c1260bfe756d85dca63857d9f27a541676cb9c7d"
    "ef0ef6a2a89c9b9304bcac16fdf8183c0a555421f9ad5dfeb534cf26b65873970cdf1a07484f1c128b53e10209cc6f7ac308669112968c81"
    "a5de408e7f644fe58b1a9ae1286fecb3e4203294a96fae06f8f0db7982cb5d7f"
)
EC_DUMP = (
    "044a0f9d01d10f7437d9fa20995f0cc742552e5ba16d3d7e9a65a33e20ad3e569e68eb62477a9960a87911e6121d112b698e469a0329a665"
    "eba74ee5ac55eae9f5"
)
KINDS = ["2048", *memory_keys.CURVES, "ed25519", "ed448"]


def test_kcv_of_the_rsa_dump() -> None:
    spki = _public_key.rsa_spki(bytes.fromhex(RSA_DUMP), b"\x01\x00\x01")
    assert _public_key.kcv(spki) == "c51c18"
    assert serialization.load_der_public_key(spki).key_size == 2048  # type: ignore[union-attr]


@pytest.mark.parametrize("wrapped", [False, True])
def test_kcv_of_the_ecc_dump(wrapped: bool) -> None:
    point = bytes.fromhex(EC_DUMP)
    spki = ec_key.spki(curve_by_name("P-256"), octet_string(point) if wrapped else point)
    assert _public_key.kcv(spki) == "bbb32a"
    with pytest.raises(ValueError, match="^65 bytes are no point of secp384r1$"):
        ec_key.spki(curve_by_name("P-384"), point)


@pytest.mark.parametrize("kind", KINDS)
def test_the_spki_is_that_of_cryptography(kind: str) -> None:
    key = private_key(kind)
    expected = key.public_key().public_bytes(*SPKI)
    found = material(key)
    assert spki_of(found[PUBLIC]) == expected
    assert spki_of(found[PRIVATE]) == (expected if kind == "2048" else None), "an EC private half tells no point"
    pem = key.public_key().public_bytes(serialization.Encoding.PEM, SPKI[1])
    assert _public_key.public_key_pem(expected) == pem.decode()
    assert _public_key.fingerprint(expected) == hashlib.sha256(expected).hexdigest()


@pytest.mark.parametrize("kind", [*memory_keys.CURVES, "ed25519", "ed448"])
def test_each_form_of_a_point(kind: str) -> None:
    public = private_key(kind).public_key()
    both = material(private_key(kind))[PUBLIC]
    expected = public.public_bytes(*SPKI)
    wrapped = t.cast(bytes, both["ec_point"])
    raw = keys.PublicKeyInfo.load(expected)["public_key"].native
    assert octet_string(raw) == wrapped
    assert spki_of({**both, "ec_point": raw}) == expected, "raw, as OpenSC and AWS give it"
    for broken in (raw[:-1], raw + b"\0", wrapped[:-1], wrapped + b"\0", octet_string(raw[:-1]), b"\x03" + wrapped[1:]):
        assert spki_of({**both, "ec_point": broken}) is None


def test_a_compressed_point_is_taken_as_it_is() -> None:
    public = private_key("secp256r1").public_key()
    form = (serialization.Encoding.X962, serialization.PublicFormat.CompressedPoint)
    spki = ec_key.spki(curve_by_name("P-256"), octet_string(public.public_bytes(*form)))
    loaded = serialization.load_der_public_key(spki)
    assert isinstance(loaded, ec.EllipticCurvePublicKey)
    assert loaded.public_numbers() == public.public_numbers()


def test_explicit_parameters_are_the_named_curve() -> None:
    # openssl ecparam -name prime256v1 -param_enc explicit -outform DER
    explicit = bytes.fromhex(
        "3081f7020101302c06072a8648ce3d0101022100ffffffff00000001000000000000000000000000ffffffffffffffffffffffff"
        "305b0420ffffffff00000001000000000000000000000000fffffffffffffffffffffffc04205ac635d8aa3a93e7b3ebbd557698"
        "86bc651d06b0cc53b0f63bce3c3e27d2604b031500c49d360886e704936a6678e1139d26b7819f7e900441046b17d1f2e12c4247"
        "f8bce6e563a440f277037d812deb33a0f4a13945d898c2964fe342e2fe1a7f9b8ee7eb4a7c0f9e162bce33576b315ececbb64068"
        "37bf51f5022100ffffffff00000000ffffffffffffffffbce6faada7179e84f3b9cac2fc632551020101"
    )
    both = material(private_key("secp256r1"))[PUBLIC]
    expected = private_key("secp256r1").public_key().public_bytes(*SPKI)
    assert spki_of({**both, "ec_params": explicit}) == expected
    info = keys.PublicKeyInfo.load(expected)
    algorithm = {"algorithm": "ec", "parameters": keys.ECDomainParameters.load(explicit)}
    written_out = keys.PublicKeyInfo({"algorithm": algorithm, "public_key": info["public_key"].native}).dump()
    assert len(written_out) > len(expected)
    assert spki_of({"public_key_info": written_out}) == expected, "CKA_PUBLIC_KEY_INFO with explicit parameters"


@pytest.mark.parametrize("kind", KINDS)
def test_public_key_info_of_a_private_half(kind: str) -> None:
    expected = private_key(kind).public_key().public_bytes(*SPKI)
    assert spki_of({"public_key_info": expected}) == expected
    length = 2 if expected[1] < 0x80 else 2 + (expected[1] & 0x7F)
    size = expected[1:2] if length == 2 else expected[2:length]
    ber = b"\x30" + bytes([0x84]) + size.rjust(4, b"\0") + expected[length:]  # a length that is longer than it need be
    assert spki_of({"public_key_info": ber}) == expected
    for broken in (expected[:-1], expected + b"\0", expected[1:], b"\0", b"\x30\x00"):
        assert spki_of({"public_key_info": broken}) is None


@given(st.sampled_from(["2048", "secp256r1", "ed25519"]), st.data())
def test_a_spoilt_public_key_info_never_raises(kind: str, data: st.DataObject) -> None:
    info = bytearray(private_key(kind).public_key().public_bytes(*SPKI))
    for _dummy in range(data.draw(st.integers(1, 3))):
        info[data.draw(st.integers(0, min(40, len(info) - 1)))] = data.draw(st.integers(0, 255))
    assert isinstance(spki_of({"public_key_info": bytes(info)}), (bytes, type(None)))


def test_an_ec_public_key_info_without_parameters() -> None:
    info = {"algorithm": {"algorithm": "ec"}, "public_key": bytes.fromhex(EC_DUMP)}
    assert spki_of({"public_key_info": keys.PublicKeyInfo(info).dump()}) is None


def test_a_spoilt_public_key_info_does_not_hide_the_modulus() -> None:
    known = material(private_key("2048"))[PRIVATE]
    assert spki_of(known) and spki_of({**known, "public_key_info": b"\0"}) == spki_of(known)


@pytest.mark.parametrize("size", [0, 1, 2, 80, 105, 106, 107, 120, 128, 230, 232, 256, 512, 65_500, 65_536])
@pytest.mark.parametrize("first", [0x00, 0x01, 0x7F, 0x80])
def test_the_spki_of_an_rsa_key_is_that_of_asn1crypto(size: int, first: int) -> None:
    """The sizes are those at which a length gets another octet."""
    modulus = bytes([first]) + b"\x5a" * size
    for exponent in (3, 65537, 0x80):
        key = keys.RSAPublicKey({"modulus": int.from_bytes(modulus, "big"), "public_exponent": exponent})
        expected = keys.PublicKeyInfo.wrap(key, "rsa").dump()
        assert _public_key.rsa_spki(modulus, exponent.to_bytes(4, "big")) == expected


@given(st.binary(min_size=1, max_size=40), st.binary(min_size=1, max_size=4))
def test_leading_zeros_of_a_modulus_make_no_difference(modulus: bytes, exponent: bytes) -> None:
    one = spki_of({"modulus": modulus, "public_exponent": exponent})
    assert one == spki_of({"modulus": b"\0" + modulus, "public_exponent": b"\0\0" + exponent})
    assert one == _public_key.rsa_spki(modulus, exponent)


@pytest.mark.parametrize(
    "attributes",
    [
        {},
        {"modulus": b"\x01"},
        {"public_exponent": b"\x01"},
        {"modulus": b"", "public_exponent": b"\x03"},
        {"modulus": b"\x01", "public_exponent": b""},
        {"modulus": None, "public_exponent": b"\x03"},
        {"ec_params": b"\x06\x01\x00", "ec_point": bytes.fromhex(EC_DUMP)},
        {"ec_params": b"", "ec_point": b"\x04"},
        {"ec_point": bytes.fromhex(EC_DUMP)},
        {"public_key_info": b""},
        {"public_key_info": None},
    ],
)
def test_what_tells_no_key(attributes: dict[str, Value | None]) -> None:
    assert spki_of(attributes) is None


@pytest.mark.parametrize("curve", CURVES, ids=lambda curve: curve.name)
def test_each_curve_has_its_length_of_point(curve: t.Any) -> None:
    size = {"ed25519": 32, "ed448": 57}.get(curve.name, 2 * ((curve.bits + 7) // 8) + 1)
    point = b"\x04" + b"\x01" * (size - 1)
    info = keys.PublicKeyInfo.load(ec_key.spki(curve, point))
    assert info["public_key"].native == point
    assert info["algorithm"]["algorithm"].dotted == ("1.2.840.10045.2.1" if curve.key_type == "ec" else curve.oid)

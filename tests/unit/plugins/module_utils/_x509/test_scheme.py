# Copyright (c) 2026, The cryptoki.hsm authors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Which mechanism signs, and what signs for cryptography's builders."""

from __future__ import annotations

import typing as t

import pytest
from cryptography.hazmat.primitives.asymmetric import x25519

from ansible_collections.cryptoki.hsm.plugins.module_utils._standard.errors import TokenError
from ansible_collections.cryptoki.hsm.plugins.module_utils._standard.mechanisms import MECHANISMS, Mechanism
from ansible_collections.cryptoki.hsm.plugins.module_utils._x509 import request as _request
from ansible_collections.cryptoki.hsm.plugins.module_utils._x509.names import distinguished
from ansible_collections.cryptoki.hsm.plugins.module_utils._x509.profile import Profile
from ansible_collections.cryptoki.hsm.plugins.module_utils._x509.scheme import Scheme, scheme_in, scheme_of
from ansible_collections.cryptoki.hsm.plugins.module_utils._x509.signature import public_key, verifies
from ansible_collections.cryptoki.hsm.plugins.module_utils._x509.stand_in import stand_in
from ansible_collections.cryptoki.hsm.tests.support.memory_keys import pair_of, private_key
from ansible_collections.cryptoki.hsm.tests.support.memory_token import Keys

DIGESTS = ("sha256", "sha384", "sha512")


class Token:
    """A key that signs with these mechanisms only, and what a request was signed with."""

    def __init__(self, kind: str, *names: str) -> None:
        key = private_key(kind)
        self._pair = pair_of(key, {"sign": True})
        self.keys = Keys()
        self.keys.of[self._pair.private.handle] = key
        if names:
            self.keys.mechanisms = {MECHANISMS[name].code for name in names}
        self.public: t.Any = key.public_key()

    def request(self, scheme: Scheme, allowed: t.Collection[int] = ()) -> t.Any:
        signer = stand_in(self.public, scheme, allowed, self.sign)
        return _request.made(Profile(distinguished("CN=name")), self.public, scheme, signer)

    def sign(self, mechanism: Mechanism, data: bytes) -> bytes:
        return self.keys.sign(self._pair.private, mechanism, data)


@pytest.mark.parametrize("digest", DIGESTS)
@pytest.mark.parametrize(
    ("kind", "name", "first", "second"),
    [
        ("2048", "pkcs1v15", "CKM_{}_RSA_PKCS", "CKM_RSA_PKCS"),
        ("secp256r1", "ecdsa", "CKM_ECDSA", "CKM_ECDSA_{}"),
        ("secp521r1", "ecdsa", "CKM_ECDSA", "CKM_ECDSA_{}"),
    ],
)
def test_each_scheme_with_each_mechanism(kind: str, name: t.Any, first: str, second: str, digest: str) -> None:
    scheme = Scheme(name, digest)
    for pattern, mechanisms in ((first, ()), (second, (second,))):
        token = Token(kind, *(one.format(digest.upper()) for one in mechanisms))
        request = token.request(scheme)
        assert verifies(request, token.public, scheme) and request.is_signature_valid
        assert scheme_in(request) == scheme
        assert token.keys.uses == [f"sign {pattern.format(digest.upper())}"]


@pytest.mark.parametrize("digest", DIGESTS)
def test_pss_has_a_salt_as_long_as_its_digest(digest: str) -> None:
    token, scheme = Token("2048"), Scheme("pss", digest)
    request = token.request(scheme)
    assert request.is_signature_valid and verifies(request, token.public, scheme)
    assert scheme_in(request) == scheme
    assert request.signature_algorithm_parameters._salt_length == scheme.hash.digest_size
    assert not verifies(request, token.public, Scheme("pkcs1v15", digest))


def test_pss_over_a_digest_that_is_made_outside() -> None:
    """Where the token has CKM_RSA_PKCS_PSS only; its parameter tells the digest."""
    asked: list[tuple[str, str, int]] = []

    def sign(mechanism: Mechanism, data: bytes) -> bytes:
        asked.append((mechanism.name, mechanism.hash, len(data)))
        raise TokenError("sign", "CKR_MECHANISM_INVALID" if len(asked) == 1 else "CKR_DEVICE_ERROR")

    key = private_key("2048").public_key()
    scheme = Scheme("pss", "sha384")
    with pytest.raises(TokenError, match="CKR_DEVICE_ERROR"):
        _request.made(Profile(distinguished("CN=name")), key, scheme, stand_in(key, scheme, (), sign))
    assert asked[1:] == [("CKM_RSA_PKCS_PSS", "sha384", 48)]


def test_only_what_the_key_may_be_used_with() -> None:
    code = MECHANISMS["CKM_RSA_PKCS"].code
    token = Token("2048")
    assert verifies(token.request(Scheme("pkcs1v15", "sha512"), [code]), token.public)
    assert token.keys.uses == ["sign CKM_RSA_PKCS"]
    assert Scheme("pss", "sha256").allowed([code]) == []


def test_the_first_refusal_is_told_and_any_other_error_ends_it() -> None:
    with pytest.raises(TokenError, match="CKR_MECHANISM_INVALID"):
        Token("2048", "CKM_EDDSA").request(Scheme("pkcs1v15", "sha256"))

    def lost(mechanism: Mechanism, data: bytes) -> bytes:
        raise TokenError("sign", "CKR_DEVICE_REMOVED")

    key, scheme = private_key("ed25519").public_key(), Scheme("eddsa")
    with pytest.raises(TokenError, match="CKR_DEVICE_REMOVED"):
        _request.made(Profile(distinguished("CN=name")), key, scheme, stand_in(key, scheme, (), lost))


def test_what_others_signed_is_not_believed() -> None:
    token = Token("secp256r1")
    request = token.request(Scheme("ecdsa", "sha256"))
    assert verifies(request, token.public)
    assert not verifies(request, private_key("secp256r1", 2).public_key())
    assert not verifies(request, private_key("2048").public_key())
    assert not verifies(request, None)


@pytest.mark.parametrize(
    ("kind", "given", "scheme"),
    [
        ("2048", (None, None), Scheme("pkcs1v15", "sha256")),
        ("2048", ("pss", "sha512"), Scheme("pss", "sha512")),
        ("secp256r1", (None, None), Scheme("ecdsa", "sha256")),
        ("secp384r1", (None, None), Scheme("ecdsa", "sha384")),
        ("secp521r1", (None, None), Scheme("ecdsa", "sha512")),
        ("secp521r1", (None, "sha256"), Scheme("ecdsa", "sha256")),
        ("ed25519", (None, "sha256"), Scheme("eddsa")),
    ],
)
def test_the_scheme_of_a_key(kind: str, given: tuple[str | None, str | None], scheme: Scheme) -> None:
    assert scheme_of(private_key(kind).public_key(), *given) == scheme


def test_a_key_that_signs_otherwise_or_not_at_all() -> None:
    with pytest.raises(ValueError, match="pss is a scheme of RSA keys"):
        scheme_of(private_key("secp256r1").public_key(), "pss", None)
    with pytest.raises(ValueError, match="signs no certificates"):
        scheme_of(x25519.X25519PrivateKey.generate().public_key(), None, None)
    with pytest.raises(ValueError, match="does not tell"):
        public_key(None)
    with pytest.raises(ValueError, match="does not know"):
        public_key(b"\x30\x00")

# Copyright (c) 2026, The cryptoki.hsm authors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Modules that sign, on a token in memory: run as Ansible runs them, with real files."""

from __future__ import annotations

import typing as t

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

from ansible_collections.cryptoki.hsm.plugins.module_utils._pair.keypair import KeyPair
from ansible_collections.cryptoki.hsm.tests.support.memory_keys import pair_of, private_key
from ansible_collections.cryptoki.hsm.tests.support.memory_module import use_token
from ansible_collections.cryptoki.hsm.tests.support.memory_token import MemorySession
from ansible_collections.cryptoki.hsm.tests.support.module_call import call_module

Result = dict[str, t.Any]
KINDS = ("2048", "secp256r1", "secp384r1", "secp521r1", "ed25519")
ROOT: dict[str, t.Any] = {
    "common_name": "Example Root CA",
    "basic_constraints": ["CA:TRUE"],
    "basic_constraints_critical": True,
    "key_usage": ["keyCertSign", "cRLSign"],
    "key_usage_critical": True,
    "not_after": "+7300d",
}
SERVER: dict[str, t.Any] = {"key_usage": ["digitalSignature"], "key_usage_critical": True, "not_after": "+90d"}
SUB: dict[str, t.Any] = {**ROOT, "common_name": "Example Sub CA", "not_after": "+3650d"}


def request_of(key: t.Any, *extensions: x509.ExtensionType, name: str = "www.example.org") -> str:
    """A request of a key outside."""
    builder = x509.CertificateSigningRequestBuilder(x509.Name([x509.NameAttribute(x509.OID_COMMON_NAME, name)]))
    for one in extensions:
        builder = builder.add_extension(one, critical=False)
    digest = None if "ed" in type(key).__name__.lower()[:3] else hashes.SHA256()
    return builder.sign(key, digest).public_bytes(Encoding.PEM).decode()


def public_pem(key: t.Any) -> str:
    pem: bytes = key.public_key().public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo)
    return pem.decode()


def loaded(result: Result) -> x509.Certificate:
    assert result.get("certificate"), result
    return x509.load_pem_x509_certificate(result["certificate"].encode())


class Certifier:
    """A token with one pair of the label root, which signs, and the tasks that use it."""

    def __init__(
        self, monkeypatch: pytest.MonkeyPatch, kind: str = "secp256r1", number: int = 0, **private: t.Any
    ) -> None:
        self.options: dict[str, t.Any] = {}
        self.key = private_key(kind, number)
        self.pair: KeyPair = pair_of(self.key, {"sign": True, **private})
        self.session = MemorySession(self.pair)
        self.session.keys.of[self.pair.private.handle] = self.key
        self._asked = use_token(monkeypatch, self.session)

    @property
    def signatures(self) -> int:
        """How often the token signed."""
        return len(self.session.keys.uses)

    def run(self, module: str, check_mode: bool = False, **given: t.Any) -> Result:
        """The result of a task; None takes an option away."""
        login = {"module_path": "/lib.so", "token_label": "memory", "pin": "93-user-7415", "label": "root"}
        options = {name: value for name, value in {**login, **given}.items() if value is not None}
        shown = call_module(module, {**options, "_ansible_check_mode": check_mode})
        assert not shown.stderr, shown.stderr
        if module != "hsm_certificate_object":
            assert not any(writable for writable, _threads in self._asked), "to sign, nothing is changed on the token"
        return shown.result

    def four_ways(self, module: str, **given: t.Any) -> Result:
        """The result of a task that is foretold, happens, and is foretold and happens no more; without a warning."""
        ways = [self.run(module, check_mode, **given) for check_mode in (True, False)]
        signed = self.signatures
        ways += [self.run(module, check_mode, **given) for check_mode in (True, False)]
        assert [way.get("changed") for way in ways] == [True, True, False, False], ways
        assert not any(way.get("warnings") for way in ways)
        assert self.signatures == signed
        return ways[1]

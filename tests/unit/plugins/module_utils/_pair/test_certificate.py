# Copyright (c) 2026, The cryptoki.hsm authors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What is read of a certificate on a token, whatever it holds."""

from __future__ import annotations

import hashlib

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ansible_collections.cryptoki.hsm.plugins.module_utils._pair.certificate import Certificate, describe_certificate
from ansible_collections.cryptoki.hsm.plugins.module_utils._pair.problems import is_stale
from ansible_collections.cryptoki.hsm.tests.support.memory_certificates import certificate_of, der
from ansible_collections.cryptoki.hsm.tests.support.memory_keys import pair_of, private_key


@pytest.mark.parametrize("kind", ["2048", "secp256r1", "secp521r1", "ed25519"])
def test_a_certificate_is_told_from_that_of_another_key(kind: str) -> None:
    key = private_key(kind)
    public = key.public_key()
    own = Certificate(1, "web", b"1", der(public))
    assert not is_stale(own, pair_of(key).spki)
    assert is_stale(own, pair_of(private_key(kind, 99)).spki)
    assert not is_stale(own, None), "what is not known is not stale"


def test_what_is_returned() -> None:
    found = certificate_of(private_key("secp256r1"), name="web, O=x")
    assert describe_certificate(found) == {
        "label": "web",
        "id_hex": "01",
        "subject": "CN=web\\, O=x",
        "issuer": "CN=web\\, O=x",
        "serial_number": "4f:6e:17",
        "not_before": "2026-01-01T00:00:00Z",
        "not_after": "2036-01-01T00:00:00Z",
        "fingerprint": hashlib.sha256(found.value).digest().hex(":"),
    }
    assert str(found) == "(certificate, subject 'CN=web\\, O=x', serial number 4f:6e:17, label 'web', id 01)"
    assert describe_certificate(certificate_of(private_key("secp256r1"), serial=0x80))["serial_number"] == "80"


WHOLE = der(private_key("secp256r1"))


@given(st.binary(max_size=9) | st.integers(0, len(WHOLE) - 1).map(lambda size: WHOLE[:size]))
def test_garbage_tells_nothing(value: bytes) -> None:
    found = Certificate(1, None, b"", value)
    told = describe_certificate(found)
    assert (told["subject"], told["serial_number"], told["not_after"]) == (None, None, None)
    assert bool(told["fingerprint"]) == bool(value)
    assert str(found) == "(certificate, label unreadable, id none)" and not is_stale(found, b"spki")


def test_certificates_are_known_by_their_value() -> None:
    one = certificate_of(private_key("secp256r1"))
    assert one.is_among([one._replace(handle=7, id=b"x")]) and one.is_among([one._replace(value=b"x")])
    empty = one._replace(value=b"")
    assert not empty.is_among([empty._replace(handle=7)])

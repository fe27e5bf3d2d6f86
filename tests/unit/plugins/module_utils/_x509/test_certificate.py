# Copyright (c) 2026, The cryptoki.hsm authors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What a certificate tells of itself, and what it takes over from that of its issuer."""

from __future__ import annotations

import datetime
import typing as t
from types import SimpleNamespace

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes

from ansible_collections.cryptoki.hsm.plugins.module_utils._x509.certificate import Issue, end, start
from ansible_collections.cryptoki.hsm.plugins.module_utils._x509.names import distinguished
from ansible_collections.cryptoki.hsm.plugins.module_utils._x509.profile import Profile
from ansible_collections.cryptoki.hsm.plugins.module_utils._x509.scheme import Scheme
from ansible_collections.cryptoki.hsm.plugins.module_utils._x509.validity import moment
from ansible_collections.cryptoki.hsm.tests.support.memory_keys import private_key

NOON = datetime.datetime(2030, 1, 1, 12, tzinfo=datetime.timezone.utc)
NAIVE = NOON.replace(tzinfo=None)
OLD = {"not_valid_before": NAIVE, "not_valid_after": NAIVE}
NEW = {"not_valid_before_utc": NOON, "not_valid_after_utc": NOON}


@pytest.mark.parametrize("fields", [OLD, NEW])
def test_times_are_utc_with_every_cryptography(fields: dict[str, datetime.datetime]) -> None:
    """From 43 on, cryptography warns of the times without a zone, which so are not asked for beside the others."""
    found = t.cast("x509.Certificate", SimpleNamespace(**fields))
    assert start(found) == end(found) == NOON


def ca(*extensions: x509.ExtensionType) -> x509.Certificate:
    key, name = private_key("secp256r1"), distinguished("CN=CA")
    builder = x509.CertificateBuilder(name, name, key.public_key(), 1, NOON, NOON + datetime.timedelta(1))
    for one in extensions:
        builder = builder.add_extension(one, critical=False)
    return builder.sign(key, hashes.SHA256())


def authority(issuer: x509.Certificate) -> bytes | None:
    """What a new certificate says of its issuer's key."""
    at = moment("+1d", NOON)
    issue = Issue(Profile(distinguished("CN=new")), None, issuer, at, at)
    (only,) = issue.extensions
    assert isinstance(only.value, x509.AuthorityKeyIdentifier)
    return only.value.key_identifier


def test_the_issuer_is_named_as_it_names_itself() -> None:
    assert authority(ca(x509.SubjectKeyIdentifier(b"its own"))) == b"its own"
    of_key = x509.SubjectKeyIdentifier.from_public_key(private_key("secp256r1").public_key()).digest
    assert authority(ca()) == of_key != b"its own"


@pytest.mark.parametrize(
    ("scheme", "reasons"),
    [
        (Scheme("ecdsa", "sha256"), []),
        (Scheme("ecdsa", "sha384"), ["it was signed with another digest"]),
        (Scheme("eddsa"), ["it was signed by another scheme"]),
    ],
)
def test_another_scheme_is_issued_anew(scheme: Scheme, reasons: list[str]) -> None:
    found, key = ca(), private_key("secp256r1").public_key()
    at = moment("20300101120000Z", NOON), moment("20300102120000Z", NOON)
    issue = Issue(Profile(distinguished("CN=CA")), key, None, *at)
    assert issue.why_anew(found, key, scheme, True, NOON) == reasons

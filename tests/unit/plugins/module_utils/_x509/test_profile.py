# Copyright (c) 2026, The cryptoki.hsm authors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Extensions as people read them, and what a profile wishes."""

from __future__ import annotations

import pytest
from cryptography import x509

from ansible_collections.cryptoki.hsm.plugins.module_utils._x509.names import distinguished
from ansible_collections.cryptoki.hsm.plugins.module_utils._x509.profile import Profile, Wished, described, differing
from ansible_collections.cryptoki.hsm.plugins.module_utils._x509.request import foretold
from ansible_collections.cryptoki.hsm.tests.support.memory_keys import private_key

HERE, THERE = (x509.UniformResourceIdentifier(f"http://pki.example.org/{name}") for name in ("a.crl", "b.crl"))
SUBJECT = x509.Name([])
ACCESS = x509.oid.AuthorityInformationAccessOID
POLICY = x509.ObjectIdentifier("2.23.140.1.2.2")
REASONS = frozenset({x509.ReasonFlags.key_compromise})


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (
            x509.CRLDistributionPoints([x509.DistributionPoint([one], None, None, None) for one in (HERE, THERE)]),
            "URI:http://pki.example.org/a.crl, URI:http://pki.example.org/b.crl",
        ),
        # What only some reasons are for, or another CA signs, has no short form.
        (x509.CRLDistributionPoints([x509.DistributionPoint([HERE], None, REASONS, None)]), None),
        (
            x509.CRLDistributionPoints(
                [x509.DistributionPoint([HERE], None, None, [x509.DirectoryName(SUBJECT)])],
            ),
            None,
        ),
        (
            x509.AuthorityInformationAccess(
                [
                    x509.AccessDescription(ACCESS.OCSP, HERE),
                    x509.AccessDescription(ACCESS.CA_ISSUERS, THERE),
                    x509.AccessDescription(x509.ObjectIdentifier("1.2.3"), HERE),
                ]
            ),
            "OCSP URI:http://pki.example.org/a.crl, caIssuers URI:http://pki.example.org/b.crl,"
            " 1.2.3 URI:http://pki.example.org/a.crl",
        ),
        (x509.CertificatePolicies([x509.PolicyInformation(POLICY, None)]), "2.23.140.1.2.2"),
        (x509.CertificatePolicies([x509.PolicyInformation(POLICY, ["http://pki.example.org/cps"])]), None),
        (
            x509.NameConstraints([x509.DNSName("example.org")], [x509.DNSName("dev.example.org")]),
            "permitted DNS:example.org, excluded DNS:dev.example.org",
        ),
        (x509.NameConstraints(None, [x509.DNSName("example.org")]), "excluded DNS:example.org"),
        (x509.CRLNumber(17), "17"),
        (x509.PrecertPoison(), None),
    ],
)
def test_what_an_extension_says(value: x509.ExtensionType, text: str | None) -> None:
    (told,) = described(SUBJECT, [Wished(value)], None, None)["extensions"]
    assert told["text"] == text and told["oid"] == value.oid.dotted_string


def test_another_order_is_another_subject_if_nothing_else_is_said() -> None:
    one, other = distinguished("O=Example,CN=name"), distinguished("CN=name,O=Example")
    assert Profile(one).is_subject(one) and not Profile(one).is_subject(other)
    assert Profile(one, ordered=False).is_subject(other)


def test_only_of_a_key_that_is_known_the_identifier_is_foretold() -> None:
    key = private_key("secp256r1").public_key()
    profile = Profile(SUBJECT, (Wished(x509.BasicConstraints(False, None)),), identify_subject=True)
    for known, names in ((key, ["basic_constraints", "subject_key_identifier"]), (None, ["basic_constraints"])):
        assert [row["name"] for row in foretold(profile, known, None)["extensions"]] == names


@pytest.mark.parametrize("kind", ["permitted", "excluded"])
def test_constraints_of_names_differ_by_what_they_hold_and_not_by_its_order(kind: str) -> None:
    one, other = x509.DNSName("a.example.org"), x509.DNSName("b.example.org")

    def constraints(*names: x509.GeneralName) -> x509.NameConstraints:
        return x509.NameConstraints(names, None) if kind == "permitted" else x509.NameConstraints(None, names)

    wished = Wished(constraints(one, other))
    for names, differs in (((other, one), []), ((one,), ["name_constraints"])):
        found = x509.Extension(x509.NameConstraints.oid, False, constraints(*names))
        assert differing([wished], [found]) == differs

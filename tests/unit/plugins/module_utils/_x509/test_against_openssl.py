# Copyright (c) 2026, The cryptoki.hsm authors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Every extension and every name is, in DER, what OpenSSL makes of the same words."""

from __future__ import annotations

import subprocess
import typing as t
from pathlib import Path

import pytest
from cryptography import x509

from ansible_collections.cryptoki.hsm.plugins.module_utils._options.certificate_groups import (
    CSR,
    PROFILE,
    SUBJECT_FIELDS,
)
from ansible_collections.cryptoki.hsm.plugins.module_utils._options.groups import LOGIN
from ansible_collections.cryptoki.hsm.plugins.module_utils._options.profile import profile_from
from ansible_collections.cryptoki.hsm.plugins.module_utils._x509.profile import Profile
from ansible_collections.cryptoki.hsm.tests.support.task_options import taken

BITS = "digitalSignature, nonRepudiation, keyEncipherment, dataEncipherment, keyAgreement, keyCertSign, cRLSign"
PURPOSES = (
    *("serverAuth", "clientAuth", "codeSigning", "emailProtection", "timeStamping", "OCSPSigning", "ipsecIKE"),
    *("msCodeInd", "msCodeCom", "msCTLSign", "msEFS", "msSmartcardLogin", "pkInitKDC", "anyExtendedKeyUsage"),
    *("secureShellClient", "secureShellServer", "pkInitClientAuth", "ipsecEndSystem", "ipsecTunnel", "ipsecUser"),
)
NAMES = (
    *("DNS:www.example.org", "DNS:*.example.org", "email:a@example.org", "URI:https://example.org/?a=b"),
    *("IP:192.0.2.1", "IP:2001:db8::1", "RID:1.2.3.4", "otherName:1.3.6.1.4.1.311.20.2.3;UTF8:user@example.org"),
)
DIRECTORY = "\n[dir]\nC=DE\nO=Example, Ltd\nCN=name\n"

# Options, and the lines of OpenSSL's configuration that mean the same; sections follow the extensions.
CASES: dict[str, tuple[dict[str, t.Any], str]] = {
    "subject_alt_name": ({"subject_alt_name": [*NAMES]}, f"subjectAltName={','.join(NAMES)}"),
    "directory_name": (
        {"subject_alt_name": ["dirName:CN=name, O=Example\\, Ltd,C = DE"]},
        f"subjectAltName=dirName:dir\n{DIRECTORY}",
    ),
    "critical_names": (
        {"subject_alt_name": ["DNS:a.example.org"], "subject_alt_name_critical": True},
        "subjectAltName=critical,DNS:a.example.org",
    ),
    "key_usage": ({"key_usage": BITS.split(", "), "key_usage_critical": True}, f"keyUsage=critical,{BITS}"),
    "long_key_usage": (
        {"key_usage": ["Key Agreement", "Encipher Only", "Decipher Only"]},
        "keyUsage=keyAgreement,encipherOnly,decipherOnly",
    ),
    "extended_key_usage": (
        {"extended_key_usage": [*PURPOSES, "1.2.3.4"], "extended_key_usage_critical": True},
        f"extendedKeyUsage=critical,{','.join(PURPOSES)},1.2.3.4",
    ),
    "long_extended_key_usage": (
        {"extended_key_usage": ["TLS Web Server Authentication", "Time Stamping"]},
        "extendedKeyUsage=serverAuth,timeStamping",
    ),
    "ca": (
        {"basic_constraints": ["CA:TRUE", "pathlen:0"], "basic_constraints_critical": True},
        "basicConstraints=critical,CA:TRUE,pathlen:0",
    ),
    "no_ca": ({"basic_constraints": ["CA:FALSE"]}, "basicConstraints=CA:FALSE"),
    "ocsp_must_staple": (
        {"ocsp_must_staple": True, "ocsp_must_staple_critical": True},
        "tlsfeature=critical,status_request",
    ),
    "name_constraints": (
        {
            "name_constraints_permitted": [
                "DNS:example.org",
                "email:example.org",
                "IP:192.0.2.0/24",
                "IP:2001:db8::/32",
            ],
            "name_constraints_excluded": ["URI:.example.net", "dirName:C=DE"],
            "name_constraints_critical": True,
        },
        "nameConstraints=critical,permitted;DNS:example.org,permitted;email:example.org,permitted;IP:192.0.2.0/255.255.255.0"
        ",permitted;IP:2001:db8::/ffff:ffff::,excluded;URI:.example.net,excluded;dirName:dir\n[dir]\nC=DE\n",
    ),
    "crl_distribution_points": (
        {
            "crl_distribution_points": [
                {"full_name": ["URI:http://a.example.org/1.crl"]},
                {
                    "relative_name": ["CN=lists"],
                    "crl_issuer": ["dirName:CN=name,O=Example\\, Ltd,C=DE"],
                    "reasons": ["key_compromise", "ca_compromise"],
                },
            ]
        },
        "crlDistributionPoints=one,two\n[one]\nfullname=URI:http://a.example.org/1.crl\n[two]\nrelativename=rel\n"
        f"CRLissuer=dirName:dir\nreasons=keyCompromise,CACompromise\n[rel]\nCN=lists\n{DIRECTORY}",
    ),
    "certificate_policies": (
        {
            "certificate_policies": [
                {"policy": "anyPolicy"},
                {"policy": "1.2.3.4", "cps": ["http://example.org/cps"], "user_notice": "no warranty"},
            ],
            "certificate_policies_critical": True,
        },
        "certificatePolicies=critical,anyPolicy,@one\n[one]\npolicyIdentifier=1.2.3.4\nCPS.1=http://example.org/cps\n"
        "userNotice.1=@notice\n[notice]\nexplicitText=UTF8:no warranty\n",
    ),
    "authority_info_access": (
        {"authority_info_access": ["OCSP;URI:http://ocsp.example.org", "caIssuers;URI:http://ca.example.org/ca.cer"]},
        "authorityInfoAccess=OCSP;URI:http://ocsp.example.org,caIssuers;URI:http://ca.example.org/ca.cer",
    ),
    "subject_key_identifier": ({"subject_key_identifier": "00:11:Ff"}, "subjectKeyIdentifier=0011FF"),
    "create_subject_key_identifier": ({"create_subject_key_identifier": True}, "subjectKeyIdentifier=hash"),
    "extensions": (
        {
            "extensions": [
                {"oid": "1.2.3.4", "critical": True, "value": "DAJoaQ=="},
                {"oid": "1.2.3.5", "value": "BQA="},
            ]
        },
        "1.2.3.4=critical,DER:0c:02:68:69\n1.2.3.5=DER:05:00",
    ),
}


@pytest.fixture(name="key", scope="module")
def made_key(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("key") / "key.pem"
    openssl("genpkey", "-algorithm", "EC", "-pkeyopt", "ec_paramgen_curve:P-256", "-out", str(path))
    return path


def openssl(*arguments: str) -> None:
    done = subprocess.run(["openssl", *arguments], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr


def by_openssl(key: Path, subject: str, lines: str) -> x509.CertificateSigningRequest:
    """The request that OpenSSL makes."""
    configuration, request = key.with_name("openssl.cnf"), key.with_name("request.pem")
    head = "[req]\nprompt=no\nutf8=yes\nstring_mask=utf8only\ndistinguished_name=subject\nreq_extensions=extensions\n"
    head += "oid_section=oids\n[oids]\norganizationIdentifier=2.5.4.97\n" if "organizationIdentifier" in subject else ""
    configuration.write_text(f"{head}[subject]\n{subject}\n[extensions]\n{lines}\n", encoding="utf-8")
    openssl("req", "-new", "-key", str(key), "-config", str(configuration), "-out", str(request))
    return x509.load_pem_x509_csr(request.read_bytes())


def wished(**given: t.Any) -> Profile:
    return profile_from(taken(LOGIN + CSR, {"label": "root", **given}))


@pytest.mark.parametrize("case", CASES)
def test_an_extension(case: str, key: Path) -> None:
    options, lines = CASES[case]
    theirs = by_openssl(key, "CN=Not a host", lines)
    ours = wished(common_name="Not a host", **options).of(theirs.public_key())
    assert [(one.oid, one.critical, one.value.public_bytes().hex()) for one in ours] == [
        (one.oid.dotted_string, one.critical, one.value.public_bytes().hex()) for one in theirs.extensions
    ]
    # What cryptography writes of OpenSSL's is what OpenSSL wrote, so the comparison above is one of bytes.
    written = theirs.tbs_certrequest_bytes
    assert all(one.value.public_bytes() in written for one in theirs.extensions)


@pytest.mark.parametrize(
    ("given", "lines"),
    [
        (
            {
                "common_name": "Röt CA",
                "country_name": "DE",
                "state_or_province_name": "Berlin",
                "locality_name": "Mitte",
                "organization_name": "Example, Ltd",
                "organizational_unit_name": "PKI",
                "email_address": "ca@example.org",
                "subject": {"serialNumber": 4711, "DC": ["example", "org"]},
            },
            "C=DE\nST=Berlin\nL=Mitte\nO=Example, Ltd\nOU=PKI\nCN=Röt CA\nemailAddress=ca@example.org\n"
            "serialNumber=4711\n0.DC=example\n1.DC=org",
        ),
        (
            {"subject_ordered": [{"CN": "first"}, {"O": "Example"}, {"street": "Way 1"}, {"UID": "u"}, {"GN": "g"}]},
            "CN=first\nO=Example\nstreet=Way 1\nUID=u\nGN=g",
        ),
        (
            {
                "subject_ordered": [
                    {"organizationIdentifier": "VATDE-1"},
                    {"surname": "s"},
                    {"title": "t"},
                    {"2.5.4.43": "i"},
                ]
            },
            "organizationIdentifier=VATDE-1\nSN=s\ntitle=t\ninitials=i",
        ),
    ],
)
def test_a_subject(given: dict[str, t.Any], lines: str, key: Path) -> None:
    theirs = by_openssl(key, lines, "basicConstraints=CA:FALSE").subject
    assert wished(**given, use_common_name_for_san=False).subject.public_bytes().hex() == theirs.public_bytes().hex()


def test_every_option_of_an_extension_is_compared() -> None:
    """The identifiers of the issuer's key are below."""
    said = {name for options, _lines in CASES.values() for name in options}
    ruled = {
        "use_common_name_for_san",
        "authority_key_identifier",
        "authority_cert_issuer",
        "authority_cert_serial_number",
    }
    extensions = {name for name in PROFILE.spec if not name.endswith("_critical")} - {"subject", "subject_ordered"}
    assert extensions - {*SUBJECT_FIELDS} - ruled <= said


@pytest.mark.parametrize(
    ("line", "names"),
    [
        ("keyid", ("authority_key_identifier",)),
        ("keyid,issuer:always", ("authority_key_identifier", "authority_cert_issuer", "authority_cert_serial_number")),
    ],
)
def test_the_identifier_of_the_issuer(line: str, names: tuple[str, ...], key: Path, tmp_path: Path) -> None:
    """OpenSSL makes it of the CA's certificate."""
    ca, request, issued, extensions = (tmp_path / name for name in ("ca.pem", "a.csr", "a.pem", "extensions"))
    extensions.write_text(f"authorityKeyIdentifier={line}\n")
    said = ["-key", str(key), "-subj", "/C=DE/CN=Example CA"]
    openssl(
        "req", "-x509", "-new", *said, "-set_serial", "4711", "-addext", "subjectKeyIdentifier=0011ff", "-out", str(ca)
    )
    openssl("req", "-new", *said, "-out", str(request))
    by_ca = ["-CA", str(ca), "-CAkey", str(key), "-CAcreateserial", "-extfile", str(extensions)]
    openssl("x509", "-req", "-in", str(request), *by_ca, "-out", str(issued))
    kind = x509.AuthorityKeyIdentifier
    theirs = x509.load_pem_x509_certificate(issued.read_bytes()).extensions.get_extension_for_class(kind)
    options: dict[str, t.Any] = {
        "authority_key_identifier": "00:11:ff",
        "authority_cert_issuer": ["dirName:CN=Example CA,C=DE"],
        "authority_cert_serial_number": 4711,
    }
    ours = wished(common_name="Not a host", **{name: options[name] for name in names}).value_of(kind)
    assert ours.public_bytes().hex() == theirs.value.public_bytes().hex()

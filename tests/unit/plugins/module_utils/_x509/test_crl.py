# Copyright (c) 2026, The cryptoki.hsm authors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Revocation lists: to the byte what `openssl ca -gencrl` makes, and what is read of broken or hostile ones."""

from __future__ import annotations

import dataclasses
import datetime
import functools
import hashlib
import subprocess
import typing as t
from pathlib import Path

import asn1crypto.crl
import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec, utils
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat
from hypothesis import example, given
from hypothesis import strategies as st

from ansible_collections.cryptoki.hsm.plugins.module_utils._options.certificate_groups import CRL
from ansible_collections.cryptoki.hsm.plugins.module_utils._options.groups import LOGIN
from ansible_collections.cryptoki.hsm.plugins.module_utils._options.revocation import entry_from
from ansible_collections.cryptoki.hsm.plugins.module_utils._x509 import crl as _crl
from ansible_collections.cryptoki.hsm.plugins.module_utils._x509.crl import Revocation
from ansible_collections.cryptoki.hsm.plugins.module_utils._x509.entry import Entry
from ansible_collections.cryptoki.hsm.plugins.module_utils._x509.scheme import Scheme
from ansible_collections.cryptoki.hsm.plugins.module_utils._x509.validity import Moment, moment
from ansible_collections.cryptoki.hsm.tests.support.memory_keys import private_key
from ansible_collections.cryptoki.hsm.tests.support.task_options import taken

DAY = datetime.timedelta(days=1)
NOW = datetime.datetime(2026, 11, 26, 12, tzinfo=datetime.timezone.utc)
ECDSA = Scheme("ecdsa", "sha256")
NAME = x509.Name([x509.NameAttribute(x509.OID_COMMON_NAME, "Example CA")])
OTHER = x509.CertificateIssuer([x509.DirectoryName(x509.Name([x509.NameAttribute(x509.OID_COMMON_NAME, "other")]))])
ORDER = 0xFFFFFFFF00000000FFFFFFFFFFFFFFFFBCE6FAADA7179E84F3B9CAC2FC632551  # of secp256r1
# What the file of revoked certificates of OpenSSL's says, and the options that mean the same.
ROWS: tuple[tuple[str, dict[str, t.Any]], ...] = (
    ("", {}),
    *(
        (f",{openssl}", {"reason": name})
        for openssl, name in (
            ("keyCompromise", "key_compromise"),
            ("CACompromise", "ca_compromise"),
            ("affiliationChanged", "affiliation_changed"),
            ("superseded", "superseded"),
            ("cessationOfOperation", "cessation_of_operation"),
            ("certificateHold", "certificate_hold"),
        )
    ),
    (",keyTime,20261101083000Z", {"reason": "key_compromise", "invalidity_date": "20261101083000Z"}),
    (",CAkeyTime,20490101000000Z", {"reason": "ca_compromise", "invalidity_date": "2049-01-01"}),
)


def ca_of(key: ec.EllipticCurvePrivateKey) -> x509.Certificate:
    """The certificate of a CA."""
    builder = x509.CertificateBuilder(NAME, NAME, key.public_key(), 5)
    builder = builder.not_valid_before(NOW - DAY).not_valid_after(NOW + 9999 * DAY)
    identifier = x509.SubjectKeyIdentifier.from_public_key(key.public_key())
    constraints = x509.BasicConstraints(True, None)
    return (
        builder.add_extension(constraints, critical=True)
        .add_extension(identifier, critical=False)
        .sign(key, hashes.SHA256())
    )


@functools.cache
def ca() -> x509.Certificate:
    return ca_of(private_key("secp256r1", 2))


def entry(serial: int, **row: t.Any) -> Entry:
    given_rows = [{"serial_number": serial, "revocation_date": "20261102000000Z", **row}]
    group = LOGIN + CRL
    task = {"label": "root", "ca_content": "x", "next_update": "+7d", "revoked_certificates": given_rows}
    (checked,) = taken(group, task)["revoked_certificates"]
    return entry_from(checked, None, "integer", NAME, NOW)


def revocation(*entries: Entry, number: int = 255, **changed: t.Any) -> Revocation:
    return Revocation(ca(), entries, Moment(NOW, True), Moment(NOW + 7 * DAY, True), number, **changed)


def made(*entries: Entry, **changed: t.Any) -> x509.CertificateRevocationList:
    return revocation(*entries, **changed).made(ECDSA, private_key("secp256r1", 2))


@pytest.mark.parametrize("rows", [(), ROWS], ids=["none", "all"])
def test_what_openssl_makes_of_the_same(rows: tuple[tuple[str, dict[str, t.Any]], ...], tmp_path: Path) -> None:
    key = private_key("secp256r1", 2).private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())
    files = {
        "key.pem": key,
        "ca.pem": ca().public_bytes(Encoding.PEM),
        "number": b"FF",
        "index": "".join(
            f"R\t350101000000Z\t261102000000Z{reason}\t{serial:02X}\tunknown\t/CN={serial}\n"
            for serial, (reason, dummy) in enumerate(rows, 1)
        ).encode(),
        "openssl.cnf": b"[ca]\ndefault_ca=ours\n[ours]\ndatabase=index\ncertificate=ca.pem\nprivate_key=key.pem\n"
        b"crlnumber=number\ndefault_md=sha256\ncrl_extensions=lists\n[lists]\nauthorityKeyIdentifier=keyid:always\n",
    }
    for name, content in files.items():
        (tmp_path / name).write_bytes(content)
    dates = ["-crl_lastupdate", f"{NOW:%Y%m%d%H%M%SZ}", "-crl_nextupdate", f"{NOW + 7 * DAY:%Y%m%d%H%M%SZ}"]
    command = ["openssl", "ca", "-gencrl", "-config", "openssl.cnf", *dates, "-out", "ca.crl"]
    done = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    by_openssl = x509.load_pem_x509_crl((tmp_path / "ca.crl").read_bytes())
    ours = [entry(serial, **options) for serial, (dummy, options) in enumerate(rows, 1)]
    assert made(*ours).tbs_certlist_bytes == by_openssl.tbs_certlist_bytes
    assert revocation(*ours).why_anew(by_openssl, ECDSA, True, NOW) == []


def test_what_is_made_is_read_again_as_it_was_wished() -> None:
    wished = (
        *(entry(serial, **options) for serial, (dummy, options) in enumerate(ROWS, 1)),
        entry(1, issuer=["dirName:CN=other"], issuer_critical=True, reason="privilege_withdrawn"),
    )
    found = made(*wished)
    assert _crl.entries_of(found) == list(wished) and _crl.number_of(found) == 255
    assert revocation(*wished).why_anew(found, ECDSA, True, NOW) == []
    assert _crl.told(found) == revocation(*wished).foretold(ECDSA)


def test_an_issuer_is_also_that_of_the_entries_behind_it() -> None:
    """RFC 5280, section 5.3.3; in a list that is not indirect it is not."""
    rows = [x509.RevokedCertificateBuilder(serial, NOW) for serial in (1, 2, 3)]
    rows[1] = rows[1].add_extension(OTHER, critical=True)
    point = x509.IssuingDistributionPoint(None, None, False, False, None, True, False)
    builder = x509.CertificateRevocationListBuilder(NAME, NOW, NOW + DAY, [], [row.build() for row in rows])
    key = private_key("secp256r1", 2)
    direct = _crl.entries_of(builder.sign(key, hashes.SHA256()))
    assert [bool(one.issuer) for one in direct] == [False, True, False]
    indirect = _crl.entries_of(builder.add_extension(point, critical=True).sign(key, hashes.SHA256()))
    assert [bool(one.issuer) for one in indirect] == [False, True, True]
    assert (
        not revocation()
        .onto(indirect, keep_all=True)
        .why_anew(made(*indirect, number=1), ECDSA, digest_given=False, now=NOW)
    )


@functools.cache
def sound() -> bytes:
    """DER of a list with everything, the same each time: its key and its signature are not drawn."""
    of_another = entry(9, issuer=["dirName:CN=other"], issuer_critical=True)
    wished = revocation(entry(7, reason="superseded", invalidity_date="2026-11-01"), of_another)
    key, once = (ec.derive_private_key(number, ec.SECP256R1()) for number in (7, 11))
    raw = dataclasses.replace(wished, ca=ca_of(key)).made(ECDSA, key).public_bytes(Encoding.DER)
    found = asn1crypto.crl.CertificateList.load(raw)
    digest = int.from_bytes(hashlib.sha256(found["tbs_cert_list"].dump()).digest(), "big")
    r = once.public_key().public_numbers().x % ORDER
    found["signature"] = utils.encode_dss_signature(r, pow(11, -1, ORDER) * (digest + r * 7) % ORDER)
    assert _crl.distrusted(x509.load_der_x509_crl(found.dump()), key.public_key()) is None
    return t.cast(bytes, found.dump())


def changed_byte(position: int, value: int) -> bytes:
    raw = bytearray(sound())
    raw[position % len(raw)] = value
    return bytes(raw)


def taken_over(raw: bytes) -> x509.CertificateRevocationList | None:
    """A broken list is none, or can be told, compared, and made again."""
    found = _crl.read(raw)
    if found is None:
        return None
    key = private_key("secp256r1", 2)
    assert _crl.distrusted(found, key.public_key()) in (
        "its issuer's signature does not hold",
        "it is a delta list",
        None,
    )
    _crl.in_changes(found)
    for wished in (
        revocation(),
        revocation(renew_before=DAY),
        revocation().onto(_crl.entries_of(found), keep_all=True),
    ):
        wished.why_anew(found, ECDSA, True, NOW)
        assert _crl.read(wished.made(ECDSA, key).public_bytes(Encoding.DER)) is not None
    return found


@given(st.integers(0, 4096), st.integers(0, 255))
def test_a_list_with_another_byte(position: int, value: int) -> None:
    taken_over(changed_byte(position, value))


@given(st.binary(max_size=80), st.booleans())
@example(b"", False)
@example(b"\x30\x00", True)
def test_what_is_no_list(raw: bytes, as_pem: bool) -> None:
    framed = b"-----BEGIN X509 CRL-----\n" + raw + b"\n-----END X509 CRL-----\n" if as_pem else raw
    assert taken_over(framed) is None
    assert taken_over(_crl.der_in(framed)) is None


HOSTILE = {
    "a reason that is none": ("2.5.29.21", b"\x0a\x01\x0b"),
    "a date that is none": ("2.5.29.24", b"\x18\x0f20261399999999Z"),
    "an issuer of X.400": ("2.5.29.29", bytes.fromhex("3004a3023000")),
    "an issuer that is no name": ("2.5.29.29", b"\x05\x00"),
}


@pytest.mark.parametrize("case", HOSTILE)
def test_entries_that_no_list_may_have(case: str) -> None:
    """Signed by the CA itself, so that the signature holds."""
    oid, value = HOSTILE[case]
    odd = x509.UnrecognizedExtension(x509.ObjectIdentifier(oid), value)
    row = x509.RevokedCertificateBuilder(7, NOW).add_extension(odd, critical=False).build()
    builder = x509.CertificateRevocationListBuilder(NAME, NOW, NOW + DAY, [], [row])
    found = builder.sign(private_key("secp256r1", 2), hashes.SHA256())
    assert taken_over(found.public_bytes(Encoding.DER)) is None


@pytest.mark.filterwarnings("ignore:Parsed a serial number")
@pytest.mark.parametrize("serial", [b"\x02\x01\x00", b"\x02\x01\x87"], ids=["zero", "less than zero"])
def test_a_serial_number_that_none_may_have(serial: bytes) -> None:
    raw = made(entry(7)).public_bytes(Encoding.DER)
    then = b"\x17\x0d261102000000Z"
    assert raw.count(b"\x02\x01\x07" + then) == 1  # the signature may have the number alone, too
    assert _crl.read(raw.replace(b"\x02\x01\x07" + then, serial + then)) is None
    assert _crl.read(raw) is not None


def test_an_extension_that_is_not_known_stays_in_its_entry() -> None:
    odd = x509.UnrecognizedExtension(x509.ObjectIdentifier("1.2.3.4"), b"\x05\x00")
    row = x509.RevokedCertificateBuilder(7, NOW).add_extension(odd, critical=True).build()
    builder = x509.CertificateRevocationListBuilder(NAME, NOW, NOW + DAY, [], [row])
    found = builder.sign(private_key("secp256r1", 2), hashes.SHA256())
    (kept,) = revocation().onto(_crl.entries_of(found), keep_all=True).entries
    assert [(one.value, one.critical) for one in kept.extensions] == [(odd, True)]
    (again,) = made(kept)
    assert [one.value for one in again.extensions] == [odd]


@pytest.mark.parametrize("when", ["+7d", "20991231235959Z"])
def test_a_list_of_another_program_without_a_next_update(when: str) -> None:
    """X.509 lets a list be without one; RFC 5280 does not."""
    parsed = asn1crypto.crl.CertificateList.load(made(entry(7)).public_bytes(Encoding.DER))
    parsed["tbs_cert_list"]["next_update"] = None
    found = _crl.read(parsed.dump(force=True))
    assert found is not None and _crl.told(found)["next_update"] is None
    wished = dataclasses.replace(revocation(entry(7), renew_before=DAY), next_update=moment(when, NOW))
    assert wished.why_anew(found, ECDSA, True, NOW) == ["it has no next update"]


def test_a_long_list_is_made_in_no_time() -> None:
    """The builder copies all of its entries with each one that is added."""
    day = Moment(NOW, True)
    found = made(*(Entry(serial, day) for serial in range(1, 3001)))
    assert len(found) == 3000 and len(_crl.entries_of(found)) == 3000


def test_dates_of_versions_without_time_zones() -> None:
    class Old:
        """A list as cryptography 41 shows it."""

        last_update = datetime.datetime(2026, 1, 1)
        next_update: datetime.datetime | None = None

    assert _crl.last_update(t.cast("t.Any", Old)) == moment("2026-01-01", NOW).at
    assert _crl.next_update(t.cast("t.Any", Old)) is None
    Old.next_update = Old.last_update
    assert _crl.next_update(t.cast("t.Any", Old)) == moment("2026-01-01", NOW).at


def test_an_entry_in_one_line() -> None:
    one = entry(7, reason="superseded", revocation_date="+0s", invalidity_date="20261101000000Z")
    assert one.text() == "2026-11-26T12:00:00Z, invalid since 2026-11-01T00:00:00Z, superseded"
    assert one.text(foretold=True) == "not known, invalid since 2026-11-01T00:00:00Z, superseded"

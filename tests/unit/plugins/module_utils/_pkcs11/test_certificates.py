# Copyright (c) 2026, The cryptoki.hsm authors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Certificates of tokens that answer as said here: what is found, read and stored, and what is no absence."""

from __future__ import annotations

import ctypes
import typing as t

import pytest
from cryptography import x509

from ansible_collections.cryptoki.hsm.plugins.module_utils._pair.certificate import Certificate
from ansible_collections.cryptoki.hsm.plugins.module_utils._pkcs11.calls import Session
from ansible_collections.cryptoki.hsm.plugins.module_utils._pkcs11.certificates import Pkcs11Certificates
from ansible_collections.cryptoki.hsm.plugins.module_utils._pkcs11.functions import ReadValue, Template
from ansible_collections.cryptoki.hsm.plugins.module_utils._standard.errors import TokenError
from ansible_collections.cryptoki.hsm.tests.support.memory_certificates import der
from ansible_collections.cryptoki.hsm.tests.support.memory_keys import private_key

LABEL, ID, VALUE = 0x03, 0x102, 0x11
UNTOLD, MISSING, GONE = ReadValue(None, 0x30), ReadValue(None, 0x12), ReadValue(None, 0x82)
Row = dict[int, ReadValue]


def row(
    label: bytes | ReadValue = b"web", identifier: bytes | ReadValue = b"1", value: bytes | ReadValue = b"der"
) -> Row:
    """What a token tells of one certificate."""
    told = {LABEL: label, ID: identifier, VALUE: value}
    return {code: ReadValue(one, 0) if isinstance(one, bytes) else one for code, one in told.items()}


class Told(Session):
    """A session whose token answers every search with all its certificates."""

    def __init__(self, *rows: Row, not_searched: t.Iterable[str] = (), refused: t.Sequence[str] = ()) -> None:
        self.rows, self.refused = rows, list(refused)
        self.not_searched = frozenset(not_searched)
        self.asked: list[set[int]] = []
        self.made: dict[int, bytes] = {}

    def search(self, what: str, wanted: Template, at_most: int | None = None) -> list[int]:
        self.asked.append({entry.type for entry in wanted.array[: wanted.count]})
        if self.refused:
            raise TokenError(what, self.refused.pop(0))
        return list(range(len(self.rows)))

    def raw(self, handle: int, sizes: t.Mapping[int, int]) -> Row:
        return {code: self.rows[handle].get(code, MISSING) for code in sizes}

    def make(self, what: str, function: str, *arguments: t.Any) -> int:
        (template,) = arguments
        for entry in template.array:
            self.made[entry.type] = ctypes.string_at(entry.value, entry.length)
        return 0


def found(session: Told, label: str | None = None, identifier: bytes | None = None) -> list[Certificate]:
    return Pkcs11Certificates(session, "alpha", None).certificates(label, identifier)


@pytest.mark.parametrize(
    ("label", "identifier", "handles"), [("web", None, [0, 2]), (None, b"1", [0]), ("web", b"2", [2])]
)
def test_what_a_token_finds_is_compared(label: str | None, identifier: bytes | None, handles: list[int]) -> None:
    rows = (row(), row(b"other", b"3"), row(b"web", b"2"))
    for not_searched in ((), ("id",), ("id", "label")):
        session = Told(*rows, not_searched=not_searched)
        assert [one.handle for one in found(session, label, identifier)] == handles
        asked = {code for code, name in ((LABEL, "label"), (ID, "id")) if name not in not_searched}
        assert session.asked[0] - {0} <= asked


def test_what_is_not_told() -> None:
    assert found(Told(row(value=UNTOLD))) == [Certificate(0, "web", b"1", b"", "CKR_DEVICE_ERROR")]
    assert found(Told(row(value=MISSING))) == [Certificate(0, "web", b"1", b"")]
    assert found(Told(row(b"\xff", identifier=MISSING))) == [Certificate(0, None, b"", b"der")]
    with pytest.raises(TokenError, match="compare the id of the certificate with handle 0 .*CKR_DEVICE_ERROR"):
        found(Told(row(identifier=UNTOLD)), identifier=b"1")
    assert found(Told(row(identifier=MISSING)), identifier=b"1") == []
    assert found(Told(row(label=UNTOLD)), label="web") == [], "a label only tells people something"


def test_one_that_is_gone_is_searched_again() -> None:
    session = Told(row(GONE, GONE, GONE))
    with pytest.raises(TokenError, match="CKR_OBJECT_HANDLE_INVALID"):
        found(session)
    assert len(session.asked) == 3


@pytest.mark.parametrize("ckr", ["CKR_ATTRIBUTE_VALUE_INVALID", "CKR_TEMPLATE_INCONSISTENT"])
def test_a_token_may_know_no_certificates(ckr: str) -> None:
    """It says so of the class as well; what it says of a name alone is no absence."""
    session = Told(row(), refused=[ckr, ckr])
    assert found(session, identifier=b"1") == [] and session.asked == [{0, ID}, {0}]
    assert [one.handle for one in found(Told(row(), refused=[ckr]), identifier=b"1")] == [0]


def test_a_search_that_fails_is_no_absence() -> None:
    with pytest.raises(TokenError, match="CKR_DEVICE_ERROR"):
        found(Told(row(), refused=["CKR_DEVICE_ERROR"]), identifier=b"1")


def test_what_is_stored() -> None:
    """Names and serial number are those of the certificate, to the byte."""
    value = der(private_key("secp256r1"), issuer="CA", serial=0x80)
    parsed = x509.load_der_x509_certificate(value)
    session = Told(row(label=b"web"))
    made = Pkcs11Certificates(session, "alpha", None).store_certificate(Certificate(0, "wéb", b"\x01", value))
    assert made == Certificate(0, "web", b"1", b"der"), "it is what is read back"
    lying = Told({**row(), 0x01: ReadValue(b"\x01", 0), 0x81: ReadValue(b"0\x00", 0)})
    made = Pkcs11Certificates(lying, "alpha", None).store_certificate(Certificate(0, "web", b"\x01", value))
    assert made.unreadable == "another CKA_ISSUER"
    word = len(session.made[0x00])
    assert session.made == {
        0x00: (1).to_bytes(word, "little"),
        0x80: bytes(word),
        0x01: b"\x01",
        0x02: b"\x00",
        LABEL: "wéb".encode(),
        ID: b"\x01",
        0x101: parsed.subject.public_bytes(),
        0x81: parsed.issuer.public_bytes(),
        0x82: b"\x02\x02\x00\x80",
        VALUE: value,
    }

# Copyright (c) 2026, The cryptoki.hsm authors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Certificates beside keys (PKCS#11 3.1, section 4.6): found, and stored."""

from __future__ import annotations

import contextlib

from ansible_collections.cryptoki.hsm.plugins.module_utils._pair.certificate import Certificate
from ansible_collections.cryptoki.hsm.plugins.module_utils._pair.session import NOT_THERE
from ansible_collections.cryptoki.hsm.plugins.module_utils._pkcs11 import functions
from ansible_collections.cryptoki.hsm.plugins.module_utils._pkcs11.calls import Session
from ansible_collections.cryptoki.hsm.plugins.module_utils._pkcs11.functions import Template
from ansible_collections.cryptoki.hsm.plugins.module_utils._pkcs11.structures import CK_ULONG
from ansible_collections.cryptoki.hsm.plugins.module_utils._standard.attributes import ATTRIBUTES, pack
from ansible_collections.cryptoki.hsm.plugins.module_utils._standard.errors import TokenError

_CLASS = {ATTRIBUTES["class"].code: bytes(CK_ULONG(1))}  # CKO_CERTIFICATE
_LABEL, _ID = ATTRIBUTES["label"].code, ATTRIBUTES["id"].code
_TOKEN, _PRIVATE = ATTRIBUTES["token"].code, ATTRIBUTES["private"].code
_VALUE, _TYPE, _ISSUER, _SERIAL, _SUBJECT = 0x11, 0x80, 0x81, 0x82, 0x101
_X509 = bytes(CK_ULONG(0))  # CKC_X_509
_SIZES = {_LABEL: 4096, _ID: 4096, _VALUE: 65536}
# What tokens answer that know no such objects.
_NONE = ("CKR_ATTRIBUTE_VALUE_INVALID", "CKR_TEMPLATE_INCONSISTENT")
_LOOKS = 3  # how often a search is made where what it finds vanishes before it is read


def certificates(session: Session, token: str, label: str | None, identifier: bytes | None) -> list[Certificate]:
    """As `TokenSession.certificates`."""
    names = {"label": label, "id": identifier}
    wanted = {name: value for name, value in names.items() if value is not None}
    asked = {ATTRIBUTES[name].code: pack(name, wanted[name]) for name in wanted if name not in session.not_searched}
    looks = 1
    while True:
        try:
            handles = session.search(f"find certificates on the token {token}", Template({**_CLASS, **asked}))
            found = [_read(session, handle) for handle in handles]
        except TokenError as error:
            if error.ckr in _NONE:
                return []
            if error.ckr != NOT_THERE or looks == _LOOKS:
                raise
            looks += 1
        else:
            # A token may pay no heed to a name that it was asked for.
            return [one for one in found if all(getattr(one, name) == value for name, value in wanted.items())]


def store(session: Session, wished: Certificate) -> Certificate:
    """As `TokenSession.store_certificate`."""
    values = {
        **_CLASS,
        _TYPE: _X509,
        _TOKEN: pack("token", True),
        _PRIVATE: pack("private", False),
        _LABEL: pack("label", wished.label or ""),
        _ID: wished.id,
        **_names_in(wished.value),
        _VALUE: wished.value,
    }
    return _read(session, session.make(f"store {wished}", "C_CreateObject", Template(values)))


def _names_in(value: bytes) -> dict[int, bytes]:
    """Subject, issuer and serial number as they stand in a certificate, by their codes."""
    from asn1crypto.x509 import Certificate as Parsed

    told = Parsed.load(value)["tbs_certificate"]
    fields = {_SUBJECT: "subject", _ISSUER: "issuer", _SERIAL: "serial_number"}
    return {code: told[name].dump() for code, name in fields.items()}


def _read(session: Session, handle: int) -> Certificate:
    values = session.raw(handle, _SIZES)
    told = {code: read.value or b"" for code, read in values.items()}
    failed = [values[code].rv for code in (_ID, _VALUE) if values[code].value is None]
    if failed and failed[0] == functions.CKR_OBJECT_HANDLE_INVALID:
        raise TokenError(f"read the certificate with handle {handle}", NOT_THERE)
    kept = [functions.rv_name(rv) for rv in failed if rv != functions.CKR_ATTRIBUTE_TYPE_INVALID]
    label = None
    with contextlib.suppress(UnicodeDecodeError):
        label = told[_LABEL].decode()
    return Certificate(handle, label, told[_ID], told[_VALUE], kept[0] if kept else "")

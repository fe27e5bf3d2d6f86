# Copyright (c) 2026, The cryptoki.hsm authors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Certificates beside keys (PKCS#11 3.1, section 4.6): found, and stored."""

from __future__ import annotations

import contextlib
import typing as t

from ansible_collections.cryptoki.hsm.plugins.module_utils._pair import certificate
from ansible_collections.cryptoki.hsm.plugins.module_utils._pair.session import NOT_THERE
from ansible_collections.cryptoki.hsm.plugins.module_utils._pkcs11 import calls, functions, structures
from ansible_collections.cryptoki.hsm.plugins.module_utils._standard import attributes, errors

if t.TYPE_CHECKING:
    from ansible_collections.cryptoki.hsm.plugins.module_utils._pkcs11 import softhsm_store

_CLASS = {attributes.ATTRIBUTES["class"].code: bytes(structures.CK_ULONG(1))}  # CKO_CERTIFICATE
_LABEL, _ID = attributes.ATTRIBUTES["label"].code, attributes.ATTRIBUTES["id"].code
_TOKEN, _PRIVATE = attributes.ATTRIBUTES["token"].code, attributes.ATTRIBUTES["private"].code
_VALUE, _TYPE, _ISSUER, _SERIAL, _SUBJECT = 0x11, 0x80, 0x81, 0x82, 0x101
_NAMED = {_TOKEN: "CKA_TOKEN", _ISSUER: "CKA_ISSUER", _SERIAL: "CKA_SERIAL_NUMBER", _SUBJECT: "CKA_SUBJECT"}
_X509 = bytes(structures.CK_ULONG(0))  # CKC_X_509
_SIZES = {_LABEL: 4096, _ID: 4096, _VALUE: 65536}
# What tokens answer that know no such objects.
_NONE = ("CKR_ATTRIBUTE_VALUE_INVALID", "CKR_TEMPLATE_INCONSISTENT")
_LOOKS = 3  # how often a search is made where what it finds vanishes before it is read


class Pkcs11Certificates:
    """The certificates of one token; SoftHSM's `store` knows the files that they lie in."""

    def __init__(self, session: calls.Session, token: str, store: softhsm_store.TokenStore | None) -> None:
        self._session = session
        self._token = token
        self._store = store

    def certificates(self, label: str | None, identifier: bytes | None) -> list[certificate.Certificate]:
        """As `CertificateObjects`."""
        names = {"label": label, "id": identifier}
        wanted = {
            attributes.ATTRIBUTES[name].code: attributes.pack(name, value)
            for name, value in names.items()
            if value is not None
        }
        looks = 1
        while True:
            try:
                found = [self._read(handle, wanted) for handle in self._searched(wanted)]
            except errors.TokenError as error:
                if error.ckr != NOT_THERE or looks == _LOOKS:
                    raise
                looks += 1
            else:
                return [one for one in found if one]

    def _searched(self, wanted: t.Mapping[int, bytes]) -> list[int]:
        ignored = {attributes.ATTRIBUTES[name].code for name in self._session.not_searched}
        return self._handles({code: value for code, value in wanted.items() if code not in ignored})

    def _handles(self, asked: t.Mapping[int, bytes]) -> list[int]:
        """What the token finds; none where it has no such objects, which a search without names tells for sure."""
        try:
            what = f"find certificates on the token {self._token}"
            return self._session.search(what, functions.Template({**_CLASS, **asked}))
        except errors.TokenError as error:
            if error.ckr not in _NONE:
                raise
            return self._handles({}) if asked else []

    def store_certificate(self, wished: certificate.Certificate) -> certificate.Certificate:
        """As `CertificateObjects`."""
        if self._store:
            self._store.refuse_foreign(f"store {wished} on the token {self._token}")
            self._store.begin()
        values = {
            **_CLASS,
            _TYPE: _X509,
            _PRIVATE: attributes.pack("private", False),
            _LABEL: attributes.pack("label", wished.label or ""),
            _ID: wished.id,
            _VALUE: wished.value,
        }
        # What the rest of the collection does not read of a certificate is looked at here, once.
        looked_at = {_TOKEN: attributes.pack("token", True), **_names_in(wished.value)}
        handle = self._session.make(f"store {wished}", "C_CreateObject", functions.Template({**values, **looked_at}))
        made = t.cast(certificate.Certificate, self._read(handle))
        read = self._session.raw(handle, {code: max(len(value), 16) for code, value in looked_at.items()})
        other = [code for code, value in looked_at.items() if read[code].value not in (None, value)]
        return made._replace(unreadable=f"another {_NAMED[other[0]]}") if other else made

    def set_certificate_names(self, found: certificate.Certificate, label: str | None, identifier: bytes) -> None:
        """As `CertificateObjects`."""
        names: dict[str, attributes.Value] = {"id": identifier, **({} if label is None else {"label": label})}
        self._session.write(
            f"set {' and '.join(names)} of {found}", "C_SetAttributeValue", found.handle, calls.template(names)
        )

    def destroy_certificate(self, found: certificate.Certificate) -> None:
        """As `CertificateObjects`."""
        self._session.remove(f"destroy {found}", found.handle)

    def _read(self, handle: int, wanted: t.Mapping[int, bytes] | None = None) -> certificate.Certificate | None:
        """One certificate; None where it is not what was wanted, since a token may pay no heed to what it is asked for.

        An id that is not told is no other id, and so is not passed over; a label only tells people something.
        """
        values = self._session.raw(handle, _SIZES)
        for code, value in (wanted or {}).items():
            self._check_told(handle, code, values[code])
            if values[code].value != value:
                return None
        failed = [read.rv for code, read in values.items() if read.value is None and code != _LABEL]
        if functions.CKR_OBJECT_HANDLE_INVALID in failed:
            raise errors.TokenError(f"read the certificate with handle {handle}", NOT_THERE)
        untold = [functions.rv_name(rv) for rv in failed if rv != functions.CKR_ATTRIBUTE_TYPE_INVALID]
        told = {code: read.value or b"" for code, read in values.items()}
        label = None
        with contextlib.suppress(UnicodeDecodeError):
            label = told[_LABEL].decode()
        return certificate.Certificate(handle, label, told[_ID], told[_VALUE], next(iter(untold), ""))

    def _check_told(self, handle: int, code: int, read: functions.ReadValue) -> None:
        if read.value is None and code == _ID and read.rv != functions.CKR_ATTRIBUTE_TYPE_INVALID:
            what = f"compare the id of the certificate with handle {handle} on the token {self._token}"
            raise errors.TokenError(what, functions.rv_name(read.rv))


def _names_in(value: bytes) -> dict[int, bytes]:
    """Subject, issuer and serial number as they stand in a certificate, by their codes."""
    from asn1crypto.x509 import Certificate as Parsed

    told = Parsed.load(value)["tbs_certificate"]
    fields = {_SUBJECT: "subject", _ISSUER: "issuer", _SERIAL: "serial_number"}
    return {code: told[name].dump() for code, name in fields.items()}

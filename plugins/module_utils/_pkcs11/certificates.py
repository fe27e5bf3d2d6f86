# Copyright (c) 2026, The cryptoki.hsm authors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The search for certificates beside keys (PKCS#11 3.1, section 4.6)."""

from __future__ import annotations

import contextlib

from ansible_collections.cryptoki.hsm.plugins.module_utils._pair.certificate import Certificate
from ansible_collections.cryptoki.hsm.plugins.module_utils._pkcs11.calls import Session
from ansible_collections.cryptoki.hsm.plugins.module_utils._pkcs11.functions import Template
from ansible_collections.cryptoki.hsm.plugins.module_utils._pkcs11.structures import CK_ULONG
from ansible_collections.cryptoki.hsm.plugins.module_utils._standard.attributes import ATTRIBUTES, pack
from ansible_collections.cryptoki.hsm.plugins.module_utils._standard.errors import TokenError

_CLASS = {ATTRIBUTES["class"].code: bytes(CK_ULONG(1))}  # CKO_CERTIFICATE
_LABEL, _ID = ATTRIBUTES["label"].code, ATTRIBUTES["id"].code
_VALUE = 0x11
_SIZES = {_LABEL: 4096, _ID: 4096, _VALUE: 16384}
# What tokens answer that know no such objects.
_NONE = ("CKR_ATTRIBUTE_VALUE_INVALID", "CKR_TEMPLATE_INCONSISTENT")


def certificates(session: Session, token: str, label: str | None, identifier: bytes | None) -> list[Certificate]:
    """As `TokenSession.certificates`."""
    names = {_LABEL: ("label", label), _ID: ("id", identifier)}
    wanted = {code: pack(name, value) for code, (name, value) in names.items() if value is not None}
    try:
        handles = session.search(f"find certificates on the token {token}", Template({**_CLASS, **wanted}))
    except TokenError as error:
        if error.ckr in _NONE:
            return []
        raise
    return [_read(session, handle) for handle in handles]


def _read(session: Session, handle: int) -> Certificate:
    told = {code: read.value or b"" for code, read in session.raw(handle, _SIZES).items()}
    label = None
    with contextlib.suppress(UnicodeDecodeError):
        label = told[_LABEL].decode()
    return Certificate(handle, label, told[_ID], told[_VALUE])

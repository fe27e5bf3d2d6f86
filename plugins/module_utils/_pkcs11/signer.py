# Copyright (c) 2026, The cryptoki.hsm authors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""A private half at work inside its token, by its handle."""

from __future__ import annotations

import typing as t

from ansible_collections.cryptoki.hsm.plugins.module_utils._pair import keypair
from ansible_collections.cryptoki.hsm.plugins.module_utils._pair.session import Signer
from ansible_collections.cryptoki.hsm.plugins.module_utils._pkcs11 import calls
from ansible_collections.cryptoki.hsm.plugins.module_utils._pkcs11.mechanism import with_parameter
from ansible_collections.cryptoki.hsm.plugins.module_utils._standard.mechanisms import Mechanism

if t.TYPE_CHECKING:
    from ansible_collections.cryptoki.hsm.plugins.module_utils._pair.token import TokenInfo
    from ansible_collections.cryptoki.hsm.plugins.module_utils._pkcs11.library import Library


def signer_of(library: Library, token: TokenInfo, session: calls.Session, found: keypair.TokenObject) -> Pkcs11Signer:
    """The private half `found`, which may want the PIN at each use."""
    kind = Pkcs11Signer
    if found.attributes.get("always_authenticate"):
        from ansible_collections.cryptoki.hsm.plugins.module_utils._pkcs11.context_login import AskingSigner as kind
    return kind(library, token, session, found)


class Pkcs11Signer(Signer):
    """The private half `found`."""

    def __init__(self, library: Library, token: TokenInfo, session: calls.Session, found: keypair.TokenObject) -> None:
        self._library = library
        self._token = token
        self._session = session
        self._found = found
        self._key = f"with the private key '{found.label}'"

    @property
    def mechanisms(self) -> t.Collection[int]:
        from ansible_collections.cryptoki.hsm.plugins.module_utils._pkcs11 import mechanism_list

        return mechanism_list.codes(self._library.functions, self._token.slot_id)

    def sign(self, mechanism: Mechanism, data: bytes) -> bytes:
        return self._output(f"sign {self._key}", "C_Sign", mechanism, data)

    def decrypt(self, mechanism: Mechanism, data: bytes) -> bytes:
        return self._output(f"decrypt {self._key}", "C_Decrypt", mechanism, data)

    def _output(self, what: str, function: str, mechanism: Mechanism, data: bytes) -> bytes:
        self._session.call(what, f"{function}Init", with_parameter(mechanism), self._found.handle)
        return self._session.output(what, function, data)

    def derive(self, point: bytes, size: int) -> bytes:
        from ansible_collections.cryptoki.hsm.plugins.module_utils._pkcs11 import derivation

        return derivation.derive(self._session, f"derive {self._key}", self._found.handle, point, size)

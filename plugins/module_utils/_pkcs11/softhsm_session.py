# Copyright (c) 2026, The cryptoki.hsm authors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""A logged-in token of SoftHSM: a search that finds nothing is a proof only where its files are whole."""

from __future__ import annotations

import contextlib
import functools
import typing as t

from ansible_collections.cryptoki.hsm.plugins.module_utils._pair import keypair, vendors
from ansible_collections.cryptoki.hsm.plugins.module_utils._pair.session import Query
from ansible_collections.cryptoki.hsm.plugins.module_utils._pair.token import TokenInfo
from ansible_collections.cryptoki.hsm.plugins.module_utils._pair.wish import Wish
from ansible_collections.cryptoki.hsm.plugins.module_utils._pkcs11 import calls, softhsm_store
from ansible_collections.cryptoki.hsm.plugins.module_utils._pkcs11.library import Library
from ansible_collections.cryptoki.hsm.plugins.module_utils._pkcs11.session import Pkcs11Session

if t.TYPE_CHECKING:
    from ansible_collections.cryptoki.hsm.plugins.module_utils._pkcs11.transfer import Transfer


class SoftHsmSession(Pkcs11Session):
    """As every session of PKCS#11, and it knows the folder that the token's files lie in."""

    def __init__(
        self,
        library: Library,
        session: calls.Session,
        token: TokenInfo,
        facts: vendors.VendorFacts,
        store: softhsm_store.TokenStore,
    ) -> None:
        super().__init__(library, session, token, facts)
        self._store = session.store = store
        self.warnings = store.warnings(store.small)

    @contextlib.contextmanager
    def further(self) -> t.Iterator[SoftHsmSession]:
        with contextlib.closing(
            SoftHsmSession(self._library, self._further(), self._token, self.facts, self._store)
        ) as session:
            yield session

    def introduction(self) -> dict[str, t.Any]:
        return {**super().introduction(), "warnings": self.warnings}

    def find(self, query: Query) -> list[keypair.TokenObject]:
        found = super().find(query)
        if not found:
            self.check_absence()
        return found

    def check_absence(self) -> None:
        self._store.refuse_damage(self._token)

    def tell_damage(self) -> tuple[str, ...]:
        return self._store.warnings(self._store.damaged())

    def check_generation(self, wish: Wish) -> None:
        self.check_making(f"generate {wish} on the token {self._token}")
        super().check_generation(wish)

    def check_making(self, what: str) -> None:
        self._store.refuse_foreign(what)

    def generate(self, wish: Wish) -> keypair.KeyPair:
        self._store.begin()
        return super().generate(wish)

    def freeze(self, found: keypair.TokenObject, values: t.Mapping[str, bool]) -> keypair.TokenObject:
        self.check_making(f"copy the {found.half} key '{found.label}' on the token {self._token}")
        self._store.begin()
        return super().freeze(found, values)

    @functools.cached_property
    def transfer(self) -> Transfer:
        self._store.begin()  # a copy may be stored
        return super().transfer

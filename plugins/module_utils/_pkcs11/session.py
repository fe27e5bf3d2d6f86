# Copyright (c) 2026, The cryptoki.hsm authors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""A logged-in token, reached through a vendor's PKCS#11 library."""

from __future__ import annotations

import contextlib
import functools
import typing as t

from ansible_collections.cryptoki.hsm.plugins.module_utils._pair import keypair, vendors
from ansible_collections.cryptoki.hsm.plugins.module_utils._pair.session import Query, Signer, TokenSession
from ansible_collections.cryptoki.hsm.plugins.module_utils._pair.token import TokenFlag, TokenInfo
from ansible_collections.cryptoki.hsm.plugins.module_utils._pair.wish import Wish
from ansible_collections.cryptoki.hsm.plugins.module_utils._pkcs11 import calls
from ansible_collections.cryptoki.hsm.plugins.module_utils._pkcs11.library import Library
from ansible_collections.cryptoki.hsm.plugins.module_utils._standard import attributes, errors

if t.TYPE_CHECKING:
    from ansible_collections.cryptoki.hsm.plugins.module_utils._pair import certificate
    from ansible_collections.cryptoki.hsm.plugins.module_utils._pkcs11 import generation
    from ansible_collections.cryptoki.hsm.plugins.module_utils._pkcs11.transfer import Transfer


class Pkcs11Session(TokenSession):
    """One logged-in token, reached through one library."""

    _store: t.Any = None  # the folder of a token of SoftHSM's

    def __init__(self, library: Library, session: calls.Session, token: TokenInfo, facts: vendors.VendorFacts) -> None:
        self._library = library
        self._session = session
        self._token = token
        self.facts = facts
        session.not_searched = facts.not_searched
        self.token_name = token.label
        self.slot_id = token.slot_id
        self.uri_attributes = token.uri_attributes()
        self.write_protected = bool(token.flags & TokenFlag.WRITE_PROTECTED)
        self.threads = library.threads and facts.threads
        self.freezes_by_copy = facts.copy

    @functools.cached_property
    def transfer(self) -> Transfer:
        """This session's part in the copying of pairs."""
        from ansible_collections.cryptoki.hsm.plugins.module_utils._pkcs11.transfer import Transfer

        return Transfer(self._session, self._token, self.mechanisms, self.facts)

    @property
    def mechanisms(self) -> frozenset[int]:
        """What the token can do."""
        from ansible_collections.cryptoki.hsm.plugins.module_utils._pkcs11 import mechanism_list

        return mechanism_list.codes(self._library.functions, self._token.slot_id)

    def find(self, query: Query) -> list[keypair.TokenObject]:
        return self._session.find(query.key_class, query.attributes(), query.read)

    def look_anew(self) -> None:
        pass  # every search asks the token

    def survey(self, query: Query, at_most: int | None = None) -> list[keypair.TokenObject] | None:
        handles = self._session.handles(query.key_class, query.attributes(), at_most)
        if at_most is not None and len(handles) > at_most:
            return None
        return [self._read_or_tell(query, handle) for handle in handles]

    def _read_or_tell(self, query: Query, handle: int) -> keypair.TokenObject:
        try:
            return self._session.read(query.key_class, handle, query.read)
        except errors.TokenError as error:
            return keypair.TokenObject(handle, query.key_class, {}, {"class": error.ckr or error.said})

    def certificates(self, label: str | None = None, identifier: bytes | None = None) -> list[certificate.Certificate]:
        return self.certificate_objects().certificates(label, identifier) if self.facts.certificates else []

    def certificate_objects(self) -> certificate.CertificateObjects:
        from ansible_collections.cryptoki.hsm.plugins.module_utils._pkcs11.certificates import Pkcs11Certificates

        return Pkcs11Certificates(self._session, str(self._token), self._store)

    @contextlib.contextmanager
    def further(self) -> t.Iterator[Pkcs11Session]:
        with contextlib.closing(Pkcs11Session(self._library, self._further(), self._token, self.facts)) as session:
            yield session

    def _further(self) -> calls.Session:
        rw, login = not self.write_protected, self.facts.login_each_session
        return self._library.open_further(self._token, rw=rw, login=login)

    def close(self) -> None:
        """Logs out, and leaves nothing that a transfer needed."""
        if "transfer" in self.__dict__:
            self.transfer.end()
        self._session.close()

    def check_generation(self, wish: Wish) -> None:
        self._generation.check(wish)

    def generate(self, wish: Wish) -> keypair.KeyPair:
        return self._generation.generate(wish)

    @property
    def _generation(self) -> generation.Generation:
        from ansible_collections.cryptoki.hsm.plugins.module_utils._pkcs11 import generation

        return generation.Generation(self._library, self._session, self._token, self.facts)

    def set_attributes(
        self, found: keypair.TokenObject, values: t.Mapping[str, attributes.Value]
    ) -> keypair.TokenObject:
        self._session.set_attributes(found, values)
        return self.read(found)

    def freeze(self, found: keypair.TokenObject, values: t.Mapping[str, bool]) -> keypair.TokenObject:
        if not self.facts.copy:
            return found  # sent at birth: this vendor has no other way
        what = f"copy the {found.half} key '{found.label}'"
        changed = calls.template({name: values[name] for name in attributes.FREEZING if name in values})
        handle = self._session.make(what, "C_CopyObject", found.handle, changed)
        if handle in (0, found.handle):  # CK_INVALID_HANDLE, or no copy at all
            raise errors.TokenError(what, said=f"with the handle {handle}, which is no copy's", hint="")
        return self._session.read(found.half, handle)

    def read(self, found: keypair.TokenObject) -> keypair.TokenObject:
        return self._session.read(found.half, found.handle)

    def destroy(self, found: keypair.TokenObject) -> None:
        from ansible_collections.cryptoki.hsm.plugins.module_utils._pkcs11.removal import destroy

        destroy(self._session, found.half, found.handle, found.attributes.get("token") is not False)

    def describe(self) -> dict[str, t.Any]:
        """The state of the session, and how many key objects it sees; three searches."""
        objects = {f"{name}_key": len(self._session.handles(name, {})) for name in attributes.KEY_CLASSES}
        return {"state": self._session.state(), "objects": objects}

    def signer(self, pair: keypair.KeyPair) -> Signer:
        from ansible_collections.cryptoki.hsm.plugins.module_utils._pkcs11.signer import signer_of

        return signer_of(self._library, self._token, self._session, pair.private)

    def introduction(self) -> dict[str, t.Any]:
        """What another process has to know of this session to work with it."""
        names = ("facts", "token_name", "uri_attributes", "write_protected", "slot_id", "threads", "freezes_by_copy")
        return {name: getattr(self, name) for name in names}

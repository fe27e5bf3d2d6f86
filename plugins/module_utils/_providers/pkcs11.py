# Copyright (c) 2026, The cryptoki.hsm authors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The provider for every vendor's PKCS#11 library.

Note that this module util is **PRIVATE** to the collection. It can have breaking changes at any time.
Do not use it from outside.
"""

from __future__ import annotations

import contextlib
import dataclasses
import functools
import hashlib
import os
import secrets
import typing as t

from ansible_collections.cryptoki.hsm.plugins.module_utils import _proof, _softhsm
from ansible_collections.cryptoki.hsm.plugins.module_utils._attributes import (
    FREEZING,
    HALVES,
    KEY_CLASSES,
    PRIVATE,
    PUBLIC,
    Half,
    KeyClass,
    Value,
)
from ansible_collections.cryptoki.hsm.plugins.module_utils._cryptoki import Library
from ansible_collections.cryptoki.hsm.plugins.module_utils._cryptoki_session import PKCS11_IMPORT_ERROR, Session
from ansible_collections.cryptoki.hsm.plugins.module_utils._errors import HsmError, InputError, TokenError
from ansible_collections.cryptoki.hsm.plugins.module_utils._kek import Keks
from ansible_collections.cryptoki.hsm.plugins.module_utils._keypair import KeyPair, TokenObject, pair_up
from ansible_collections.cryptoki.hsm.plugins.module_utils._limits import vendor_refusal
from ansible_collections.cryptoki.hsm.plugins.module_utils._lock import LockError, LockTimeout, host_locks
from ansible_collections.cryptoki.hsm.plugins.module_utils._login import Login, login_from
from ansible_collections.cryptoki.hsm.plugins.module_utils._mechanisms import KEY_GEN, MECHANISMS, mechanism_name
from ansible_collections.cryptoki.hsm.plugins.module_utils._providers.base import (
    Params,
    Proof,
    Provider,
    Query,
    Unable,
)
from ansible_collections.cryptoki.hsm.plugins.module_utils._providers.transfer import TransferSession
from ansible_collections.cryptoki.hsm.plugins.module_utils._token import (
    TokenFlag,
    TokenInfo,
    TokenSelector,
    check_expected,
    choose_token,
)
from ansible_collections.cryptoki.hsm.plugins.module_utils._transfer import Able, Way
from ansible_collections.cryptoki.hsm.plugins.module_utils._values import colon_hex
from ansible_collections.cryptoki.hsm.plugins.module_utils._vendors import VendorFacts, vendor_facts
from ansible_collections.cryptoki.hsm.plugins.module_utils._wish import Wish


class Pkcs11Session(TransferSession):
    """One logged-in token, reached through one library."""

    def __init__(self, library: Library, session: Session, token: TokenInfo, facts: VendorFacts) -> None:
        self._library = library
        self._session = session
        self._token = token
        self.facts = facts
        self.token_name = token.label
        self.slot_id = token.slot_id
        self.uri_attributes = token.uri_attributes()
        self.write_protected = bool(token.flags & TokenFlag.WRITE_PROTECTED)
        self.threads = library.threads
        self._keks = Keks(session, facts, str(token))

    @property
    def mechanisms(self) -> frozenset[int]:
        """What the token can do."""
        return self._library.mechanisms(self._token.slot_id)

    def find(self, query: Query) -> list[TokenObject]:
        return self._session.find(query.key_class, query.attributes(), query.read)

    def look_anew(self) -> None:
        pass  # every search asks the token

    def survey(self, query: Query, at_most: int | None = None) -> list[TokenObject] | None:
        handles = self._session.handles(query.key_class, query.attributes(), at_most)
        if at_most is not None and len(handles) > at_most:
            return None
        return [self._read_or_tell(query, handle) for handle in handles]

    def _read_or_tell(self, query: Query, handle: int) -> TokenObject:
        try:
            return self._session.read(query.key_class, handle, query.read)
        except TokenError as error:
            return TokenObject(handle, query.key_class, {}, {"class": error.ckr or error.said})

    @contextlib.contextmanager
    def further(self) -> t.Iterator[Pkcs11Session]:
        opened = self._library.open_further(self._token, rw=not self.write_protected)
        with contextlib.closing(Pkcs11Session(self._library, opened, self._token, self.facts)) as session:
            yield session

    def close(self) -> None:
        """Logs out, and leaves nothing that a transfer needed."""
        self._keks.end()
        self._session.close()

    def check_generation(self, wish: Wish) -> None:
        reason = self._mechanism_refusal(wish) or vendor_refusal(wish, self.facts)
        provable = {row.code for row in _proof.candidates(wish, wish.template(PRIVATE))}
        if not reason and wish.verify and not provable & self.mechanisms:
            reason = "verify is true and the token has no mechanism to prove the pair with"
        if reason:
            raise HsmError(f"Refused to generate {wish} on the token {self._token}: {reason}.")

    def _mechanism_refusal(self, wish: Wish) -> str | None:
        """Why the token's own mechanisms cannot make the pair."""
        mechanism = _key_gen(wish)
        if mechanism not in self.mechanisms:
            return f"the token has no {mechanism_name(mechanism)}; see the option key_gen_mechanism"
        # Tokens count the bits of Edwards curves differently (255 or 256); there the name alone decides.
        bits = {"rsa": wish.modulus_bits, "ec": wish.curve.bits if wish.curve else None}.get(wish.key_type)
        smallest, largest = self._library.key_sizes(self._token.slot_id, mechanism)
        if bits and largest and not smallest <= bits <= largest:
            return f"the token makes keys of {smallest} to {largest} bits, not of {bits}"
        return None

    def generate(self, wish: Wish) -> KeyPair:
        drawn = wish.id is None and self.facts.id_length > 0
        if drawn:
            wish = dataclasses.replace(wish, id=wish.drawn_id or secrets.token_bytes(self.facts.id_length))
        handles: dict[KeyClass, int] = {}
        try:
            handles[PUBLIC], handles[PRIVATE] = self._session.generate(
                wish.key_type, _key_gen(wish), self._template(wish, PUBLIC), self._template(wish, PRIVATE)
            )
            pairs = pair_up([self._session.read(half, handle) for half, handle in handles.items()])
        except TokenError as error:
            remains = self._undo(handles) if handles else self._undo_unknown(wish, drawn)
            raise error.at(f"generate {wish} on the token {self._token}", remains) from None
        except Exception:  # a bug, or a value that python-pkcs11 cannot take (T8): reported as one, and nothing is left
            self._undo_unknown(wish, drawn)
            raise
        if len(pairs) != 1 or not pairs[0].whole:
            names = " and ".join(map(str, pairs))
            # One of the handles may be that of a key which was there before: it is not destroyed by its handle.
            raise HsmError(
                f"Could not generate {wish} on the token {self._token}: the HSM returned halves that do not belong"
                f" together, {names}. {self._undo_unknown(wish, drawn)}"
            )
        return pairs[0]

    def _template(self, wish: Wish, half: Half) -> dict[str, Value]:
        values = wish.new_half(half)
        if not self.facts.copy:
            values.update(wish.freezing(half))
        return {name: value for name, value in values.items() if self.facts.sends(half, name, value)}

    def _undo(self, handles: t.Mapping[KeyClass, int]) -> str:
        """Destroys what a call of this process returned; the answer tells what remains."""
        left = []
        for half, handle in handles.items():
            try:
                self._session.destroy(half, handle)
            except TokenError as error:
                left.append(f"the new {half} half (handle {handle}; {error.ckr or error.said})")
        return f"What remains on the token: {' and '.join(left)}." if left else "Nothing of it is left on the token."

    def _undo_unknown(self, wish: Wish, drawn: bool) -> str:
        """After a call that returned no handles: only what carries an id drawn for it is surely its own (trap T14)."""
        try:
            found = [
                key
                for half in HALVES
                for key in self.find(Query(half, label=None if wish.id else wish.label, id=wish.id))
            ]
        except TokenError as error:
            return f"What it left on the token is not known, because a search failed ({error.ckr or error.said})."
        if drawn:
            return self._undo({key.half: key.handle for key in found})
        if found:
            names = ", ".join(map(str, found))
            return f"What is there now under this name: {names}. If it is a pair, verify=true proves it."
        return "Nothing of that name is left on the token."

    def set_attributes(self, found: TokenObject, values: t.Mapping[str, Value]) -> TokenObject:
        self._session.set_attributes(found, values)
        return self._session.read(found.half, found.handle)

    def freeze(self, found: TokenObject, values: t.Mapping[str, bool]) -> TokenObject:
        if not self.facts.copy:
            return found  # sent at birth: this vendor has no other way
        frozen = self._session.copy(found, {name: values[name] for name in FREEZING if name in values})
        try:
            self._session.destroy(found.half, found.handle)
        except TokenError as error:
            raise error.at(error.attempt, f"Beside it is its copy, {frozen}, which is to take its place.") from None
        return frozen

    def destroy(self, found: TokenObject) -> None:
        self._session.destroy(found.half, found.handle)

    def describe(self) -> dict[str, t.Any]:
        """The state of the session, and how many key objects it sees; three searches."""
        objects = {f"{name}_key": len(self._session.handles(name, {})) for name in KEY_CLASSES}
        return {"state": self._session.state(), "objects": objects}

    def prove(self, wish: Wish, pair: KeyPair, passive: bool = False) -> Proof:
        return _proof.prove(self._session, self.mechanisms, wish, pair, passive)

    def introduction(self) -> dict[str, t.Any]:
        """What another process has to know of this session to work with it."""
        names = ("facts", "token_name", "uri_attributes", "write_protected", "slot_id")
        return {name: getattr(self, name) for name in names}

    def able(self) -> Able:
        return Able(self.token_name, self.mechanisms, self.facts)

    def offer(self, peer: str, way: Way) -> bytes:
        return self._keks.offer(peer, way)

    def answer(self, peer: str, way: Way, offer: bytes) -> bytes:
        return self._keks.answer(peer, way, offer)

    def settle(self, peer: str, way: Way, answer: bytes) -> None:
        self._keks.settle(peer, way, answer)

    def wrap(self, peer: str, way: Way, found: TokenObject) -> bytes:
        return self._keks.wrap(peer, way, found)

    def receive(
        self, peer: str, way: Way, wrapped: bytes, templates: t.Mapping[Half, t.Mapping[str, Value]], pair: KeyPair
    ) -> KeyPair:
        sent = {
            half: {name: value for name, value in values.items() if self.facts.sends(half, name, value)}
            for half, values in templates.items()
        }
        made: dict[KeyClass, int] = {}
        try:
            if not pair.publics:  # first, because it tells what the private half is if the task is killed in between
                made[PUBLIC] = self._session.create(PUBLIC, sent[PUBLIC])
            made[PRIVATE] = self._keks.unwrap(peer, way, wrapped, sent[PRIVATE])
            for half, handle in made.items():
                pair = pair.with_half(self._session.read(half, handle))
        except TokenError as error:
            raise error.at(f"copy a key pair to the token {self._token}", self._undo(made)) from None
        pairs = pair_up(pair.objects)
        return pairs[0] if len(pairs) == 1 else pair


def _key_gen(wish: Wish) -> int:
    if wish.key_gen_mechanism is not None:
        return wish.key_gen_mechanism
    return MECHANISMS[KEY_GEN[wish.key_type]].code


_TWO_TOOLS = "use the provider cloudhsm_cli or key_mgmt_util, which drive the cluster's own tool"


class Pkcs11Provider(Provider):
    """Any PKCS#11 library, through python-pkcs11."""

    name = "pkcs11"
    persistent_handles = False
    requires = {
        "python-pkcs11 >= 0.10": PKCS11_IMPORT_ERROR,
        "cryptography": _proof.CRYPTOGRAPHY_IMPORT_ERROR,
    }
    lacks = {"users": f"PKCS#11 tells nothing of users; {_TWO_TOOLS}"}
    cannot = {
        "handle": Unable(
            "a handle of PKCS#11 names another key in the next task: use id, fingerprint or uri", filters=True
        ),
        "shared_with": Unable(f"PKCS#11 has no sharing: {_TWO_TOOLS}", filters=True),
        "share_with": Unable(f"PKCS#11 has no sharing: {_TWO_TOOLS}"),
        "quorum": Unable(f"PKCS#11 has no quorum: {_TWO_TOOLS}"),
        "attest": Unable("PKCS#11 has no attestation: pin the token's identity with expect_token"),
        "executable": Unable("it loads the library named by module_path"),
        "min_servers": Unable("one token is one server: name the others in replicas", above=1, unless="replicas"),
    }

    def __init__(self, login: Login, lock_timeout: float) -> None:
        self._login = login
        self._lock_timeout = lock_timeout

    @property
    def selector(self) -> TokenSelector:
        """Which token is meant."""
        return self._login.selector

    @classmethod
    def connect(cls, params: Params, any_token: bool) -> tuple[Pkcs11Provider, Login]:
        login = login_from(params, any_token)
        return cls(login, params["lock_timeout"]), login

    @contextlib.contextmanager
    def session(self, *, writable: bool, threads: bool = False) -> t.Iterator[Pkcs11Session]:
        with self.library(threads) as library, self.logged_in(library, self.choose(library), writable) as session:
            yield session

    @contextlib.contextmanager
    def unlocked_session(self, *, writable: bool) -> t.Iterator[Pkcs11Session]:
        """As L{session}, for a process whose parent holds the locks."""
        with self._loaded(False) as library, self.logged_in(library, self.choose(library), writable) as session:
            yield session

    @contextlib.contextmanager
    def logged_in(self, library: Library, token: TokenInfo, writable: bool) -> t.Iterator[Pkcs11Session]:
        """The session with a token that was chosen, after every check that needs no login."""
        facts = vendor_facts(
            self._login.vendor, library.info.manufacturer, library.info.description, token.manufacturer, token.model
        )
        self.check_identity(library, token)
        self._check_hidden(token)
        check_pin_state(token, self._login)
        rw = not facts.read_only_sessions or (writable and not token.flags & TokenFlag.WRITE_PROTECTED)
        opened = library.open(token, self._login.login_pin(facts.composite_pin), rw=rw)
        with contextlib.closing(Pkcs11Session(library, opened, token, facts)) as session:
            yield session

    @contextlib.contextmanager
    def library(self, threads: bool = False) -> t.Iterator[Library]:
        """The initialised library, under the lock of this host, which is taken before C_Initialize (trap T5)."""
        with locked([self], self._lock_timeout), self._loaded(threads) as library:
            yield library

    @contextlib.contextmanager
    def _loaded(self, threads: bool) -> t.Iterator[Library]:
        self._check_library()
        with contextlib.closing(Library(self._login.module_path, self._login.environment, threads)) as library:
            yield library

    def _environment(self) -> dict[str, str]:
        return {**os.environ, **self._login.environment}

    def _soft_folder(self) -> str | None:
        """SoftHSM's token folder; None for any other library."""
        environment = self._environment()
        return _softhsm.token_folder(environment) if _softhsm.is_softhsm(self._login.module_path, environment) else None

    @property
    def lock_key(self) -> str:
        """What all tasks on this host that use the same storage or library have in common."""
        folder = self._soft_folder()
        if folder:
            return f"softhsm {folder}"
        settings = " ".join(f"{name}={value}" for name, value in sorted(self._login.environment.items()))
        return f"{os.path.realpath(self._login.module_path)} {settings}"

    def overlooked(self) -> list[str]:
        """Paths below SoftHSM's token folder that this user cannot read: a token there stays unseen."""
        folder = self._soft_folder()
        return _softhsm.unreadable(folder) if folder else []

    def choose(self, library: Library) -> TokenInfo:
        """The one token that is meant."""
        return choose_token(self._login.selector, library.slots(), library.info, self.overlooked)

    def check_identity(self, library: Library, token: TokenInfo) -> None:
        """Compares the token with the values pinned by expect_token; one that is not initialised has no serial yet."""
        apart = {"library_sha256"} if token.flags & TokenFlag.TOKEN_INITIALIZED else {"library_sha256", "serial"}
        expected = {name: value for name, value in self._login.expect.items() if name not in apart}
        check_expected(f"token '{token.label}' in {library.info.path}", expected, _token_identity(token))

    def identity(self, token: TokenInfo) -> dict[str, str]:
        """What the option expect_token can pin of the library and a token; what is empty cannot be pinned."""
        values = {"library_sha256": self.library_sha256, **_token_identity(token)}
        return {name: value for name, value in values.items() if value}

    @functools.cached_property
    def library_sha256(self) -> str:
        """The digest of the library's file, in a form in which Ansible finds no PIN by chance."""
        return colon_hex(bytes.fromhex(_library_digest(self._login.module_path)))

    def _check_library(self) -> None:
        """Compares the library with the pinned digest, before any code of it runs."""
        wish = self._login.expect.get("library_sha256")
        if wish is not None:
            path = self._login.module_path
            check_expected(f"library {path}", {"library_sha256": wish}, {"library_sha256": _library_digest(path)})

    def _check_hidden(self, token: TokenInfo) -> None:
        """For SoftHSM: that no file of the token is hidden from this user."""
        folder = self._soft_folder()
        own = _softhsm.token_folder_of(folder, token.serial) if folder else None
        hidden = _softhsm.unreadable(own or folder) if folder else []
        if hidden:
            raise HsmError(
                f"Refused to search the token {token}: this user cannot read {hidden[0]}, and SoftHSM overlooks such"
                " files without an error. Run the task as the token's owner."
            )


@contextlib.contextmanager
def locked(providers: t.Sequence[Pkcs11Provider], timeout: float) -> t.Iterator[None]:
    """Holds the locks of this host for all C(providers), whatever their order; C(timeout) in seconds."""
    tokens = " and ".join(str(provider.selector) for provider in providers)
    try:
        with host_locks([provider.lock_key for provider in providers], timeout):
            yield
    except LockTimeout as error:
        raise HsmError(
            f"Could not use the token {tokens} within {timeout:g} seconds: process {error.holder_pid or 'unknown'}"
            f" holds the lock {error.path}. Wait for it, or raise lock_timeout."
        ) from None
    except LockError as error:
        raise HsmError(f"Could not lock the token {tokens} on this host: {error}.") from None


def _token_identity(token: TokenInfo) -> dict[str, str]:
    """What the option C(expect_token) compares of a token, as texts."""
    names = ("manufacturer", "model", "serial", "hardware_version", "firmware_version")
    return {name: getattr(token, name) for name in names}


def _library_digest(path: str) -> str:
    try:
        with open(path, "rb") as file:
            return hashlib.sha256(file.read()).hexdigest()
    except OSError as error:
        return os.strerror(error.errno or 0)


def check_pin_state(token: TokenInfo, login: Login) -> None:
    """Refuses a login that cannot succeed or may lock the PIN (PKCS#11 3.1, table 6: CKF_USER_PIN_…)."""
    flags = token.flags
    if flags & TokenFlag.USER_PIN_LOCKED:
        raise HsmError(
            f"Refused to log in to the token {token}: its user PIN is locked; let the security officer set it."
        )
    if flags & TokenFlag.USER_PIN_FINAL_TRY and not login.force_login:
        raise HsmError(
            f"Refused to log in to the token {token}: a wrong PIN would lock it now (CKF_USER_PIN_FINAL_TRY)."
            " Make sure of the PIN, then set force_login=true once."
        )
    pin_pad = flags & TokenFlag.PROTECTED_AUTHENTICATION_PATH
    if login.pin is None and flags & TokenFlag.LOGIN_REQUIRED and not pin_pad:
        raise InputError("pin", f"the token {token} needs a login; give pin or pin_file, or set HSM_PIN_FILE")

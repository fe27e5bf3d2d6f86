# Copyright (c) 2026, The cryptoki.hsm authors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The provider for every vendor's PKCS#11 library."""

from __future__ import annotations

import contextlib
import functools
import hashlib
import os
import time
import typing as t

from ansible_collections.cryptoki.hsm.plugins.module_utils._host.lock import LockError, LockTimeout, host_locks
from ansible_collections.cryptoki.hsm.plugins.module_utils._options.login import Login, give_pin, login_from
from ansible_collections.cryptoki.hsm.plugins.module_utils._pair import vendors
from ansible_collections.cryptoki.hsm.plugins.module_utils._pair.session import (
    CRYPTOGRAPHY_IMPORT_ERROR,
    Params,
    Provider,
    Unable,
)
from ansible_collections.cryptoki.hsm.plugins.module_utils._pair.token import (
    TokenFlag,
    TokenInfo,
    TokenSelector,
    check_expected,
    choose_token,
)
from ansible_collections.cryptoki.hsm.plugins.module_utils._pkcs11 import calls, softhsm
from ansible_collections.cryptoki.hsm.plugins.module_utils._pkcs11.library import Library
from ansible_collections.cryptoki.hsm.plugins.module_utils._pkcs11.session import Pkcs11Session
from ansible_collections.cryptoki.hsm.plugins.module_utils._standard import errors

if t.TYPE_CHECKING:
    from ansible_collections.cryptoki.hsm.plugins.module_utils._pair.wish import Wish
    from ansible_collections.cryptoki.hsm.plugins.module_utils._pkcs11 import p11_kit, softhsm_store

_LOOKS = 3  # how often SoftHSM's folder of a token is looked for
_PAUSE = 0.1  # seconds
_TWO_TOOLS = "use the provider cloudhsm_cli or key_mgmt_util, which drive the cluster's own tool"
_NO_QUORUM = Unable(f"PKCS#11 has no quorum: {_TWO_TOOLS}")


class Pkcs11Provider(Provider):
    """Any PKCS#11 library, through python-pkcs11."""

    name = "pkcs11"
    persistent_handles = False
    requires = {
        "python-pkcs11 >= 0.10": calls.PKCS11_IMPORT_ERROR,
        "cryptography >= 41": CRYPTOGRAPHY_IMPORT_ERROR,
    }
    lacks = {"users": f"PKCS#11 tells nothing of users; {_TWO_TOOLS}"}
    cannot = {
        "handle": Unable(
            "a handle of PKCS#11 names another key in the next task: use id, fingerprint or uri", filters=True
        ),
        "shared_with": Unable(f"PKCS#11 has no sharing: {_TWO_TOOLS}", filters=True),
        "share_with": Unable(f"PKCS#11 has no sharing: {_TWO_TOOLS}"),
        "quorum": _NO_QUORUM,
        "management_quorum": _NO_QUORUM,
        "attest": Unable("PKCS#11 has no attestation: pin the token's identity with expect_token"),
        "executable": Unable("it loads the library named by module_path"),
        "min_servers": Unable("one token is one server: name the others in replicas", above=1, unless="replicas"),
    }

    def __init__(self, login: Login, lock_timeout: float) -> None:
        self._login = login
        self._lock_timeout = lock_timeout
        self._wishes: tuple[Wish, ...] = ()

    @property
    def selector(self) -> TokenSelector:
        """Which token is meant."""
        return self._login.selector

    @classmethod
    def connect(cls, params: Params, any_token: bool) -> tuple[Pkcs11Provider, Login]:
        login = login_from(params, any_token)
        return cls(login, params["lock_timeout"]), login

    def intend(self, wishes: t.Iterable[Wish]) -> None:
        self._wishes = tuple(wish for wish in wishes if wish.on_mismatch != "keep")

    @contextlib.contextmanager
    def session(self, *, writable: bool, threads: bool = False, lock: bool = True) -> t.Iterator[Pkcs11Session]:
        self._login.check_user(writable)
        with self.library(threads, lock) as library, self.logged_in(library, self.choose(library), writable) as session:
            yield session

    def unlocked_session(
        self, *, writable: bool, threads: bool = False
    ) -> contextlib.AbstractContextManager[Pkcs11Session]:
        """As `session`, for a process whose parent holds the lock."""
        return self.session(writable=writable, threads=threads, lock=False)

    @contextlib.contextmanager
    def logged_in(self, library: Library, token: TokenInfo, writable: bool) -> t.Iterator[Pkcs11Session]:
        """The session with a token that was chosen, after every check that needs no login."""
        facts = self._facts(library, token)
        self.check_identity(library, token)
        self._refuse_uses(facts, token)
        own = self._own_folder(token)
        self._check_hidden(token, own)
        check_pin_state(token, self._login)
        rw = not facts.read_only_sessions or (writable and not token.flags & TokenFlag.WRITE_PROTECTED)
        with self._store(own, writable) as store:
            user = "limited user" if self._login.limited else "user"
            opened = library.open(token, self._login.login_pin(facts.composite_pin), rw=rw, user=user)
            with contextlib.closing(_session(library, opened, token, facts, store)) as session:
                yield session

    def row(self, library: Library, token: TokenInfo) -> vendors.VendorFacts:
        """What is known of the token's vendor."""
        return vendors.vendor_facts(
            self._login.vendor,
            *(library.info.manufacturer, library.info.description, token.manufacturer, token.model),
            version=library.info.version,
        )

    def _facts(self, library: Library, token: TokenInfo) -> vendors.VendorFacts:
        """The row of the token's vendor, and what the user says on top of it."""
        row = self.row(library, token)
        if not self._login.vendor_facts:
            return row
        from ansible_collections.cryptoki.hsm.plugins.module_utils._pair.said_facts import with_said

        return with_said(row, self._login.vendor_facts)

    def _refuse_uses(self, facts: vendors.VendorFacts, token: TokenInfo) -> None:
        """Refuses, before the login, what no key of the vendor may be used for."""
        if not (self._wishes and facts.not_sent):
            return
        from ansible_collections.cryptoki.hsm.plugins.module_utils._pair import vendor_limits

        for wish in self._wishes:
            reason = vendor_limits.use_refusal(wish, facts)
            if reason:
                raise errors.HsmError.refused(f"generate {wish} on the token {token}", reason)

    @contextlib.contextmanager
    def library(self, threads: bool = False, lock: bool = True) -> t.Iterator[Library]:
        """The initialised library, under the lock of this host, which is taken before C_Initialize (trap T5)."""
        path, pinned = self._login.module_path, self._login.expect.get("library_sha256")
        with locked([self] if lock else [], self._lock_timeout):
            if pinned is not None:  # before any code of it runs
                check_expected(f"library {path}", {"library_sha256": pinned}, {"library_sha256": library_digest(path)})
            self._check_configuration()
            loaded = Library(path, self._login.environment, threads, self._login.library_parameters)
            with contextlib.closing(loaded) as library:
                yield library

    @functools.cached_property
    def _environment(self) -> dict[str, str]:
        return {**os.environ, **self._login.environment}

    @functools.cached_property
    def soft_folder(self) -> str | None:
        """SoftHSM's token folder; None for any other library."""
        if not softhsm.is_softhsm(self._login.module_path, self._environment):
            return None
        return softhsm.token_folder(self._environment)

    @functools.cached_property
    def _kit(self) -> p11_kit.P11Kit:
        from ansible_collections.cryptoki.hsm.plugins.module_utils._pkcs11 import p11_kit

        return p11_kit.P11Kit(self._login.module_path, self._environment)

    def _own_folder(self, token: TokenInfo) -> str | None:
        """The folder of one token of SoftHSM, whose file another program may just be writing."""
        folder = self.soft_folder or self._kit.folder_of(token)
        if not folder:
            return None
        for dummy in range(_LOOKS):
            own = softhsm.token_folder_of(folder, token.serial)
            if own:
                return own
            time.sleep(_PAUSE)
        return None

    def _store(
        self, own: str | None, lasting: bool
    ) -> contextlib.AbstractContextManager[softhsm_store.TokenStore | None]:
        if own is None:
            return contextlib.nullcontext()
        from ansible_collections.cryptoki.hsm.plugins.module_utils._pkcs11 import softhsm_store

        library = self._login.module_path if self.soft_folder else self._kit.library or ""
        return softhsm_store.TokenStore(own, lasting, lambda: softhsm.file_umask(library, self._environment))

    @functools.cached_property
    def lock_key(self) -> str:
        """What all tasks on this host that use the same storage or library have in common, from the beginning."""
        folder = self.soft_folder or self._kit.folder
        if folder:
            return softhsm.lock_key(folder)
        # The name of the lock's file is made of it, which everybody may read; no secret goes into that.
        shown, parameters = self._login.harmless(), self._login.library_parameters
        settings = [f"{name}={value}" for name, value in sorted(self._login.environment.items()) if value in shown]
        settings += [parameters] if parameters in shown else []
        return " ".join([os.path.realpath(self._login.module_path), *settings])

    def overlooked(self) -> list[str]:
        """Why tokens in SoftHSM's folder stay unseen, a clause a file: it may not be read, or it is damaged."""
        folder = self.soft_folder
        if not folder:
            return []
        from ansible_collections.cryptoki.hsm.plugins.module_utils._pkcs11 import softhsm_tokens

        return softhsm_tokens.overlooked(folder)

    def choose(self, library: Library) -> TokenInfo:
        """The one token that is meant."""
        return choose_token(self._login.selector, library.slots(), library.info, self.overlooked)

    def check_identity(self, library: Library, token: TokenInfo) -> None:
        """Compares the token with the values pinned by expect_token; one that is not initialised has no serial yet."""
        apart = {"library_sha256"} if token.flags & TokenFlag.TOKEN_INITIALIZED else {"library_sha256", "serial"}
        expected = {name: value for name, value in self._login.expect.items() if name not in apart}
        check_expected(f"token '{token.label}' in {library.info.path}", expected, token.identity())

    def _check_configuration(self) -> None:
        """For SoftHSM: that it can start."""
        environment, path = self._environment, self._login.module_path
        problem = softhsm.is_softhsm(path, environment) and softhsm.configuration_problem(environment)
        if problem:
            raise errors.HsmError(f"Could not initialise the PKCS#11 library {path}: {problem}.")

    def _check_hidden(self, token: TokenInfo, own: str | None) -> None:
        """For SoftHSM: that no file of the token is hidden from this user; `own` is its folder, if that is known."""
        folder = own or self.soft_folder
        hidden = softhsm.unreadable(folder) if folder else []
        if hidden:
            raise errors.HsmError(
                f"Refused to search the token {token}: this user cannot read {hidden[0]}, and SoftHSM overlooks such"
                " files without an error. Run the task as the token's owner."
            )


def _session(
    library: Library,
    opened: calls.Session,
    token: TokenInfo,
    facts: vendors.VendorFacts,
    store: softhsm_store.TokenStore | None,
) -> Pkcs11Session:
    if store is None:
        return Pkcs11Session(library, opened, token, facts)
    from ansible_collections.cryptoki.hsm.plugins.module_utils._pkcs11 import softhsm_session

    return softhsm_session.SoftHsmSession(library, opened, token, facts, store)


@contextlib.contextmanager
def locked(providers: t.Sequence[Pkcs11Provider], timeout: float) -> t.Iterator[None]:
    """Holds the locks of this host for all `providers`, whatever their order; `timeout` in seconds."""
    tokens = " and ".join(str(provider.selector) for provider in providers)
    try:
        with host_locks([provider.lock_key for provider in providers], timeout):
            yield
    except LockTimeout as error:
        raise errors.HsmError(
            f"Could not use the token {tokens} within {timeout:g} seconds: process {error.holder_pid or 'unknown'}"
            f" holds the lock {error.path}. Wait for it, or raise lock_timeout."
        ) from None
    except LockError as error:
        raise errors.HsmError(f"Could not lock the token {tokens} on this host: {error}.") from None


def library_digest(path: str) -> str:
    """The SHA-256 of the library's file."""
    try:
        with open(path, "rb") as file:
            return hashlib.sha256(file.read()).hexdigest()
    except OSError as error:
        return os.strerror(error.errno or 0)


def check_pin_state(token: TokenInfo, login: Login) -> None:
    """Refuses a login that cannot succeed or may lock the PIN (PKCS#11 3.1, table 6: CKF_USER_PIN_…)."""
    flags = token.flags
    if flags & TokenFlag.USER_PIN_LOCKED:
        raise errors.HsmError(
            f"Refused to log in to the token {token}: its user PIN is locked; let the security officer set it."
        )
    if flags & TokenFlag.USER_PIN_FINAL_TRY and not login.force_login:
        raise errors.HsmError(
            f"Refused to log in to the token {token}: a wrong PIN would lock it now (CKF_USER_PIN_FINAL_TRY)."
            " Make sure of the PIN, then set force_login=true once."
        )
    pin_pad = flags & TokenFlag.PROTECTED_AUTHENTICATION_PATH
    if login.pin is None and flags & TokenFlag.LOGIN_REQUIRED and not pin_pad:
        raise errors.InputError("pin", f"the token {token} needs a login; {give_pin(login.unused_pin)}")

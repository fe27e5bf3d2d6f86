# Copyright (c) 2026, The cryptoki.hsm authors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What a provider is: a way to reach an HSM. It states its abilities; what it cannot do is refused here."""

from __future__ import annotations

import abc
import contextlib
import dataclasses
import typing as t

from ansible_collections.cryptoki.hsm.plugins.module_utils._pair import keypair, vendors
from ansible_collections.cryptoki.hsm.plugins.module_utils._pair.wish import Wish
from ansible_collections.cryptoki.hsm.plugins.module_utils._standard import errors, floors
from ansible_collections.cryptoki.hsm.plugins.module_utils._standard.attributes import HALVES, KeyClass, Value

if t.TYPE_CHECKING:
    from ansible_collections.cryptoki.hsm.plugins.module_utils._pair import certificate
    from ansible_collections.cryptoki.hsm.plugins.module_utils._pair.user import User
    from ansible_collections.cryptoki.hsm.plugins.module_utils._standard.mechanisms import Mechanism

Params = t.Mapping[str, t.Any]
# It is imported where there is something to check with it.
CRYPTOGRAPHY_IMPORT_ERROR = floors.cryptography_problem()
_NOT_OFFERED = "CKR_MECHANISM_INVALID"
NOT_THERE = "CKR_OBJECT_HANDLE_INVALID"


class Query(t.NamedTuple):
    """What to search the keys of one class for, and which attributes to read of them (None: all).

    `handle`: only that of a provider whose handles persist. `others`: other users' keys too, where owners are told.
    """

    key_class: KeyClass
    label: str | None = None
    id: bytes | None = None
    key_type: str | None = None
    token: bool | None = None
    read: frozenset[str] | None = None
    handle: int | None = None
    others: bool = False
    modulus: bytes | None = None
    ec_point: bytes | None = None

    def attributes(self) -> dict[str, Value]:
        """The attributes of the search, less the class."""
        wanted = {name: getattr(self, name) for name in ("key_type", "id", "label", "token", "modulus", "ec_point")}
        return {name: value for name, value in wanted.items() if value is not None}


@dataclasses.dataclass(frozen=True)
class Proof:
    """How a pair was proven: `method` names it, or is None with the `reason`; `warning`: what the user must know."""

    method: str | None
    reason: str | None = None
    warning: str = ""


class Signer(abc.ABC):
    """A private half at work inside its token: the one door for whoever wants something done with it.

    What it cannot do is answered by CKR_MECHANISM_INVALID, as a token would.
    """

    @property
    @abc.abstractmethod
    def mechanisms(self) -> t.Collection[int]:
        """What the token says that it can do; it may have to be asked."""

    def barred(self) -> str | None:
        """Why nothing can be done with it in this task, whatever it is allowed; None if it can."""
        return None

    @abc.abstractmethod
    def sign(self, mechanism: Mechanism, data: bytes) -> bytes:
        """A signature; that of an EC key is r and s side by side. RSASSA-PSS takes its own hash and a salt as long."""

    def decrypt(self, mechanism: Mechanism, data: bytes) -> bytes:
        """A decryption, with SHA-1 where it is RSAES-OAEP."""
        raise errors.TokenError("decrypt", _NOT_OFFERED)

    def derive(self, point: bytes, size: int) -> bytes:
        """The first bytes of an ECDH secret with another's point."""
        raise errors.TokenError("derive", _NOT_OFFERED)


class Unable(t.NamedTuple):
    """An option that a provider cannot honour: `above` is the largest number that needs no ability (min_servers).

    `filters`: it chooses keys, and any value of it does, 0 and an empty list too. `values`: only these cannot be
    honoured. `usual`: the default, which asks for nothing. `unless`: an option that makes it able.
    """

    alternative: str
    above: int | None = None
    filters: bool = False
    values: tuple[t.Any, ...] = ()
    usual: t.Any = None
    unless: str = ""

    def asked_for(self, value: t.Any) -> bool:
        """Whether `value` asks for what the provider cannot do."""
        if self.values:
            return value in self.values
        if self.filters:
            return value is not None
        if self.above is not None:
            return value is not None and value > self.above
        return bool(value) and value != self.usual


# What some modules need of a provider, beside key pairs.
Ability = t.Literal["users", "slots", "certificates"]
NO_SLOTS = "the tools of clusters make no tokens and have no slots; use the provider pkcs11"


class Credentials(t.Protocol):
    """How a provider logs in, as far as a module has to know it."""

    def harmless(self) -> list[str]:
        """Checked values that may be seen, although their options are masked until they are checked."""

    def secrets(self) -> list[str]:
        """Every text that must not be seen."""

    def warnings(self) -> list[str]:
        """What may be wrong about the secrets, and is no reason to refuse."""


class Node(t.NamedTuple):
    """One HSM, or one token: whether it has what was asked for."""

    name: str
    status: t.Literal["ok", "failed", "unsynchronised"] = "ok"
    message: str = ""


class TokenSession(abc.ABC):
    """A logged-in session. Every method raises `TokenError` where the HSM answers with an error."""

    facts: vendors.VendorFacts
    token_name: str
    uri_attributes: t.Mapping[str, str]
    # Who is logged in, where the HSM has users; keys of others are not looked at then.
    user: str | None = None
    write_protected = False
    # Whether `freeze` makes copies.
    freezes_by_copy = False
    # Whether several threads may work with the library at once, each in a session of its own.
    threads = False
    # Whether keys can be searched for by modulus and ec_point.
    by_value = True
    # What a user should know of the token, whatever becomes of the task.
    warnings: tuple[str, ...] = ()

    @abc.abstractmethod
    def find(self, query: Query) -> list[keypair.TokenObject]:
        """All matching objects; an empty list is a proof of absence."""

    def find_halves(self, names: t.Mapping[str, t.Any]) -> list[keypair.TokenObject]:
        """As `find`, for both halves; `names` are those of a query."""
        return [found for half in HALVES for found in self.find(Query(half, **names))]

    def check_absence(self) -> None:  # noqa: B027
        """Refuses to take anything for absent where the token's storage is damaged; `find` does so by itself."""

    def tell_damage(self) -> tuple[str, ...]:
        """As `warnings`, after a closer look, for those who only want to know what is there."""
        return self.warnings

    def check_making(self, what: str) -> None:  # noqa: B027
        """Refuses to make an object that the token's owner could not use; `what` tells what it is for."""

    @abc.abstractmethod
    def look_anew(self) -> None:
        """From now on every answer of `find` comes from the token, should it not have been so before."""

    @abc.abstractmethod
    def survey(self, query: Query, at_most: int | None = None) -> list[keypair.TokenObject] | None:
        """As `find`, for many: an object that cannot be read is told as one without attributes, and is no error.

        None where there are more than `at_most`, which are not read then.
        """

    def certificates(self, label: str | None = None, identifier: bytes | None = None) -> list[certificate.Certificate]:
        """The certificates of this label and this id, where given; none where the token has no such objects."""
        return []

    def set_certificate_id(self, found: certificate.Certificate, identifier: bytes) -> None:
        """Gives a certificate that was found another id."""
        self.certificate_objects().set_certificate_names(found, None, identifier)

    def destroy_certificate(self, found: certificate.Certificate) -> None:
        """Removes a certificate that was found; an error with `remains` tells that it is still there."""
        self.certificate_objects().destroy_certificate(found)

    def certificate_objects(self) -> certificate.CertificateObjects:
        """The certificates of the token, for what makes or changes them; never asked of a provider that lacks them."""
        raise NotImplementedError(type(self).__name__)

    @abc.abstractmethod
    def further(self) -> contextlib.AbstractContextManager[TokenSession]:
        """Another session of the same login, for another thread; to be closed before this one."""

    @abc.abstractmethod
    def check_generation(self, wish: Wish) -> None:
        """Refuses a pair that the token cannot generate, before the attempt; changes nothing."""

    @abc.abstractmethod
    def generate(self, wish: Wish) -> keypair.KeyPair:
        """A new pair, read back, with the id that was drawn for it or told.

        After an error nothing of it is left, or the error names what remains.
        """

    @abc.abstractmethod
    def read(self, found: keypair.TokenObject) -> keypair.TokenObject:
        """An object as it is now; raises `TokenError` where it is not there."""

    @abc.abstractmethod
    def set_attributes(self, found: keypair.TokenObject, values: t.Mapping[str, Value]) -> keypair.TokenObject:
        """Changes an object in place and reads it back. An error does not tell whether it was changed."""

    @abc.abstractmethod
    def freeze(self, found: keypair.TokenObject, values: t.Mapping[str, bool]) -> keypair.TokenObject:
        """Sets what can only be set at birth or by copying (modifiable, copyable, destroyable) to false.

        In place, or (`freezes_by_copy`) in a copy, which has another handle. The original stays beside it.
        """

    @abc.abstractmethod
    def destroy(self, found: keypair.TokenObject) -> None:
        """Removes one object, and looks whether it is gone, whatever the HSM answers.

        Raises `TokenError` where it is still there, or where that is not known, which `remains` says then.
        CKR_OBJECT_HANDLE_INVALID tells that it was gone before.
        """

    def signer(self, pair: keypair.KeyPair) -> Signer:
        """The private half of a pair at work."""
        raise NotImplementedError(type(self).__name__)

    def barred(self, pair: keypair.KeyPair) -> str | None:
        """Why nothing can be done with the private half in this task, whatever it is allowed; None if it can."""
        return self.signer(pair).barred()

    def prove(self, wish: Wish, pair: keypair.KeyPair, passive: bool = False) -> Proof:
        """Proves that the halves belong together by what the private half may do; raises `HsmError` if they do not.

        `passive`: without making any object, not even one of the session.
        """
        from ansible_collections.cryptoki.hsm.plugins.module_utils._pair.proof import prove

        return prove(self.signer(pair), wish, pair, passive)

    def nodes(self) -> list[Node]:
        """The HSMs behind this session, as they were at the end of its last work."""
        return [Node(self.token_name)]

    def resolve_users(self, users: t.Sequence[str]) -> tuple[str, ...]:
        """Names of crypto users that were given by name or number, sorted; raises `HsmError` for an unknown one."""
        return tuple(sorted(users))

    def share(self, found: keypair.TokenObject, users: t.Collection[str]) -> keypair.TokenObject:
        """Shares a private half with exactly these users and reads it back; adds before it takes away."""
        raise NotImplementedError(type(self).__name__)

    def await_servers(self, wish: Wish, pair: keypair.KeyPair, patient: bool = True) -> None:  # noqa: B027
        """Waits until `min_servers` HSMs have the pair; raises `HsmError` when `timeout` ends before.

        `patient`: false looks once, for check mode.
        """


class Provider(abc.ABC):
    """One way to reach HSMs."""

    name: t.ClassVar[str]
    # Options that this provider cannot honour, each with the alternative that the refusal names.
    cannot: t.ClassVar[t.Mapping[str, Unable]]
    # Abilities that this provider does not have, each with the reason and the alternative that the refusal names.
    lacks: t.ClassVar[t.Mapping[Ability, str]]
    # Whether a handle names the same object in a later task.
    persistent_handles: t.ClassVar[bool]
    # Python libraries that it needs on the target, each with the error of its import, None if there is none.
    requires: t.ClassVar[t.Mapping[str, str | None]]

    @classmethod
    @abc.abstractmethod
    def connect(cls, params: Params, any_token: bool) -> tuple[Provider, Credentials]:
        """The provider of a module's options, and how it logs in; raises `InputError`.

        `any_token`: the options need not choose a token, nor give a user where the HSM answers without.
        """

    @abc.abstractmethod
    def session(self, *, writable: bool, threads: bool = False) -> contextlib.AbstractContextManager[TokenSession]:
        """Locks, loads, logs in; and undoes that. `threads`: several shall work at once, if the library lets them."""

    def intend(self, wishes: t.Iterable[Wish]) -> None:  # noqa: B027
        """The pairs that shall be present: what no key of this vendor may be used for is refused before the login."""

    @classmethod
    def refuse_unable(cls, params: Params, within: str = "") -> None:
        """Refuses, before any login, the first option that cannot be honoured; `within` names a list's entry."""
        for option, unable in cls.cannot.items():
            if unable.asked_for(params.get(option)) and not params.get(unable.unless):
                refusal = errors.InputError(option, f"the provider {cls.name} cannot do it; {unable.alternative}")
                raise refusal.within(within) if within else refusal

    @classmethod
    def refuse_lacking(cls, needs: Ability | None) -> None:
        """Refuses, before any login, a module that needs what the provider does not have."""
        if needs is not None and needs in cls.lacks:
            raise errors.InputError("provider", cls.lacks[needs], cls.name)

    def identities(self) -> list[dict[str, str]]:
        """What the option expect_token can pin of each HSM of a cluster, without a login."""
        raise errors.InputError("provider", "its tool tells nothing of the HSMs that could be pinned", self.name)

    def users(self) -> list[User]:
        """All users of the HSM; never asked of a provider that lacks them."""
        raise NotImplementedError(self.name)

# Copyright (c) 2026, The cryptoki.hsm authors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What a provider is: a way to reach an HSM. It states its abilities; what it cannot do is refused here.

Note that this module util is **PRIVATE** to the collection. It can have breaking changes at any time.
Do not use it from outside.
"""

from __future__ import annotations

import abc
import contextlib
import dataclasses
import typing as t

from ansible_collections.cryptoki.hsm.plugins.module_utils._attributes import KeyClass, Value
from ansible_collections.cryptoki.hsm.plugins.module_utils._errors import InputError
from ansible_collections.cryptoki.hsm.plugins.module_utils._keypair import KeyPair, TokenObject
from ansible_collections.cryptoki.hsm.plugins.module_utils._vendors import VendorFacts
from ansible_collections.cryptoki.hsm.plugins.module_utils._wish import Wish


@dataclasses.dataclass(frozen=True)
class Query:
    """What to search the keys of one class for, and which attributes to read of them (None: all)."""

    key_class: KeyClass
    label: str | None = None
    id: bytes | None = None
    key_type: str | None = None
    token: bool | None = None
    read: frozenset[str] | None = None

    def attributes(self) -> dict[str, Value]:
        """The attributes of the search, less the class."""
        wanted: dict[str, Value | None] = {
            "key_type": self.key_type,
            "id": self.id,
            "label": self.label,
            "token": self.token,
        }
        return {name: value for name, value in wanted.items() if value is not None}


@dataclasses.dataclass(frozen=True)
class Proof:
    """How a pair was proven: C(method) names it, or is None with the C(reason)."""

    method: str | None
    reason: str | None = None


@dataclasses.dataclass(frozen=True)
class Unable:
    """An option that a provider cannot honour: C(above) is the largest number that needs no ability (min_servers).

    C(filters): it chooses keys, and any value of it does, 0 and an empty list too.
    """

    alternative: str
    above: int | None = None
    filters: bool = False

    def asked_for(self, value: t.Any) -> bool:
        """Whether C(value) asks for what the provider cannot do."""
        if self.filters:
            return value is not None
        if self.above is not None:
            return value is not None and value > self.above
        return bool(value)


# What some modules need of a provider, beside key pairs.
Ability = t.Literal["users"]


@dataclasses.dataclass(frozen=True)
class User:
    """A user of an HSM cluster, as key_mgmt_util's listUsers has it; None is what the cluster's tool does not tell."""

    id: int | None
    name: str
    type: str
    two_factor: bool | None
    login_failures: int | None
    quorum_key: bool | None


class TokenSession(abc.ABC):
    """A logged-in session. Every method raises L{TokenError} where the HSM answers with an error."""

    facts: VendorFacts
    token_name: str
    uri_attributes: t.Mapping[str, str]
    write_protected = False
    # Whether several threads may work with the library at once, each in a session of its own.
    threads = False

    @abc.abstractmethod
    def find(self, query: Query) -> list[TokenObject]:
        """All matching objects; an empty list is a proof of absence."""

    @abc.abstractmethod
    def look_anew(self) -> None:
        """From now on every answer of L{find} comes from the token, should it not have been so before."""

    @abc.abstractmethod
    def survey(self, query: Query, at_most: int | None = None) -> list[TokenObject] | None:
        """As L{find}, for many: an object that cannot be read is told as one without attributes, and is no error.

        None where there are more than C(at_most), which are not read then.
        """

    @abc.abstractmethod
    def further(self) -> contextlib.AbstractContextManager[TokenSession]:
        """Another session of the same login, for another thread; to be closed before this one."""

    @abc.abstractmethod
    def check_generation(self, wish: Wish) -> None:
        """Refuses a pair that the token cannot generate, before the attempt; changes nothing."""

    @abc.abstractmethod
    def generate(self, wish: Wish) -> KeyPair:
        """A new pair, read back; after an error nothing of it is left, or the error names what remains."""

    @abc.abstractmethod
    def set_attributes(self, found: TokenObject, values: t.Mapping[str, Value]) -> TokenObject:
        """Changes an object in place and reads it back."""

    @abc.abstractmethod
    def freeze(self, found: TokenObject, values: t.Mapping[str, bool]) -> TokenObject:
        """Sets what can only be set at birth or by copying (modifiable, copyable, destroyable) to false."""

    @abc.abstractmethod
    def destroy(self, found: TokenObject) -> None:
        """Removes one object."""

    @abc.abstractmethod
    def prove(self, wish: Wish, pair: KeyPair, passive: bool = False) -> Proof:
        """Proves that the halves belong together by what the private half may do; raises L{HsmError} if they do not.

        C(passive): without making any object, not even one of the session.
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

    @abc.abstractmethod
    def session(self, *, writable: bool, threads: bool = False) -> contextlib.AbstractContextManager[TokenSession]:
        """Locks, loads, logs in; and undoes that. C(threads): several shall work at once, if the library lets them."""

    @classmethod
    def refuse_unable(cls, params: t.Mapping[str, t.Any], within: str = "") -> None:
        """Refuses, before any login, the first option that cannot be honoured; C(within) names a list's entry."""
        for option, unable in cls.cannot.items():
            if unable.asked_for(params.get(option)):
                refusal = InputError(option, f"the provider {cls.name} cannot do it; {unable.alternative}")
                raise refusal.within(within) if within else refusal

    @classmethod
    def refuse_lacking(cls, needs: Ability | None) -> None:
        """Refuses, before any login, a module that needs what the provider does not have."""
        if needs is not None and needs in cls.lacks:
            raise InputError("provider", cls.lacks[needs], cls.name)

    def users(self) -> list[User]:
        """All users of the HSM; never asked of a provider that lacks them."""
        raise NotImplementedError(self.name)

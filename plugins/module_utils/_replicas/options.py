# Copyright (c) 2026, The cryptoki.hsm authors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The option `replicas`: its logins, and every rule between it and a wish, before any login."""

from __future__ import annotations

import contextlib
import dataclasses
import re
import signal
import typing as t

from ansible_collections.cryptoki.hsm.plugins.module_utils._options.login import Login, login_from
from ansible_collections.cryptoki.hsm.plugins.module_utils._pair import session
from ansible_collections.cryptoki.hsm.plugins.module_utils._pair.wish import Wish
from ansible_collections.cryptoki.hsm.plugins.module_utils._pkcs11.provider import Pkcs11Provider, locked
from ansible_collections.cryptoki.hsm.plugins.module_utils._reconcile.work import Staged
from ansible_collections.cryptoki.hsm.plugins.module_utils._replicas import replicate, tokens
from ansible_collections.cryptoki.hsm.plugins.module_utils._standard import attributes, errors

Params = t.Mapping[str, t.Any]
_OR_SET = re.compile(", or set (HSM|PKCS11)_[A-Z_]+")


@dataclasses.dataclass(frozen=True)
class Replicas:
    """The tokens of a task, the source first, each with how it is logged in to."""

    logins: t.Mapping[str, Login]
    terms: replicate.Terms
    lock_timeout: float

    @contextlib.contextmanager
    def group(self, *, writable: bool, sessions: int = 1) -> t.Iterator[tokens.Group]:
        """All tokens, under the locks of this host, and none of their processes afterwards. Who uses them logs in.

        `sessions`: how many each token may have, to work on so many pairs at the same time.
        """
        for login in self.logins.values():
            login.check_user(writable)  # before any of them is logged in to
        signal.signal(signal.SIGCHLD, signal.SIG_DFL)  # ignored, as it may be inherited, no status is kept
        providers = {name: Pkcs11Provider(login, self.lock_timeout) for name, login in self.logins.items()}
        group = tokens.Group([tokens.Token(name, provider, writable, sessions) for name, provider in providers.items()])
        with locked(list(providers.values()), self.lock_timeout):
            try:
                yield group
            finally:
                for token in group.all:
                    token.close()

    def bring_pair(self, group: tokens.Group, wish: Wish, state: str, check_mode: bool) -> replicate.Replicated:
        """One pair, brought into `state` on all tokens."""
        return replicate.replicate(group, wish, state, self.terms, check_mode)

    def stages(self, group: tokens.Group, wish: Wish, state: str, check_mode: bool) -> Staged[replicate.Replicated]:
        """As `bring_pair`, with a stop before a new pair is looked for again."""
        return replicate.stages(group, wish, state, self.terms, check_mode)

    def check(self, wish: Wish) -> None:
        """Refuses of a wished pair what copies cannot be or do; raises `InputError`."""
        if wish.on_mismatch == "replace":
            rule = "pairs on several tokens cannot be replaced at once; remove the pair and generate it anew"
            raise errors.InputError("on_mismatch", rule, "replace")
        if wish.extractable is False and self.terms.min_servers < len(self.logins):
            rule = "extractable=false needs every replica, because nothing can be copied any more afterwards"
            raise errors.InputError("min_servers", rule, self.terms.min_servers)
        if wish.private_attributes.get("wrap_with_trusted") is True and self.terms.wrapping_key is None:
            rule = "it is missing; wrap_with_trusted lets the key be copied under a trusted key only"
            raise errors.InputError("wrapping_key", rule)
        from ansible_collections.cryptoki.hsm.plugins.module_utils._pair import proof

        _import_for(wish)
        reason = proof.unprovable(wish, wish.template(attributes.PRIVATE))
        if wish.private_attributes.get("always_authenticate") and not all(one.pin for one in self.logins.values()):
            from ansible_collections.cryptoki.hsm.plugins.module_utils._pkcs11 import context_login

            reason = reason or context_login.NO_PIN
        if reason and wish.verify is not False:
            raise errors.InputError(
                "verify", f"a copy has to be proven, and cannot be, because {reason}; set it to false"
            )


def _import_for(wish: Wish) -> None:
    """What checks proofs, where each token will need it: the processes of the tokens begin with it.

    To import it takes one of them as long as all else that it does for a pair.
    """
    if wish.verify or (wish.verify is None and wish.proven_always):
        from ansible_collections.cryptoki.hsm.plugins.module_utils._pair import proof_outside  # noqa: F401


def replicas_from(params: Params, source: session.Credentials) -> Replicas:
    """The checked option of a module; raises `InputError`. `source`: its own login."""
    login = t.cast(Login, source)  # a provider with other logins has refused the option
    logins = {login.selector.name: login}
    for number, replica in enumerate(params["replicas"]):
        option = f"replicas[{number}]"
        name = replica["name"].strip()
        if not name or name in logins:
            raise errors.InputError("name", "give each replica a name of its own", replica["name"]).within(option)
        try:
            logins[name] = dataclasses.replace(login_from(replica), unused_pin="")
        except errors.InputError as error:
            told = error.within(option)
            # The environment is the task's own (`login.with_environment`).
            told.msg = f"{_OR_SET.sub('', told.msg)} Its name is '{errors.one_line(name)}'."
            raise told from None
    known = len(logins)
    min_servers = params.get("min_servers") or known
    if min_servers > known:
        rule = f"it may be at most the number of tokens, which are {known} with the replicas"
        raise errors.InputError("min_servers", rule, min_servers)
    terms = replicate.Terms(min_servers, params["timeout"], params.get("wrapping_key"))
    return Replicas(logins, terms, params["lock_timeout"])

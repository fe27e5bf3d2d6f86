# Copyright (c) 2026, The cryptoki.hsm authors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The edge to Ansible: the only place that ends a module, registers secrets and turns errors into failures."""

from __future__ import annotations

import contextlib
import ctypes
import gc
import os
import sys
import traceback
import typing as t

from ansible.module_utils.basic import missing_required_lib
from ansible.module_utils.common.parameters import remove_values

from ansible_collections.cryptoki.hsm.plugins.module_utils._host import lock
from ansible_collections.cryptoki.hsm.plugins.module_utils._options import groups
from ansible_collections.cryptoki.hsm.plugins.module_utils._options.login import Secret, with_environment
from ansible_collections.cryptoki.hsm.plugins.module_utils._pair import description, session
from ansible_collections.cryptoki.hsm.plugins.module_utils._standard import errors, floors

Params = t.Mapping[str, t.Any]
Result = dict[str, t.Any]


class HsmModule:
    """A running module: its parameters with the environment filled in, and the secrets that it has seen."""

    def __init__(self, group: groups.OptionGroup, kind_of: t.Callable[[Params], type[session.Provider]]) -> None:
        self._ansible = group.create_module()
        self._kind_of = kind_of
        problem = floors.python_problem()
        if problem:
            self._ansible.fail_json(msg=problem)
        self._secrets: set[str] = set()
        self.hide(os.environ.get("HSM_PIN"))
        self.check_mode: bool = self._ansible.check_mode
        self.params: Params = self._ansible.params

    def run(self, work: t.Callable[[HsmModule], Result]) -> t.NoReturn:
        """Does `work` and ends the module with its result or its failure."""
        gc.disable()  # a module keeps what it makes, and ends: looking for garbage took a twentieth of its time
        failure: errors.HsmError | None = None
        try:
            try:
                given = self._ansible.params
                self.params = with_environment(given, os.environ, self._kind_of(given).cannot)
                _choose_lock_folder(self.params["lock_folder"])
                os.environ.pop("HSM_PIN", None)  # what the library starts does not inherit it
                with _stdout_closed():
                    result = work(self)
            except errors.HsmError as error:
                result, failure = {"msg": error.msg, **error.data}, error
            gc.freeze()  # nor does Python look for any when it ends
            self._warn_spoiled(result)
            if failure:  # outside of its handler: it is no bug, so no core adds a traceback to it
                self._ansible.fail_json(**result)
            self._ansible.exit_json(**result)
        except Exception as error:  # pylint: disable=broad-except
            # A traceback on stderr would not be masked; this way Ansible masks the secrets in it.
            self._ansible.fail_json(
                msg=f"Unexpected {type(error).__name__}; this is a bug of cryptoki.hsm, please report it.",
                exception=traceback.format_exc(),
            )

    def hide(self, *secrets: Secret | str | None) -> None:
        """Registers secrets, which Ansible masks from then on wherever they occur."""
        for secret in secrets:
            text = secret.reveal() if isinstance(secret, Secret) else secret
            if text:
                self._secrets.add(text)
                self._ansible.mask([text])

    def know(self, login: session.Credentials) -> None:
        """Takes back the masking of what was masked until it was checked, and registers the login's secrets."""
        self._ansible.unmask(login.harmless())
        self.hide(*self._secrets, *login.secrets())  # after that: a text may be the one here and the other there
        for warning in login.warnings():
            self.warn(warning)

    def masked(self, text: str) -> str:
        """What Ansible would make of a text that does not pass through it."""
        return t.cast(str, remove_values(text, self._ansible.no_log_values))

    def warn(self, text: str) -> None:
        """Adds a warning to the result."""
        self._ansible.warn(text)

    def require_libraries(self, provider: session.Provider) -> None:
        """Fails with Ansible's usual text where a library that the provider needs is missing."""
        for name, error in provider.requires.items():
            if error:
                from ansible_collections.cryptoki.hsm.plugins.module_utils._standard import versions

                raise errors.HsmError(versions.too_old(name) or missing_required_lib(name), exception=error)

    def _warn_spoiled(self, result: Result) -> None:
        names = description.spoiled(result, self._secrets)
        if names:
            self._ansible.warn(
                f"A PIN or another secret occurs by chance in {', '.join(names)}; Ansible masks it there, so do not use"
                " these values. A longer PIN avoids this."
            )


def _choose_lock_folder(path: str | None) -> None:
    if path is not None and not (os.path.isabs(path) and os.path.isdir(path)):
        rule = "there is no such folder" if os.path.isabs(path) else "give an absolute path"
        raise errors.InputError("lock_folder", rule, path)
    lock.use_lock_folder(path)


@contextlib.contextmanager
def _stdout_closed() -> t.Iterator[None]:
    """What a vendor's library prints to stdout would spoil the module's answer; it goes to stderr."""
    sys.stdout.flush()
    saved = os.dup(1)
    try:
        os.dup2(2, 1)
        yield
    finally:
        ctypes.CDLL(None).fflush(None)  # printf keeps what it was given in a buffer
        os.dup2(saved, 1)
        os.close(saved)

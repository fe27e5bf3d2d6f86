# Copyright (c) 2026, The cryptoki.hsm authors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""How the tool of an HSM cluster is reached: executable, cluster, user and password."""

from __future__ import annotations

import dataclasses
import os
import typing as t

from ansible_collections.cryptoki.hsm.plugins.module_utils._options import login, values
from ansible_collections.cryptoki.hsm.plugins.module_utils._standard import errors


@dataclasses.dataclass(frozen=True)
class ToolLogin:
    """What is needed to drive the tool of an HSM cluster; `cluster` is None where only one is configured."""

    executable: str
    cluster: str | None
    crypto_user: str | None
    pin: login.Secret | None
    expect: t.Mapping[str, str]
    unused_pin: str | None = None

    def credentials(self) -> tuple[str, str]:
        """User and password; raises `InputError` where one was not given."""
        if self.crypto_user is None:
            raise errors.InputError("crypto_user", "it is missing; give the crypto user who owns the keys")
        if self.pin is None:
            raise errors.InputError("pin", f"it is missing; {login.give_pin(self.unused_pin)}")
        return self.crypto_user, self.pin.reveal()

    def harmless(self) -> list[str]:
        """Checked values that may be seen, although their options are masked until they are checked."""
        return [self.crypto_user] if self.crypto_user else []

    def secrets(self) -> list[str]:
        """Every text that must not be seen."""
        password = [self.pin.reveal()] if self.pin else []
        return password + [f"{self.crypto_user}:{text}" for text in password if self.crypto_user]

    def warnings(self) -> list[str]:
        """What may be wrong about the secrets, and is no reason to refuse."""
        return login.short_pin(self.pin)


def tool_login_from(params: login.Params, default: str, expectable: t.Sequence[str]) -> ToolLogin:
    """The checked login of a cluster's tool; raises `InputError`.

    `default`: the executable, if none is given. `expectable`: what expect_token can pin.
    """
    executable = params["executable"] or default
    if not os.path.isabs(executable):
        raise errors.InputError("executable", "give an absolute path", executable)
    label = params["token_label"]
    user = login.crypto_user_from(params["crypto_user"])
    return ToolLogin(
        executable=executable,
        cluster=None if label is None else values.text("token_label", label),
        crypto_user=None if user is None else user.lower(),
        pin=login.secret("pin", params["pin"], params["pin_file"]),
        expect=login.expected_from(params["expect_token"], expectable),
        unused_pin=params.get(login.UNUSED_PIN),
    )

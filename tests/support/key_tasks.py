# Copyright (c) 2026, The cryptoki.hsm authors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Tasks of hsm_key on a token in memory."""

from __future__ import annotations

import dataclasses
import typing as t

from ansible_collections.cryptoki.hsm.plugins.module_utils._options.groups import KEY, LOGIN
from ansible_collections.cryptoki.hsm.plugins.module_utils._pair.keypair import KeyPair, TokenObject
from ansible_collections.cryptoki.hsm.plugins.module_utils._reconcile.reconcile import Outcome
from ansible_collections.cryptoki.hsm.plugins.module_utils._tasks.key import task_from
from ansible_collections.cryptoki.hsm.tests.support.memory_keys import pair_of, private_key
from ansible_collections.cryptoki.hsm.tests.support.memory_token import MemorySession
from ansible_collections.cryptoki.hsm.tests.support.task_options import taken

CHANGES = {"generate", "set_attributes", "freeze", "destroy"}
NEW: dict[str, t.Any] = {"new_label": "new", "new_id": "new"}


def run(session: MemorySession, check_mode: bool = False, **given: t.Any) -> list[Outcome]:
    return task_from(taken(LOGIN + KEY, given)).bring(session, check_mode)


def rsa_pair(handle: int = 1, **changed: t.Any) -> KeyPair:
    return pair_of(private_key("2048", handle), handle=handle, **changed)


def changed_half(found: TokenObject, **values: t.Any) -> TokenObject:
    return dataclasses.replace(found, attributes={**found.attributes, **values})


def names(session: MemorySession) -> list[tuple[int, str | None, bytes]]:
    return sorted((found.handle, found.label, found.id) for found in session.objects)

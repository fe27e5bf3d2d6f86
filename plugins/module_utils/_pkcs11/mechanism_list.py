# Copyright (c) 2026, The cryptoki.hsm authors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The mechanisms of the token in a slot, asked for once; a pair that stays as it is needs to know nothing of them."""

from __future__ import annotations

import functools

from ansible_collections.cryptoki.hsm.plugins.module_utils._pkcs11 import calls, slots
from ansible_collections.cryptoki.hsm.plugins.module_utils._pkcs11.functions import Functions


@functools.cache
def codes(library: Functions, slot_id: int) -> frozenset[int]:
    """The codes of all."""
    what = f"list the mechanisms of slot {slot_id}"
    with calls.attempt(what):
        rv, listed = slots.mechanism_list(library, slot_id)
    calls.check(rv, what)
    return frozenset(listed)


@functools.cache
def key_sizes(library: Functions, slot_id: int, mechanism: int) -> tuple[int, int]:
    """The smallest and largest key of a mechanism, in bits for RSA and EC (PKCS#11 3.1, sections 6.1 and 6.3)."""
    rv, info = slots.mechanism_info(library, slot_id, mechanism)
    calls.check(rv, f"read the mechanism 0x{mechanism:x} of slot {slot_id}")
    return info.min_key_size, info.max_key_size

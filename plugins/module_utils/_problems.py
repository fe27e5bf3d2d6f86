# Copyright (c) 2026, The cryptoki.hsm authors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What is wrong with the pairs of a token, as far as it shows without using them.

Note that this module util is **PRIVATE** to the collection. It can have breaking changes at any time.
Do not use it from outside.
"""

from __future__ import annotations

import collections
import typing as t

from ansible_collections.cryptoki.hsm.plugins.module_utils._keypair import KeyPair


def problems(pairs: t.Sequence[KeyPair]) -> list[list[str]]:
    """For each pair the words that fit it.

    C(half): a half without its other. C(duplicate): not the only one of its id, or without an id of its label and
    type; or with a half more than once. C(orphan): it has neither label nor id, as what a killed generation leaves.
    C(unreadable): the token does not tell what kind of key it is.
    """
    counts = collections.Counter(name for pair in pairs for name in _names(pair))
    return [_words(pair, counts) for pair in pairs]


def _names(pair: KeyPair) -> set[t.Hashable]:
    """What a single pair alone should have; labels may be shared by pairs that have ids of their own."""
    ids: set[t.Hashable] = {("id", found.id) for found in pair.objects if found.id}
    return ids or {("label", found.key_type, found.label) for found in pair.objects if found.label}


def _words(pair: KeyPair, counts: t.Mapping[t.Hashable, int]) -> list[str]:
    names = _names(pair)
    shared = any(counts[name] > 1 for name in names)
    surplus = len(pair.publics) > 1 or len(pair.privates) > 1
    fits = {
        "half": not (pair.publics and pair.privates),
        "duplicate": shared or surplus,
        "orphan": not names,
        "unreadable": any(found.attributes.get("key_type") is None for found in pair.objects),
    }
    return [word for word, is_so in fits.items() if is_so]

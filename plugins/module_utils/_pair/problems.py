# Copyright (c) 2026, The cryptoki.hsm authors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What is wrong with the pairs of a token, as far as it shows without using them."""

from __future__ import annotations

import collections
import typing as t

from ansible_collections.cryptoki.hsm.plugins.module_utils._pair import keypair
from ansible_collections.cryptoki.hsm.plugins.module_utils._standard import attributes

if t.TYPE_CHECKING:
    from ansible_collections.cryptoki.hsm.plugins.module_utils._pair.certificate import Certificate


def problems(pairs: t.Sequence[keypair.KeyPair], beside: t.Iterable[keypair.KeyPair] = ()) -> list[list[str]]:
    """For each pair the words that fit it.

    `half`: a half without its other. `duplicate`: not the only one of its id, or without an id of its label and
    type; or with a half more than once. `orphan`: it has neither label nor id, as what a killed generation leaves.
    `unreadable`: the token does not tell what kind of key it is, or not its name. `ids`: its halves have different
    ids, or it is a half beside which, in `pairs` or `beside`, there is one that could be its other but for the id.
    """
    names = [_names(pair) for pair in pairs]
    counts = collections.Counter(name for ids, labels in names for name in {*ids, *labels})
    lone: dict[t.Hashable, list[keypair.TokenObject]] = {}
    for half in filter(None, (pair.lone for pair in (*pairs, *beside))):
        lone.setdefault(_kind(half, half.half), []).append(half)
    return [
        [*_words(pair, ids, labels, counts), *(["ids"] if pair.ids_differ or _apart(pair.lone, lone) else [])]
        for pair, (ids, labels) in zip(pairs, names, strict=True)
    ]


def _apart(half: keypair.TokenObject | None, lone: t.Mapping[t.Hashable, t.Sequence[keypair.TokenObject]]) -> bool:
    """Whether exactly one lone half could be this one's other, but for the id; `lone`: such halves by their kind."""
    if half is None or not (half.label and half.curve):
        return False
    others = lone.get(_kind(half, half.other), ())
    return len(others) == 1 and others[0].id != half.id


def _kind(found: keypair.TokenObject, half: attributes.KeyClass) -> t.Hashable:
    return half, found.key_type, found.label, found.curve


def _names(pair: keypair.KeyPair) -> tuple[set[t.Hashable], set[t.Hashable]]:
    """Its ids and its labels."""
    ids: set[t.Hashable] = {("id", found.id) for found in pair.objects if found.id}
    return ids, {("label", found.key_type, found.label) for found in pair.objects if found.label}


def _words(
    pair: keypair.KeyPair, ids: set[t.Hashable], labels: set[t.Hashable], counts: t.Mapping[t.Hashable, int]
) -> list[str]:
    # Labels may be shared by pairs that have ids of their own.
    shared = any(counts[name] > 1 for name in ids or labels)
    hidden = any(found.hides("label") or found.hides("id") for found in pair.objects)
    fits = {
        "half": len(pair.halves) == 1,
        "duplicate": shared or max(len(pair.publics), len(pair.privates)) > 1,
        "orphan": not (ids or labels or hidden),
        "unreadable": hidden or any(found.attributes.get("key_type") is None for found in pair.objects),
    }
    return [word for word, is_so in fits.items() if is_so]


def is_stale(found: Certificate, spki: bytes | None) -> bool:
    """Whether a certificate is of another key than that with this SubjectPublicKeyInfo, as far as both are known."""
    from cryptography.exceptions import UnsupportedAlgorithm
    from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

    from ansible_collections.cryptoki.hsm.plugins.module_utils._pair import certificate

    parsed = certificate.parsed(found.value)
    if parsed is None or spki is None:
        return False
    try:
        return parsed.public_key().public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo) != spki
    except (ValueError, UnsupportedAlgorithm):
        return False

# Copyright (c) 2026, The cryptoki.hsm authors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Searches of tokens that do not go by every attribute: what they find is read, and compared here."""

from __future__ import annotations

import typing as t

from ansible_collections.cryptoki.hsm.plugins.module_utils._pair import keypair
from ansible_collections.cryptoki.hsm.plugins.module_utils._pair.session import NOT_THERE
from ansible_collections.cryptoki.hsm.plugins.module_utils._pkcs11 import calls
from ansible_collections.cryptoki.hsm.plugins.module_utils._standard import attributes, errors

_NO_VALUE = "no valid value"  # what cannot be read as a value is none that was wished
_ALWAYS = ("key_type", "token")  # what every key has


def sieved(
    session: calls.Session, key_class: attributes.KeyClass, wanted: t.Mapping[str, attributes.Value]
) -> list[int]:
    """As `Session.handles`, by the attributes that the token takes; each key is compared with all that is wanted.

    A value that the token takes for none of its keys' is looked for among all keys: an error is never an empty answer.
    """
    told = {name: value for name, value in wanted.items() if name not in session.not_searched}
    try:
        handles = session.answered(key_class, told)
    except errors.TokenError as error:
        if not told or error.ckr != "CKR_ATTRIBUTE_VALUE_INVALID":
            raise
        handles = session.answered(key_class, {})
    return [handle for handle in handles if _is_wanted(session, key_class, handle, wanted)]


def unwanted(found: keypair.TokenObject, name: str, wanted: attributes.Value) -> errors.TokenError:
    """What a token answered that passes over `name` in a search, and how the user says so."""
    sought, told = (value.hex() if isinstance(value, bytes) else value for value in (wanted, found.attributes[name]))
    return errors.TokenError(
        f"find the {found.half} key with the {name} {sought!r}",
        said=f"a key with the {name} {told!r}",
        hint=f"where the token is known to pass over a {name} in searches, say 'not_searched: [{name}]' in"
        " vendor_facts, so that each key is compared here",
    )


def _is_wanted(
    session: calls.Session, key_class: attributes.KeyClass, handle: int, wanted: t.Mapping[str, attributes.Value]
) -> bool:
    """Whether a key is what is wanted, which one that is gone is not; raises `TokenError` where it does not tell."""
    try:
        found = session.read(key_class, handle, frozenset({"class", *wanted}))
    except errors.TokenError as error:
        if error.ckr == NOT_THERE:
            return False
        raise
    untold = [name for name in wanted if _is_untold(found, name)]
    if any(found.attributes.get(name) != value for name, value in wanted.items() if name not in untold):
        return False
    for name in untold:
        what = f"compare the {name} of the {key_class} key with handle {handle}"
        raise errors.TokenError(what, found.unreadable.get(name, "CKR_ATTRIBUTE_TYPE_INVALID"))
    return True


def _is_untold(found: keypair.TokenObject, name: str) -> bool:
    """Whether the key has it and does not tell it; what it may lack, and lacks, is not what was wished."""
    if name in found.unreadable:
        return found.unreadable[name] != _NO_VALUE
    return name in _ALWAYS and name not in found.attributes

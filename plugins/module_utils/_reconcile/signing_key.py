# Copyright (c) 2026, The cryptoki.hsm authors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The private key that is to sign a request, a certificate or a revocation list: which it is, and whether it may."""

from __future__ import annotations

import dataclasses
import typing as t

from ansible_collections.cryptoki.hsm.plugins.module_utils._pair import keypair
from ansible_collections.cryptoki.hsm.plugins.module_utils._pair.session import Signer, TokenSession
from ansible_collections.cryptoki.hsm.plugins.module_utils._reconcile import unclear
from ansible_collections.cryptoki.hsm.plugins.module_utils._reconcile.selection import Selection, select
from ansible_collections.cryptoki.hsm.plugins.module_utils._standard import attributes, errors


def of_private_key(selection: Selection) -> Selection:
    """The selection of the private half of what the task chooses; raises `InputError` for a half that cannot sign."""
    if selection.key_class not in (None, attributes.PRIVATE):
        raise errors.InputError("uri", "only a private key signs; leave its type out", f"type={selection.key_class}")
    return dataclasses.replace(selection, key_class=attributes.PRIVATE)


def named(selection: Selection) -> str:
    """How messages name what was chosen."""
    return f"the private key chosen by {dataclasses.replace(selection, key_class=None)}"


def signing_pair(session: TokenSession, selection: Selection, act: str = "sign with") -> keypair.KeyPair | None:
    """The pair of the chosen private key; None where there is none. Raises `HsmError` for more than one.

    `act`: what the key is for, as the refusal tells it.
    """
    selected = select(session, selection)
    where = f"on the token '{session.token_name}'"
    for unread in selected.unread:  # it may be the one that is meant
        reason = next(iter(unread.unreadable.values()), None)
        raise errors.TokenError(f"read the {unread.half} key with handle {unread.handle} {where}", reason)
    if not selected.objects:
        session.check_absence()
        return None
    if len(selected.objects) > 1 or len(selected.pairs[0].publics) > 1:
        number = len(selected.objects)
        why = f"there are {number} private keys of it" if number > 1 else "its public key is there more than once"
        remedy = f"Choose one by id, uri or fingerprint.{unclear.rows(selected.pairs)}"
        raise errors.HsmError.refused(f"{act} {named(selection)} {where}", why, remedy)
    return selected.pairs[0]


def check_may_sign(
    session: TokenSession, pair: keypair.KeyPair, allowed: t.Callable[[t.Collection[int]], t.Any]
) -> None:
    """Refuses a key that may not sign, or not with a mechanism that would do; `allowed` tells those that would."""
    key, signer = pair.private, session.signer(pair)
    mechanisms = key.attributes.get("allowed_mechanisms")
    usable = allowed(mechanisms if isinstance(mechanisms, tuple) else ())
    other = "Choose another digest or signature_scheme."
    if key.forbids("sign"):
        why, remedy = "it may not sign", "A key that is to sign is made with sign in usage."
    elif not usable:
        why, remedy = "its allowed_mechanisms have none of this signature", other
    elif session.user and key.sharing and key.sharing.quorum:
        why, remedy = "its quorum needs the approval of several users, which no task can gather", ""
    elif _undeclared(signer, usable):
        why, remedy = f"the tool of the cluster does not sign with such a key by {_undeclared(signer, usable)}", other
    else:
        why, remedy = signer.barred() or "", ""
    if not why:
        return
    raise errors.HsmError.refused(f"sign with {pair.private} on the token '{session.token_name}'", why, remedy)


def _undeclared(signer: Signer, usable: t.Iterable[t.Any]) -> str:
    """The names of the mechanisms that would do, where the provider declares that it has none of them."""
    mechanisms = [way.mechanism for way in usable]
    declared = getattr(signer, "declared", None)  # of a tool that need not be asked
    if declared is None or {one.code for one in mechanisms}.intersection(declared):
        return ""
    return " and ".join(one.name for one in mechanisms)

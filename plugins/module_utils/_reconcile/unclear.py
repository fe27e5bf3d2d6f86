# Copyright (c) 2026, The cryptoki.hsm authors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What is said of a name under which there is not exactly one whole pair."""

from __future__ import annotations

import typing as t

from ansible_collections.cryptoki.hsm.plugins.module_utils._pair import keypair, refusals
from ansible_collections.cryptoki.hsm.plugins.module_utils._pair.wish import FAMILY_NAME, PROVISIONAL, Wish
from ansible_collections.cryptoki.hsm.plugins.module_utils._reconcile.work import Work, listed
from ansible_collections.cryptoki.hsm.plugins.module_utils._standard import attributes, errors

_SURPLUS = "Remove the surplus keys with the vendor's tool or pkcs11-tool."
_SEVERAL = "Name one pair by id or fingerprint, or remove what is not wanted by state=absent named so."
# A private key alone is of use all the same: Java stores no public one. So nobody is told to remove it.
_PRIVATE = "Bring back its public half, from a backup or with the program that made the key."
_COMPLETE = "Set complete=true to have its public half, which its modulus tells, or bring that back from a backup."
_PUBLIC = "Bring back its private half, or remove the public one by state=absent with its id or fingerprint."


def told(wish: Wish, pairs: t.Sequence[keypair.KeyPair]) -> tuple[str, str, str]:
    """What is there instead of one pair, what to do about it, and the list if that is of several lines."""
    objects = [found for pair in pairs for found in pair.objects]
    if len(objects) == 1:
        (lone,) = objects
        what = f"it is a {lone.half} half without its {lone.other} half: {lone}"
        private = _COMPLETE if lone.modulus else _PRIVATE
        return what, private if lone.half == attributes.PRIVATE else _PUBLIC, ""
    if len(objects) == 2 and objects[0].half != objects[1].half:
        public = next(found for found in objects if found.half == attributes.PUBLIC)
        return (
            f"its halves do not belong together{_contrast(*objects)}: {listed(objects)}",
            refusals.stranger(public),
            "",
        )
    family = FAMILY_NAME[wish.family]
    if len(pairs) == 1:
        return f"{len(objects)} {family} keys have that name: {listed(objects)}", _SURPLUS, ""
    return f"{counted(pairs, f'{family} key ')} have that name", _SEVERAL, rows(pairs)


def foreign(others: t.Sequence[keypair.TokenObject]) -> tuple[str, str]:
    """What has the wished id and another label or type, and what to do about it."""
    advice = "Choose another id, or give the label and the module of that pair."
    if any((found.label or "").startswith(PROVISIONAL) for found in others):
        advice = (
            "That is the new pair of a replacement that was broken off while it was renamed, and the old pair is"
            " gone. Give both its halves the wished id and label with hsm_key, each named by its uri."
        )
    return f"its id belongs to {listed(others)}", advice


def refuse_unproven(work: Work, pair: keypair.KeyPair) -> None:
    """Refuses to touch halves that only an id joins, if no proof can be made of them; in check mode none may be."""
    proof = work.session.prove(work.wish, pair, passive=work.check_mode)
    if proof.method is None and not work.check_mode:
        why = f"only their id joins the halves {pair}, and that they belong together cannot be proven ({proof.reason})"
        raise work.refused("touch", why, "Name them by label or id.")


def counted(pairs: t.Sequence[keypair.KeyPair], kind: str = "") -> str:
    """How many pairs these are, and how many halves without their other."""
    whole = len([pair for pair in pairs if not pair.lone])
    numbers = [(whole, f"{kind}pair"), (len(pairs) - whole, "half" if whole else f"{kind}half")]
    told = [f"{number} {noun}" if number == 1 else f"{number} {_plural(noun)}" for number, noun in numbers if number]
    return " and ".join(told)


def _plural(noun: str) -> str:
    return f"{noun[:-1]}ves" if noun.endswith("half") else f"{noun}s"


def rows(things: t.Iterable[object]) -> str:
    """Each on a line of its own."""
    return "".join(f"{errors.ROW}{thing}" for thing in things)


def _contrast(one: keypair.TokenObject, other: keypair.TokenObject) -> str:
    """In what the two differ."""
    names = ("key_type", "curve", "modulus", "public_exponent", "id")
    told = [(name, getattr(one, name), getattr(other, name)) for name in names]
    differ = [name for name, first, second in told if first != second and None not in (first, second)]
    return f" ({', '.join(differ)} {'differs' if len(differ) == 1 else 'differ'})" if differ else ""

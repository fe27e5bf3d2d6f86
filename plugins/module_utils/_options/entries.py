# Copyright (c) 2026, The cryptoki.hsm authors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The list of wished pairs of `hsm_keypairs`, checked before any login: each entry by itself, then one with another."""

from __future__ import annotations

import dataclasses
import typing as t

from ansible_collections.cryptoki.hsm.plugins.module_utils._options import groups, key_groups
from ansible_collections.cryptoki.hsm.plugins.module_utils._options.wish import wish_from
from ansible_collections.cryptoki.hsm.plugins.module_utils._pair.wish import FAMILY_NAME, Family, Wish
from ansible_collections.cryptoki.hsm.plugins.module_utils._standard import errors

Params = t.Mapping[str, t.Any]

_OWN_OPTIONS: dict[Family, tuple[str, ...]] = {"rsa": tuple(groups.RSA.spec), "ecc": tuple(groups.ECC.spec)}
# The option that each family needs for a new pair.
_SIZE: dict[Family, str] = {"rsa": "modulus_bits", "ecc": "curve"}
# Options of the module that the rules of a single pair look at, too.
_COMMON = (*key_groups.FOR_ALL_PAIRS, "crypto_user", "lock_timeout")


@dataclasses.dataclass(frozen=True)
class Entry:
    """One wished pair of the list; `number` counts from 0, as Ansible does."""

    number: int
    state: t.Literal["present", "absent"]
    wish: Wish

    @property
    def option(self) -> str:
        """How messages name it."""
        return f"keypairs[{self.number}]"


def entries_from(params: Params) -> list[Entry]:
    """The checked entries of a module's options; raises `InputError` naming the entry."""
    entries = []
    for number, given in enumerate(params["keypairs"]):
        try:
            entries.append(_entry(number, {**given, **{name: params[name] for name in _COMMON}}))
        except errors.InputError as error:
            raise (error if error.option in _COMMON else _told(error, number, given["label"])) from None
    _refuse_duplicates(entries)
    return entries


def _told(error: errors.InputError, number: int, label: t.Any) -> errors.InputError:
    told = error.within(f"keypairs[{number}]")
    if error.option != "label" and isinstance(label, str):
        told.msg += f" Its label is '{errors.one_line(label)}'."
    return told


def _entry(number: int, given: dict[str, t.Any]) -> Entry:
    family: Family = given["type"]
    for other, options in _OWN_OPTIONS.items():
        for option in options:
            if other != family and given[option] is not None:
                raise errors.InputError(option, f"it is not for {FAMILY_NAME[family]} pairs", given[option])
    if given["state"] == "present" and given[_SIZE[family]] is None:
        raise errors.InputError(_SIZE[family], f"it is missing; a new {FAMILY_NAME[family]} pair needs it")
    wish = wish_from(family, given)
    if given["state"] == "present" and wish.verify:
        from ansible_collections.cryptoki.hsm.plugins.module_utils._pair import proof

        proof.refuse_unprovable(wish, f"the options of keypairs[{number}]")
    return Entry(number, given["state"], wish)


def _refuse_duplicates(entries: t.Sequence[Entry]) -> None:
    """Two entries must not be able to mean the same pair."""
    seen: dict[t.Hashable, Entry] = {}
    for entry in entries:
        for name, shown in _names(entry.wish):
            other = seen.setdefault(name, entry)
            if other is not entry:
                raise errors.InputError(entry.option, f"{other.option} has the same {shown}")
    _refuse_shared_labels(entries)


def _names(wish: Wish) -> t.Iterator[tuple[t.Hashable, str]]:
    """What one pair alone may have."""
    if wish.id is not None:
        yield ("id", wish.id), f"id {wish.id.hex(':')}"
    if wish.fingerprint is not None:
        yield ("fingerprint", wish.fingerprint), "fingerprint"


def _refuse_shared_labels(entries: t.Sequence[Entry]) -> None:
    """Pairs of one type may share a label only where each is found by something else."""
    by_label: dict[t.Hashable, list[Entry]] = {}
    for entry in entries:
        if entry.wish.label is not None and not entry.wish.session:
            by_label.setdefault((entry.wish.family, entry.wish.label), []).append(entry)
    for group in by_label.values():
        unnamed = next((entry for entry in group if not entry.wish.exact), None)
        others = [entry for entry in group if entry is not unnamed]
        if unnamed and others:
            first, second = sorted((unnamed, others[0]), key=lambda entry: entry.number)
            rule = f"{first.option} has the same type and label '{first.wish.label}'; give each an id of its own"
            raise errors.InputError(second.option, rule)

# Copyright (c) 2026, The cryptoki.hsm authors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Making a token: never again one that is there."""

from __future__ import annotations

import contextlib
import ctypes
import dataclasses
import typing as t

from ansible_collections.cryptoki.hsm.plugins.module_utils._options import login
from ansible_collections.cryptoki.hsm.plugins.module_utils._pair import plan
from ansible_collections.cryptoki.hsm.plugins.module_utils._pair.token import DeadSlot, TokenFlag, TokenInfo
from ansible_collections.cryptoki.hsm.plugins.module_utils._pkcs11 import calls, softhsm_tokens
from ansible_collections.cryptoki.hsm.plugins.module_utils._pkcs11.library import Library
from ansible_collections.cryptoki.hsm.plugins.module_utils._standard import errors

if t.TYPE_CHECKING:
    from ansible_collections.cryptoki.hsm.plugins.module_utils._pkcs11.provider import Pkcs11Provider

_PIN_FLAGS = TokenFlag.TOKEN_INITIALIZED | TokenFlag.USER_PIN_INITIALIZED


@dataclasses.dataclass(frozen=True)
class TokenWish:
    """The wished token; `slot_id` chooses the slot where several are free."""

    label: str
    so_pin: login.Secret
    pin: login.Secret
    slot_id: int | None


@dataclasses.dataclass(frozen=True)
class TokenOutcome:
    """What was there and what is there now (in check mode: would be, with an empty serial number)."""

    action: plan.Action
    before: TokenInfo | None
    after: TokenInfo

    @property
    def changed(self) -> bool:
        """Whether anything was done, or would be."""
        return self.action is not plan.Action.NOTHING


def make_token(provider: Pkcs11Provider, library: Library, wish: TokenWish, check_mode: bool) -> TokenOutcome:
    """Initialises a free slot, or sets the user PIN of a token that a broken run left without one."""
    check_identity = provider.check_identity
    slots = library.slots()
    token = _existing(library, wish, slots, provider.overlooked)
    unfinished = token and token.flags & _PIN_FLAGS == TokenFlag.TOKEN_INITIALIZED
    if token and not unfinished:
        check_identity(library, token)
        return TokenOutcome(plan.Action.NOTHING, token, token)
    if token and token.flags & (TokenFlag.SO_PIN_LOCKED | TokenFlag.SO_PIN_FINAL_TRY):
        raise errors.HsmError(
            f"Refused to log in as security officer to the token {token}: its SO PIN is locked, or a wrong one would"
            " lock it now."
        )
    action = plan.Action.REPAIR if token else plan.Action.GENERATE
    target = token or _free_slot(library, wish, slots)
    check_identity(library, target)
    _check_pin("so_pin", wish.so_pin, target)
    _check_pin("pin", wish.pin, target)
    if check_mode:
        made = dataclasses.replace(target, label=wish.label, flags=target.flags | _PIN_FLAGS)
        return TokenOutcome(action, token, made)
    if not token:
        with _marked(provider.soft_folder):
            initialise(library, target.slot_id, wish.label, wish.so_pin.reveal())
    _set_user_pin(library, wish, library.token(target.slot_id))
    return TokenOutcome(action, token, library.token(target.slot_id))


@contextlib.contextmanager
def _marked(folder: str | None) -> t.Iterator[None]:
    """What SoftHSM makes within, in its folder, is known as unfinished should this process be killed."""
    with contextlib.ExitStack() as opened:
        if folder:
            opened.enter_context(softhsm_tokens.TokensFolder(folder, lasting=True)).begin()
        yield


def initialise(library: Library, slot_id: int, label: str, so_pin: str) -> None:
    """C_InitToken (section 5.5.7): makes a token, or wipes the one that is there: the caller has made sure of it.

    The label is padded with blanks to 32 bytes.
    """
    padded = ctypes.create_string_buffer(label.encode().ljust(32), 32)
    rv = library.functions.call("C_InitToken", slot_id, so_pin.encode(), padded)
    calls.check(rv, f"initialise a token labelled '{label}' in slot {slot_id}")


def _existing(
    library: Library,
    wish: TokenWish,
    slots: t.Sequence[TokenInfo | DeadSlot],
    overlooked: t.Callable[[], t.Sequence[str]],
) -> TokenInfo | None:
    found = [slot for slot in slots if isinstance(slot, TokenInfo) and slot.label == wish.label]  # whatever its flags
    where = f"in {library.info.path}"
    if len(found) > 1:
        raise _refusal(wish, where, f"there are {len(found)}, {', '.join(map(str, found))}.")
    if found:
        return found[0]
    unseen = [f"slot {slot.slot_id} answered {slot.ckr}" for slot in slots if isinstance(slot, DeadSlot)]
    unseen.extend(overlooked()[:1])
    if unseen:
        why = f"whether it is there already is not known, because {' and '.join(unseen)}."
        raise _refusal(wish, where, why)
    return None


def _free_slot(library: Library, wish: TokenWish, slots: t.Sequence[TokenInfo | DeadSlot]) -> TokenInfo:
    tokens = [slot for slot in slots if isinstance(slot, TokenInfo) and wish.slot_id in (None, slot.slot_id)]
    free = [slot for slot in tokens if not slot.in_use]
    if len(free) == 1:
        return free[0]
    where = f"in {library.info.path}" if wish.slot_id is None else f"in slot {wish.slot_id} of {library.info.path}"
    if free:
        names = ", ".join(str(slot.slot_id) for slot in free)
        raise _refusal(wish, where, f"{len(free)} slots are free ({names}). Choose one by slot_id.")
    there = ", ".join(map(str, tokens)) or "none"
    why = f"no uninitialised token is there (tokens: {there}), and a token is never initialised again."
    raise _refusal(wish, where, why)


def _refusal(wish: TokenWish, where: str, why: str) -> errors.HsmError:
    return errors.HsmError(f"Refused to make a token labelled '{wish.label}' {where}: {why}")


def _check_pin(option: str, pin: login.Secret, token: TokenInfo) -> None:
    size = len(pin.reveal().encode())
    shortest, longest = token.pin_length_min, token.pin_length_max
    if longest and not shortest <= size <= longest:
        raise errors.InputError(option, f"the token takes {shortest} to {longest} bytes")


def _set_user_pin(library: Library, wish: TokenWish, token: TokenInfo) -> None:
    try:
        with contextlib.closing(library.open(token, wish.so_pin.reveal(), rw=True, user="security officer")) as session:
            session.call("set its user PIN", "C_InitPIN", wish.pin.reveal().encode())
    except errors.TokenError as error:
        raise error.at(
            f"set the user PIN of the token {token}",
            "The token is initialised and has no user PIN; the same task finishes it.",
        ) from None

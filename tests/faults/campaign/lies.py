# Copyright (c) 2026, The cryptoki.hsm authors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The lies of the library: what it may answer, and do, that is not so (the rules are those of pkcs11_fault.c)."""

from __future__ import annotations

import dataclasses
import typing as t

# Return values: a device that is broken, a session that is gone, a user who is not logged in, an object that is not
# there, an act that is not allowed, and one that PKCS#11 does not know.
BROKEN = "0x30"
ERRORS = (BROKEN, "0x5", "0xb3", "0x101", "0x82", "0x1b", "0x12", "0x80000001")
WRITING = ("C_GenerateKeyPair", "C_CopyObject", "C_SetAttributeValue", "C_DestroyObject")
FUNCTIONS = (
    *WRITING,
    *("C_Initialize", "C_Finalize", "C_GetInfo", "C_GetSlotList", "C_GetSlotInfo", "C_GetTokenInfo"),
    *("C_GetMechanismList", "C_GetMechanismInfo", "C_OpenSession", "C_CloseSession", "C_CloseAllSessions", "C_Login"),
    *("C_Logout", "C_GetSessionInfo", "C_FindObjectsInit", "C_FindObjects", "C_FindObjectsFinal"),
    *("C_GetAttributeValue", "C_SignInit", "C_Sign", "C_DeriveKey", "C_GenerateKey"),
)
# Attributes that say which key an object is, or what may be done with it.
TOLD = {
    "class": "0",
    "token": "1",
    "private": "2",
    "label": "3",
    "key type": "100",
    "id": "102",
    "sensitive": "103",
    "derive": "10c",
    "sign": "108",
    "extractable": "162",
    "modulus": "120",
    "exponent": "122",
    "modifiable": "170",
    "destroyable": "172",
    "curve": "180",
    "point": "181",
}


@dataclasses.dataclass(frozen=True)
class Lie:
    """What one function does, at one of its calls or at each.

    `hides`: keys that are there are not answered, which no client can know in the end. `misleads`: what is read of
    objects is not so, and what is told of them can be no better. `also`: rules beside it.
    """

    function: str
    tail: str
    hides: bool = False
    misleads: bool = False
    also: tuple[str, ...] = ()

    def rules(self, number: int | None, bystander: str) -> str:
        """The rules for the N-th call, or for all."""
        nth = "" if number is None else f"#{number}"
        return "\n".join((f"{self.function}{nth} {self.tail}", *self.also)).replace("BYSTANDER", bystander)


def _search(tail: str, **more: t.Any) -> Lie:
    return Lie("C_FindObjects", f"after {tail}", hides=True, **more)


def _read(tail: str) -> Lie:
    return Lie("C_GetAttributeValue", tail, hides=True, misleads=True)


def _generate(tail: str, *also: str) -> Lie:
    return Lie("C_GenerateKeyPair", tail, also=also)


def _copy(tail: str, *also: str) -> Lie:
    return Lie("C_CopyObject", tail, also=also)


REFUSED = f"C_DestroyObject instead return {BROKEN}"
IGNORED = "C_DestroyObject instead return 0"
LOST = f"C_DestroyObject after return {BROKEN}"
LIES: dict[str, Lie] = {
    # ---- searches ----
    "a search finds nothing": _search("few 0"),
    "a search ends early": _search("few 1"),
    "a search answers one at a time": Lie("C_FindObjects", "before pass 2 1"),
    "a search answers each handle twice": Lie("C_FindObjects", "after twice"),
    "a search answers a handle of nothing": Lie("C_FindObjects", "after ghost"),
    "a search answers an endless count": Lie("C_FindObjects", "after poke 3 0 ffffffff"),
    "a search does nothing": Lie("C_FindObjects", "instead return 0", hides=True),
    "a search filters nothing": Lie("C_FindObjectsInit", "before pass 2 0"),
    "a search does not begin": Lie("C_FindObjectsInit", "instead return 0", hides=True),
    "a search does not end": Lie("C_FindObjectsFinal", "instead return 0"),
    "a search after a logout": Lie("C_FindObjectsInit", "before logout", hides=True),
    # ---- what is read of an object ----
    **{f"{name} is not told": _read(f"after untold 0x{code}") for name, code in TOLD.items()},
    "nothing is told": _read("instead return 0"),
    "lengths are one byte longer": _read("after longer 1"),
    "lengths are one byte shorter": _read("after longer -1"),
    "lengths are much longer": _read("after longer 0x1000"),
    "another key's attributes": _read("before mistake 1 BYSTANDER"),
    "another label": _read("after value 3 6f74686572"),
    "another id": _read("after value 102 abcdef"),
    "another class": _read("after value 0 0400000000000000"),
    "another key type": _read("after value 100 1f00000000000000"),
    "another curve": _read("after value 180 06052b81040022"),
    "a point that is none": _read("after value 181 0441" + "00" * 65),
    "another modulus": _read("after value 120 " + "c3" * 256),
    "another exponent": _read("after value 122 03"),
    "a value after a logout": Lie("C_GetAttributeValue", "before logout"),
    # ---- generation ----
    "the public half is another pair's": _generate("after stranger"),
    "the handles are another pair's": _generate("after others BYSTANDER"),
    "the handles are another pair's, nothing is made": _generate("instead others BYSTANDER"),
    "the public handle is 0": _generate("after poke 6 0 0"),
    "the private handle is 0": _generate("after poke 7 0 0"),
    "the handles are of nothing": _generate("after poke 6 0 7ffffffd", "C_GenerateKeyPair after poke 7 0 7ffffffe"),
    "nothing is made": _generate("instead return 0"),
    "the pair ends with the session": _generate("before set public 1 00", "C_GenerateKeyPair before set private 1 00"),
    "the pair has no label": _generate("before drop public 3", "C_GenerateKeyPair before drop private 3"),
    "the pair has another label": _generate(
        "before set public 3 6f74686572", "C_GenerateKeyPair before set private 3 6f74686572"
    ),
    "the halves have other ids": _generate("before set public 102 aa", "C_GenerateKeyPair before set private 102 bb"),
    "the pair has another id": _generate("before set public 102 aa", "C_GenerateKeyPair before set private 102 aa"),
    "the private half does not sign": _generate("before set private 108 00"),
    "the pair is on another curve": _generate("before set public 180 06052b81040022"),
    "a pair made otherwise stays": _generate("before set private 108 00", REFUSED),
    "a pair made otherwise stays without a word": _generate("before set private 108 00", IGNORED),
    "a pair made otherwise goes with an error": _generate("before set private 108 00", LOST),
    # ---- proofs ----
    "the signature is wrong": Lie("C_Sign", "after poke 3 0 0"),
    "the signature is empty": Lie("C_Sign", "after poke 4 0 0"),
    "the signature is not made": Lie("C_Sign", "instead return 0"),
    "the signature is another key's": Lie("C_SignInit", "before mistake 2 BYSTANDER"),
    "a new pair cannot sign and stays": Lie("C_Sign", f"instead return {BROKEN}", also=(REFUSED,)),
    "a new pair cannot sign and stays without a word": Lie("C_Sign", f"instead return {BROKEN}", also=(IGNORED,)),
    # ---- copies ----
    "the copy is the original": _copy("instead return 0", "C_CopyObject after handle own"),
    "the copy is there, the handle is the original's": _copy("after handle own"),
    "the copy is another key": _copy("instead return 0", "C_CopyObject after handle 3"),
    "the copy is there, the handle is another key's": _copy("after handle 3"),
    "the copy is 0": _copy("instead poke 4 0 0"),
    "the copy is there, the handle is 0": _copy("after poke 4 0 0"),
    "the copy is not made": _copy("instead return 0"),
    "the copy ends with the session": _copy("instead copy session"),
    "the copy lacks the change": _copy("instead copy unchanged"),
    "the copy is of another key": _copy("before mistake 1 BYSTANDER"),
    "the copy is there, the original stays": _copy("after return 0", REFUSED),
    "the copy is there, the original stays without a word": _copy("after return 0", IGNORED),
    "the copy is there, the original goes with an error": _copy("after return 0", LOST),
    # ---- changes and removals ----
    "a change is not made": Lie("C_SetAttributeValue", "instead return 0"),
    "a change has no content": Lie("C_SetAttributeValue", "before pass 3 0"),
    "a removal is not made": Lie("C_DestroyObject", "instead return 0"),
    # ---- sessions and tokens ----
    "nobody is logged in": Lie("C_Login", "instead return 0", hides=True),
    "somebody is logged in already": Lie("C_Login", "instead return 0x100", hides=True),
    "the session is read-only": Lie("C_OpenSession", "before pass 1 4"),
    "no session is opened": Lie("C_OpenSession", "instead return 0"),
    "no slots": Lie("C_GetSlotList", "after poke 2 0 0"),
    "the list of slots does nothing": Lie("C_GetSlotList", "instead return 0"),
    "no mechanisms": Lie("C_GetMechanismList", "after poke 2 0 0"),
    "the list of mechanisms does nothing": Lie("C_GetMechanismList", "instead return 0"),
    "a mechanism is not described": Lie("C_GetMechanismInfo", "instead return 0"),
    "the token is not described": Lie("C_GetTokenInfo", "instead return 0"),
    "the slot is not described": Lie("C_GetSlotInfo", "instead return 0"),
    "the token is write-protected": Lie("C_GetTokenInfo", "after flags 2 0"),
    "the token has no PIN": Lie("C_GetTokenInfo", "after flags 0 8"),
    "the library is not described": Lie("C_GetInfo", "instead return 0"),
    "the library does not begin": Lie("C_Initialize", "instead return 0"),
    "the library talks": Lie("C_Initialize", "before print hello"),
}

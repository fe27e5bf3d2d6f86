# Copyright (c) 2026, The cryptoki.hsm authors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""genRSAKeyPair and genECCKeyPair of key_mgmt_util.

Sources: genRSAKeyPair, genECCKeyPair, key_mgmt_util-genSymKey (-attest); the source for what happens when not
all nodes have the key at once: the call ends with a code of its own, handles are told all the same, then it polls.
"""

from __future__ import annotations

import time
import typing as t

from . import keys, util_codes
from .curves import BY_NUMBER
from .errors import Refused
from .state import Key, State, User
from .util_session import Session

Values = dict[str, t.Any]
API = "Cfm3GenerateKeyPair"

_CURVE_NAMES = (
    *("X9_62_prime192v1", "X9_62_prime256v1", "sect163k1", "sect163r2", "sect233k1", "sect233r1", "sect283k1"),
    *("sect283r1", "sect409k1", "sect409r1", "sect571k1", "sect571r1", "secp224r1", "secp384r1", "secp521r1"),
    "secp256k1",
)


def curve_list() -> str:
    """The curves and their numbers (the source; the same on Alibaba Cloud's page)."""
    return "\n".join(f"      NID_{name:<20} - {number}" for number, name in enumerate(_CURVE_NAMES, 1)) + "\n"


def generate_rsa(session: Session, values: Values) -> str:
    """Keys may decrypt, sign and unwrap, public ones encrypt, verify and wrap (genRSAKeyPair: its public half).

    With the older builds public ones do not wrap (an earlier edition of key_mgmt_util-genRSAKeyPair).
    """
    public = {"encrypt", "verify", *({"wrap"} if session.spelling.extended else ())}
    private = {"decrypt", "unwrap", "sign"}
    return _generate(session, values, public, private, bits=values["-m"], exponent=values["-e"])


def generate_ecc(session: Session, values: Values) -> str:
    """Keys may sign and verify (genECCKeyPair: its private half; derive is not among its attributes)."""
    number = values["-i"]
    if number not in range(1, len(_CURVE_NAMES) + 1):
        return "\n\tError: Invalid EC Curve ID.\n\nThe following are the HSM supported ECC Curves\n" + curve_list()
    if number not in BY_NUMBER:
        raise Refused("policy")  # curves over binary fields: assumed to be refused like curve 1
    return _generate(session, values, {"verify"}, {"sign"}, curve=BY_NUMBER[number])


def _generate(session: Session, values: Values, public: set[str], private: set[str], **numbers: t.Any) -> str:
    with session.state() as state:
        owner = session.user(state)
        pair = _wish(state, owner, values, public, private, numbers)
        # OBJ_ATTR_PRIVATE of a public half is 0x00 in the earlier edition, 0x01 in genRSAKeyPair
        pair.public_attributes["private"] = session.spelling.extended
        public_key, private_key = keys.generate(state, owner, pair)
        halves = [_codes(session, state, key) for key in (private_key, public_key)]
        codes = {number: max(of.get(number, 0) for of in halves) for number in halves[0]}
        complete = all(code == util_codes.SUCCESS for code in codes.values())
        line = f"\n\t{API}:    public key handle: {public_key.handle}    private key handle: {private_key.handle}\n"
        text = session.result(API, util_codes.SUCCESS if complete else util_codes.INCOMPLETE) + line
        if "-attest" in values:
            # PASS: key_mgmt_util-genSymKey; FAIL, and that the pair stays: the source
            text += f"\n\tAttestation Check : [{'PASS' if state.settings['attestation'] else 'FAIL'}]\n"
        text += _status(session, state, private_key, codes)
        synced = _count(codes)
        wanted = max(values.get("-min_srv", 0), state.settings["create_object_minimum_nodes"])
    if not complete:
        return text + _poll(session, values, wanted, (public_key, private_key), line, synced)
    if not private_key.session and synced < values.get("-min_srv", 0):
        text += "\n Not a valid min_srv count, please check the number of servers in cluster !!"
        text += f"\n Key generation succesful in all servers {synced} present in the cluster\n"
    return text


def _poll(session: Session, values: Values, wanted: int, pair: tuple[Key, Key], line: str, synced: int) -> str:
    """Asks for the halves every second until enough nodes have them; takes them away if they do not in time.

    The source: it waits for both, and takes both away if the private one is on too few nodes.
    """
    text, seconds, private = "", 0, synced
    while synced < wanted and not ("-timeout" in values and seconds > values["-timeout"]):
        time.sleep(1)
        with session.state() as state:
            counts = []
            for name, key in zip(("private", "public"), reversed(pair), strict=True):
                codes = _codes(session, state, _fresh(state, key))
                counts.append(_count(codes))
                text += f"\n\tChecking {name} key status ({seconds} seconds)..\n" + session.nodes(state, codes)
            private, synced = counts[0], min(counts)
        seconds += 1
    if private >= wanted:
        return text + line
    text += f"Couldn't verify key sync on {wanted} servers\nRolling back\n"
    with session.state() as state:
        for key in pair:
            if not state.settings["rollback_fails"]:
                keys.drop(state, _fresh(state, key))
                text += session.result("Cfm3DeleteKey", 0) + session.nodes(state)
            else:  # AWS ts-client-sync-fail: cleaning up is best effort, and a key may stay
                text += session.result("Cfm3DeleteKey", util_codes.UNAVAILABLE)
    return text


def _fresh(state: State, key: Key) -> Key:
    return next(candidate for candidate in state.keys if candidate.handle == key.handle)


def _codes(session: Session, state: State, key: Key) -> dict[int, int]:
    """What the nodes say to a new key; one that does not have it yet is told as unavailable (assumed)."""
    codes = session.codes_of(state, key)
    if key.session:
        return {number: code for number, code in codes.items() if code == util_codes.SUCCESS}
    return {number: code if code == util_codes.SUCCESS else util_codes.UNAVAILABLE for number, code in codes.items()}


def _status(session: Session, state: State, key: Key, codes: dict[int, int]) -> str:
    """The status block. A session key is on one node, and only that is told (key_mgmt_util-setAttribute)."""
    text = session.nodes(state, codes)
    if not key.session:
        return text
    head, *lines = text.rstrip("\n").split("\n\t")[1:]
    kept = [line for line in lines if any(line.startswith(f"Node id {number} ") for number in codes)]
    return "\n\t" + "\n\t".join([head, *kept]) + "\n"


def _count(codes: dict[int, int]) -> int:
    return sum(code == util_codes.SUCCESS for code in codes.values())


def _wish(state: State, owner: User, values: Values, public: set[str], private: set[str], numbers: t.Any) -> keys.Pair:
    if len(values["-l"].encode()) > 127:  # genECCKeyPair
        raise Refused("label")
    key_id = values.get("-id", "").encode().hex()
    if key_id and state.settings["unique_ids"]["key_mgmt_util"] and any(key.id == key_id for key in state.keys):
        raise Refused("id")  # "must be unique in the cluster" (key_mgmt_util-genSymKey)
    shared = _shared(state, owner, values.get("-u", ""))
    quorum = values.get("-m_value", 0)
    if quorum > 0 and quorum > len(shared) + 1 or quorum > 1 and not shared:
        raise Refused("quorum_value")  # genRSAKeyPair: needs -u, and at most their number and the owner
    session = "-sess" in values
    return keys.Pair(
        public_label=values["-l"],
        private_label=values["-l"],
        public_id=key_id,
        private_id=key_id,
        public_attributes=_attributes(public, private=False, extractable=True, session=session),
        private_attributes=_attributes(private, private=True, extractable="-nex" not in values, session=session),
        session=session,
        shared=shared,
        manage_quorum=quorum,
        use_quorum=quorum,
        **numbers,
    )


def _shared(state: State, owner: User, ids: str) -> tuple[int, ...]:
    """Ids of crypto users, never the caller's (genRSAKeyPair, key_mgmt_util-genSymKey)."""
    shared = []
    for word in filter(None, ids.split(",")):
        user = next((user for user in state.users if str(user.id) == word.strip() and user.type == "CU"), None)
        if user is None:
            raise Refused("unknown_user")
        if user.id == owner.id:
            raise Refused("share")
        shared.append(user.id)
    return tuple(shared)


_USAGE = ("encrypt", "decrypt", "wrap", "unwrap", "sign", "verify", "derive", "trusted", "wrap-with-trusted")


def _attributes(usage: set[str], *, private: bool, extractable: bool, session: bool) -> dict[str, bool]:
    """Attributes of a half, as in the dumps of genRSAKeyPair and genECCKeyPair."""
    return {
        **{name: name in usage for name in _USAGE},
        "token": not session,
        "private": True,
        "local": True,
        "sensitive": private,
        "extractable": extractable,
        "destroyable": True,
        "modifiable": True,
        "always-sensitive": private,
        "never-extractable": private and not extractable,
    }

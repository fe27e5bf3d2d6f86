# Copyright (c) 2026, The cryptoki.hsm authors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The commands of key_mgmt_util. Each takes the session and its flags, and returns what is printed.

Source of each: the page key_mgmt_util-NAME of AWS's guide; what differs by build is in util_spellings.py.
"""

from __future__ import annotations

import typing as t
from pathlib import Path

from . import keys, material, quorum, util_codes, util_dump
from .errors import Refused
from .state import Key, State
from .util_generation import Values, curve_list, generate_ecc, generate_rsa
from .util_session import Session

_SHARED_LIMIT = 8  # the source: MAX_USERS_SHARED counts the same as the highest -m_value
_SHARED_PRINTED = 7  # the source: of so many users the owner is the first, and the list ends there
_HANDLES_A_LINE = 15  # the source


def logout(session: Session, values: Values) -> str:
    """key_mgmt_util-getting-started."""
    session.name = None
    with session.state() as state:
        return session.result("Cfm3LogoutHSM", 0) + session.nodes(state)


def login_status(session: Session, values: Values) -> str:
    """The source."""
    return f"\n\t{'CU has logged-in' if session.name else 'No user has logged-in'}\n"


def list_users(session: Session, values: Values) -> str:
    """The count of AWS's sample is one less than its rows; here it is the number of rows."""
    with session.state() as state:
        session.user(state)
        lines = ["", session.spelling.users.format(len(state.users)), ""]
        lines.append("\tIndex\t    User ID    \tUser Type\tUser Name\t\t\t   MofnPubKey\t LoginFailureCnt\t 2FA")
        for index, user in enumerate(state.users, 1):
            signs = "YES" if user.quorum_key else "NO"
            lines.append(
                f"\t{index}\t{user.id:10}\t{user.type}\t\t{user.name:<32}\t{signs:>3} {user.failures:15}\t\t {'NO':>3}"
            )
    return "\n".join(lines) + "\n" + session.result("Cfm3ListUsers", 0)


def find_key(session: Session, values: Values) -> str:
    """Exact matches among the keys that the user can use. Nothing found: a total of 0 and no list."""
    with session.state() as state:
        user = session.user(state)
        found = [key for key in keys.visible(state, user) if _matches(key, values)]
        text = "\n" + session.spelling.total.format(len(found)) + "\n"
        if found:
            text += session.spelling.matched.format(len(found) - 1) + "\n"
            handles = [str(key.handle) for key in found]
            if session.spelling.name == "azure":
                rows = [handles[start : start + _HANDLES_A_LINE] for start in range(0, len(handles), _HANDLES_A_LINE)]
                listed = ", \n\t".join(", ".join(row) for row in rows)
            else:
                listed = ", ".join(handles)
            text += session.spelling.handles.format(listed) + "\n"
        return text + session.nodes(state) + session.result("Cfm3FindKey", 0)


def _matches(key: Key, values: Values) -> bool:
    found = util_dump.values(key)
    wished = {
        "-c": lambda value: found["CLASS"][0] == value,
        "-t": lambda value: found["KEY_TYPE"][0] == value,
        "-l": lambda value: key.label == value,
        "-id": lambda value: key.id == value.encode().hex(),
        "-sess": lambda value: bool(key.session) == (value == "1"),
        "-u": lambda value: all(_can_use(key, int(number)) for number in value.split(",")),
        "-m": lambda value: key.public.get("modulus") == _modulus(value),
        "-kcv": lambda value: found["KCV"].hex() == value.lower().removeprefix("0x"),
    }
    return all(wished[flag](value) for flag, value in values.items())


def _can_use(key: Key, user: int) -> bool:
    return key.key_class == "public-key" or user == key.owner or user in key.shared


def _modulus(path: str) -> str:
    """The modulus in a file, as getAttribute writes it."""
    text = "".join(Path(path).read_text(encoding="ascii").split())
    return text.removeprefix("OBJ_ATTR_MODULUS").removeprefix("0x").lower()


def find_single_key(session: Session, values: Values) -> str:
    """Whether a key is on all nodes. What is printed if it is not is assumed: the code of the nodes without it."""
    with session.state() as state:
        key = session.key(state, values["-k"])
        codes = session.codes_of(state, key)
        worst = max(codes.values())
        return session.result(session.spelling.find_single, worst) + session.nodes(state, codes)


def get_key_info(session: Session, values: Values) -> str:
    """Public keys show their owner only."""
    with session.state() as state:
        key = session.key(state, values["-k"])
        # The source: a key without an owner
        owner = session.spelling.owner.format(key.owner) if key.owner else "Also, global Key, accessible by all users"
        lines = [session.result("Cfm3GetKey", 0), f"\t{owner}"]
        if key.shared:
            lines += ["", f"\t{session.spelling.shared.format(len(key.shared))}", ""]
            lines += [f"\t\t {number}" for number in key.shared[:_SHARED_PRINTED]]
        if key.use_quorum > 1:
            lines.append(f"\t {key.use_quorum} Users need to approve to use/manage this key")
    return "\n".join(lines) + "\n"


def get_attribute(session: Session, values: Values) -> str:
    """Writes one attribute, or all, to a file that it overwrites."""
    with session.state() as state:
        key = session.key(state, values["-o"])
        content, size, count = util_dump.dump(key, values["-a"], session.spelling.extended)
        Path(values["-out"]).write_bytes(content)
        if values["-a"] == util_dump.ALL:
            told = session.spelling.dumped_all.format(size, count, values["-out"])
        else:
            told = session.spelling.dumped.format(values["-out"])
    return f"{told}\n" + session.result("Cfm3GetAttribute", 0)


def set_attribute(session: Session, values: Values, ask: t.Callable[[str], str]) -> str:
    """Makes a session key persistent, which is all that this tool can set."""
    if values["-a"] != util_dump.NUMBERS["TOKEN"]:
        return "\n\tThis attribute is either not modifiable or unknown" + session.result("Cfm3SetAttribute", 0xB4)
    value = ask("\t\tThis attribute is defined as a boolean value.\n\t\tEnter the boolean attribute value (0 or 1):")
    with session.state() as state:
        key = session.key(state, values["-o"], owned=True)
        if value.strip() != "1":
            raise Refused("no_attribute")
        key.attributes["token"], key.session = True, ""
        for node in state.running():
            keys.synchronise(state, node.id)
        return session.result("Cfm3SetAttribute", 0) + session.nodes(state)


def delete_key(session: Session, values: Values) -> str:
    """One key, by its owner."""
    with session.state() as state:
        try:
            key = session.key(state, values["-k"], owned=True)
        except Refused as refused:
            if refused.kind != "unknown_handle":
                raise
            codes = {node.id: util_codes.UNKNOWN_HANDLE for node in state.running()}
            answer = session.result(session.spelling.unknown_handle, util_codes.UNKNOWN_HANDLE)
            return answer + session.nodes(state, codes)
        if state.settings["limited_write"]:
            raise Refused("limited_write")
        keys.drop(state, key)
        return session.result("Cfm3DeleteKey", 0) + session.nodes(state)


def export_public_key(session: Session, values: Values) -> str:
    """PEM of a public key that is extractable."""
    with session.state() as state:
        key = session.key(state, values["-k"])
        if key.key_class != "public-key" or not key.attributes["extractable"]:
            raise Refused("usage")
        Path(values["-out"]).write_text(material.pem(key.public["der"]), encoding="ascii")
    return f"\nPEM formatted public key is written to {values['-out']}\n" + session.result("Cfm3ExportPubKey", 0)


# key_mgmt_util-sign: number, mechanism, hash
_MECHANISMS = {
    **{number: ("rsa-pkcs", name) for number, name in enumerate(("sha1", "sha256", "sha384", "sha512", "sha224"))},
    **{n + 5: ("rsa-pkcs-pss", name) for n, name in enumerate(("sha1", "sha256", "sha384", "sha512", "sha224"))},
    **{n + 15: ("ecdsa", name) for n, name in enumerate(("sha1", "sha224", "sha256", "sha384", "sha512"))},
}
# the source; whether newer builds sign with other curves is not told
_SIGNING_CURVES = ("secp256r1", "secp384r1", "secp256k1")


def sign(session: Session, values: Values) -> str:
    """A signature of a file. Approvals of a quorum cannot be given to it, so such keys are refused."""
    with session.state() as state:
        key, mechanism, hash_name = _usable(session, state, values, "private-key", "sign")
        quorum.approve(state, session.user(state), "", "key-usage", key, None)
        data = Path(values["-f"]).read_bytes()
        signature = material.sign(state, key.material, mechanism, hash_name, data)
        if mechanism == "ecdsa":
            signature = material.der_signature(signature)  # the source
        Path(values["-out"]).write_bytes(signature)
        told = session.spelling.signed.format(session.code(0), values["-out"])
        status = session.nodes(state) if session.spelling.name != "azure" else ""
    return f"\n{told}\n{status}"


def verify(session: Session, values: Values) -> str:
    """Whether a file was signed by a key."""
    with session.state() as state:
        key, mechanism, hash_name = _usable(session, state, values, "public-key", "verify")
        data, signature = Path(values["-f"]).read_bytes(), Path(values["-s"]).read_bytes()
        good = material.verifies(state, key.public["der"], mechanism, hash_name, data, signature, der=True)
    if good:
        return "\nSignature verification successful\n" + session.result("Cfm3Verify", 0)
    text = util_codes.text_of(util_codes.BAD_SIGNATURE)
    return f"\n\tCfm3Verify returned: 0x{util_codes.BAD_SIGNATURE:02x}\n\n\t{text}\n"


def _usable(session: Session, state: State, values: Values, key_class: str, attribute: str) -> tuple[Key, str, str]:
    key = session.key(state, values["-k"])
    mechanism, hash_name = _MECHANISMS.get(values["-m"], ("", ""))
    fits = key.key_type == ("ec" if mechanism == "ecdsa" else "rsa") and mechanism
    if key.key_class != key_class or not fits or not key.attributes[attribute]:
        raise Refused("usage")
    if mechanism == "ecdsa" and key.public["curve"] not in _SIGNING_CURVES:
        raise Refused("usage")
    return key, mechanism, hash_name


def share_key(session: Session, values: Values) -> str:
    """The source's build has it, AWS's has not (key_mgmt_util-help); sharing a quorum key needs approvals."""
    with session.state() as state:
        key = session.key(state, values["-k"], owned=True)
        quorum.approve(state, session.user(state), "", "key-management", key, None)
        for word in filter(None, values.get("-u", "").split(",")):
            user = next((user for user in state.users if str(user.id) == word and user.type == "CU"), None)
            if user is None:
                raise Refused("unknown_user")
            shared = user.id in key.shared
            if key.key_class == "public-key" or user.id == key.owner or shared != ("-d" in values):
                raise Refused("share")
            key.shared = [number for number in (*key.shared, user.id) if "-d" not in values or number != user.id]
            if len(key.shared) > _SHARED_LIMIT:
                raise Refused("share")
            keys.changed(state, key, f"shared {user.id}")
        return session.result("Cfm3ShareKey", 0) + session.nodes(state)


def error_to_string(session: Session, values: Values) -> str:
    """Needs no login in the source."""
    code = int(values["-r"], 0)
    return f"\n\tError Code {code:x} maps to {util_codes.text_of(code)}\n"


def list_attributes(session: Session, values: Values) -> str:
    """The constants of the attributes: 20 of the older builds (key_mgmt_util-listAttributes), more in the source."""
    numbers = {
        name: number for name, number in util_dump.NUMBERS.items() if util_dump.known(name, session.spelling.extended)
    }
    lines = [f"      OBJ_ATTR_{name:<22} = {number}" for name, number in numbers.items()]
    head = "\n\nDescription\n===========\nThe following are all of the possible attribute values for getAttributes.\n\n"
    return head + "\n".join(lines) + "\n\n"


def list_curves(session: Session, values: Values) -> str:
    """The numbers of the curves."""
    head = "\n\nDescription\n===========\nThe following are HSM supported ECC CurveIds\n\n"
    return head + curve_list().replace(" - ", " = ") + "\n"


Command = t.Callable[[Session, Values], str]
# What runs, and the call whose name its result line has
COMMANDS: dict[str, tuple[Command, str]] = {
    "logoutHSM": (logout, "Cfm3LogoutHSM"),
    "loginStatus": (login_status, "Cfm3GetLoginStatus"),
    "listUsers": (list_users, "Cfm3ListUsers"),
    "genRSAKeyPair": (generate_rsa, "Cfm3GenerateKeyPair"),
    "genECCKeyPair": (generate_ecc, "Cfm3GenerateKeyPair"),
    "findKey": (find_key, "Cfm3FindKey"),
    "findSingleKey": (find_single_key, "Cfm3FindSingleKey"),
    "getKeyInfo": (get_key_info, "Cfm3GetKey"),
    "getAttribute": (get_attribute, "Cfm3GetAttribute"),
    "deleteKey": (delete_key, "Cfm3DeleteKey"),
    "exportPubKey": (export_public_key, "Cfm3ExportPubKey"),
    "sign": (sign, "Cfm3Sign"),
    "verify": (verify, "Cfm3Verify"),
    "shareKey": (share_key, "Cfm3ShareKey"),
    "Error2String": (error_to_string, "Error2String"),
    "listAttributes": (list_attributes, "listAttributes"),
    "listECCCurveIds": (list_curves, "listECCCurveIds"),
}

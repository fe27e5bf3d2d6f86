# Copyright (c) 2026, The cryptoki.hsm authors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What other programs do to a token, by python-pkcs11 and the real library, in a process of its own."""

from __future__ import annotations

import contextlib
import json
import sys
import typing as t

import pkcs11
from pkcs11 import Attribute, KeyType, ObjectClass

from ansible_collections.cryptoki.hsm.tests.support.module_process import start_code
from ansible_collections.cryptoki.hsm.tests.support.soft_token import SoftToken, library

_CODE = f"from {__name__} import main; main()"


def do(token: SoftToken, act: str, number: int = 0, /, **given: str) -> None:
    """Does `act` to the N-th of the key objects, if the token lets it; bytes are given as hexadecimal digits."""
    said = {"library": library(), "label": token.label, "pin": token.pin, "act": act, "number": number, "given": given}
    process = start_code(_CODE, json.dumps(said).encode(), token.environment)
    dummy, stderr = process.communicate(timeout=60)
    if process.returncode:
        raise AssertionError(f"{act} ended with {process.returncode}: {stderr.decode()}")


# ---- in the other process ----

Given = t.Mapping[str, str]
_KEYS = (ObjectClass.PUBLIC_KEY, ObjectClass.PRIVATE_KEY, ObjectClass.SECRET_KEY)


def _rename(session: t.Any, found: t.Any, given: Given) -> None:
    found[Attribute.LABEL] = given["label"]


def _change_id(session: t.Any, found: t.Any, given: Given) -> None:
    found[Attribute.ID] = bytes.fromhex(given["id"])


def _remove(session: t.Any, found: t.Any, given: Given) -> None:
    found.destroy()


def _copy(session: t.Any, found: t.Any, given: Given) -> None:
    found.copy({Attribute.TOKEN: True})


def _add_a_secret_key(session: t.Any, found: t.Any, given: Given) -> None:
    session.generate_key(KeyType.AES, 256, label=given["label"], id=bytes.fromhex(given["id"]), store=True)


def _add_a_pair(session: t.Any, found: t.Any, given: Given) -> None:
    parameters = session.create_domain_parameters(
        KeyType.EC, {Attribute.EC_PARAMS: pkcs11.util.ec.encode_named_curve_parameters("secp256r1")}, local=True
    )
    parameters.generate_keypair(store=True, label=given["label"], id=bytes.fromhex(given["id"]))


def _add_a_strangers_half(session: t.Any, found: t.Any, given: Given) -> None:
    """A public EC half beside an object, with its label and its id."""
    names = {name: found[name] for name in (Attribute.LABEL, Attribute.ID)}
    public = {
        Attribute.CLASS: ObjectClass.PUBLIC_KEY,
        Attribute.KEY_TYPE: KeyType.EC,
        Attribute.EC_PARAMS: bytes.fromhex("06082a8648ce3d030107"),
        Attribute.EC_POINT: bytes.fromhex(given["point"]),
        Attribute.VERIFY: True,
        Attribute.TOKEN: True,
    }
    session.create_object({**public, **names})


def _add_a_certificate(session: t.Any, found: t.Any, given: Given) -> None:
    session.create_object(
        {
            Attribute.CLASS: ObjectClass.CERTIFICATE,
            Attribute.CERTIFICATE_TYPE: pkcs11.CertificateType.X_509,
            Attribute.SUBJECT: bytes.fromhex(given["subject"]),
            Attribute.VALUE: bytes.fromhex(given["value"]),
            Attribute.LABEL: given["label"],
            Attribute.ID: bytes.fromhex(given["id"]),
            Attribute.TOKEN: True,
        }
    )


_ACTS: dict[str, t.Callable[[t.Any, t.Any, Given], None]] = {
    "rename": _rename,
    "change id": _change_id,
    "remove": _remove,
    "copy": _copy,
    "add a secret key": _add_a_secret_key,
    "add a pair": _add_a_pair,
    "add a stranger's half": _add_a_strangers_half,
    "add a certificate": _add_a_certificate,
}
_MAKING = ("add a secret key", "add a pair", "add a certificate")


def _place(found: t.Any) -> tuple[t.Any, ...]:
    """What comes first, where the token has an order of its own in each run; ids may be drawn."""
    label, ident = "", b""
    with contextlib.suppress(pkcs11.PKCS11Error):
        label, ident = str(found[Attribute.LABEL]), bytes(found[Attribute.ID])
    return found[Attribute.CLASS].value, label, len(ident), ident if len(ident) < 8 else b""


def main() -> None:
    """Does it."""
    said = json.load(sys.stdin)
    token = pkcs11.lib(said["library"]).get_token(token_label=said["label"])
    with token.open(user_pin=said["pin"], rw=True) as session:
        keys = [found for found in list(session.get_objects()) if found[Attribute.CLASS] in _KEYS]
        keys.sort(key=_place)
        found = keys[said["number"] % len(keys)] if keys else None
        with contextlib.suppress(pkcs11.PKCS11Error):
            if found or said["act"] in _MAKING:
                _ACTS[said["act"]](session, found, said["given"])

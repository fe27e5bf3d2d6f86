# Copyright (c) 2026, The cryptoki.hsm authors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The one door to a private half: by its handle, whatever the token tells of it, and what comes of a use that it refuses."""

from __future__ import annotations

import os
import subprocess
import sys

import pytest

from ansible_collections.cryptoki.hsm.tests.support.faulty_token import FaultyToken
from ansible_collections.cryptoki.hsm.tests.support.soft_token import library

DECRYPT, UNWRAP, SIGN, DERIVE = "0x105", "0x107", "0x108", "0x10c"
EVERY_USE = {"usage": ["sign", "decrypt", "wrap"]}
NO_MECHANISM = "the token has no mechanism for it that can be checked outside"
NOT_SIGNED = (
    "Could not sign with the private key 'k' on the token 'test token' (serial SERIAL, slot N): the HSM answered {ckr};"
    " a key that this token does not let be used this way can be made with verify=false."
)


@pytest.mark.parametrize(
    ("usage", "used", "mechanism"),
    [
        ("sign", {"C_SignInit": 1, "C_Sign": 1}, "CKM_ECDSA"),
        # The second look: that what is to go is an object of the session.
        ("derive", {"C_DeriveKey": 1, "C_DestroyObject": 1, "C_GetAttributeValue": 2}, "CKM_ECDH1_DERIVE"),
    ],
)
def test_calls_of_a_proof(token: FaultyToken, usage: str, used: dict[str, int], mechanism: str) -> None:
    """Nothing is searched or listed for it: what was found is used by its handle."""
    token.ecc(label="k", curve="P-256", usage=[usage])
    plain = token.faulty_ecc(label="k", verify=False).calls
    assert token.faulty_ecc(label="k").key_pair["verified"] == mechanism  # only an id joins the halves
    run = token.faulty_ecc(label="k", verify=True)
    assert run.key_pair["verified"] == mechanism
    more = {name: count - plain.get(name, 0) for name, count in run.calls.items() if count != plain.get(name, 0)}
    assert more == used


def test_calls_of_a_decryption(token: FaultyToken) -> None:
    token.rsa(label="k", modulus_bits=2048, usage=["decrypt"])
    plain = token.faulty_rsa(label="k").calls
    run = token.faulty_rsa(label="k", verify=True)
    assert run.key_pair["verified"] == "CKM_RSA_PKCS_OAEP"
    more = {name: count - plain.get(name, 0) for name, count in run.calls.items() if count != plain.get(name, 0)}
    assert more == {"C_DecryptInit": 1, "C_Decrypt": 1}


@pytest.mark.parametrize("untold", [DECRYPT, UNWRAP, DERIVE])
def test_token_that_does_not_tell_another_use(token: FaultyToken, untold: str) -> None:
    """The pair is proven by what it may do, whatever else is not known of it."""
    token.ecc(label="k", curve="P-256")
    run = token.faulty_ecc(f"C_GetAttributeValue after untold {untold}", label="k", verify=True)
    assert run.key_pair["verified"] == "CKM_ECDSA"


USE_ALL = """
import os, sys
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec, padding
from ansible_collections.cryptoki.hsm.plugins.module_utils._pkcs11.library import Library
from ansible_collections.cryptoki.hsm.plugins.module_utils._pkcs11.session import Pkcs11Session
from ansible_collections.cryptoki.hsm.plugins.module_utils._pair.keypair import pair_up
from ansible_collections.cryptoki.hsm.plugins.module_utils._pair.session import Query
from ansible_collections.cryptoki.hsm.plugins.module_utils._pair.vendors import VENDORS
from ansible_collections.cryptoki.hsm.plugins.module_utils._standard.mechanisms import MECHANISMS

library = Library(sys.argv[1], {})
token = next(slot for slot in library.slots() if slot.label == sys.argv[2])
session = Pkcs11Session(library, library.open(token, sys.stdin.read(), rw=True), token, VENDORS["softhsm"])
SHA1 = padding.MGF1(hashes.SHA1()), hashes.SHA1(), None

def pair(label):
    (found,) = pair_up([key for half in ("public", "private") for key in session.find(Query(half, label=label))])
    assert not {"sign", "decrypt", "derive"} & set(found.private.attributes), found.private.attributes
    return session.signer(found), serialization.load_der_public_key(found.spki)

signer, public = pair("rsa")
for name, scheme in (
    ("CKM_SHA256_RSA_PKCS", padding.PKCS1v15()),
    ("CKM_SHA384_RSA_PKCS_PSS", padding.PSS(padding.MGF1(hashes.SHA384()), 48)),
):
    algorithm = getattr(hashes, MECHANISMS[name].hash.upper())()
    public.verify(signer.sign(MECHANISMS[name], b"data"), b"data", scheme, algorithm)
for name, scheme in (("CKM_RSA_PKCS", padding.PKCS1v15()), ("CKM_RSA_PKCS_OAEP", padding.OAEP(*SHA1))):
    assert signer.decrypt(MECHANISMS[name], public.encrypt(b"data", scheme)) == b"data"
signer, public = pair("ecc")
other = ec.generate_private_key(public.curve)
point = other.public_key().public_bytes(serialization.Encoding.X962, serialization.PublicFormat.UncompressedPoint)
assert signer.derive(point, 48) == other.exchange(ec.ECDH(), public)
assert len(signer.sign(MECHANISMS["CKM_ECDSA"], b"digest" * 8)) == 96
session.close()
library.close()
print("all")
"""


def test_token_that_tells_no_use(token: FaultyToken) -> None:
    """Signing, decrypting and deriving need nothing but the handle."""
    token.rsa(label="rsa", modulus_bits=2048, **EVERY_USE)
    token.ecc(label="ecc", curve="P-384", usage=["sign", "derive"])
    untold = "\n".join(f"C_GetAttributeValue after untold {code}" for code in (SIGN, DECRYPT, DERIVE))
    environment = {**os.environ, **token.environment, "FAULT_MODULE": library(), "FAULT": untold}
    command = [sys.executable, "-c", USE_ALL, str(token.interposer), token.label]
    done = subprocess.run(command, input=token.pin, text=True, env=environment, capture_output=True, check=False)
    assert (done.stdout, done.stderr) == ("all\n", "")


def test_mechanism_that_is_refused(token: FaultyToken) -> None:
    """The next one is taken; the list is looked at once, and only then."""
    token.rsa(label="k", modulus_bits=2048)
    run = token.faulty_rsa("C_SignInit#1 instead return 0x70", label="k", verify=True)
    assert run.key_pair["verified"] == "CKM_SHA384_RSA_PKCS"
    assert (run.calls["C_SignInit"], run.calls["C_Sign"], run.calls["C_GetMechanismList"]) == (2, 1, 2)


@pytest.mark.parametrize(
    ("rv", "ckr"),
    [
        ("0x70", "CKR_MECHANISM_INVALID"),
        ("0x71", "CKR_MECHANISM_PARAM_INVALID"),
        ("0x68", "CKR_KEY_FUNCTION_NOT_PERMITTED"),
        ("0x30", "CKR_DEVICE_ERROR"),
    ],
)
def test_mechanism_that_is_listed_and_refused(token: FaultyToken, rv: str, ckr: str) -> None:
    token.ecc(label="k", curve="P-256")
    run = token.faulty_ecc(f"C_SignInit instead return {rv}", label="k", verify=True)
    assert token.text(run.msg) == NOT_SIGNED.format(ckr=ckr)
    assert run.result["ckr"] == ckr
    assert run.calls["C_SignInit"] == 1


def test_mechanism_that_is_neither_listed_nor_taken(token: FaultyToken) -> None:
    """A token that cannot sign with the key at all: the pair stands unproven, unless a proof is asked for."""
    listed = token.pkcs11_tool("--list-mechanisms").splitlines()
    names = [line.split(",")[0].strip() for line in listed if line.startswith("  ")]
    rules = f"C_GetMechanismList#2 after poke 1 {8 * names.index('ECDSA')} 80000001\nC_SignInit instead return 0x70"
    made = token.faulty_ecc(rules, label="k")
    assert (made.key_pair["verified"], made.key_pair["unverified_reason"]) == (None, NO_MECHANISM)
    run = token.faulty_ecc(rules, label="k", verify=True)
    assert run.msg == f"Could not prove the ECC key pair 'k' on the token 'test token': {NO_MECHANISM}."


def test_signature_for_which_there_is_no_room(token: FaultyToken) -> None:
    """It is asked for again, once."""
    token.ecc(label="k", curve="P-256")
    run = token.faulty_ecc("C_Sign#1 instead return 0x150", label="k", verify=True)
    assert run.key_pair["verified"] == "CKM_ECDSA"
    assert run.calls["C_Sign"] == 2
    run = token.faulty_ecc("C_Sign instead return 0x150", label="k", verify=True)
    assert token.text(run.msg) == NOT_SIGNED.format(ckr="CKR_BUFFER_TOO_SMALL")
    assert run.calls["C_Sign"] == 2


def test_secret_that_cannot_be_read(token: FaultyToken) -> None:
    """What was derived for the proof goes all the same."""
    token.ecc(label="k", curve="P-256", usage=["derive"])
    run = token.faulty_ecc("C_GetAttributeValue^C_DeriveKey instead return 0x11", label="k", verify=True)
    assert token.text(run.msg).startswith(
        "Could not derive with the private key 'k' on the token 'test token' (serial SERIAL, slot N): the HSM answered"
        " CKR_ATTRIBUTE_SENSITIVE;"
    )
    assert run.writes == {"C_DeriveKey": 1, "C_DestroyObject": 1}

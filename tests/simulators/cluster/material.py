# Copyright (c) 2026, The cryptoki.hsm authors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The real keys: in a SoftHSM token, made and used by OpenSC's pkcs11-tool and OpenSSL.

None of the collection's own code is used, so that its errors are not repeated here.
"""

from __future__ import annotations

import base64
import hashlib
import os
import re
import subprocess
import tempfile
import typing as t
from pathlib import Path

from .curves import Curve
from .errors import Refused
from .state import State

LABEL = "cluster"
PIN = "cluster-token-93"  # the token's own; the users of the cluster never see it

_RSA_OID = bytes.fromhex("06092a864886f70d010101")
_EC_OID = bytes.fromhex("06072a8648ce3d0201")
# RFC 8017, section 9.2: what goes before a digest
_DIGEST_INFO = {
    "sha1": "3021300906052b0e03021a05000414",
    "sha224": "302d300d06096086480165030402040500041c",
    "sha256": "3031300d060960864801650304020105000420",
    "sha384": "3041300d060960864801650304020205000430",
    "sha512": "3051300d060960864801650304020305000440",
}


def run(state: State, tool: str, *arguments: str) -> bytes:
    """The output of a program that works on the token."""
    environment = {"SOFTHSM2_CONF": str(state.folder / "softhsm2.conf"), "PATH": os.defpath}
    for name in ("LD_LIBRARY_PATH", "OPENSSL_MODULES"):
        if name in state.tools:
            environment[name] = state.tools[name]
    done = subprocess.run(
        [state.tools[tool], *arguments],
        env=environment,
        stdin=subprocess.DEVNULL,
        capture_output=True,
        check=False,
    )
    if done.returncode:
        raise RuntimeError(f"{tool} {arguments} ended with {done.returncode}: {done.stdout!r} {done.stderr!r}")
    return done.stdout


def token_tool(state: State, *arguments: str) -> bytes:
    """The output of pkcs11-tool, logged in."""
    login = ("--module", state.tools["library"], "--token-label", LABEL, "--login", "--pin", PIN)
    return run(state, "pkcs11-tool", *login, *arguments)


def make_rsa(state: State, bits: int, exponent: int, label: str) -> tuple[str, dict[str, t.Any]]:
    """A new RSA pair: its CKA_ID, and its public part."""
    material = os.urandom(8).hex()
    if exponent == 65537:
        token_tool(state, "--keypairgen", "--key-type", f"rsa:{bits}", "--id", material, "--label", label)
    else:  # pkcs11-tool of OpenSC 0.22 cannot choose an exponent
        _import_rsa(state, bits, exponent, material, label)
    with tempfile.TemporaryDirectory(dir=state.folder) as folder:
        file = Path(folder) / "public"
        token_tool(state, "--read-object", "--type", "pubkey", "--id", material, "--output-file", str(file))
        der = run(state, "openssl", "pkey", "-pubin", *_form(file.read_bytes()), "-in", str(file), "-outform", "DER")
    content = _children(_children(_children(der)[0][1])[1][1][1:])[0][1]
    modulus, e = (value.lstrip(b"\0") for _tag, value in _children(content))
    public = {"modulus": modulus.hex(), "exponent": e.hex().rjust(6, "0"), "bits": bits, "der": der.hex()}
    return material, public


def make_ec(state: State, curve: Curve, label: str) -> tuple[str, dict[str, t.Any]]:
    """A new EC pair: its CKA_ID, and its public part."""
    material = os.urandom(8).hex()
    kind = f"EC:{curve.token_name}"
    output = token_tool(state, "--keypairgen", "--key-type", kind, "--id", material, "--label", label).decode()
    octets = bytes.fromhex(re.findall(r"EC_POINT:\s+([0-9a-f]+)", output)[0])
    point = _children(octets)[0][1]  # CKA_EC_POINT is a DER octet string
    algorithm = _tlv(0x30, (b"" if curve.edwards else _EC_OID) + bytes.fromhex(curve.oid))
    der = _tlv(0x30, algorithm + _tlv(0x03, b"\0" + point))
    return material, {"point": point.hex(), "curve": curve.name, "der": der.hex()}


def destroy(state: State, material: str, key_class: str) -> None:
    """Takes one half out of the token."""
    kind = "pubkey" if key_class == "public-key" else "privkey"
    token_tool(state, "--delete-object", "--type", kind, "--id", material)


def sign(
    state: State, material: str, mechanism: str, hash_name: str, data: bytes, digest: bool = False, salt: int = -1
) -> bytes:
    """A signature by the private half; mechanism is rsa-pkcs, rsa-pkcs-pss, ecdsa (then r and s, in a row) or eddsa.

    A digest for rsa-pkcs comes with its DER around it, as AWS cloudhsm_cli-crypto-sign-rsa-pkcs wants it.
    """
    with tempfile.TemporaryDirectory(dir=state.folder) as folder:
        source, target = Path(folder) / "in", Path(folder) / "out"
        hashed = data if digest or mechanism == "eddsa" else hashlib.new(hash_name, data).digest()
        options: tuple[str, ...] = ()
        if mechanism == "rsa-pkcs":
            hashed = hashed if digest else bytes.fromhex(_DIGEST_INFO[hash_name]) + hashed
        elif mechanism == "rsa-pkcs-pss":
            options = ("--hash-algorithm", hash_name.upper().replace("SHA1", "SHA-1"), "--salt-len", str(salt))
        source.write_bytes(hashed)
        options += ("--mechanism", mechanism.upper(), "--id", material)
        token_tool(state, "--sign", *options, "--input-file", str(source), "--output-file", str(target))
        return target.read_bytes()


def verifies(
    state: State,
    public: str,
    mechanism: str,
    hash_name: str,
    data: bytes,
    signature: bytes,
    digest: bool = False,
    der: bool = False,
) -> bool:
    """Whether a signature is one of the public key, by OpenSSL. `der`: an ECDSA one is DER."""
    with tempfile.TemporaryDirectory(dir=state.folder) as folder:
        key, source, signed = (Path(folder) / name for name in ("public", "in", "signature"))
        key.write_text(pem(public), encoding="ascii")
        source.write_bytes(data if digest else hashlib.new(hash_name, data).digest())
        signed.write_bytes(der_signature(signature) if mechanism == "ecdsa" and not der else signature)
        options = ["-pkeyopt", f"digest:{hash_name}"] if mechanism.startswith("rsa") else []
        if mechanism == "rsa-pkcs-pss":
            options += ["-pkeyopt", "rsa_padding_mode:pss", "-pkeyopt", "rsa_pss_saltlen:auto"]
        files = ["-inkey", str(key), "-in", str(source), "-sigfile", str(signed)]
        try:
            run(state, "openssl", "pkeyutl", "-verify", "-pubin", *files, *options)
        except RuntimeError:
            return False
        return True


def der_signature(signature: bytes) -> bytes:
    """An ECDSA signature in DER, from r and s in a row."""
    half = len(signature) // 2
    integers = (int.from_bytes(part, "big") for part in (signature[:half], signature[half:]))
    return _tlv(0x30, b"".join(_integer(number) for number in integers))


def pem(der: str) -> str:
    """A public key in PEM."""
    text = base64.b64encode(bytes.fromhex(der)).decode()
    lines = [text[start : start + 64] for start in range(0, len(text), 64)]
    return "\n".join(["-----BEGIN PUBLIC KEY-----", *lines, "-----END PUBLIC KEY-----", ""])


def check_value(der: str) -> str:
    """First three bytes of SHA-1 of the public key (AWS chsm-cli-key-attribute-details), hex.

    Of its DER as SubjectPublicKeyInfo: that gives the values in genRSAKeyPair and genECCKeyPair.
    """
    return hashlib.sha1(bytes.fromhex(der)).hexdigest()[:6]


def _import_rsa(state: State, bits: int, exponent: int, material: str, label: str) -> None:
    """A pair with an exponent of one's own, made by OpenSSL and imported."""
    with tempfile.TemporaryDirectory(dir=state.folder) as folder:
        file = Path(folder) / "private.pem"
        options = ("-pkeyopt", f"rsa_keygen_bits:{bits}", "-pkeyopt", f"rsa_keygen_pubexp:{exponent}")
        try:
            run(state, "openssl", "genpkey", "-algorithm", "RSA", *options, "-out", str(file))
        except RuntimeError:
            raise Refused("policy") from None
        names = ("--token", LABEL, "--pin", PIN, "--id", material, "--label", label)
        run(state, "softhsm2-util", "--import", str(file), *names)


def _form(content: bytes) -> tuple[str, ...]:
    """The option for the form in which pkcs11-tool writes a public key: versions differ."""
    return () if content.startswith(b"-----") else ("-inform", "DER")


def _tlv(tag: int, value: bytes) -> bytes:
    """A DER element."""
    size = len(value)
    if size < 128:
        return bytes([tag, size]) + value
    octets = size.to_bytes((size.bit_length() + 7) // 8, "big")
    return bytes([tag, 0x80 | len(octets)]) + octets + value


def _integer(number: int) -> bytes:
    """A DER integer, not negative."""
    return _tlv(0x02, number.to_bytes(number.bit_length() // 8 + 1, "big"))


def _children(der: bytes) -> list[tuple[int, bytes]]:
    """Tags and values of the elements in a row."""
    found = []
    while der:
        tag, size, start = der[0], der[1], 2
        if size & 0x80:
            start = 2 + (size & 0x7F)
            size = int.from_bytes(der[2:start], "big")
        found.append((tag, der[start : start + size]))
        der = der[start + size :]
    return found

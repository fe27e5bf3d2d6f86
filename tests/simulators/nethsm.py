# Copyright (c) 2026, The cryptoki.hsm authors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""A stand-in for a Nitrokey NetHSM: what the vendor's PKCS#11 module asks of its REST interface.

    PASSWORD=... python nethsm.py PORT

There are an operator, named `operator`, and an administrator, named `admin`, with the same password. Keys are in
memory, and real. Paths, bodies and status codes are those of the vendor's published description of the interface.
"""

from __future__ import annotations

import base64
import dataclasses
import json
import os
import re
import secrets
import sys
import threading
import typing as t
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec, padding, rsa
from cryptography.hazmat.primitives.asymmetric.utils import Prehashed
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

OPERATOR, ADMINISTRATOR = "Operator", "Administrator"
ROLES = {"operator": OPERATOR, "admin": ADMINISTRATOR}
CURVES: dict[str, type[ec.EllipticCurve]] = {
    **{"EC_P256": ec.SECP256R1, "EC_P384": ec.SECP384R1, "EC_P521": ec.SECP521R1, "EC_P256K1": ec.SECP256K1},
    **{"BrainpoolP256": ec.BrainpoolP256R1, "BrainpoolP384": ec.BrainpoolP384R1, "BrainpoolP512": ec.BrainpoolP512R1},
}
DIGESTS = {20: hashes.SHA1(), 28: hashes.SHA224(), 32: hashes.SHA256(), 48: hashes.SHA384(), 64: hashes.SHA512()}


class Refusal(Exception):
    """An answer other than success: its status and text."""


def text(data: bytes) -> str:
    return base64.b64encode(data).decode()


@dataclasses.dataclass
class Key:
    """A key, of which public and private half are one."""

    kind: str
    mechanisms: list[str]
    private: t.Any

    @property
    def described(self) -> dict[str, t.Any]:
        public = self.private.public_key()
        if self.kind == "RSA":
            numbers = public.public_numbers()
            told = {"modulus": text(numbers.n.to_bytes((numbers.n.bit_length() + 7) // 8, "big"))}
            told["publicExponent"] = text(numbers.e.to_bytes(3, "big"))
        else:
            told = {"data": text(public.public_bytes(Encoding.X962, PublicFormat.UncompressedPoint))}
        return {"mechanisms": self.mechanisms, "type": self.kind, "restrictions": {}, "public": told, "operations": 0}

    def sign(self, mode: str, message: bytes) -> bytes:
        """Of a digest, except that `PKCS1` takes what PKCS#1 puts before it, too."""
        if mode == "PKCS1":
            size = (self.private.key_size + 7) // 8
            padded = b"\0\1" + b"\xff" * (size - 3 - len(message)) + b"\0" + message
            numbers = self.private.private_numbers()
            return pow(int.from_bytes(padded, "big"), numbers.d, numbers.public_numbers.n).to_bytes(size, "big")
        if mode == "ECDSA":
            return t.cast(bytes, self.private.sign(message, ec.ECDSA(Prehashed(DIGESTS[len(message)]))))
        if mode.startswith("PSS_"):
            digest = getattr(hashes, mode.removeprefix("PSS_"))()
            way = padding.PSS(padding.MGF1(digest), digest.digest_size)
            return t.cast(bytes, self.private.sign(message, way, Prehashed(digest)))
        raise Refusal(400, f"no mode {mode}")

    def decrypt(self, mode: str, encrypted: bytes) -> bytes:
        if mode == "PKCS1":
            return t.cast(bytes, self.private.decrypt(encrypted, padding.PKCS1v15()))
        if mode.startswith("OAEP_"):
            digest = getattr(hashes, mode.removeprefix("OAEP_"))()
            return t.cast(bytes, self.private.decrypt(encrypted, padding.OAEP(padding.MGF1(digest), digest, None)))
        raise Refusal(400, f"no mode {mode}")


class Device:
    """The keys by their names, and what is asked of them; each request names its user and password."""

    def __init__(self, password: str) -> None:
        self._password = password
        self._keys: dict[str, Key] = {}
        self._lock = threading.Lock()

    def role(self, authorization: str) -> str:
        kind, dummy, given = authorization.partition(" ")
        user, dummy, password = base64.b64decode(given).decode().partition(":") if kind == "Basic" else ("", "", "")
        if user not in ROLES or password != self._password:
            raise Refusal(401, "Unauthorized")
        return ROLES[user]

    def answer(self, method: str, path: str, asked: dict[str, t.Any], authorization: str) -> tuple[int, t.Any]:
        """The status and body of an answer."""
        if path in ("/health/ready", "/health/alive"):
            return 200, None
        if path == "/health/state":
            return 200, {"state": "Operational"}
        if path == "/info":
            return 200, {"vendor": "Nitrokey GmbH", "product": "NetHSM"}
        role = self.role(authorization)
        if user := re.fullmatch("/users/([^/]+)", path):
            return 200, {"realName": user[1], "role": ROLES[user[1]]}
        if (method, path) == ("GET", "/keys"):
            return 200, [{"id": name} for name in self._keys]
        if role != ADMINISTRATOR and (path in ("/system/info", "/keys/generate") or method in ("DELETE", "PUT")):
            raise Refusal(403, "Forbidden")
        if path == "/system/info":
            versions = {
                "softwareVersion": "3.0",
                "softwareBuild": "0",
                "firmwareVersion": "1.0",
                "hardwareVersion": "2",
            }
            return 200, {**versions, "deviceId": "0123456789", "akPub": {}, "pcr": {}}
        if path == "/keys/generate":
            return 201, {"id": self._generate(asked)}
        if key := re.fullmatch("/keys/([^/]+)(/[a-z]+)?", path):
            return self._on_key(method, key[1], key[2] or "", asked)
        raise Refusal(404, "Not found")

    def _generate(self, asked: dict[str, t.Any]) -> str:
        name = asked.get("id") or secrets.token_hex(10)
        if asked["type"] == "RSA":
            private: t.Any = rsa.generate_private_key(65537, asked.get("length") or 2048)
        elif asked["type"] in CURVES:
            private = ec.generate_private_key(CURVES[asked["type"]]())
        else:
            raise Refusal(400, f"no type {asked['type']}")
        with self._lock:
            if name in self._keys:
                raise Refusal(409, "Key already exists")
            self._keys[name] = Key(asked["type"], asked["mechanisms"], private)
        return t.cast(str, name)

    def _on_key(self, method: str, name: str, what: str, asked: dict[str, t.Any]) -> tuple[int, t.Any]:
        with self._lock:
            key = self._keys.get(name)
            if key is None or what == "/cert":
                raise Refusal(404, "Not found")
            if (method, what) == ("DELETE", ""):
                del self._keys[name]
                return 204, None
            if what == "/move":
                self._keys[asked["newId"]] = self._keys.pop(name)
                return 204, None
        if (method, what) == ("GET", ""):
            return 200, key.described
        if what == "/sign":
            return 200, {"signature": text(key.sign(asked["mode"], base64.b64decode(asked["message"])))}
        if what == "/decrypt":
            return 200, {"decrypted": text(key.decrypt(asked["mode"], base64.b64decode(asked["encrypted"])))}
        raise Refusal(404, "Not found")


def main() -> None:
    (port,) = sys.argv[1:]
    device = Device(os.environ["PASSWORD"])

    class Interface(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"
        # An answer in one piece, at once: waiting for more of it would cost more than all else.
        wbufsize = -1
        disable_nagle_algorithm = True

        def log_message(self, *dummy: object) -> None:
            """Nothing is logged."""

        def _body(self) -> bytes:
            if self.headers.get("Transfer-Encoding") != "chunked":
                return self.rfile.read(int(self.headers.get("Content-Length") or 0))
            body = b""
            while size := int(self.rfile.readline(), 16):
                body += self.rfile.read(size)
                self.rfile.readline()
            self.rfile.readline()
            return body

        def do_GET(self) -> None:
            body, path = self._body(), self.path.split("?")[0].removeprefix("/api/v1")
            try:
                authorization = self.headers.get("Authorization", "")
                status, told = device.answer(self.command, path, json.loads(body or b"{}"), authorization)
            except Refusal as refusal:
                status, told = refusal.args[0], {"message": refusal.args[1]}
            self.send_response(status)
            if status == 201:
                self.send_header("Location", f"/api/v1/keys/{told['id']}")
            answer = b"" if told is None else json.dumps(told).encode()
            if answer:
                self.send_header("Content-Type", "application/json")
            self.send_header("Content-Length", str(len(answer)))
            self.end_headers()
            self.wfile.write(answer)

        do_POST = do_PUT = do_DELETE = do_GET

    ThreadingHTTPServer(("127.0.0.1", int(port)), Interface).serve_forever()


if __name__ == "__main__":
    main()

# Copyright (c) 2026, The cryptoki.hsm authors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""A stand-in for a YubiHSM 2 and its connector: what the vendor's PKCS#11 module asks of them.

    PASSWORD=... python yubihsm.py PORT

The connector takes messages to the device in the bodies of POST requests. The device has the usual first authentication
key, number 1, with a password. It speaks the secure channel SCP03 and has keys in memory, which are real.

Numbers of commands, algorithms and errors are those of the vendor's published `yubihsm.h`.
"""

from __future__ import annotations

import dataclasses
import os
import secrets
import struct
import sys
import threading
import typing as t
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

from cryptography.hazmat.primitives import cmac, hashes
from cryptography.hazmat.primitives.asymmetric import ec, padding, rsa
from cryptography.hazmat.primitives.asymmetric.utils import Prehashed
from cryptography.hazmat.primitives.ciphers import Cipher, algorithms, modes
from cryptography.hazmat.primitives.kdf.pbkdf2 import PBKDF2HMAC

# Commands; an answer has the same number with the highest bit, or ERROR.
ECHO, CREATE_SESSION, AUTHENTICATE, SESSION_MESSAGE, DEVICE_INFO = 0x01, 0x03, 0x04, 0x05, 0x06
CLOSE_SESSION, STORAGE_INFO, PUT_OPAQUE, GET_OPAQUE, GENERATE, SIGN_PKCS1 = 0x40, 0x41, 0x42, 0x43, 0x46, 0x47
LIST_OBJECTS, DECRYPT_PKCS1, OBJECT_INFO, RANDOM, PUBLIC_KEY, SIGN_PSS, SIGN_ECDSA = (
    0x48,
    0x49,
    0x4E,
    0x51,
    0x54,
    0x55,
    0x56,
)
DERIVE_ECDH, DELETE_OBJECT, DECRYPT_OAEP, GENERATE_WRAP_KEY = 0x57, 0x58, 0x59, 0x5B
ERROR = 0x7F
INVALID_COMMAND, INVALID_DATA, INVALID_SESSION, AUTHENTICATION_FAILED, SESSIONS_FULL = 1, 2, 3, 4, 5
OBJECT_NOT_FOUND, OBJECT_EXISTS = 11, 12
# Types of objects
OPAQUE, AUTHENTICATION_KEY, ASYMMETRIC_KEY, WRAP_KEY = 1, 2, 3, 4
# Algorithms
RSA_BITS = {9: 2048, 10: 3072, 11: 4096}
CURVES: dict[int, type[ec.EllipticCurve]] = {
    **{12: ec.SECP256R1, 13: ec.SECP384R1, 14: ec.SECP521R1, 15: ec.SECP256K1},
    **{16: ec.BrainpoolP256R1, 17: ec.BrainpoolP384R1, 18: ec.BrainpoolP512R1, 47: ec.SECP224R1},
}
MGF1 = {32: hashes.SHA1(), 33: hashes.SHA256(), 34: hashes.SHA384(), 35: hashes.SHA512()}
WRAP_ALGORITHMS = (29, 41, 42)
AUTHENTICATION = 38
# Digests by their length, and what PKCS#1 puts before them
DIGESTS = {20: hashes.SHA1(), 28: hashes.SHA224(), 32: hashes.SHA256(), 48: hashes.SHA384(), 64: hashes.SHA512()}
PREFIXES = {
    20: "3021300906052b0e03021a05000414",
    32: "3031300d060960864801650304020105000420",
    48: "3041300d060960864801650304020205000430",
    64: "3051300d060960864801650304020305000440",
}
FIRMWARE, SERIAL, ALGORITHMS = (2, 4, 0), 12345678, range(1, 57)
SESSIONS = 16


class DeviceError(Exception):
    """An answer of the device that is an error, by its number."""


@dataclasses.dataclass
class Entry:
    """An object of the device; `content` is a key, or bytes."""

    number: int
    kind: int
    algorithm: int
    label: bytes
    domains: int
    capabilities: bytes
    content: t.Any = b""
    delegated: bytes = bytes(8)
    sequence: int = 0

    @property
    def length(self) -> int:
        """Of the stored bytes, as the device tells it."""
        return len(self.content) if isinstance(self.content, bytes) else RSA_BITS.get(self.algorithm, 768) * 7 // 16


class Store:
    """The objects by number and type, and the commands on them."""

    def __init__(self) -> None:
        first = Entry(1, AUTHENTICATION_KEY, AUTHENTICATION, b"DEFAULT AUTHKEY".ljust(40, b"\0"), 0xFFFF, b"\xff" * 8)
        self._entries = {(1, AUTHENTICATION_KEY): dataclasses.replace(first, content=bytes(40), delegated=b"\xff" * 8)}
        self._births: dict[tuple[int, int], int] = {}

    def run(self, command: int, data: bytes) -> bytes:
        """The answer to a command in a session."""
        commands: dict[int, t.Callable[[bytes], bytes]] = {
            ECHO: bytes,
            DEVICE_INFO: device_info,
            STORAGE_INFO: lambda dummy: struct.pack(">HHHHH", 256, 200, 1024, 900, 126),
            CLOSE_SESSION: lambda dummy: b"",
            RANDOM: lambda count: secrets.token_bytes(int.from_bytes(count, "big")),
            LIST_OBJECTS: self._list,
            OBJECT_INFO: self._info,
            DELETE_OBJECT: self._delete,
            GENERATE: self._generate,
            GENERATE_WRAP_KEY: self._generate_wrap_key,
            PUBLIC_KEY: self._public_key,
            PUT_OPAQUE: self._put_opaque,
            GET_OPAQUE: lambda number: t.cast(bytes, self._entry(number, OPAQUE).content),
            **{use: lambda data, use=use: self._use(use, data) for use in USES},  # type: ignore[misc]
        }
        if command not in commands:
            raise DeviceError(INVALID_COMMAND)
        return commands[command](data)

    def has_authentication_key(self, number: int) -> bool:
        return (number, AUTHENTICATION_KEY) in self._entries

    def _entry(self, number: bytes, kind: int) -> Entry:
        try:
            return self._entries[int.from_bytes(number, "big"), kind]
        except KeyError:
            raise DeviceError(OBJECT_NOT_FOUND) from None

    def _list(self, data: bytes) -> bytes:
        """Filters are a number and a value, of lengths that belong to the number."""
        lengths, filters = {1: 2, 2: 1, 3: 2, 4: 8, 5: 1, 6: 40}, {}
        while data:
            end = 1 + lengths[data[0]]
            filters[data[0]], data = data[1:end], data[end:]
        return b"".join(
            struct.pack(">HBB", entry.number, entry.kind, entry.sequence)
            for entry in self._entries.values()
            if filters.get(1, entry.number.to_bytes(2, "big")) == entry.number.to_bytes(2, "big")
            and filters.get(2, bytes([entry.kind])) == bytes([entry.kind])
            and filters.get(5, bytes([entry.algorithm])) == bytes([entry.algorithm])
            and filters.get(6, entry.label) == entry.label
            and (4 not in filters or any(a & b for a, b in zip(filters[4], entry.capabilities, strict=True)))
        )

    def _info(self, data: bytes) -> bytes:
        entry = self._entry(data[:2], data[2])
        numbers = (entry.number, entry.length, entry.domains, entry.kind, entry.algorithm, entry.sequence, 1)
        return entry.capabilities + struct.pack(">HHHBBBB", *numbers) + entry.label + entry.delegated

    def _delete(self, data: bytes) -> bytes:
        self._entry(data[:2], data[2])
        del self._entries[int.from_bytes(data[:2], "big"), data[2]]
        return b""

    def _add(self, kind: int, data: bytes, content: t.Callable[[int], t.Any], delegated: bytes = bytes(8)) -> bytes:
        """Takes an object in; number 0 lets the device choose."""
        number, label, domains, capabilities, algorithm = struct.unpack(">H40sH8sB", data[:53])
        while not number:
            drawn = secrets.randbelow(0xFFFE) + 1
            number = 0 if (drawn, kind) in self._entries else drawn
        if (number, kind) in self._entries:
            raise DeviceError(OBJECT_EXISTS)
        entry = Entry(number, kind, algorithm, label, domains, capabilities, content(algorithm), delegated)
        # How often this number was used before
        entry.sequence = self._births[number, kind] = self._births.get((number, kind), -1) + 1
        self._entries[number, kind] = entry
        return struct.pack(">H", number)

    def _generate(self, data: bytes) -> bytes:
        return self._add(ASYMMETRIC_KEY, data, new_key)

    def _generate_wrap_key(self, data: bytes) -> bytes:
        def draw(algorithm: int) -> bytes:
            if algorithm not in WRAP_ALGORITHMS:
                raise DeviceError(INVALID_DATA)
            return secrets.token_bytes(32)

        return self._add(WRAP_KEY, data, draw, data[53:61])

    def _put_opaque(self, data: bytes) -> bytes:
        return self._add(OPAQUE, data, lambda dummy: data[53:])

    def _public_key(self, data: bytes) -> bytes:
        entry = self._entry(data[:2], data[2] if len(data) > 2 else ASYMMETRIC_KEY)
        numbers = entry.content.public_key().public_numbers()
        if entry.algorithm in RSA_BITS:
            return bytes([entry.algorithm]) + numbers.n.to_bytes(RSA_BITS[entry.algorithm] // 8, "big")
        size = (entry.content.key_size + 7) // 8
        return bytes([entry.algorithm]) + numbers.x.to_bytes(size, "big") + numbers.y.to_bytes(size, "big")

    def _use(self, command: int, data: bytes) -> bytes:
        return USES[command](self._entry(data[:2], ASYMMETRIC_KEY).content, data[2:])


def device_info(dummy: bytes = b"") -> bytes:
    """Firmware, serial number, the log's size and use, and the algorithms."""
    return bytes(FIRMWARE) + struct.pack(">IBB", SERIAL, 62, 0) + bytes(ALGORITHMS)


def new_key(algorithm: int) -> rsa.RSAPrivateKey | ec.EllipticCurvePrivateKey:
    """A new pair of an algorithm."""
    if algorithm in RSA_BITS:
        return rsa.generate_private_key(65537, RSA_BITS[algorithm])
    if algorithm in CURVES:
        return ec.generate_private_key(CURVES[algorithm]())
    raise DeviceError(INVALID_DATA)


def sign_pkcs1(key: rsa.RSAPrivateKey, data: bytes) -> bytes:
    """Of a digest, which its length tells, or of what is no digest as it is."""
    message = bytes.fromhex(PREFIXES.get(len(data), "")) + data
    size = key.key_size // 8
    padded = b"\0\1" + b"\xff" * (size - 3 - len(message)) + b"\0" + message
    numbers = key.private_numbers()
    return pow(int.from_bytes(padded, "big"), numbers.d, numbers.public_numbers.n).to_bytes(size, "big")


def sign_pss(key: rsa.RSAPrivateKey, data: bytes) -> bytes:
    """After the mask's hash and the length of the salt"""
    mask, salt, digest = data[0], int.from_bytes(data[1:3], "big"), data[3:]
    return key.sign(digest, padding.PSS(padding.MGF1(MGF1[mask]), salt), Prehashed(DIGESTS[len(digest)]))


def sign_ecdsa(key: ec.EllipticCurvePrivateKey, data: bytes) -> bytes:
    """Of a digest, which comes as long as the curve's numbers if these are longer."""
    digest = data[-64:] if len(data) > 64 else data
    return key.sign(digest, ec.ECDSA(Prehashed(DIGESTS[len(digest)])))


def decrypt_oaep(key: rsa.RSAPrivateKey, data: bytes) -> bytes:
    """After the mask's hash; behind it the digest of the label, which is that of no label."""
    size = key.key_size // 8
    digest = DIGESTS[len(data) - 1 - size]
    return key.decrypt(data[1 : 1 + size], padding.OAEP(padding.MGF1(MGF1[data[0]]), digest, None))


def derive(key: ec.EllipticCurvePrivateKey, data: bytes) -> bytes:
    return key.exchange(ec.ECDH(), ec.EllipticCurvePublicKey.from_encoded_point(key.curve, data))


USES: dict[int, t.Callable[[t.Any, bytes], bytes]] = {
    SIGN_PKCS1: sign_pkcs1,
    SIGN_PSS: sign_pss,
    SIGN_ECDSA: sign_ecdsa,
    DECRYPT_PKCS1: lambda key, data: t.cast(bytes, key.decrypt(data, padding.PKCS1v15())),
    DECRYPT_OAEP: decrypt_oaep,
    DERIVE_ECDH: derive,
}


def mac(key: bytes, data: bytes) -> bytes:
    made = cmac.CMAC(algorithms.AES(key))
    made.update(data)
    return made.finalize()


def message(command: int, data: bytes) -> bytes:
    return struct.pack(">BH", command, len(data)) + data


class Channel:
    """One session's secure channel (SCP03), from the keys of an authentication key."""

    def __init__(self, encryption: bytes, authentication: bytes, challenge: bytes) -> None:
        self.card = secrets.token_bytes(8)
        self._context = challenge + self.card
        self._encryption = self._derived(encryption, 4, 128)
        self._mac = self._derived(authentication, 6, 128)
        self._answer_mac = self._derived(authentication, 7, 128)
        self._chain = bytes(16)
        self._counter = 1
        self.card_cryptogram = self._derived(self._mac, 0, 64)
        self.host_cryptogram = self._derived(self._mac, 1, 64)

    def _derived(self, key: bytes, purpose: int, bits: int) -> bytes:
        return mac(key, bytes(11) + struct.pack(">BBHB", purpose, 0, bits, 1) + self._context)[: bits // 8]

    def verify(self, body: bytes, given: bytes) -> bool:
        """Whether a message is of who began the session; each MAC goes into the next one."""
        whole = mac(self._mac, self._chain + body)
        if whole[:8] != given:
            return False
        self._chain = whole
        return True

    def _cipher(self) -> Cipher[modes.CBC]:
        vector = (
            Cipher(algorithms.AES(self._encryption), modes.ECB()).encryptor().update(self._counter.to_bytes(16, "big"))
        )
        return Cipher(algorithms.AES(self._encryption), modes.CBC(vector))

    def decrypt(self, data: bytes) -> tuple[int, bytes]:
        """The command in a message, and its data."""
        plain = self._cipher().decryptor().update(data)
        command, length = struct.unpack(">BH", plain[:3])
        return command, plain[3 : 3 + length]

    def encrypt(self, number: int, answer: bytes) -> bytes:
        """An answer as a message of this session, which ends the exchange."""
        padded = answer + b"\x80"
        padded += bytes(-len(padded) % 16)
        data = bytes([number]) + self._cipher().encryptor().update(padded)
        self._counter += 1
        head = struct.pack(">BH", SESSION_MESSAGE | 0x80, len(data) + 8) + data
        return head + mac(self._answer_mac, self._chain + head)[:8]


class Device:
    """Sessions, and what is asked outside and inside of them."""

    def __init__(self, password: str) -> None:
        # The vendor's derivation of the two keys from a password
        keys = PBKDF2HMAC(hashes.SHA256(), 32, b"Yubico", 10000).derive(password.encode())
        self._keys = keys[:16], keys[16:]
        self._store = Store()
        self._channels: dict[int, Channel] = {}
        self._lock = threading.Lock()

    def answer(self, asked: bytes) -> bytes:
        command, length = struct.unpack(">BH", asked[:3])
        data = asked[3 : 3 + length]
        with self._lock:
            try:
                if command == CREATE_SESSION:
                    return message(command | 0x80, self._begin(data))
                if command in (AUTHENTICATE, SESSION_MESSAGE):
                    return self._in_session(command, asked[: 3 + length - 8], data)
                if command in (DEVICE_INFO, ECHO):
                    return message(command | 0x80, self._store.run(command, data))
                raise DeviceError(INVALID_COMMAND)
            except DeviceError as error:
                return message(ERROR, bytes([error.args[0]]))

    def _begin(self, data: bytes) -> bytes:
        """After the number of an authentication key comes the host's challenge."""
        if not self._store.has_authentication_key(int.from_bytes(data[:2], "big")):
            raise DeviceError(OBJECT_NOT_FOUND)
        number = next((number for number in range(SESSIONS) if number not in self._channels), None)
        if number is None:
            # The device ends sessions that nobody used for half a minute; here the oldest one goes.
            number = next(iter(self._channels))
            del self._channels[number]
        channel = self._channels[number] = Channel(*self._keys, data[2:10])
        return bytes([number]) + channel.card + channel.card_cryptogram

    def _in_session(self, command: int, body: bytes, data: bytes) -> bytes:
        number = data[0]
        channel = self._channels.get(number)
        if not channel:
            raise DeviceError(INVALID_SESSION)
        if not channel.verify(body, data[-8:]) or command == AUTHENTICATE and data[1:9] != channel.host_cryptogram:
            del self._channels[number]
            raise DeviceError(AUTHENTICATION_FAILED)
        if command == AUTHENTICATE:
            return message(command | 0x80, b"")
        inner, given = channel.decrypt(data[1:-8])
        try:
            answer = message(inner | 0x80, self._store.run(inner, given))
        except DeviceError as error:
            answer = message(ERROR, bytes([error.args[0]]))
        except (KeyError, ValueError):  # what a key does not take
            answer = message(ERROR, bytes([INVALID_DATA]))
        if inner == CLOSE_SESSION:
            del self._channels[number]
        return channel.encrypt(number, answer)


def main() -> None:
    (port,) = sys.argv[1:]
    device = Device(os.environ["PASSWORD"])

    class Connector(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"
        # An answer in one piece, at once: waiting for more of it would cost more than all else.
        wbufsize = -1
        disable_nagle_algorithm = True

        def log_message(self, *dummy: object) -> None:
            """Nothing is logged."""

        def _reply(self, kind: str, body: bytes) -> None:
            self.send_response(200)
            self.send_header("Content-Type", kind)
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def do_GET(self) -> None:
            status = f"status=OK\nserial=*\nversion=3.0.5\npid=1\naddress=127.0.0.1\nport={port}\n"
            self._reply("text/plain", status.encode())

        def do_POST(self) -> None:
            self._reply("application/octet-stream", device.answer(self.rfile.read(int(self.headers["Content-Length"]))))

    ThreadingHTTPServer(("127.0.0.1", int(port)), Connector).serve_forever()


if __name__ == "__main__":
    main()

# Copyright (c) 2026, The cryptoki.hsm authors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""No PIN and no private value leaves the tokens' own processes: arguments, environments, pipes, memory, files, answers."""

from __future__ import annotations

import contextlib
import os
import subprocess
import sys
import typing as t
from pathlib import Path

import pytest
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import ec, rsa
from cryptography.hazmat.primitives.keywrap import aes_key_unwrap_with_padding

from ansible_collections.cryptoki.hsm.tests.support.faulty_token import FaultyToken
from ansible_collections.cryptoki.hsm.tests.support.nodes import NAMES, Nodes, pin_of
from ansible_collections.cryptoki.hsm.tests.support.soft_token import library
from ansible_collections.cryptoki.hsm.tests.support.task import Task

KINDS: dict[str, dict[str, t.Any]] = {
    "hsm_ecc_keypair": {"curve": "P-256"},
    "hsm_rsa_keypair": {"modulus_bits": 2048},
}
PINS = [pin_of(name).encode() for name in NAMES]
_LONG_FORM = 0x80
# Every message of the worker processes, in both directions, goes into a file as well.
TAPPED = """
import os
from multiprocessing import connection
own = connection.Connection._send_bytes
def tapped(self, data):
    with open(os.environ["TAP"], "ab") as file:
        file.write(bytes(data))
    return own(self, data)
connection.Connection._send_bytes = tapped
"""
# The tester's own way to the private key, which is extractable: wrapped under an AES key that is all zeros.
_WRAPPED = """
import sys, pkcs11
from pkcs11 import Attribute, KeyType, Mechanism, ObjectClass
path, label, pin = sys.argv[1:]
with pkcs11.lib(path).get_token(token_label=label).open(user_pin=pin, rw=True) as session:
    key = session.create_object({
        Attribute.CLASS: ObjectClass.SECRET_KEY, Attribute.KEY_TYPE: KeyType.AES, Attribute.VALUE: bytes(32),
        Attribute.WRAP: True, Attribute.TOKEN: False,
    })
    (private,) = session.get_objects({Attribute.CLASS: ObjectClass.PRIVATE_KEY, Attribute.LABEL: "k"})
    print(key.wrap_key(private, mechanism=Mechanism.AES_KEY_WRAP_PAD).hex())
"""


def _trimmed(der: bytes) -> bytes:
    """DER without the zeros that SoftHSM adds before it wraps."""
    if der[1] < _LONG_FORM:
        return der[: 2 + der[1]]
    size = der[1] - _LONG_FORM
    return der[: 2 + size + int.from_bytes(der[2 : 2 + size], "big")]


def private_values(token: FaultyToken) -> list[bytes]:
    """What is secret of the pair: the scalar of a curve, or exponent and primes; each also from its other end."""
    command = [sys.executable, "-c", _WRAPPED, library(), token.label, token.pin]
    wrapped = bytes.fromhex(token.tool(*command).strip())
    key = serialization.load_der_private_key(_trimmed(aes_key_unwrap_with_padding(bytes(32), wrapped)), None)
    if isinstance(key, ec.EllipticCurvePrivateKey):
        numbers = [key.private_numbers().private_value]
    else:
        assert isinstance(key, rsa.RSAPrivateKey)
        own = key.private_numbers()
        numbers = [own.d, own.p, own.q, own.dmp1, own.dmq1, own.iqmp]
    values = [
        number.to_bytes((number.bit_length() + 7) // 8, order) for number in numbers for order in ("big", "little")
    ]
    return [value[8:24] for value in values] + [value.hex()[16:48].encode() for value in values]


def public_value(nodes: Nodes) -> bytes:
    """Part of the public key, which may be anywhere: that it is found shows that the search finds."""
    numbers = nodes.public("alpha", "k").public_numbers()
    number = t.cast(int, getattr(numbers, "x", None) or numbers.n)
    return number.to_bytes((number.bit_length() + 7) // 8, "big")[8:24]


def unseen(secrets: t.Iterable[bytes], text: bytes) -> bool:
    return not any(secret in text for secret in secrets)


def family(task: Task) -> list[int]:
    """The module and its workers, by their process group."""
    pids = []
    for entry in os.listdir("/proc"):
        if entry.isdigit():
            try:
                if os.getpgid(int(entry)) == task.pid:
                    pids.append(int(entry))
            except ProcessLookupError:
                continue
    return pids


def memory(pid: int) -> bytes:
    """All that a process has written to."""
    pieces = []
    with open(f"/proc/{pid}/maps") as maps, open(f"/proc/{pid}/mem", "rb", buffering=0) as file:
        for line in maps:
            span, mode, *_rest = line.split()
            if mode.startswith("rw") and "[vvar" not in line:
                start, end = (int(part, 16) for part in span.split("-"))
                file.seek(start)
                try:
                    pieces.append(file.read(end - start))
                except OSError:
                    continue
    return b"".join(pieces)


@pytest.mark.parametrize("module", KINDS)
def test_while_it_runs(nodes: Nodes, module: str, tmp_path: Path) -> None:
    """The last replica hangs while it proves its copy: everything has passed by then."""
    held = nodes.tokens["gamma"].folder / "held"
    rules = {"gamma": f"C_Sign#1 before run touch {held}; while test -e {held}; do sleep 0.05; done"}
    given: dict[str, t.Any] = {"popen": {"start_new_session": True, "cwd": tmp_path}, "before": TAPPED}
    temporary = tmp_path / "temporary"
    temporary.mkdir()
    tap = tmp_path / "tap"
    task = nodes.start(
        module, rules, label="k", **KINDS[module], **given, environment={"TAP": str(tap), "TMPDIR": str(temporary)}
    )
    while not held.exists():
        assert not task.ended()
    pids = family(task)
    assert len(pids) >= 4
    for pid in pids:
        for name in ("cmdline", "environ"):
            with contextlib.suppress(FileNotFoundError, ProcessLookupError):  # a sleep of the rule
                assert unseen(PINS, Path(f"/proc/{pid}/{name}").read_bytes()), name
    secrets, public = private_values(nodes.tokens["alpha"]), public_value(nodes)
    parent = memory(task.pid)
    assert public in parent
    assert unseen(secrets, parent)
    assert list(temporary.iterdir()) == []
    held.unlink()
    run = task.finish()
    assert run.result["changed"] is True
    passed = tap.read_bytes()
    assert public in passed
    assert unseen(secrets, passed)
    assert unseen(PINS, passed)
    assert unseen([*secrets, *PINS], (run.stdout + run.stderr).encode())
    assert sorted(path.name for path in tmp_path.iterdir()) == ["tap", "temporary"]
    assert list(temporary.iterdir()) == []


@pytest.mark.parametrize(
    "rules",
    [
        {"beta": "C_Login instead return 0xa0"},
        {"beta": "C_UnwrapKey after kill"},
        {"alpha": "C_WrapKey#1 instead return 0x5"},
        {"gamma": "C_Initialize before kill"},
    ],
)
def test_failures(nodes: Nodes, rules: dict[str, str], tmp_path: Path) -> None:
    tap = tmp_path / "tap"
    run = nodes.start(
        "hsm_ecc_keypair", rules, label="k", curve="P-256", before=TAPPED, environment={"TAP": str(tap)}
    ).finish()
    assert run.result["failed"] is True
    assert tap.stat().st_size
    assert unseen(PINS, tap.read_bytes() + (run.stdout + run.stderr).encode())


def test_pin_files(nodes: Nodes, tmp_path: Path) -> None:
    """PINs that only files hold are masked as others are: here one is the label of a key."""
    logins: dict[str, dict[str, t.Any]] = {}
    for name in NAMES:
        path = tmp_path / name
        path.write_text(pin_of(name) + "\n")
        logins[name] = {"pin": None, "pin_file": str(path)}
    run = nodes.run("hsm_ecc_keypair", logins=logins, label=f"is {pin_of('beta')}", curve="P-256")
    assert unseen(PINS, (run.stdout + run.stderr).encode())
    assert "********" in run.stdout
    assert all(nodes.tokens[name].halves(f"is {pin_of('beta')}") == ["private", "public"] for name in NAMES)


def test_tester_finds_what_it_looks_for(nodes: Nodes) -> None:
    """The private value of a copy is that of the source; and a process that has it in memory is found out."""
    nodes.ecc()
    secrets = private_values(nodes.tokens["alpha"])
    assert secrets == private_values(nodes.tokens["beta"])
    script = "import sys; data = bytes.fromhex(sys.argv[1]); del sys.argv; print('ready', flush=True); sys.stdin.read()"
    command = [sys.executable, "-c", script, secrets[0].hex()]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE) as child:
        assert child.stdout
        child.stdout.readline()
        assert not unseen(secrets, memory(child.pid))
        child.communicate()

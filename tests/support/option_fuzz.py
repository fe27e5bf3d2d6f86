# Copyright (c) 2026, The cryptoki.hsm authors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Random options for every module, right, wrong and strange, each secret of them known: what is shown must hold none.

    python tests/support/option_fuzz.py [COUNT [SEED]]

The same seed makes the same inputs. Ends with status 1 at the first input that shows a secret or ends in a traceback.
"""

from __future__ import annotations

import contextlib
import json
import os
import random
import sys
import tempfile
import typing as t

from ansible_collections.cryptoki.hsm.plugins.module_utils._options.certificate_groups import CERTIFICATE, CRL, CSR
from ansible_collections.cryptoki.hsm.plugins.module_utils._options.certificate_object import CERTIFICATE_OBJECT
from ansible_collections.cryptoki.hsm.plugins.module_utils._options.groups import ECC, KEYPAIR, LOGIN, RSA, Spec
from ansible_collections.cryptoki.hsm.plugins.module_utils._options.key_groups import KEY, KEY_INFO, KEYPAIRS
from ansible_collections.cryptoki.hsm.plugins.modules.hsm_token import OPTIONS as TOKEN
from ansible_collections.cryptoki.hsm.plugins.modules.hsm_token_info import OPTIONS as TOKEN_INFO
from ansible_collections.cryptoki.hsm.tests.support.module_call import Shown, call_module

MODULES: dict[str, Spec] = {
    "hsm_rsa_keypair": (LOGIN + KEYPAIR + RSA).spec,
    "hsm_ecc_keypair": (LOGIN + KEYPAIR + ECC).spec,
    "hsm_keypairs": (LOGIN + KEYPAIRS).spec,
    "hsm_key_info": (LOGIN + KEY_INFO).spec,
    "hsm_key": (LOGIN + KEY).spec,
    "hsm_csr": (LOGIN + CSR).spec,
    "hsm_certificate": (LOGIN + CERTIFICATE).spec,
    "hsm_crl": (LOGIN + CRL).spec,
    "hsm_certificate_object": (LOGIN + CERTIFICATE_OBJECT).spec,
    "hsm_token": TOKEN.spec,
    "hsm_token_info": TOKEN_INFO.spec,
    "hsm_user_info": LOGIN.spec,
}
# A part of every secret, which occurs in nothing else.
MARK = "Zq7Zq7"
_ENDS = (
    "",
    " x",
    "\\",
    "'",
    '"',
    "\n",
    "\t",
    "ö",
    "☃",
    "{{ x }}",
    "%41",
    ":",
    ",a=b",
    "=",
    "\u2028",
    "  y",
    "\\n",
    "\0",
)
_STRANGE: tuple[t.Any, ...] = (
    *(
        "",
        " ",
        "a",
        "yes",
        "0x1f",
        "é",
        "\udcff",
        "a\0b",
        "[]",
        "{}",
        "{",
        "a=b",
        "a=b c",
        "x" * 300,
        "pkcs11:",
        "../x",
    ),
    *(0, 1, -1, 2048, 2049, 65537, 10**30, 1.5, True, False, None, float("inf")),
    *([], {}, [[]], [{}], [None], ["a", 1], {"a": {"b": []}}, {"": ""}, [[["a"]]]),
)
# What a task must say at least.
_LEAST: dict[str, dict[str, t.Any]] = {
    "hsm_rsa_keypair": {"label": "web", "modulus_bits": 2048},
    "hsm_ecc_keypair": {"label": "web", "curve": "P-256"},
    "hsm_key": {"label": "web"},
    "hsm_csr": {"label": "web"},
    "hsm_certificate": {"label": "web"},
    "hsm_crl": {"label": "web", "revoked_certificates": [], "next_update": "+7d"},
    "hsm_certificate_object": {"label": "web", "state": "absent"},
    "hsm_token": {"token_label": "web"},
}
_EXCLUSIVE = (
    ("token_label", "token_serial", "slot_id", "token_uri"),
    ("pin", "pin_file"),
    ("so_pin", "so_pin_file"),
    ("id", "id_hex", "uri"),
    ("new_id", "new_id_hex"),
    ("path", "content"),
    ("ca_path", "ca_content"),
    ("chain_path", "chain_content"),
    ("csr_path", "csr_content", "public_key_path", "public_key_content", "certificate_path", "certificate_content"),
    ("subject_ordered", "subject"),
)
_TEXTS = (
    "web",
    "P-256",
    "rsa",
    "ecc",
    "sign",
    "2048",
    "pkcs11",
    "present",
    "/nonexistent/lib.so",
    "pkcs11:token=a",
    "b",
)


class Input(t.NamedTuple):
    """What a module is given, and what of it must not be seen."""

    module: str
    options: dict[str, t.Any]
    environment: dict[str, str]
    secrets: list[str]


class Maker:
    """Makes one input after the other."""

    def __init__(self, seed: int) -> None:
        self._random = random.Random(seed)
        self._secrets: list[str] = []
        self._wild = True

    def input(self) -> Input:
        """The next one."""
        self._secrets = []
        draw = self._random
        self._wild = draw.random() < 0.5  # half of them shall pass Ansible's own checks, and meet ours
        module = draw.choice(list(MODULES))
        options = self._options(MODULES[module], draw.uniform(0.02, 0.5 if self._wild else 0.2))
        if not self._wild:
            options.update(_LEAST.get(module, {}))
        environment = {}
        if draw.random() < 0.2:
            environment["HSM_PIN"] = self._secret().replace("\0", "")
        return Input(module, options, environment, list(self._secrets))

    def _options(self, spec: Spec, share: float) -> dict[str, t.Any]:
        draw = self._random
        made = {}
        for name, row in spec.items():
            if draw.random() < ((0.9 if self._wild else 1) if row.get("required") else share):
                given = draw.choice([name, *row.get("aliases", ())])
                made[given] = self._value(name, row)
        if not self._wild:
            for group in _EXCLUSIVE:
                for name in draw.sample(group, len(group) - 1):
                    made.pop(name, None)
        if draw.random() < (0.05 if self._wild else 0.01):
            made[draw.choice(["pins", "user_pin", "Label"])] = self._secret()
        if draw.random() < (0.05 if self._wild else 0.01):
            made[self._uri()] = draw.choice([None, True, "web", []])
        return made

    def _value(self, name: str, row: dict[str, t.Any]) -> t.Any:
        draw = self._random
        if name == "library_environment":
            made: t.Any = {draw.choice(["FORTANIX_API_KEY", "A", "", "B=C"]): self._secret()}
            return draw.choice([made, made, f"API_KEY={self._secret()}", draw.choice(_STRANGE)])
        if row.get("no_log") and name not in ("token_uri", "crypto_user"):
            return draw.choice([self._secret(), self._secret(), [self._secret()], {"a": self._secret()}, None])
        if draw.random() < 0.06:
            return self._uri()
        if draw.random() < (0.25 if self._wild else 0.02):
            return draw.choice(_STRANGE)
        if "options" in row:
            return self._nested(row)
        if row.get("choices"):
            value: t.Any = draw.choice(row["choices"])
        elif row.get("type") == "bool":
            value = draw.random() < 0.5
        elif row.get("type") == "int":
            value = draw.choice([0, 1, 2, 14, 2048, 65537, "7"])
        elif name == "token_uri" and draw.random() < 0.5:
            value = self._uri()
        else:
            value = draw.choice(_TEXTS)
        return [value] if row.get("type") == "list" else value

    def _nested(self, row: dict[str, t.Any]) -> t.Any:
        draw = self._random
        options = self._options(row["options"], 0.4)
        made: t.Any = options
        shape = draw.random() if self._wild else 1
        if shape < 0.1:
            made = json.dumps(options)
        elif shape < 0.2:
            made = [f"pin={self._plain_secret()} name=b", f"pin={self._plain_secret()} b"][draw.randrange(2)]
        elif shape < 0.25:
            made = ["a", self._plain_secret()] if "pin" in row["options"] else ["a"]
        return (
            [made, draw.choice(_STRANGE)][: draw.randint(1, 2 if self._wild else 1)]
            if row.get("type") == "list"
            else made
        )

    def _uri(self) -> str:
        secret = self._plain_secret()
        name = self._random.choice(["pin-value", "PIN-VALUE", "pin-source", "pin_value", "pin%2Dvalue", "x-pin"])
        mark = self._random.choice("?;&")
        return f"{self._random.choice(['pkcs11', 'PKCS11'])}:token=a{mark}{name}={secret}"

    def _secret(self) -> str:
        text = self._plain_secret() + self._random.choice(_ENDS)
        return text

    def _plain_secret(self) -> str:
        secret = f"{MARK}{self._random.randrange(10**6)}"
        self._secrets.append(secret)
        return secret


def problem(given: Input, shown: Shown) -> str | None:
    """What is wrong with what was shown."""
    if MARK in shown.stdout + shown.stderr + shown.log:
        return "a secret is shown"
    if shown.stderr:
        return "something was written to stderr"
    try:
        result = shown.result
    except (ValueError, IndexError):
        return "the answer is no JSON"
    if MARK in shown.everything:
        return "a secret is shown in the answer"
    if str(result.get("msg", "")).startswith("Unexpected"):
        return "a bug is reported"
    return None


def run(count: int, seed: int) -> tuple[int, str]:
    """How many inputs were good, and the first one that was not, as a text."""
    maker = Maker(seed)
    with contextlib.chdir(tempfile.gettempdir()) if hasattr(contextlib, "chdir") else contextlib.nullcontext():
        for number in range(count):
            given = maker.input()
            shown = call_module(given.module, given.options, given.environment)
            wrong = problem(given, shown)
            if wrong:
                return number, f"{wrong}: {given.module} {given.options!r} {given.environment!r}\n{shown}"
    return count, ""


if __name__ == "__main__":
    many = int(sys.argv[1]) if len(sys.argv) > 1 else 10_000
    good, first = run(many, int(sys.argv[2]) if len(sys.argv) > 2 else 0)
    os.write(
        1, f"{good} of {many} inputs showed no secret and no traceback\n{first}\n".encode(errors="backslashreplace")
    )
    sys.exit(bool(first))

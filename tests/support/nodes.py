# Copyright (c) 2026, The cryptoki.hsm authors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Several SoftHSM tokens, each in a folder of its own behind the interposer, used by one task as source and replicas.

Each has rules of its own (pkcs11_fault.c), which only its process sees, and is looked at by pkcs11-tool.
"""

from __future__ import annotations

import dataclasses
import re
import typing as t

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec, padding, rsa, utils

from ansible_collections.cryptoki.hsm.tests.support.faulty_token import WRITING, FaultyToken
from ansible_collections.cryptoki.hsm.tests.support.module_run import Run, module_input
from ansible_collections.cryptoki.hsm.tests.support.soft_token import library
from ansible_collections.cryptoki.hsm.tests.support.task import Task

NAMES = ("alpha", "beta", "gamma")
Rules = t.Mapping[str, str]
WHOLE = ["private", "public"]
_LONG_FORM = 0x81  # DER, a length of more than 127 bytes
_CURVES: dict[str, type[ec.EllipticCurve]] = {
    "06082a8648ce3d030107": ec.SECP256R1,
    "06052b81040022": ec.SECP384R1,
    "06052b81040023": ec.SECP521R1,
    "06052b8104000a": ec.SECP256K1,
}


def pin_of(name: str) -> str:
    """Each node has a PIN of its own."""
    return f"{name}-PIN-48205"


@dataclasses.dataclass(frozen=True)
class NodesRun(Run):
    """A run through the interposer; `calls` by node, with the number of calls of each function."""

    calls: t.Mapping[str, t.Mapping[str, int]] = dataclasses.field(default_factory=dict)

    @property
    def status_of(self) -> dict[str, str]:
        """The returned status of each node."""
        return {row["name"]: row["status"] for row in self.result["nodes"]}

    @property
    def message_of(self) -> dict[str, str]:
        """The returned message of each node."""
        return {row["name"]: row["message"] for row in self.result["nodes"]}

    @property
    def writes(self) -> dict[str, int]:
        """The calls that could change any token."""
        return {
            f"{node} {name}": count
            for node, calls in self.calls.items()
            for name, count in calls.items()
            if name in WRITING
        }


class Nodes:
    """The tokens by name."""

    def __init__(self, tokens: t.Mapping[str, FaultyToken]) -> None:
        self.tokens = tokens

    def login(self, name: str, rules: str = "") -> dict[str, t.Any]:
        """The options that reach a node through the interposer."""
        token = self.tokens[name]
        fault = {"FAULT_MODULE": library(), "FAULT_LOG": str(token.log), **({"FAULT": rules} if rules else {})}
        environment = {**token.environment, **fault}
        return {**token.login(), "module_path": str(token.interposer), "library_environment": environment}

    def params(
        self,
        rules: Rules | None = None,
        order: t.Sequence[str] = NAMES,
        logins: t.Mapping[str, t.Mapping[str, t.Any]] | None = None,
        **given: t.Any,
    ) -> dict[str, t.Any]:
        """The options of a task; the first of `order` is its source. `logins` win over a node's own."""
        own = {
            name: {**self.login(name, (rules or {}).get(name, "")), **(logins or {}).get(name, {})} for name in order
        }
        login = {name: {key: value for key, value in row.items() if value is not None} for name, row in own.items()}
        replicas = [{"name": name, **login[name]} for name in order[1:]]
        return {**login[order[0]], "replicas": replicas, **given}

    def start(
        self,
        module: str,
        rules: Rules | None = None,
        *,
        check_mode: bool = False,
        popen: t.Any = None,
        before: str = "",
        environment: t.Mapping[str, str] | None = None,
        **given: t.Any,
    ) -> Task:
        """Starts a module on all nodes; `before` is Python that its process runs first."""
        for token in self.tokens.values():
            token.log.unlink(missing_ok=True)
        arguments = module_input(check_mode, self.params(rules, **given))
        hurried = any(token.hurried for token in self.tokens.values())
        return Task(module, arguments, environment, before=before, hurried=hurried, **(popen or {}))

    def run(self, module: str, rules: Rules | None = None, **given: t.Any) -> NodesRun:
        """Runs a module on all nodes; every function of the rules must have been called on its node."""
        done = self.start(module, rules, **given).finish()
        calls = self.calls()
        for name, text in (rules or {}).items():
            functions = [re.split("[#@^ ]", rule)[0] for rule in text.splitlines()]
            unused = [function for function in functions if function not in calls[name]]
            if unused:
                raise AssertionError(f"the module never called {unused} of {name}: {done.stdout}")
        return NodesRun(done.result, done.stdout, done.stderr, done.status, calls)

    def without_mechanisms(self, name: str, *mechanisms: str) -> str:
        """The rules by which a node lacks those whose name, as pkcs11-tool spells it, contains one of these."""
        listed = self.tokens[name].pkcs11_tool("--list-mechanisms").splitlines()
        names = [line.split(",")[0].strip().upper() for line in listed if line.startswith("  ")]
        places = [8 * index for index, name in enumerate(names) if any(part in name for part in mechanisms)]
        if len(places) < len(mechanisms):
            raise AssertionError(f"the token has not all of {mechanisms}: {names}")
        return "\n".join(f"C_GetMechanismList#2 after poke 1 {offset} 80000001" for offset in places)

    def ecc(self, rules: Rules | None = None, **given: t.Any) -> NodesRun:
        """Runs hsm_ecc_keypair, for the label k on P-256 if nothing else is said."""
        return self.run("hsm_ecc_keypair", rules, **{"label": "k", "curve": "P-256", **given})

    def rsa(self, rules: Rules | None = None, **given: t.Any) -> NodesRun:
        """Runs hsm_rsa_keypair, for the label k with 2048 bits if nothing else is said."""
        return self.run("hsm_rsa_keypair", rules, **{"label": "k", "modulus_bits": 2048, **given})

    def calls(self) -> dict[str, dict[str, int]]:
        """The calls of the last run, by node."""
        return {name: token.calls() for name, token in self.tokens.items()}

    def objects(self) -> dict[str, str]:
        """Everything on each token, as pkcs11-tool lists it."""
        return {name: _sorted(token.objects()) for name, token in self.tokens.items()}

    def halves(self, label: str = "k") -> dict[str, list[str]]:
        """What each token has of a label, by pkcs11-tool."""
        return {name: token.halves(label) for name, token in self.tokens.items()}

    def everything(self) -> dict[str, list[tuple[str, str, str]]]:
        """Class, label and id of every object."""
        return {
            name: sorted((row["class"], row.get("label", ""), row.get("id", "")) for row in token.listing())
            for name, token in self.tokens.items()
        }

    def assert_one_pair(self, label: str = "k", names: t.Sequence[str] = NAMES) -> str:
        """These nodes have one pair each and it is the same: what one signs, the first one's public key verifies.

        The answer is the fingerprint of the public key, for comparison.
        """
        public = self.public(names[0], label)
        for name in names:
            assert self.tokens[name].halves(label) == WHOLE, (name, self.tokens[name].listing())
            assert _numbers(self.public(name, label)) == _numbers(public), name
            assert self.signs(name, public, label), name
        return repr(_numbers(public))

    def public(self, name: str, label: str) -> t.Any:
        """The public key on a node; pkcs11-tool lists the points of all curves, but cannot save them as keys."""
        token = self.tokens[name]
        (row,) = (row for row in token.listing() if (row["class"], row.get("label")) == ("public", label))
        if "ec_point" in row:
            point = bytes.fromhex(row["ec_point"])
            raw = point[3 if point[1] == _LONG_FORM else 2 :]
            return ec.EllipticCurvePublicKey.from_encoded_point(_CURVES[row["ec_params"].split()[0]](), raw)
        path = token.folder / "public.der"
        token.pkcs11_tool("--read-object", "--type", "pubkey", "--label", label, "--output-file", str(path))
        return serialization.load_der_public_key(path.read_bytes())

    def signs(self, name: str, public: t.Any, label: str) -> bool:
        """Whether a node's private key makes a signature that `public` verifies."""
        folder = self.tokens[name].folder
        digest, signature = folder / "digest", folder / "signature"
        digest.write_bytes(b"\x5a" * 32)
        kind = (
            ["SHA256-RSA-PKCS"] if isinstance(public, rsa.RSAPublicKey) else ["ECDSA", "--signature-format", "openssl"]
        )
        files = ["--input-file", str(digest), "--output-file", str(signature)]
        (id_,) = {row["id"] for row in self.tokens[name].listing() if row.get("label") == label}
        self.tokens[name].pkcs11_tool("--sign", "--id", id_, "--mechanism", *kind, *files)
        try:
            if isinstance(public, rsa.RSAPublicKey):
                public.verify(signature.read_bytes(), digest.read_bytes(), padding.PKCS1v15(), hashes.SHA256())
            else:
                algorithm = ec.ECDSA(utils.Prehashed(hashes.SHA256()))
                public.verify(signature.read_bytes(), digest.read_bytes(), algorithm)
        except InvalidSignature:
            return False
        return True


def _numbers(public: t.Any) -> t.Any:
    return public.public_numbers()


def _sorted(listing: str) -> str:
    """A listing whose objects are in the order of their text; SoftHSM's order is that of its files."""
    return "\n".join(sorted(re.split(r"\n(?=\S)", listing.strip())))

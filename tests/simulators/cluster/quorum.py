# Copyright (c) 2026, The cryptoki.hsm authors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Approvals of a quorum: tokens for one operation with one key, signed by users' own keys.

Source: AWS key-quorum-auth-chsm-cli-crypto-user and -first-time, cloudhsm_cli-qm-token-gen.
"""

from __future__ import annotations

import base64
import hashlib
import json
import os
import time
import typing as t
from pathlib import Path

from . import material
from .errors import Refused
from .state import Key, State, User

LIFETIME = 600  # seconds

# Which value of the key counts for which service
SERVICES = {"key-usage": "use_quorum", "key-management": "manage_quorum"}


def make_token(state: State, user: User, session: str, service: str, key: Key) -> dict[str, t.Any]:
    """The file of a token for one operation. It is valid in the login session that made it, for ten minutes."""
    data = os.urandom(48)
    digest = base64.b64encode(hashlib.sha256(data).digest()).decode()
    state.tokens.append(
        {
            "token": digest,
            "user": user.id,
            "session": session,
            "service": service,
            "handle": key.handle,
            "until": time.time() + LIFETIME,
        }
    )
    return {
        "version": "2.0",
        "service": service,
        "key_reference": f"0x{key.handle:016x}",
        "approval_data": base64.b64encode(data).decode(),
        "token": digest,
        "signatures": [],
    }


def registration_token() -> dict[str, t.Any]:
    """The file by which a user shows to have a key for approvals."""
    data = os.urandom(48)
    unsigned = base64.b64encode(hashlib.sha256(data).digest()).decode()
    return {
        "version": "2.0",
        "tokens": [{"approval_data": base64.b64encode(data).decode(), "unsigned": unsigned, "signed": ""}],
    }


def register(state: State, user: User, pem: str, token_file: Path) -> None:
    """Takes a user's public key."""
    token = json.loads(token_file.read_text(encoding="utf-8"))["tokens"][0]
    if not _signed(state, pem, token["unsigned"], token["signed"]):
        raise Refused("quorum_signature")
    user.quorum_key = pem


def approve(state: State, user: User, session: str, service: str, key: Key, approval: str | None) -> None:
    """Lets an operation with the key pass, or refuses it. A token is gone once it was used."""
    needed = getattr(key, SERVICES[service])
    if needed < 2:
        return
    if approval is None:
        raise Refused("quorum")
    content = json.loads(Path(approval).read_text(encoding="utf-8"))
    token = next((token for token in state.tokens if token["token"] == content.get("token")), None)
    if token is None or token["until"] < time.time() or token["session"] != session:
        raise Refused("quorum_used")
    if (token["user"], token["service"], token["handle"]) != (user.id, service, key.handle):
        raise Refused("quorum")
    names = set()
    for signature in content["signatures"]:
        signer = state.user(signature["username"])
        if signer is None or signer.id not in (key.owner, *key.shared) or not signer.quorum_key:
            raise Refused("quorum_signature")
        if not _signed(state, signer.quorum_key, token["token"], signature["signature"]):
            raise Refused("quorum_signature")
        names.add(signer.name)
    if len(names) < needed:
        raise Refused("quorum_few", f"currently {len(names)} approvals, but {needed} approvals required")
    state.tokens.remove(token)


def _signed(state: State, pem: str, digest: str, signature: str) -> bool:
    """Whether a base64 digest was signed: `openssl pkeyutl -sign -pkeyopt digest:sha256`."""
    body = "".join(pem.strip().splitlines()[1:-1])
    der = base64.b64decode(body).hex()
    data, signed = base64.b64decode(digest), base64.b64decode(signature)
    return material.verifies(state, der, "rsa-pkcs", "sha256", data, signed, digest=True)

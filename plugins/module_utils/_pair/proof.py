# Copyright (c) 2026, The cryptoki.hsm authors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The proof of a pair: the private half works inside the token, the public half outside, by cryptography."""

from __future__ import annotations

import typing as t

from ansible_collections.cryptoki.hsm.plugins.module_utils._pair import keypair
from ansible_collections.cryptoki.hsm.plugins.module_utils._pair.session import Proof, Signer, TokenSession
from ansible_collections.cryptoki.hsm.plugins.module_utils._pair.wish import Wish
from ansible_collections.cryptoki.hsm.plugins.module_utils._standard import errors, mechanisms
from ansible_collections.cryptoki.hsm.plugins.module_utils._standard.attributes import PRIVATE

# In the order of preference; what a token lacks or the key must not use is passed over. The first that the token
# takes is used, CKM_ECDSA with a hash that fits the curve (FIPS 186-5, section 6.4.1).
_WAYS: dict[tuple[mechanisms.Use, str], tuple[str, ...]] = {
    ("sign", "rsa"): (
        "CKM_SHA256_RSA_PKCS",
        "CKM_SHA384_RSA_PKCS",
        "CKM_SHA512_RSA_PKCS",
        "CKM_SHA256_RSA_PKCS_PSS",
        "CKM_SHA384_RSA_PKCS_PSS",
        "CKM_SHA512_RSA_PKCS_PSS",
        "CKM_RSA_PKCS",
    ),
    ("sign", "ec"): ("CKM_ECDSA", "CKM_ECDSA_SHA256", "CKM_ECDSA_SHA384", "CKM_ECDSA_SHA512"),
    ("sign", "ec_edwards"): ("CKM_EDDSA",),
    ("decrypt", "rsa"): ("CKM_RSA_PKCS_OAEP", "CKM_RSA_PKCS"),
    ("derive", "ec"): ("CKM_ECDH1_DERIVE",),
}

_NO_WAY = "the private key may neither sign, decrypt nor derive with a mechanism that can be checked outside"


def candidates(wish: Wish, attributes: t.Mapping[str, t.Any]) -> list[mechanisms.Mechanism]:
    """The mechanisms that a private half with these attributes may be proven with, best first; pure.

    Signing comes first, then decryption, then derivation, within `allowed_mechanisms`.
    """
    key_type = attributes.get("key_type") or wish.key_type  # a pair that is kept may be of another type than the wish
    rows = [
        row if row.use == use else row._replace(use=use)  # CKM_RSA_PKCS both signs and decrypts
        for (use, of_type), names in _WAYS.items()
        if of_type == key_type and attributes.get(use) is True
        for row in map(mechanisms.MECHANISMS.__getitem__, names)
    ]
    allowed = attributes.get("allowed_mechanisms") or wish.allowed_mechanisms
    return [row for row in rows if not allowed or row.code in allowed]


def unprovable(wish: Wish, attributes: t.Mapping[str, t.Any]) -> str | None:
    """Why a pair with these attributes cannot be proven, or None; pure."""
    return None if candidates(wish, attributes) else _NO_WAY


def refuse_unprovable(wish: Wish, options: str = "these options") -> None:
    """Refuses, before the login, an explicit `verify=true` that cannot be done."""
    if wish.verify:
        reason = unprovable(wish, wish.template(PRIVATE))
        if not reason and wish.key_type == "ec" and wish.curve:
            from ansible_collections.cryptoki.hsm.plugins.module_utils._pair import proof_outside as _outside

            reason = None if _outside.known(wish.curve.name) else _outside.UNKNOWN_CURVE
        if reason:
            raise errors.InputError("verify", f"a pair with {options} cannot be proven, because {reason}", "true")


def standing(session: TokenSession, wish: Wish, pair: keypair.KeyPair, passive: bool) -> Proof:
    """The proof of a pair that was there before and whose halves only an id joins: anyone may have put one there.

    Raises `HsmError` where the halves do not belong together; all else is a reason, and a warning if the token refuses.
    """
    if wish.fingerprint is not None and wish.fingerprint == pair.public.fingerprint and not wish.verify:
        return Proof(None, "the task names the public half by its fingerprint")
    if pair.private.attributes.get("always_authenticate") and not wish.verify:
        # Some devices have another PIN for that; one wrong try a run would lock it.
        return Proof(None, "always_authenticate asks for the PIN at each use, which is given if verify is true")
    try:
        return session.prove(wish, pair, passive)
    except errors.TokenError as error:
        if wish.verify:
            raise
        warning = (
            f"It is not proven that the halves of {wish.on(session.token_name)} belong together. {error.msg} To leave"
            " the proof out, name the pair by its fingerprint or set verify=false."
        )
        return Proof(None, f"the HSM answered {error.ckr or error.said}", warning)
    except errors.HsmError as error:
        from ansible_collections.cryptoki.hsm.plugins.module_utils._pair import refusals

        raise errors.HsmError(f"{error.msg} {refusals.stranger(pair.public)}", **error.data) from None


def prove(signer: Signer, wish: Wish, pair: keypair.KeyPair, passive: bool = False) -> Proof:
    """Proves a pair; raises `HsmError` when the halves do not belong together, and `TokenError` as the token does.

    `passive`: no object is made, so that nothing is derived.
    """
    rows = candidates(wish, pair.private.attributes)
    reason = signer.barred() if rows else _NO_WAY
    if reason:
        return Proof(None, reason)
    if pair.spki is None:
        return Proof(None, "the token does not tell the public key")
    if passive:
        rows = [row for row in rows if row.use != "derive"]
    if not rows:
        return Proof(None, "the key only derives, which makes an object and is not done where nothing may be made")
    from ansible_collections.cryptoki.hsm.plugins.module_utils._pair import proof_outside as _outside

    return _outside.prove_with(signer, rows, pair, pair.spki)

# Copyright (c) 2026, The cryptoki.hsm authors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The private key in an HSM that signs for a module: found, allowed, at work, and its signature checked."""

from __future__ import annotations

import dataclasses
import typing as t

from ansible_collections.cryptoki.hsm.plugins.module_utils._pair import keypair
from ansible_collections.cryptoki.hsm.plugins.module_utils._pair.session import Params, TokenSession
from ansible_collections.cryptoki.hsm.plugins.module_utils._reconcile import signing_key
from ansible_collections.cryptoki.hsm.plugins.module_utils._reconcile.selection import Selection
from ansible_collections.cryptoki.hsm.plugins.module_utils._standard import errors
from ansible_collections.cryptoki.hsm.plugins.module_utils._x509 import rules, signature
from ansible_collections.cryptoki.hsm.plugins.module_utils._x509.scheme import Scheme, scheme_of
from ansible_collections.cryptoki.hsm.plugins.module_utils._x509.stand_in import stand_in

T = t.TypeVar("T")


@dataclasses.dataclass(frozen=True)
class SigningKey:
    """A pair on a token, its public key outside, and how it is to sign."""

    session: TokenSession
    pair: keypair.KeyPair
    public: t.Any
    scheme: Scheme

    @classmethod
    def found(cls, session: TokenSession, selection: Selection, params: Params, check_mode: bool) -> SigningKey | None:
        """The chosen key; in check mode None where it is not there. Raises `HsmError`."""
        pair = signing_key.signing_pair(session, selection)
        where = f"on the token '{session.token_name}'"
        if pair is None:
            if check_mode:
                return None
            remedy = "hsm_rsa_keypair, hsm_ecc_keypair and hsm_keypairs generate keys."
            raise errors.HsmError.failed(f"find {signing_key.named(selection)} {where}", "there is none", remedy)
        try:
            public = signature.public_key(pair.spki)
        except ValueError as error:
            raise errors.HsmError.refused(f"sign with {pair.private} {where}", str(error)) from None
        try:
            scheme = scheme_of(public, params["signature_scheme"], params["digest"])
        except ValueError as error:
            raise errors.InputError("signature_scheme", str(error), params["signature_scheme"]) from None
        return cls(session, pair, public, scheme)

    def refused(self, why: str) -> errors.HsmError:
        """That nothing is signed with this key."""
        return errors.HsmError.refused(f"sign with {self.pair.private} on the token '{self.session.token_name}'", why)

    def check_issues(self, ca: t.Any, option: str) -> None:
        """Refuses a key that is too weak, or is not that of the CA's certificate which `option` gives, if one does."""
        problem = rules.weak(self.public)
        if problem:
            raise self.refused(problem)
        if ca is not None and signature.spki_of(signature.key_in(ca)) != signature.spki_of(self.public):
            raise errors.InputError(option, f"it is the certificate of another key than {self.pair.private}")

    def check(self) -> None:
        """Refuses a key that may not sign this way, before it is asked to."""
        signing_key.check_may_sign(self.session, self.pair, self.scheme.allowed)

    def signed(self, what: str, build: t.Callable[[t.Any], T]) -> T:
        """What `build` makes with a private key, whose signature holds; `what` names it. Raises `HsmError`."""
        allowed = self.pair.private.attributes.get("allowed_mechanisms")
        signer = self.session.signer(self.pair)
        stand = stand_in(self.public, self.scheme, allowed if isinstance(allowed, tuple) else (), signer.sign)
        made = build(stand)
        if not signature.verifies(made, self.public, self.scheme):
            why = "what the private half signed does not fit the public half"
            remedy = "The halves do not belong together, or the HSM signs wrongly. Nothing was written."
            where = f"on the token '{self.session.token_name}'"
            raise errors.HsmError.failed(f"sign the {what} with {self.pair} {where}", why, remedy)
        return made

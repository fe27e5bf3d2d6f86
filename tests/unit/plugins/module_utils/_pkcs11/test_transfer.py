# Copyright (c) 2026, The cryptoki.hsm authors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What a token offers for the copying of pairs."""

from __future__ import annotations

import dataclasses
import typing as t

from ansible_collections.cryptoki.hsm.plugins.module_utils._pair.keypair import TokenObject
from ansible_collections.cryptoki.hsm.plugins.module_utils._pair.transfer import Way
from ansible_collections.cryptoki.hsm.plugins.module_utils._pair.vendors import VENDORS
from ansible_collections.cryptoki.hsm.plugins.module_utils._pkcs11.transfer import Transfer
from ansible_collections.cryptoki.hsm.plugins.module_utils._standard import ec_key
from ansible_collections.cryptoki.hsm.tests.support.scenarios import ec_pair


class OneSession:
    """A session whose new public half is `public`."""

    def __init__(self, public: TokenObject) -> None:
        self._public = public

    def generate(self, *dummy: t.Any) -> tuple[int, int]:
        return self._public.handle, self._public.handle + 1

    def read(self, *dummy: t.Any) -> TokenObject:
        return self._public


def test_an_empty_modulus_is_no_transport_key() -> None:
    """Tokens answer with empty values for what a key of this type does not have."""
    public = ec_pair().public
    told = dataclasses.replace(public, attributes={**public.attributes, "modulus": b""})
    transfer = Transfer(t.cast(t.Any, OneSession(told)), t.cast(t.Any, "memory"), frozenset(), VENDORS["generic"])
    offered, private = transfer.offer(Way("ecdh", "CKM_AES_KEY_WRAP_KWP", "CKM_AES_KEY_WRAP_KWP"))
    assert offered == ec_key.unwrapped(t.cast(bytes, public.attributes["ec_point"]))
    assert private == public.handle + 1

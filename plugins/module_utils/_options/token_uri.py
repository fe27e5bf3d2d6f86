# Copyright (c) 2026, The cryptoki.hsm authors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The option token_uri."""

from __future__ import annotations

from ansible_collections.cryptoki.hsm.plugins.module_utils._standard import errors, uri_parser
from ansible_collections.cryptoki.hsm.plugins.module_utils._standard.uri import PKCS11Uri


def parsed(uri: str) -> PKCS11Uri:
    """What the URI of a token says; raises `InputError` where it says more, or names none."""
    try:
        parsed = uri_parser.parse_uri(uri)
    except ValueError as error:
        raise errors.InputError("token_uri", str(error)) from None
    for name in ("slot_manufacturer", "slot_description", "object", "type", "id", "module_name"):
        if getattr(parsed, name) is not None:
            raise errors.InputError("token_uri", f"{name.replace('_', '-')} does not choose a token here; leave it out")
    if not any(getattr(parsed, name) is not None for name in ("token", "serial", "model", "manufacturer", "slot_id")):
        raise errors.InputError(
            "token_uri", "it names no token; give token, serial, model, manufacturer or slot-id in it"
        )
    return parsed

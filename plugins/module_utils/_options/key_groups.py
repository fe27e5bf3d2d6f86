# Copyright (c) 2026, The cryptoki.hsm authors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Option groups of many pairs, and of keys that are there."""

from __future__ import annotations

from ansible_collections.cryptoki.hsm.plugins.module_utils._options import groups
from ansible_collections.cryptoki.hsm.plugins.module_utils._pair import wish
from ansible_collections.cryptoki.hsm.plugins.module_utils._standard import attributes

# What concerns the login, the servers and the proofs is said once for all pairs of a list.
FOR_ALL_PAIRS = ("verify", "min_servers", "timeout", "replicas", "wrapping_key", "return_attributes")

KEYPAIRS = groups.OptionGroup(
    spec={
        "keypairs": {
            "type": "list",
            "elements": "dict",
            "required": True,
            "no_log": False,
            "options": {
                "type": {"type": "str", "required": True, "choices": list(wish.KEY_TYPES_OF)},
                **{name: row for name, row in groups.KEYPAIR.spec.items() if name not in FOR_ALL_PAIRS},
                **groups.RSA.spec,
                **groups.ECC.spec,
            },
            "mutually_exclusive": groups.KEYPAIR.mutually_exclusive,
            "required_if": groups.KEYPAIR.required_if,
        },
        **{name: groups.KEYPAIR.spec[name] for name in FOR_ALL_PAIRS},
        "parallel": {"type": "int"},
        "progress_file": {"type": "path"},
    },
)

# What chooses keys that are there.
_CHOICE: groups.Spec = {
    **groups.each("raw", ("label", "id", "id_hex", "fingerprint")),
    "uri": {"type": "str"},
    "key_type": {"type": "raw", "no_log": False},
    "handle": {"type": "int"},
}
_ONE_ID = (("id", "id_hex"), ("uri", "label"), ("uri", "id"), ("uri", "id_hex"))

KEY_INFO = groups.OptionGroup(
    spec={
        **_CHOICE,
        **groups.each("raw", ("label_regex", "modulus", "kcv")),
        "object_class": {"type": "str", "choices": [f"{name}_key" for name in attributes.KEY_CLASSES]},
        "session": {"type": "bool"},
        "shared_with": {"type": "list", "elements": "raw"},
        "attributes": groups.KEYPAIR.spec["return_attributes"],
        "attribute_file": {"type": "bool", "default": False},
    },
    mutually_exclusive=_ONE_ID,
)

KEY = groups.OptionGroup(
    spec={
        **_CHOICE,
        "state": groups.KEYPAIR.spec["state"],
        "count": {"type": "int", "default": 1},
        **groups.each("raw", ("new_label", "new_id", "new_id_hex")),
        **{
            name: groups.KEYPAIR.spec[name]
            for name in ("extractable", "usage", "private_attributes", "public_attributes")
        },
        "share_with": {"type": "list", "elements": "raw"},
        "share_mode": {"type": "str", "default": "exact", "choices": ["exact", "add", "remove"]},
        **{name: groups.KEYPAIR.spec[name] for name in ("certificates", "timeout", "replicas", "return_attributes")},
    },
    mutually_exclusive=(*_ONE_ID, ("new_id", "new_id_hex")),
    required_one_of=(("label", "id", "id_hex", "fingerprint", "uri", "handle"),),
)

# Copyright (c) 2026, The cryptoki.hsm authors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Option group of certificates on a token, beside their keys."""

from __future__ import annotations

from ansible_collections.cryptoki.hsm.plugins.module_utils._options import certificate_groups, groups, key_groups

# The options of which one chooses the key.
CHOOSING = certificate_groups.SIGNING_KEY.required_one_of[0]
_SOURCES = ("path", "content")

CERTIFICATE_OBJECT = groups.OptionGroup(
    spec={
        **{name: key_groups.KEY.spec[name] for name in (*CHOOSING, "key_type", "state")},
        "path": {"type": "path"},
        "content": {"type": "str", "no_log": False},
        "chain_path": {"type": "path"},
        "chain_content": {"type": "str", "no_log": False},
        "force": {"type": "bool", "default": False},
    },
    mutually_exclusive=(*certificate_groups.SIGNING_KEY.mutually_exclusive, _SOURCES, ("chain_path", "chain_content")),
    required_one_of=((*CHOOSING, *_SOURCES),),
    required_if=(("state", "present", CHOOSING, True), ("state", "present", _SOURCES, True)),
)

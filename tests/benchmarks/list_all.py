# Copyright (c) 2026, The cryptoki.hsm authors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The floor of a listing: the least module that reads by python-pkcs11 what `hsm_key_info` reads, and returns it.

It joins no pairs, makes no PEM, fingerprint or URI, looks for no certificates, and checks nothing. As every module it
has Ansible mask the PIN in its result.
"""

from __future__ import annotations

import sys
import typing as t

import pkcs11
from ansible.module_utils import basic
from pkcs11 import Attribute, ObjectClass
from pkcs11.attributes import AttributeMapper

from ansible_collections.cryptoki.hsm.plugins.module_utils._standard.attributes import KEY_CLASSES, KeyClass, sizes

_KNOWN = AttributeMapper().attribute_types  # one of ours, allowed_mechanisms, it cannot read


def main() -> None:
    """Tells every key of the token."""
    basic._ANSIBLE_ARGS, basic._ANSIBLE_PROFILE = sys.stdin.buffer.read(), "legacy"
    module = basic.AnsibleModule({"library": {}, "token_label": {}, "pin": {"no_log": True}})
    library = pkcs11.lib(module.params["library"])
    token = library.get_token(token_label=module.params["token_label"])
    with token.open(user_pin=module.params["pin"]) as session:
        objects = [told for key_class in KEY_CLASSES for told in _keys(session, key_class)]
    library.finalize()
    module.exit_json(objects=objects)


def _keys(session: t.Any, key_class: KeyClass) -> t.Iterator[dict[str, t.Any]]:
    wanted = [Attribute(code) for code in sizes(key_class) if code in _KNOWN]
    for found in session.get_objects({Attribute.CLASS: ObjectClass[f"{key_class}_key".upper()]}):
        told = found.get_attributes(wanted)
        yield {Attribute(name).name.lower(): _plain(value) for name, value in told.items()}


def _plain(value: t.Any) -> t.Any:
    if isinstance(value, bytes):
        return value.hex(":")
    return value if isinstance(value, (bool, str, type(None))) else str(value)


if __name__ == "__main__":
    main()

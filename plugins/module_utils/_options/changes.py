# Copyright (c) 2026, The cryptoki.hsm authors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""From the options of hsm_key to the wished changes: every rule between them, before any login."""

from __future__ import annotations

import typing as t

from ansible_collections.cryptoki.hsm.plugins.module_utils._options import values, wish
from ansible_collections.cryptoki.hsm.plugins.module_utils._pair import change
from ansible_collections.cryptoki.hsm.plugins.module_utils._standard import errors

_NEW_NAMES = ("new_label", "new_id", "new_id_hex")
_CHANGING = (*_NEW_NAMES, "extractable", "usage", "private_attributes", "public_attributes", "share_with")


def changes_from(params: t.Mapping[str, t.Any]) -> change.Change:
    """What hsm_key is to change, of a key whose type is not known yet; raises `InputError`."""
    if params["state"] == "absent":
        given = [name for name in _CHANGING if params[name] is not None]
        if given:
            raise errors.InputError(given[0], "state=absent changes nothing, it removes the key", params[given[0]])
    if params["extractable"]:
        raise errors.InputError(
            "extractable", "a key that may not leave the HSM cannot be made extractable again", "true"
        )
    if params["share_mode"] != "exact" and params["share_with"] is None:
        raise errors.InputError("share_mode", "it needs share_with", params["share_mode"])
    users = wish.sharing(params)
    try:
        new_id = values.identifier({"id": params["new_id"], "id_hex": params["new_id_hex"]})
    except errors.InputError as error:
        raise error.renamed("new_") from None
    return change.Change(
        family="ecc",
        label=None if params["new_label"] is None else values.label("new_label", params["new_label"]),
        id=new_id,
        share_with=users,
        share_mode=params["share_mode"],
        certificates=params["certificates"],
        **wish.attributes(params),
    )

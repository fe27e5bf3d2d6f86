# Copyright (c) 2026, The cryptoki.hsm authors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What the modules do in the campaign: each act is one task on a token that has two pairs and bystanders."""

from __future__ import annotations

import dataclasses
import typing as t

Params = dict[str, t.Any]

ECC: Params = {"label": "k", "curve": "P-256"}
RSA: Params = {"label": "r", "modulus_bits": 2048}
NEW: Params = {"label": "new", "curve": "P-256"}
LIST = [{**NEW, "type": "ecc"}, {**ECC, "type": "ecc"}, {**RSA, "type": "rsa"}]


@dataclasses.dataclass(frozen=True)
class Act:
    """A task, the label that it names, and what a success is: the label of the pair in the end, with these attributes.

    `goes`: the key that has the label may go, because the task says so. `bystander`: the label of a pair of the same
    type that the task does not name.
    """

    module: str
    params: Params
    label: str
    ends_as: str | None
    told: t.Mapping[str, str] = dataclasses.field(default_factory=dict)
    changes: bool = True
    goes: bool = False
    bystander: str = "other"


def _ecc(changes: bool = True, goes: bool = False, told: dict[str, str] | None = None, **params: t.Any) -> Act:
    return Act("hsm_ecc_keypair", {**ECC, **params}, "k", "k", told or {}, changes, goes)


def _rsa(changes: bool = True, told: dict[str, str] | None = None, **params: t.Any) -> Act:
    return Act("hsm_rsa_keypair", {**RSA, **params}, "r", "r", told or {}, changes, bystander="other rsa")


FROZEN: dict[str, t.Any] = {"private_attributes": {"modifiable": False}}
ACTS = {
    "generate": Act("hsm_ecc_keypair", NEW, "new", "new"),
    "unchanged": _ecc(changes=False),
    "unchanged, RSA": _rsa(changes=False),
    "unchanged, proven": _ecc(changes=False, verify=True),
    "change": _ecc(private_attributes={"derive": True}, told={"DERIVE": "True"}),
    "freeze": _ecc(**FROZEN, told={"MODIFIABLE": "False"}),
    "freeze, RSA": _rsa(**FROZEN, told={"MODIFIABLE": "False"}),
    "rename": Act("hsm_key", {"label": "k", "new_label": "l"}, "k", "l"),
    "new id": Act("hsm_key", {"label": "k", "new_id_hex": "4711"}, "k", "k", {"ID": "4711"}),
    "replace": _ecc(curve="P-384", on_mismatch="replace", goes=True, told={"EC_PARAMS": "06052b81040022"}),
    "remove": Act("hsm_ecc_keypair", {"label": "k", "state": "absent"}, "k", None, goes=True),
    "remove, RSA": Act("hsm_key", {"label": "r", "state": "absent"}, "r", None, goes=True, bystander="other rsa"),
    "list": Act("hsm_keypairs", {"keypairs": LIST, "parallel": 1}, "new", "new"),
    "info": Act("hsm_key_info", {}, "k", "k", changes=False),
}

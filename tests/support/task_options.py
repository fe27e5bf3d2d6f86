# Copyright (c) 2026, The cryptoki.hsm authors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Options as Ansible gives them to a module: checked by Ansible's own validator, defaults and aliases filled in."""

from __future__ import annotations

import typing as t

from ansible.module_utils.common.arg_spec import ArgumentSpecValidator

from ansible_collections.cryptoki.hsm.plugins.module_utils._options.groups import LOGIN, OptionGroup
from ansible_collections.cryptoki.hsm.plugins.module_utils._options.key_groups import KEYPAIRS
from ansible_collections.cryptoki.hsm.plugins.module_utils._options.wish import wish_from
from ansible_collections.cryptoki.hsm.plugins.module_utils._pair.wish import Family, Wish
from ansible_collections.cryptoki.hsm.plugins.module_utils._tasks.keypair import OPTIONS

# What a task must say at least.
LEAST: dict[Family, dict[str, t.Any]] = {
    "rsa": {"label": "root", "modulus_bits": 2048},
    "ecc": {"label": "root", "curve": "P-256"},
}
FAMILIES: tuple[Family, ...] = ("rsa", "ecc")


def _validate(group: OptionGroup, given: t.Mapping[str, t.Any]) -> t.Any:
    validator = ArgumentSpecValidator(
        group.spec,
        mutually_exclusive=group.mutually_exclusive,
        required_if=group.required_if,
        required_by=group.required_by,
        required_one_of=group.required_one_of,
    )
    return validator.validate(given)


def refused(group: OptionGroup, given: t.Mapping[str, t.Any]) -> list[str]:
    """What Ansible says of these options; an empty list where it takes them."""
    return t.cast("list[str]", _validate(group, given).error_messages)


def taken(group: OptionGroup, given: t.Mapping[str, t.Any]) -> dict[str, t.Any]:
    """The parameters of a module with these options, which Ansible must take."""
    result = _validate(group, given)
    if result.error_messages:
        raise AssertionError(result.error_messages)
    return t.cast("dict[str, t.Any]", result.validated_parameters)


def params(family: Family, **given: t.Any) -> dict[str, t.Any]:
    """The parameters of a pair's module; what a task must say is filled in, None takes it away."""
    said = {name: value for name, value in {**LEAST[family], **given}.items() if value is not None}
    return taken(OPTIONS[family], said)


def list_params(*keypairs: t.Mapping[str, t.Any], **given: t.Any) -> dict[str, t.Any]:
    """The parameters of hsm_keypairs with these entries."""
    return taken(LOGIN + KEYPAIRS, {"keypairs": list(keypairs), **given})


def wished(family: Family, **given: t.Any) -> Wish:
    """The wish of these options."""
    return wish_from(family, params(family, **given))

# Copyright (c) 2026, The cryptoki.hsm authors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What a query or a wish is as a command of the CloudHSM CLI, and what this CLI can do; pure."""

from __future__ import annotations

import dataclasses
import re
import typing as t

from ansible_collections.cryptoki.hsm.plugins.module_utils._cloudhsm_cli.keys import (
    Key,
    attributes_there,
    reference,
    value_there,
)
from ansible_collections.cryptoki.hsm.plugins.module_utils._pair import session, vendors
from ansible_collections.cryptoki.hsm.plugins.module_utils._pair.wish import DEFAULT_EXPONENT, Wish
from ansible_collections.cryptoki.hsm.plugins.module_utils._standard import attributes, errors

# What differs from the PKCS#11 library of the same HSMs: attributes can be changed, destroyable and modifiable among
# them (user guide of AWS CloudHSM, page cloudhsm_cli-key-attributes-table), so that nothing needs a copy.
FACTS = dataclasses.replace(
    vendors.VENDORS["cloudhsm"],
    name="the CloudHSM CLI",
    marks=(),
    set_attribute=True,
    copy=True,
    copy_sets_copyable=False,
)
# In a filter the CLI may split a label with other characters, which would look like absence; such labels are compared
# here instead. How it reads them is documented nowhere.
_PLAIN_LABEL = re.compile(r"[A-Za-z0-9_.:/@+-]+")


def filters_of(query: session.Query) -> tuple[str, ...]:
    """What the CLI searches for; both halves of a pair come from one list."""
    if query.handle is not None:
        return (reference(query.handle),)
    return tuple(f"attr.{name}={value_there(value)}" for name, value in _filtered(query).items())


def _filtered(query: session.Query) -> dict[str, attributes.Value]:
    """What of a query the CLI compares, if it is not asked for a handle."""
    if query.id is not None:
        return {"id": query.id}
    if query.label is not None and _PLAIN_LABEL.fullmatch(query.label):
        return {"label": query.label}
    return {}


def refuse_others(attempt: str, keys: t.Iterable[Key], query: session.Query) -> None:
    """A list that holds what was not searched for comes from a filter that was not understood."""
    wanted = _filtered(query) if query.handle is None else {}
    for key in keys:
        for name, value in wanted.items():
            if name not in key.found.unreadable and key.found.attributes.get(name) != value:
                raise errors.TokenError(attempt, said=f"a key of another {name}, {key.found}", hint="")


def option(name: str, value: str) -> list[str]:
    """An option with its value: in one word where the value would look like another option."""
    return [f"{name}={value}"] if value.startswith("-") else [name, value]


def generation_of(wish: Wish) -> list[str]:
    """The command for a new pair; lists come last, or before another flag, because they take all that follows."""
    label = wish.label or ""
    if wish.curve:
        key = ["ec", "--curve", wish.curve.name]
    else:
        exponent = str(wish.public_exponent or DEFAULT_EXPONENT)
        key = ["rsa", "--modulus-size-bits", str(wish.modulus_bits), "--public-exponent", exponent]
    labels = (*option("--public-label", label), *option("--private-label", label))
    arguments = ["key", "generate-asymmetric-pair", *key, *labels]
    if wish.session:
        arguments.append("--session")
    if wish.quorum:
        for use, quorum in (("manage", wish.management_quorum or wish.quorum), ("use", wish.quorum)):
            arguments += [f"--{use}-private-key-quorum-value", str(quorum)]
    for half in (attributes.PUBLIC, attributes.PRIVATE):
        sent = attributes_there(FACTS.sent(half, wish.new_half(half)))
        arguments += [f"--{half}-attributes", *sent]
    if wish.share_with:
        arguments += ["--share-crypto-users", *wish.share_with]
    return arguments

# Copyright (c) 2026, The cryptoki.hsm authors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Tokens that are stricter than the defaults of the commands: what they want, and whether what they make stands."""

from __future__ import annotations

import typing as t

from ansible_collections.cryptoki.hsm.plugins.module_utils._pair import difference, keypair
from ansible_collections.cryptoki.hsm.plugins.module_utils._pair.wish import Wish
from ansible_collections.cryptoki.hsm.plugins.module_utils._standard import attributes, errors

# Answers to a template that is right and not to the token's taste.
_TASTE = ("CKR_TEMPLATE_INCONSISTENT", "CKR_ATTRIBUTE_VALUE_INVALID")


def with_options_to_try(error: errors.TokenError, wish: Wish) -> errors.TokenError:
    """The answer to a generation, with the options that strict tokens want and the task does not give."""
    lines = [] if wish.extractable is not None else ["extractable: false"]
    if wish.usage is None and wish.family == "rsa":  # an EC key only signs by default
        lines.append("usage: [sign, decrypt]")
    if error.ckr not in _TASTE or not lines:
        return error
    hint = f"{error.hint}; a strict token may want these options of the task: {' and '.join(map(repr, lines))}"
    return errors.TokenError(error.attempt, error.ckr, said=error.said, hint=hint, remains=error.remains)


def stands(wish: Wish, pair: keypair.KeyPair, rows: t.Sequence[difference.Difference]) -> bool:
    """Whether a new pair that differs from the wish in `rows` is good for what was asked for.

    It is where the token only took away what the task did not ask for by name, and left the private key a use.
    """
    wished = wish.template(attributes.PRIVATE)
    left = [name for name in attributes.ALL_USAGE_BITS[attributes.PRIVATE] if wished.get(name) is True]
    uses = any(pair.private.attributes.get(name) is True for name in left)
    return uses and all(_stricter(wish, row) for row in rows)


def _stricter(wish: Wish, row: difference.Difference) -> bool:
    if row.half is None or row.name in wish.required(row.half) or (row.found, row.wished) != (False, True):
        return False
    return row.name == "extractable" or row.name in attributes.ALL_USAGE_BITS[row.half]

# Copyright (c) 2026, The cryptoki.hsm authors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The option `library_parameters`: which parts of the text that a library is initialised with may be seen."""

from __future__ import annotations

import re

# Parameters whose values are no secrets; others stay masked. NSS wiki, PKCS #11 Module Specs: folders, prefixes, flags.
HARMLESS_PARAMETERS = frozenset(("configdir", "certPrefix", "keyPrefix", "secmod", "flags", "minPWLen"))
_PARAMETER = re.compile(r"""(\w[\w.-]*)=('[^']*'|"[^"]*"|\S*)""")
_SHORT = 4  # characters; a shorter part is found in every text


def hidden_parts(parameters: str) -> list[str]:
    """The texts in it that must not be seen: none if every parameter is known, else the whole text is among them."""
    values = [value.strip("'\"") for name, value in _PARAMETER.findall(parameters) if name not in HARMLESS_PARAMETERS]
    others = _PARAMETER.sub(" ", parameters).split()
    if not values and not others:
        return []
    return [parameters, *(part for part in (*values, *others) if len(part) >= _SHORT)]

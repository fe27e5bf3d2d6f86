# Copyright (c) 2026, The cryptoki.hsm authors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The function list inside python-pkcs11, for libraries that give each caller one of its own (trap T16)."""

from __future__ import annotations

import ctypes
import typing as t

from ansible_collections.cryptoki.hsm.plugins.module_utils._pkcs11 import structures

# In python-pkcs11 0.10 what has function lists begins with these pointers, those for PKCS#11 3.x are set later.
_KIND = "HasFuncList"
_Pointers = ctypes.c_void_p * 3


def list_of(part: t.Any) -> structures.FunctionList | None:
    """The functions that python-pkcs11 got, from an object of its class `lib` that was allocated and not initialised.

    None where python-pkcs11 is not made as it was in 0.10: what would be read there then nobody knows.
    """
    kind, head = type(part).__mro__[-2], object.__basicsize__
    if (kind.__name__, kind.__basicsize__) != (_KIND, head + ctypes.sizeof(_Pointers)):
        return None
    first, *later = _Pointers.from_address(id(part) + head)
    if not first or any(later):
        return None
    found = structures.FunctionList.from_address(first)
    return found if found.version.major in (2, 3) and all(found.functions) else None

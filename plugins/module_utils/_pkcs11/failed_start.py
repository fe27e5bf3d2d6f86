# Copyright (c) 2026, The cryptoki.hsm authors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What is told of a library that did not start."""

from __future__ import annotations

from ansible_collections.cryptoki.hsm.plugins.module_utils._standard import errors


def start_failure(path: str, error: errors.TokenError, parameters: str | None) -> errors.HsmError:
    """The error with what can be done; `parameters`: what the library was initialised with."""
    if error.ckr == "CKR_CRYPTOKI_NOT_INITIALIZED":  # the one that was initialised is another (trap T16)
        return errors.HsmError(
            f"Could not use {path}: it is not the same library for each part of this program. p11-kit's proxy"
            " is so with a version of python-pkcs11 that this collection does not know; give the path of the module"
            " behind it."
        )
    hint = "check the library's configuration and that this user may read it"
    if error.ckr == "CKR_ARGUMENTS_BAD":
        hint = (
            "it may want library_parameters, as NSS softokn does" if parameters is None else "check library_parameters"
        )
    return errors.TokenError(error.attempt, error.ckr, said=error.said, hint=hint)

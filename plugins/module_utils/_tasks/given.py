# Copyright (c) 2026, The cryptoki.hsm authors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What options of a module that signs give: by a file or by its content, as a moment, as a certificate."""

from __future__ import annotations

import os
import typing as t

from ansible_collections.cryptoki.hsm.plugins.module_utils._standard import errors
from ansible_collections.cryptoki.hsm.plugins.module_utils._tasks import file_module
from ansible_collections.cryptoki.hsm.plugins.module_utils._x509 import certificate, signature

Params = t.Mapping[str, t.Any]
T = t.TypeVar("T")


class NotYet(Exception):
    """In check mode, something that an earlier task of the play may make."""


def given(module: file_module.FileModule, what: str, params: Params | None = None) -> tuple[str, bytes] | None:
    """The option by which something is given, and its content; `what` begins the names of both options.

    `params`: those of a part of the options, where it is not the module's own that are meant.
    """
    options = module.params if params is None else params
    by_path, by_content = f"{what}path", f"{what}content"
    path, content = options[by_path], options[by_content]
    empty = by_content if content == "" else None if params is not None else _given_as_null(module, by_path, by_content)
    if empty:
        if module.check_mode:  # what an earlier task returns there
            raise NotYet(f"There is not yet what {empty} is to hold")
        raise errors.InputError(empty, "it is given and empty; leave it out, or give it what it is to hold")
    if content is not None:
        return by_content, content.encode()
    if path is None:
        return None
    if what != "certificate_" and _same(path, module.params["path"]):
        raise errors.InputError("path", f"it is the file of {by_path}, which would be lost", path)
    if module.check_mode and not os.path.exists(path):
        raise NotYet(f"There is not yet {path} ({by_path})")
    return by_path, module.read(by_path, path)


def _given_as_null(module: file_module.FileModule, *options: str) -> str | None:
    """Which of these was given as null, where none has a value."""
    if any(module.params[option] is not None for option in options):
        return None
    return next(filter(module.is_null, options), None)


def _same(one: str, other: str | None) -> bool:
    return other is not None and os.path.realpath(one) == os.path.realpath(other)


def certificate_in(option: str, raw: bytes) -> t.Any:
    """The certificate that an option gives; raises `InputError`."""
    found = certificate.read(raw)
    if found is None or signature.key_in(found) is None:
        raise errors.InputError(option, "it is no certificate that can be read")
    return found


def read_as(params: Params, name: str, read: t.Callable[[str], T]) -> t.Any:
    """What an option's text says, None where it is not given; raises `InputError` for what `read` does not take."""
    if params[name] is None:
        return None
    try:
        return read(params[name])
    except ValueError as error:
        raise errors.InputError(name, str(error), params[name]) from None

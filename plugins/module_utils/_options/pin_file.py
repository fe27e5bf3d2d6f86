# Copyright (c) 2026, The cryptoki.hsm authors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The PIN in a file, and what there may be in such a file that nobody means."""

from __future__ import annotations

from ansible_collections.cryptoki.hsm.plugins.module_utils._host import file
from ansible_collections.cryptoki.hsm.plugins.module_utils._options import values
from ansible_collections.cryptoki.hsm.plugins.module_utils._standard import errors

_LONGEST = 4096  # bytes


def pin_in(option: str, path: str) -> str:
    """The PIN in the file that an option names (one trailing newline stripped); raises `InputError`."""
    try:
        raw = file.read(path, _LONGEST)
    except file.FileProblem as error:
        raise errors.InputError(option, f"it {error}", path) from None
    try:
        text = raw.decode()
    except UnicodeDecodeError:
        raise errors.InputError(option, "it is not valid UTF-8", path) from None
    stripped = text.removesuffix("\r\n") if text.endswith("\r\n") else text.removesuffix("\n")
    _refuse_editors_traces(option, stripped, path)
    return values.text(option, stripped, secret=True)


def _refuse_editors_traces(option: str, text: str, path: str) -> None:
    """Refuses what an editor put into the file and nobody sees: sent to the token, it would count as a wrong PIN."""
    if text.startswith("\ufeff"):
        raise errors.InputError(option, "it begins with a byte order mark; save it as UTF-8 without one", path)
    if len(text.splitlines()) > 1 or text.strip("\r\n") != text:
        raise errors.InputError(option, "it has more than one line", path)
    if text.rstrip() != text:
        raise errors.InputError(
            option,
            f"it ends with a blank; if the PIN does, too, give it by the option {option.removesuffix('_file')}",
            path,
        )

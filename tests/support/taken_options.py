# Copyright (c) 2026, The cryptoki.hsm authors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What a module takes, as its own start says it."""

from __future__ import annotations

import importlib
import typing as t

import pytest

from ansible_collections.cryptoki.hsm.plugins.module_utils._options.groups import OptionGroup

PLUGINS = "ansible_collections.cryptoki.hsm.plugins"


class Taken(Exception):
    """Ends a module before it begins, with the options that it takes."""


def taken_by(module: str, patch: pytest.MonkeyPatch) -> OptionGroup:
    """The options of a module, from its own start."""

    def stop(group: OptionGroup) -> t.NoReturn:
        raise Taken(group)

    patch.setattr(OptionGroup, "create_module", stop)
    with pytest.raises(Taken) as caught:
        importlib.import_module(f"{PLUGINS}.modules.{module}").main()
    return t.cast(OptionGroup, caught.value.args[0])

# Copyright (c) 2026, The cryptoki.hsm authors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What a process asks of PKCS#11, counted by OpenSC's pkcs11-spy."""

from __future__ import annotations

import dataclasses
import re
import typing as t
from pathlib import Path

_CALL = re.compile(r"^\d+: (C_\w+)$", re.MULTILINE)
_SLOTS = re.compile(r"C_GetSlotList\n(?:.*\n)*?Count is (\d+)")


@dataclasses.dataclass(frozen=True)
class Calls:
    """The calls from C_Initialize to C_Finalize, both counted, and the number of slots that the library told."""

    names: tuple[str, ...]
    slots: int

    @property
    def count(self) -> int:
        """How many there are."""
        return len(self.names)


@dataclasses.dataclass(frozen=True)
class Spy:
    """`path` is pkcs11-spy.so, `library` the one behind it; the log holds PINs, so it is for test tokens only."""

    path: str
    library: str
    log: Path

    def environment(self) -> dict[str, str]:
        """What the process needs that loads `path` as its PKCS#11 library."""
        return {"PKCS11SPY": self.library, "PKCS11SPY_OUTPUT": str(self.log)}

    def watch(self, run: t.Callable[[], object]) -> Calls:
        """The calls that are made while `run` lasts."""
        self.log.unlink(missing_ok=True)
        run()
        return parse(self.log.read_text(encoding="utf-8", errors="replace"))


def parse(log: str) -> Calls:
    """The calls in a log of one process."""
    names = _CALL.findall(log)
    first, last = names.index("C_Initialize"), names.index("C_Finalize")
    slots = _SLOTS.search(log)
    return Calls(tuple(names[first : last + 1]), int(slots[1]) if slots else 0)

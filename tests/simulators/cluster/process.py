# Copyright (c) 2026, The cryptoki.hsm authors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Whether a process still runs."""

from __future__ import annotations

from pathlib import Path


def runs(pid: int | str) -> bool:
    """False for a process that ended, too, as long as whoever inherited it did not ask how (proc(5): state Z or X)."""
    try:
        status = Path(f"/proc/{pid}/stat").read_text(encoding="utf-8", errors="replace")
    except OSError:
        return False
    # The name before it stands in brackets, and may hold any character.
    return status.rpartition(")")[2].split()[0] not in "ZX"

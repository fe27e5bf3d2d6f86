#!/usr/bin/env python
# SPDX-FileCopyrightText: The cryptoki.hsm contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Name each function that radon counts as more complex than it may be.

    complexity.py FOLDER...

radon counts comprehensions and boolean operators too, which ruff's C901 does not see.
"""

from __future__ import annotations

import sys
from pathlib import Path

from radon.complexity import cc_visit

MOST = 12


def main() -> int:
    found = [
        f"{file}:{block.lineno}: {block.name} has a complexity of {block.complexity}, more than {MOST}"
        for folder in sys.argv[1:]
        for file in sorted(Path(folder).rglob("*.py"))
        for block in cc_visit(file.read_text(encoding="utf-8"))
        if block.complexity > MOST and block.letter != "C"  # a class is the sum of its methods
    ]
    print("\n".join(found) or f"Nothing is more complex than {MOST}.")
    return 1 if found else 0


if __name__ == "__main__":
    sys.exit(main())

#!/usr/bin/env python
# SPDX-FileCopyrightText: The cryptoki.hsm contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Run integration targets, one in each stage at a time, and show what each said when it ends.

integration.py BUILD STAGE[,STAGE...] TARGET...
"""

from __future__ import annotations

import os
import subprocess
import sys
import time
from pathlib import Path

from lanes import in_lanes  # type: ignore[import-not-found]  # beside this file, no package

PYTHON = f"{sys.version_info.major}.{sys.version_info.minor}"


def run(target: str, stage: Path, home: Path) -> bool:
    """Runs one target, and shows it."""
    home.mkdir(parents=True, exist_ok=True)
    start = time.monotonic()
    done = subprocess.run(
        ["ansible-test", "integration", target, "--local", "--python", PYTHON],
        cwd=stage / "ansible_collections/cryptoki/hsm",
        env={**os.environ, "HOME": str(home)},
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        check=False,
    )
    passed = done.returncode == 0
    seconds = time.monotonic() - start
    outcome = f"integration: {target} {'passed' if passed else 'FAILED'} after {seconds:.0f} s"
    print(f"{done.stdout}{outcome}", flush=True)
    return passed


def main() -> int:
    build, lanes, *targets = sys.argv[1:]

    def work(target: str, lane: str) -> bool:
        return run(target, Path(build, "stage", lane), Path(build, "home", lane))

    failed = [target for target, passed in in_lanes(lanes.split(","), targets, work).items() if not passed]
    print(f"integration: {len(targets) - len(failed)} of {len(targets)} targets passed")
    for target in failed:
        print(f"integration: {target} FAILED")
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())

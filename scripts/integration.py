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


def run(target: str, stage: Path, home: Path) -> str:
    """Runs one target, and shows it; the answer is why it failed, empty if it passed."""
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
    # The last task that failed ended the play, if any did.
    failures = [line for line in done.stdout.splitlines() if line.startswith("fatal: ")]
    why = "" if done.returncode == 0 else (failures or done.stdout.splitlines() or ["it said nothing"])[-1]
    seconds = time.monotonic() - start
    print(f"{done.stdout}integration: {target} {'FAILED' if why else 'passed'} after {seconds:.0f} s", flush=True)
    return why


def main() -> int:
    build, lanes, *targets = sys.argv[1:]

    def work(target: str, lane: str) -> str:
        return run(target, Path(build, "stage", lane), Path(build, "home", lane))

    failed = {target: why for target, why in in_lanes(lanes.split(","), targets, work).items() if why}
    print(f"integration: {len(targets) - len(failed)} of {len(targets)} targets passed")
    for target, why in failed.items():
        print(f"integration: {target} FAILED, {why}")
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())

# SPDX-FileCopyrightText: The cryptoki.hsm contributors
# SPDX-License-Identifier: GPL-3.0-or-later

"""Try the libraries of this machine, one after the other, and say of each what it passed.

    python -m ansible_collections.cryptoki.hsm.extensions.molecule.vendors.run MATRIX RESULTS [NAME]

MATRIX is a JSON file with rows of `vars/main.yml`, RESULTS the JSON file that is written; NAME is the only row that is
tried. The modules run as Ansible runs them on a target, each a process of its own with its arguments on stdin.

What a library cannot do is declared in its row, with what the modules say then and why. Such a check must end in that
refusal; a library that does what its row says it cannot do fails.
"""

from __future__ import annotations

import json
import re
import sys
import tempfile
import time
import traceback
import typing as t
from pathlib import Path

from ansible_collections.cryptoki.hsm.extensions.molecule.vendors.checks import CHECKS
from ansible_collections.cryptoki.hsm.extensions.molecule.vendors.library import Library, Refused, Row


def outcome(name: str, library: Library) -> tuple[str, str]:
    """How a check ended: passed, refused as the row says, or failed; and why."""
    declared = library.row.get("cannot", {}).get(name)
    try:
        CHECKS[name](library)
    except Refused as refused:
        if declared and re.search(declared["says"], str(refused)):
            return "refused", declared["because"]
        return "failed", str(refused)
    except Exception as error:  # the others are to be tried all the same
        return "failed", f"{error}\n{traceback.format_exc(limit=-3)}"
    if declared:
        return "failed", f"its row says that it cannot: {declared['because']}"
    return "passed", ""


def tried(row: Row) -> dict[str, t.Any]:
    """Everything about one library."""
    with tempfile.TemporaryDirectory(prefix="v-", ignore_cleanup_errors=True) as name:
        library = Library(row, Path(name))
        told: dict[str, t.Any] = {
            **{"name": row["name"], "suite": row["suite"], "version": library.version},
            **{"date": time.strftime("%Y-%m-%d"), "checks": {}, "skipped": ""},
        }
        if not told["version"]:
            return {**told, "skipped": f"the package {row.get('package') or row['package_file']} is not here"}
        if row.get("version") not in (None, told["version"]):
            return {**told, "skipped": f"what its row says is known of version {row['version']} only"}
        try:
            library.start()
            for check in CHECKS:
                began = time.monotonic()
                how, why = outcome(check, library)
                told["checks"][check] = {"how": how, "why": why, "seconds": round(time.monotonic() - began, 1)}
        except Exception as error:  # it did not start
            told["checks"]["start"] = {"how": "failed", "why": str(error), "seconds": 0}
        finally:
            library.stop()
        return told


def main() -> int:
    matrix, results, *names = sys.argv[1:]
    rows = json.loads(Path(matrix).read_text(encoding="utf-8"))
    all_told = [tried(row) for row in rows if not names or row["name"] in names]
    Path(results).write_text(json.dumps(all_told, indent=1) + "\n", encoding="utf-8")
    for told in all_told:
        print(
            f"{told['name']} {told['version']} on {told['suite']} {told['skipped'] and 'skipped: ' + told['skipped']}"
        )
        for name, check in told["checks"].items():
            print(f"  {check['seconds']:5} s  {check['how']}: {name}. {check['why']}")
    return int(any(check["how"] == "failed" for told in all_told for check in told["checks"].values()))


if __name__ == "__main__":
    sys.exit(main())

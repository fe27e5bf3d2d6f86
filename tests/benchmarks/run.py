#!/usr/bin/env python
# Copyright (c) 2026, The cryptoki.hsm authors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The budgets of this collection, measured on SoftHSM: `make bench`.

Prints the tables, and ends with 1 if a budget is missed.
"""

from __future__ import annotations

import argparse
import datetime
import json
import os
import sys
import tempfile
from collections.abc import Callable
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent.parent
COLLECTIONS = os.environ.get("ANSIBLE_COLLECTIONS_PATH", "").split(os.pathsep)[0]
if not COLLECTIONS:
    sys.exit("ANSIBLE_COLLECTIONS_PATH does not say where the collection is; `make bench` sees to that.")
# A module's process finds its utilities as this one does.
sys.path.insert(0, COLLECTIONS)
os.environ["PYTHONPATH"] = COLLECTIONS

from ansible_collections.cryptoki.hsm.tests.benchmarks.calls import count_calls
from ansible_collections.cryptoki.hsm.tests.benchmarks.distance import distance
from ansible_collections.cryptoki.hsm.tests.benchmarks.growth import growth
from ansible_collections.cryptoki.hsm.tests.benchmarks.listing import listing
from ansible_collections.cryptoki.hsm.tests.benchmarks.machine import describe_machine
from ansible_collections.cryptoki.hsm.tests.benchmarks.many import generation, unchanged
from ansible_collections.cryptoki.hsm.tests.benchmarks.report import Table, show
from ansible_collections.cryptoki.hsm.tests.benchmarks.several import several
from ansible_collections.cryptoki.hsm.tests.benchmarks.spy import Spy
from ansible_collections.cryptoki.hsm.tests.benchmarks.startup import startup
from ansible_collections.cryptoki.hsm.tests.benchmarks.times import measure
from ansible_collections.cryptoki.hsm.tests.support.soft_token import library

PARTS = ("calls", "startup", "times", "unchanged", "generation", "listing", "growth", "distance", "several")

_ABOUT = """<!--
Copyright (c) 2026, The cryptoki.hsm authors
GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
{spdx}-License-Identifier: GPL-3.0-or-later

Written by `tests/benchmarks/run.py --record`; not to be edited.
-->

# Benchmarks

Recorded by `make bench`, last on {date}. Times depend on the machine, ratios less so, counts not at all.

"""
_NOTES = """
## How to read this

- OpenSC's pkcs11-spy counts the calls between the module and SoftHSM, which shows one free slot beside its tokens.
- An unchanged pair may cost 24 calls with one slot, 3 more where it is proven (ECC) and 2 more for each further slot,
  and 1.3 times the time of a ping.
- What is sent is all that a module may ever import, for Ansible looks for imports without knowing the options; only
  what a task uses is compiled. Of the 585,000 bytes of an RSA pair (ansible-core 2.21), a ping has 166,600 as well, and
  337,200 serve PKCS#11, of which replicas are 37,400. The other 81,100 are the tools of clusters. To send them only to
  those who name such a provider would take an action plugin, and a second, documented module beside each of the six.
  They are neither compiled nor loaded elsewhere, so that nothing but the bytes and a seventh of the time in which
  Ansible puts them together would be saved. `hsm_token`, which is for PKCS#11 alone, has 412,200.
- The floor of what is compiled is the files that a task loads, in which the functions that do not run are empty. The
  floor of what is sent is what one token needs over PKCS#11, without replicas and the tools of clusters. The floor of
  the times is a collection of nothing but those files, as good as emptied, which does the same task: 253,700 bytes are
  sent of it. What is left out costs little; what remains is what the task does.
- The first task pays for what is sent on the controller: 362 ms of processor time against 107 for a ping, as Ansible
  reads and compresses our files, and looks for a file for each name that they import from each other. Nothing of it is
  left for further tasks.
- On the target a task of an unchanged RSA pair takes 391 ms of processor time, a ping 242 (the module's process as
  Ansible starts it, medians of 15). Of the 149 between them, 57 compile our source, 30 import python-pkcs11 and
  asn1crypto, 20 make classes and tables, 15 are the work itself with the start of the library; the rest reads the
  larger archive and imports modules of Python. Python alone would compile all twice (451 ms): see `_host/archive.py`.
- Generating includes what makes it safe: the search before, the token's mechanisms and key sizes, the proof, and the
  search for a rival afterwards.
- An ECC pair is searched by its label, as its type is one of two. If an RSA pair has that label, it is read as well.
- Plain python-pkcs11 only looks: it finds both halves by their label and reads 13 or 14 attributes of each at once. It
  does not compare, lock, or check anything.
- `pkcs11-tool --list-objects` reads every object of the token; the modules read the one pair.
- `hsm_keypairs` proves each new pair and looks for all of them again; one session of python-pkcs11 and the loop of
  `pkcs11-tool` only generate.
- The token's limit is what a program in C takes for the calls that `hsm_keypairs` makes for new P-256 pairs, with as
  many threads and nothing else: no Python, no module, no check. A goal is met where it is reached, or where
  `hsm_keypairs` takes at most 1.1 times that limit.
- SoftHSM writes files some sixty times for a new P-256 pair, so that the times depend on the disk: on a faster one, 500
  pairs took 3.5 seconds, 3.9 in one session and 2.1 at the limit. With the files in memory nothing is waited for; what
  the module does for a pair, one thread at a time, is more than what the token does then, and one session is faster.
- The listings differ: `hsm_key_info` reads all attributes that it knows, joins the halves and tells what is wrong
  with them; name `attributes` on large tokens. Their budget is of processor time and memory. The floor beside it is
  what the least module takes, which reads the same attributes by python-pkcs11 and returns them by Ansible, whose
  masking alone goes through every value.
- On three tokens, the copies of a pair travel under a key that the tokens agree on by pairs on P-521, which are made
  once for all pairs of a task.
- Seconds of a processor are those that a program kept one busy, in its own code and in the system; other programs
  change them less than the time that passed.
- SoftHSM reads the whole token when it starts, and goes through all of it at each search. That is why all three
  programs take longer with more pairs.
"""


def main() -> int:
    """Entry point."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--record", type=Path, metavar="FILE", help="write the tables to this Markdown file, too")
    parser.add_argument("--only", choices=PARTS, action="append", help="this part; may be given several times")
    arguments = parser.parse_args()
    build = ROOT / "build/bench"
    build.mkdir(parents=True, exist_ok=True)
    testbed = json.loads((ROOT / "build/testbed.json").read_text(encoding="utf-8"))
    machine = Table("Machine", ("", ""), describe_machine())
    tables: list[Table] = []
    with tempfile.TemporaryDirectory(dir=build) as name:
        folder = Path(name)
        spy = Spy(testbed["pkcs11_spy"], library(), folder / "spy.log")
        parts: dict[str, Callable[[], list[Table]]] = {
            "calls": lambda: [count_calls(spy, folder / "calls")],
            "startup": lambda: startup(folder / "startup"),
            "times": lambda: measure(build, folder),
            "unchanged": lambda: unchanged(build, folder, spy),
            "generation": lambda: [generation(folder)],
            "listing": lambda: [listing(build, folder)],
            "growth": lambda: [growth(build, folder)],
            "distance": lambda: [distance(build, folder)],
            "several": lambda: [several(folder)],
        }
        for part in arguments.only or PARTS:
            tables.extend(parts[part]())
    for table in tables:
        show(table)
    if arguments.record:
        record(arguments.record, [*tables, machine])
    return int(any(table.missed for table in tables))


def record(path: Path, tables: list[Table]) -> None:
    """Writes the tables with the date; those of other parts, which the file has already, stay."""
    date = datetime.date.today().isoformat()
    new = {table.title: table.markdown() for table in tables}
    old = path.read_text(encoding="utf-8").partition("\n## ")[2] if path.exists() else ""
    kept = {text.partition("\n")[0]: f"## {text.rstrip()}\n" for text in old.split("\n## ") if text}
    sections = {**{title: text for title, text in kept.items() if title != "How to read this"}, **new}
    last = sections.pop("Machine")
    body = "\n".join([*sections.values(), last])
    path.write_text(_ABOUT.format(date=date, spdx="SPDX") + body + _NOTES, encoding="utf-8")


if __name__ == "__main__":
    sys.exit(main())

# Copyright (c) 2026, The cryptoki.hsm authors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The folder of a report: records appended as they come, and what is made of them at the end."""

from __future__ import annotations

import hashlib
import itertools
import json
import os
import threading
import typing as t
from pathlib import Path

from ansible_collections.cryptoki.hsm.plugins.plugin_utils._ceremony.page import page
from ansible_collections.cryptoki.hsm.plugins.plugin_utils._ceremony.signing import signer_of
from ansible_collections.cryptoki.hsm.plugins.plugin_utils._ceremony.sources import source_list

RECORDS, PAGE, SOURCES, SIGNER = "report.jsonl", "report.html", "sources.sha256", "signer.pem"
SUMS, SIGNATURE = "SHA256SUMS", "SHA256SUMS.sig"

Records = t.Sequence[t.Mapping[str, t.Any]]


class Folder:
    """A new folder below `parent`, which no earlier report is in."""

    def __init__(self, parent: str, name: str) -> None:
        Path(parent).mkdir(parents=True, exist_ok=True)
        self.path = Path(parent, name)
        for number in itertools.count(2):  # another run may have begun in the same second
            try:
                self.path.mkdir()
                break
            except FileExistsError:
                self.path = Path(parent, f"{name}-{number}")
        self._lock = threading.Lock()  # Ansible tells of a loop's items in another thread

    def append(self, record: t.Mapping[str, t.Any]) -> None:
        """Adds a line, which is on the disk when this returns."""
        line = json.dumps(record, ensure_ascii=False, default=str) + "\n"
        with self._lock, (self.path / RECORDS).open("a", encoding="utf-8", errors="replace") as file:
            file.write(line)
            file.flush()
            os.fsync(file.fileno())

    def finish(self) -> str:
        """Writes everything else; the answer is the sum of the records, from which all of it follows."""
        raw = (self.path / RECORDS).read_bytes()
        made = derived(raw)
        for name, text in made.items():
            (self.path / name).write_text(text, encoding="utf-8")
        return anchor_of(raw)


def anchor_of(raw: bytes) -> str:
    """The number that the witness writes down: SHA-256 of report.jsonl."""
    return hashlib.sha256(raw).hexdigest()


def records_in(raw: bytes) -> list[dict[str, t.Any]]:
    """The records of report.jsonl; of a killed run the last line may be cut. Raises `ValueError` for other nonsense."""
    lines = raw.decode("utf-8").split("\n")
    records = [json.loads(line) for line in lines[:-1]]
    if not records or not all(isinstance(record, dict) and "record" in record for record in records):
        raise ValueError("it has no records")
    return records


def derived(raw: bytes) -> dict[str, str]:
    """All other files by their names: each follows from the records alone, the sums stand last."""
    records = records_in(raw)
    made = {SOURCES: source_list(records), PAGE: page(records, anchor_of(raw))}
    signer = signer_of(records)
    if signer:
        made[SIGNER] = signer.public_key_pem
    made[SUMS] = sums_of({RECORDS: raw, **{name: text.encode() for name, text in made.items()}})
    return made


def sums_of(files: t.Mapping[str, bytes]) -> str:
    """What SHA256SUMS says of these files."""
    return "".join(f"{hashlib.sha256(content).hexdigest()}  {name}\n" for name, content in sorted(files.items()))

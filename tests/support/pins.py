# Copyright (c) 2026, The cryptoki.hsm authors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""PINs that fit and do not fit, and where no part of them may be seen."""

from __future__ import annotations

import json

from ansible_collections.cryptoki.hsm.tests.support.module_run import Run

# Each part has a character that neither base64 nor a path has beside the others, so that none occurs by chance.
WRONG = "Qz8-4wr-0ng-Vx3"
RIGHT = "T7k-4q0-Rz8-mWp"
_PART = 4  # characters: shorter parts occur by chance
_DIGITS = 7  # digits in a row: fewer of them occur by chance in times, serial numbers and process ids


def parts(secret: str) -> set[str]:
    """Every piece of a secret that is long enough to give it away, also as it is escaped in JSON."""
    texts = (secret, json.dumps(secret)[1:-1])
    length = _DIGITS if secret.isdecimal() else _PART
    pieces = {text[start : start + length] for text in texts for start in range(len(text) - length + 1)}
    return {piece for piece in pieces if len(piece) >= _DIGITS or not piece.isdecimal()}


def assert_unseen(secret: str, *outputs: str) -> None:
    """No part of the secret is in any of the outputs."""
    for output in outputs:
        seen = [part for part in parts(secret) if part in output]
        assert not seen, output


def refused(run: Run, secret: str) -> str:
    """The message of a failure that shows nothing of the secret."""
    assert_unseen(secret, run.stdout, run.stderr)
    return run.msg

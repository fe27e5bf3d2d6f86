# Copyright (c) 2026, The cryptoki.hsm authors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What a killed task left."""

from __future__ import annotations

import re
import typing as t

from ansible_collections.cryptoki.hsm.tests.support.faulty_token import FaultyToken
from ansible_collections.cryptoki.hsm.tests.support.module_run import Run


def named(msg: str) -> dict[str, t.Any]:
    """What the message names to be removed, in the way that it names."""
    half = re.search(
        r"it is a (?:public|private) half without its (?:public|private) half: \(.*, id ([0-9a-f:]+), ", msg
    )
    if half:
        # A private half alone may be a living key: nothing advises to remove it, and who looks after it knows.
        assert ("state=absent with its id or fingerprint" in msg) is ("it is a public half" in msg)
        return {"id_hex": half[1]}
    assert re.search(r"its halves do not belong together(?: \([a-z_, ]+\))?: \(public ", msg), msg
    stranger = re.search(r"goes by hsm_key with state=absent, uri '([^']*;type=public;[^']*)'\.$", msg)
    assert stranger, msg
    return {"uri": stranger[1]}


def removed(token: FaultyToken, module: str, msg: str) -> Run:
    """Does what the message says."""
    what = named(msg)
    return token.run("hsm_key" if "uri" in what else module, state="absent", lock_timeout=1, **what)

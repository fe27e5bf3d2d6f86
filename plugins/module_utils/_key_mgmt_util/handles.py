# Copyright (c) 2026, The cryptoki.hsm authors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Key handles in key_mgmt_util's answers: those of a new pair, and those that findKey lists.

What the tool prints while it waits for `-min_srv`: its first edition, published by Cavium under the BSD licence in
2017 (Cfm3Util).
"""

from __future__ import annotations

import dataclasses
import re

from ansible_collections.cryptoki.hsm.plugins.module_utils._key_mgmt_util.answer import (
    Answer,
    Node,
    Unreadable,
    merged,
    reports_in,
)

_PAIR = re.compile(r"public key handle:\s*([0-9]+)\s+private key handle:\s*([0-9]+)(?![0-9])")
# 'Total number of keys present 13' (AWS); 'Total number of keys present: 1' (other builds)
_TOTAL = re.compile(r"\s*Total number of keys present:?[ \t]*([0-9]+)\s*")
# ' number of keys matched from start index 0::12', and the list on the following lines; the range is not trusted: AWS
# documents 0::0 and 0::1 for one key. Other builds: 'Number of matching keys from start index 0::0' and 'Handles of
# matching keys:', the list behind it or below, fifteen a line. Where the list is longer than the tool fetches, it tells
# more keys than it lists.
_LIST = re.compile(
    r"\s*(?:[Nn]umber of (?:keys matched|matching keys) from start index [0-9]+::[0-9]+|Handles of matching keys:)(.*)"
)
_HANDLES = re.compile(r"[0-9]+(?:\s*,\s*[0-9]+|\s+[0-9]+)*\s*,?")
_ROLLED_BACK = re.compile(r"\s*(?:Rolling back|Couldn't verify key sync)")
_ATTESTED = re.compile(r"Attestation Check\s*:\s*\[\s*(\w+)\s*\]")


@dataclasses.dataclass(frozen=True)
class Made:
    """A pair that a command made: its handles, and the HSMs as they were in the end, or before it was taken back.

    `rolled_back`: it was not on as many as -min_srv says in time, and the tool deletes such a pair itself, as far as
    it can. It looks at the private half alone then: a pair whose public half is on too few is told as a success.
    """

    public: int
    private: int
    nodes: tuple[Node, ...]
    rolled_back: bool
    attested: bool = False


def made_pair(answer: Answer) -> Made | None:
    """The pair that genRSAKeyPair or genECCKeyPair made, None where it was refused; raises `Unreadable`.

    A code other than 0 beside handles means that not every HSM has the pair (yet). While the tool waits, it reports
    the state of the private and of the public half in turn: a node counts when both are there.
    """
    if answer.code and not _PAIR.search(answer.body):
        return None
    found = {(int(public), int(private)) for public, private in _PAIR.findall(answer.body)}
    if len(found) != 1:
        raise Unreadable("it does not tell one pair of handles")
    ((public, private),) = found
    if public == private or not (public and private):
        raise Unreadable("its two handles are none of a pair")
    rolled_back = next((index for index, line in enumerate(answer.lines) if _ROLLED_BACK.match(line)), None)
    reports = reports_in(answer.lines[:rolled_back])  # those after it are of the deletions
    return Made(public, private, merged(reports[-2:]), rolled_back is not None, attested(answer))


def found_keys(answer: Answer) -> tuple[int, ...]:
    """The handles that findKey lists; an empty tuple only of an answer that says zero; raises `Unreadable`.

    An HSM that is off does not hinder: the others of its cluster have the same keys. Any other error of one does.
    """
    total = answer.number(_TOTAL, "it does not tell the number of keys once")
    handles = _listed(answer)
    if len(handles) != total or len(set(handles)) != total:
        raise Unreadable(f"it tells {total} keys and lists {len(set(handles))}")
    if not handles and answer.doubtful:
        raise Unreadable("it tells no key, and an HSM of the cluster did not look")
    return tuple(handles)


def _listed(answer: Answer) -> list[int]:
    handles: list[int] = []
    within = False
    for line in answer.lines:
        header = _LIST.fullmatch(line)
        within = within or header is not None
        rest = (header[1] if header else line).strip()
        if within and _HANDLES.fullmatch(rest):
            handles += map(int, re.findall(r"[0-9]+", rest))
        elif within and rest:
            if header or rest[:1].isdigit():
                raise Unreadable("its list of handles is broken")
            within = False
    return handles


def attested(answer: Answer) -> bool:
    """Whether -attest was answered by 'Attestation Check : [PASS]' (AWS, genSymKey); anything else is a failure."""
    return _ATTESTED.findall(answer.body) == ["PASS"]

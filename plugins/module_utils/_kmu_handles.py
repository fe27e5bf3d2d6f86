# Copyright (c) 2026, The cryptoki.hsm authors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Key handles in key_mgmt_util's answers: those of a new pair, and those that findKey lists.

Note that this module util is **PRIVATE** to the collection. It can have breaking changes at any time.
Do not use it from outside.
"""

from __future__ import annotations

import re

from ansible_collections.cryptoki.hsm.plugins.module_utils._kmu_answer import Answer, Unreadable

_PAIR = re.compile(r"public key handle:\s*([0-9]+)\s+private key handle:\s*([0-9]+)(?![0-9])")
# 'Total number of keys present 13' (AWS); 'Total number of keys present: 1' (other builds)
_TOTAL = re.compile(r"\s*Total number of keys present:?[ \t]*([0-9]+)\s*")
# ' number of keys matched from start index 0::12', and the list on the following lines; the range is not trusted: AWS
# documents 0::0 and 0::1 for one key. 'Handles of matching keys:<TAB>262162' (other builds).
_LIST = re.compile(r"\s*(?:number of keys matched from start index [0-9]+::[0-9]+|Handles of matching keys:)(.*)")
_HANDLES = re.compile(r"[0-9]+(?:\s*,\s*[0-9]+|\s+[0-9]+)*\s*,?")
_ATTESTED = re.compile(r"Attestation Check\s*:\s*\[\s*(\w+)\s*\]")


def new_pair(answer: Answer) -> tuple[int, int]:
    """The public and the private handle of a pair that was generated; raises L{Unreadable}."""
    found = {(int(public), int(private)) for public, private in _PAIR.findall(answer.body)}
    if len(found) != 1:
        raise Unreadable("it does not tell one pair of handles")
    ((public, private),) = found
    if public == private or not (public and private):
        raise Unreadable("its two handles are none of a pair")
    return public, private


def found_keys(answer: Answer) -> tuple[int, ...]:
    """The handles that findKey lists; an empty tuple only of an answer that says zero; raises L{Unreadable}."""
    totals = [match for match in map(_TOTAL.fullmatch, answer.lines) if match]
    if len(totals) != 1:
        raise Unreadable("it does not tell the number of keys once")
    total = int(totals[0][1])
    handles = _listed(answer)
    if len(handles) != total or len(set(handles)) != total:
        raise Unreadable(f"it tells {total} keys and lists {len(set(handles))}")
    if not handles and answer.unwell:
        raise Unreadable("it tells no key, and not every HSM of the cluster was asked")
    return tuple(handles)


def _listed(answer: Answer) -> list[int]:
    handles: list[int] = []
    within = False
    for line in answer.lines:
        header = _LIST.fullmatch(line)
        rest = (header[1] if header else line).strip()
        within = within or header is not None
        if not within or not rest:
            continue
        if not _HANDLES.fullmatch(rest):
            within = False
            if header or rest[:1].isdigit():
                raise Unreadable("its list of handles is broken")
            continue
        handles += map(int, re.findall(r"[0-9]+", rest))
    return handles


def attested(answer: Answer) -> bool:
    """Whether -attest was answered by 'Attestation Check : [PASS]' (AWS, genSymKey); anything else is a failure."""
    return _ATTESTED.findall(answer.body) == ["PASS"]

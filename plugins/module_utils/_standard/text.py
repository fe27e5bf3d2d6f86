# Copyright (c) 2026, The cryptoki.hsm authors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""How bytes and secrets are written in results, URIs and messages."""

from __future__ import annotations

import json
import typing as t

MASK = "********"


def colon_hex(value: bytes) -> str:
    """Bytes as `aa:bb`: Ansible masks a PIN wherever it occurs in a returned text, and long digits would hold it."""
    return value.hex(":")


def did_you_mean(given: str, known: t.Iterable[str]) -> str:
    """A question with the nearest of the known names; empty where none is near."""
    from difflib import get_close_matches

    by_case = {name.lower(): name for name in known}
    near = get_close_matches(given.lower(), by_case, n=1, cutoff=0.8)
    return f"did you mean {by_case[near[0]]}?" if near else ""


def spellings(secret: str) -> set[str]:
    """A secret as it stands, and as it is written in JSON, in the representation of a value, and in one line."""
    quoted = repr(f"'{secret}")[2:-1]  # a text with an apostrophe is put in quotation marks, which changes the rest
    return {secret, repr(secret)[1:-1], quoted, json.dumps(secret)[1:-1], json.dumps(secret, ensure_ascii=False)[1:-1]}


def masked(raw: bytes, secrets: t.Iterable[str]) -> bytes:
    """`raw` without the secrets, however they are spelt; to be called before anything is cut, joined or escaped."""
    for spelling in sorted({one for secret in secrets for one in spellings(secret)}, key=len, reverse=True):
        raw = raw.replace(spelling.encode(errors="surrogateescape"), MASK.encode())
    return raw

# Copyright (c) 2026, The cryptoki.hsm authors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Certificates as a token holds them; they are only looked at."""

from __future__ import annotations

import typing as t

from ansible_collections.cryptoki.hsm.plugins.module_utils._standard.errors import one_line


class Certificate(t.NamedTuple):
    """One CKO_CERTIFICATE; `subject` and `value` are DER, empty where the token does not tell them."""

    handle: int
    label: str | None
    id: bytes
    subject: bytes
    value: bytes

    def __str__(self) -> str:
        label = f"label '{one_line(self.label)}'" if self.label is not None else "label unreadable"
        return f"(certificate, {label}, id {self.id.hex(':') or 'none'})"

# Copyright (c) 2026, The cryptoki.hsm authors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What the CloudHSM CLI lists: its HSMs, its users, its keys page by page.

Sources: user guide of AWS CloudHSM, pages cloudhsm_cli-cluster-hsm-info, cloudhsm_cli-user-list and
cloudhsm_cli-key-list.
"""

from __future__ import annotations

import dataclasses
import re
import typing as t

from ansible_collections.cryptoki.hsm.plugins.module_utils._cloudhsm_cli import answer
from ansible_collections.cryptoki.hsm.plugins.module_utils._cloudhsm_cli.keys import Key, key_from
from ansible_collections.cryptoki.hsm.plugins.module_utils._pair.user import User

CRYPTO_USER = "crypto-user"
# The roles of `user list`, as listUsers of key_mgmt_util calls them.
_TYPES = {CRYPTO_USER: "CU", "admin": "CO", "unactivated-admin": "PCO", "internal(APPLIANCE_USER)": "AU"}
# `cloudhsm-cli 5.17.2` (seen in public notes, on no page of the vendor); no other program is taken for it.
_VERSION = re.compile(r"(?:.*cloudhsm\D*)?(\d+)\.(\d+)(?:\.(\d+))?\s*", re.IGNORECASE | re.DOTALL)
_TRUTH = {"true": True, "false": False}


@dataclasses.dataclass(frozen=True)
class Hsm:
    """One HSM of the cluster, with what expect_token can pin of it."""

    serial: str
    identity: t.Mapping[str, str]

    @property
    def in_fips_mode(self) -> bool:
        """Whether its FIPS state is not 0; false where it is not told."""
        return self.identity["fips_state"][:1] not in ("", "0")


def version_of(output: str) -> tuple[int, ...]:
    """The version in the output of `--version`; raises `Unclear` where there is none."""
    found = _VERSION.match(output)
    if not found:
        raise answer.Unclear(f"no version, {output.strip()[:80]!r}")
    return tuple(int(number or 0) for number in found.groups())


def hsms_of(data: t.Any) -> list[Hsm]:
    """The HSMs of `cluster hsm-info`."""
    found = [_hsm(row) for row in answer.rows(data, "hsms")]
    if not found:
        raise answer.Unclear("a cluster without HSMs")
    return found


def _hsm(row: t.Mapping[str, t.Any]) -> Hsm:
    told = {name: str(value) for name, value in row.items() if isinstance(value, (str, int))}
    firmware = (told.get(f"firmware-{part}") for part in ("version-major", "version-minor", "build-number"))
    hardware = (told.get(f"hardware-version-{part}") for part in ("major", "minor"))
    identity = {
        "manufacturer": told.get("vendor", ""),
        "model": told.get("model", ""),
        "serial": answer.field(row, "serial-number", str),
        "hardware_version": ".".join(part or "?" for part in hardware),
        "firmware_version": ".".join(part or "?" for part in firmware),
        "firmware_id": told.get("firmware-id", ""),
        "fips_state": told.get("fips-state", ""),
    }
    return Hsm(identity["serial"], identity)


def users_of(data: t.Any) -> list[User]:
    """The users of `user list`."""
    return [_user(row) for row in answer.rows(data, "users")]


def _user(row: t.Mapping[str, t.Any]) -> User:
    role = answer.field(row, "role", str)
    return User(
        id=None,
        name=answer.field(row, "username", str).lower(),
        type=_TYPES.get(role, role),
        two_factor=_enabled(row, "mfa"),
        login_failures=None,
        quorum_key=_enabled(row, "quorum"),
        locked=_TRUTH.get(str(row.get("locked")).lower()),
    )


def _enabled(row: t.Mapping[str, t.Any], name: str) -> bool | None:
    """Whether one of the listed mechanisms is enabled; None where the version does not list any kind of them."""
    if name not in row:
        return None
    return any(str(one.get("status")).lower() == "enabled" for one in answer.rows(row, name))


@dataclasses.dataclass
class Pages:
    """A list of keys that is put together page by page, and is complete only when its parts add up."""

    keys: list[Key] = dataclasses.field(default_factory=list)
    total: int | None = None
    token: str | None = None
    _tokens: set[str] = dataclasses.field(default_factory=set)

    def add(self, data: t.Any) -> bool:
        """Takes the next page; whether there are more. Raises `Unclear` where the pages do not add up."""
        listed = answer.rows(data, "matched_keys")
        total, returned = (answer.field(data, f"{what}_key_count", int) for what in ("total", "returned"))
        if returned != len(listed):
            raise answer.Unclear(f"{len(listed)} keys where it says {returned}")
        if self.total not in (None, total):
            raise answer.Unclear(f"a list that changed from {self.total} to {total} keys while it was read")
        self.total = total
        self.keys.extend(map(key_from, listed))
        self.token = data.get("next_token")
        if self.token is None:
            handles = {key.found.handle for key in self.keys}
            if not len(handles) == len(self.keys) == total:
                raise answer.Unclear(f"{len(handles)} different keys in {len(self.keys)} entries where it says {total}")
        elif not isinstance(self.token, str) or self.token in self._tokens or not listed:
            raise answer.Unclear(f"a next_token that leads nowhere, {str(self.token)[:40]!r}")
        else:
            self._tokens.add(self.token)
        return self.token is not None

# Copyright (c) 2026, The cryptoki.hsm authors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Tokens: what a slot told, which of them is meant, and whether it is the one that was expected."""

from __future__ import annotations

import dataclasses
import enum
import typing as t

from ansible_collections.cryptoki.hsm.plugins.module_utils._standard import errors
from ansible_collections.cryptoki.hsm.plugins.module_utils._standard.uri import PKCS11Uri, build_uri


class TokenFlag(enum.IntFlag):
    """CK_TOKEN_INFO flags (PKCS#11 3.1, table 6)."""

    RNG = 0x1
    WRITE_PROTECTED = 0x2
    LOGIN_REQUIRED = 0x4
    USER_PIN_INITIALIZED = 0x8
    RESTORE_KEY_NOT_NEEDED = 0x20
    CLOCK_ON_TOKEN = 0x40
    PROTECTED_AUTHENTICATION_PATH = 0x100
    DUAL_CRYPTO_OPERATIONS = 0x200
    TOKEN_INITIALIZED = 0x400
    SECONDARY_AUTHENTICATION = 0x800
    USER_PIN_COUNT_LOW = 0x10000
    USER_PIN_FINAL_TRY = 0x20000
    USER_PIN_LOCKED = 0x40000
    USER_PIN_TO_BE_CHANGED = 0x80000
    SO_PIN_COUNT_LOW = 0x100000
    SO_PIN_FINAL_TRY = 0x200000
    SO_PIN_LOCKED = 0x400000
    SO_PIN_TO_BE_CHANGED = 0x800000
    ERROR_STATE = 0x1000000


class LibraryInfo(t.NamedTuple):
    """CK_INFO of a loaded library, and where it was loaded from."""

    path: str
    manufacturer: str
    description: str
    version: str


@dataclasses.dataclass(frozen=True)
class TokenInfo:
    """CK_TOKEN_INFO of the token in one slot; texts without their padding, lengths in bytes."""

    slot_id: int
    label: str
    manufacturer: str
    model: str
    serial: str
    hardware_version: str
    firmware_version: str
    flags: TokenFlag
    pin_length_min: int
    pin_length_max: int

    def __str__(self) -> str:
        return f"'{self.label}' (serial {self.serial or 'none'}, slot {self.slot_id})"

    @property
    def in_use(self) -> bool:
        """Whether the token is initialised; not every library sets the flag, but no free token has a label."""
        return bool(self.flags & (TokenFlag.TOKEN_INITIALIZED | TokenFlag.USER_PIN_INITIALIZED) or self.label)

    @property
    def uri(self) -> str:
        """RFC 7512 URI of the token."""
        return build_uri(PKCS11Uri(**t.cast("dict[str, t.Any]", self.uri_attributes())))

    def identity(self) -> dict[str, str]:
        """What the option `expect_token` compares of a token, as texts."""
        names = ("manufacturer", "model", "serial", "hardware_version", "firmware_version")
        return {name: getattr(self, name) for name in names}

    def uri_attributes(self) -> dict[str, str]:
        """The path attributes that name the token in an RFC 7512 URI; what the token leaves empty is left out."""
        values = {"model": self.model, "manufacturer": self.manufacturer, "serial": self.serial, "token": self.label}
        return {name: value for name, value in values.items() if value}


class DeadSlot(t.NamedTuple):
    """A slot that answered with an error when it was asked for its token."""

    slot_id: int
    ckr: str

    def __str__(self) -> str:
        return f"slot {self.slot_id} answered {self.ckr}"


class TokenSelector(t.NamedTuple):
    """Which token is meant: one of the options `token_label`, `token_serial`, `slot_id`, `token_uri`, or any."""

    label: str | None = None
    serial: str | None = None
    slot_id: int | None = None
    uri: PKCS11Uri | None = None

    def __str__(self) -> str:
        if self.label is not None:
            return f"labelled '{self.label}'"
        if self.serial is not None:
            return f"with serial '{self.serial}'"
        if self.slot_id is not None:
            return f"in slot {self.slot_id}"
        return "in any slot" if self.uri is None else "of the token_uri"

    @property
    def name(self) -> str:
        """The token's name in results, as far as the options tell it."""
        if self.uri is not None:
            return self.uri.token or self.uri.serial or "the token of the token_uri"
        return self.label or self.serial or f"slot {self.slot_id}"

    @property
    def chooses(self) -> bool:
        """Whether one token is meant."""
        return self != TokenSelector()

    def matches(self, token: TokenInfo, library: LibraryInfo) -> bool:
        """Whether `token` is one that is meant; an uninitialised token never is."""
        if not token.in_use:
            return False
        if self.uri is not None:
            return _uri_matches(self.uri, token, library)
        return (
            self.label in (None, token.label)
            and self.serial in (None, token.serial)
            and self.slot_id in (None, token.slot_id)
        )


def _uri_matches(uri: PKCS11Uri, token: TokenInfo, library: LibraryInfo) -> bool:
    """Path attributes of RFC 7512 section 2.3 compared with the token; absent attributes match anything."""
    found: dict[str, str | int] = {"token": token.label}
    found |= {name: getattr(token, name) for name in ("manufacturer", "serial", "model", "slot_id")}
    found |= {f"library_{name}": getattr(library, name) for name in ("manufacturer", "description", "version")}
    return all(getattr(uri, name) in (None, value) for name, value in found.items())


def choose_token(
    selector: TokenSelector,
    slots: t.Sequence[TokenInfo | DeadSlot],
    library: LibraryInfo,
    overlooked: t.Callable[[], t.Sequence[str]],
) -> TokenInfo:
    """The one token that is meant.

    `overlooked` tells paths of a software token's storage that the caller cannot read. Raises `HsmError` when no
    token or more than one matches; a slot that did not answer is named, because the token may be in it.
    """
    tokens = [slot for slot in slots if isinstance(slot, TokenInfo)]
    found = [token for token in tokens if selector.matches(token, library)]
    if len(found) == 1:
        return found[0]
    if found:
        names = ", ".join(map(str, found))
        raise errors.HsmError(
            f"Could not choose a token {selector} in {library.path}: {len(found)} match: {names}."
            " Choose one by token_serial, slot_id or token_uri."
        )
    from ansible_collections.cryptoki.hsm.plugins.module_utils._pair.missing_token import missing_token

    dead = [slot for slot in slots if isinstance(slot, DeadSlot)]
    raise errors.HsmError(missing_token(selector, tokens, dead, library, overlooked()))


def check_expected(what: str, expected: t.Mapping[str, str], actual: t.Mapping[str, str]) -> None:
    """Compares the values pinned by the option `expect_token` with those of `what`; raises `HsmError`."""
    for name, wish in expected.items():
        if actual[name] != wish:
            raise errors.HsmError(
                f"Refused to use the {what}: its {name} is {actual[name]!r}, expect_token says {wish!r}. Nothing was"
                " done; find out why it is another one."
            )

# Copyright (c) 2026, The cryptoki.hsm authors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Checks of single option values, before any login: pure functions that return the checked value.

Texts that YAML would spoil arrive as `raw`: an unquoted `0123456` is the number 42798, `yes` a boolean.
"""

from __future__ import annotations

import re
import typing as t

from ansible_collections.cryptoki.hsm.plugins.module_utils._standard import errors

LABEL_MAX = 127  # bytes; genECCKeyPair, option -l
TOKEN_LABEL_MAX = 32  # bytes
_HEX = re.compile(r"[0-9a-fA-F]{2}(:?[0-9a-fA-F]{2})*")
_NUMBER = re.compile(r"0x[0-9a-f]{1,16}|[0-9]{1,20}")
_FINGERPRINT = re.compile(r"[0-9a-f]{64}")


def text(option: str, value: t.Any, secret: bool = False) -> str:
    """`value` as a text that is UTF-8 without NUL and not empty; raises `InputError`, never echoing a secret."""
    if isinstance(value, bool) or not isinstance(value, str):
        kind = {bool: "a boolean", int: "a number", float: "a number"}.get(type(value))
        if kind is None:
            raise errors.InputError(option, "it is no text")
        raise errors.InputError(
            option,
            f"it came as {kind}; quote it, in an INI inventory twice, or end its template in | string",
            None if secret else value,
        )
    if not value:
        raise errors.InputError(option, "it is empty")
    try:
        value.encode()
    except UnicodeEncodeError:
        # `from None` and no value: the exception holds the whole text, which may be a PIN (trap T13).
        raise errors.InputError(option, "it is not valid UTF-8") from None
    if "\0" in value:
        raise errors.InputError(option, "it holds a NUL character")
    return str(value)


def label(option: str, value: t.Any, longest: int = LABEL_MAX) -> str:
    """A label of 1 to `longest` bytes of UTF-8."""
    checked = text(option, value)
    size = len(checked.encode())
    if size > longest:
        raise errors.InputError(option, f"it has {size} bytes of UTF-8, at most {longest} are allowed", checked)
    return checked


def token_label(value: t.Any) -> str:
    """A token's label of 1 to 32 bytes, padded with blanks on the token (CK_TOKEN_INFO, PKCS#11 3.1, section 3.2)."""
    checked = label("token_label", value, TOKEN_LABEL_MAX)
    if checked.endswith(" "):
        raise errors.InputError(
            "token_label", "it ends with a blank, which a token cannot tell from its padding", checked
        )
    return checked


def slot_id(value: t.Any) -> int:
    """A slot's number, decimal or as `0x…`, which is how pkcs11-tool prints it."""
    digits = str(value).strip().lower()
    if isinstance(value, bool) or not _NUMBER.fullmatch(digits):
        raise errors.InputError("slot_id", "give the slot's number, decimal or as 0x…", value)
    number = int(digits, 16 if digits.startswith("0x") else 10)
    if number.bit_length() > 64:
        raise errors.InputError("slot_id", "no slot has a number of more than 64 bits", value)
    return number


def identifier(params: t.Mapping[str, t.Any]) -> bytes | None:
    """The CKA_ID of the options `id` (text, stored as UTF-8) and `id_hex` (bytes); None without either."""
    if params.get("id") is not None:
        return text("id", params["id"]).encode()
    if params.get("id_hex") is None:
        return None
    digits = text("id_hex", params["id_hex"])
    if not _HEX.fullmatch(digits):
        raise errors.InputError("id_hex", "give pairs of hexadecimal digits, with or without colons", digits)
    return bytes.fromhex(digits.replace(":", ""))


def fingerprint(value: t.Any) -> str | None:
    """A SHA-256 of the SubjectPublicKeyInfo as 64 lower-case digits; colons and a prefix `SHA256:` are taken off."""
    if value is None:
        return None
    given = text("fingerprint", value)
    digits = given.lower().removeprefix("sha256:").replace(":", "")
    if not _FINGERPRINT.fullmatch(digits):
        raise errors.InputError("fingerprint", "give the SHA-256 of the public key as 64 hexadecimal digits", given)
    return digits


def user(option: str, value: t.Any) -> str:
    """A crypto user's name, or its number as the command lists them; names do not differ by case (CloudHSM CLI).

    Blanks around it are those of a list in one text: '4, 5' is '4,5'.
    """
    if isinstance(value, int) and not isinstance(value, bool):
        return str(value)
    return text(option, value.strip(" ") if isinstance(value, str) else value).lower()


def modulus_bits(value: int | None) -> int | None:
    """An RSA size of at least 2048 bits (genRSAKeyPair, option -m); the token's own limits are read from it later."""
    if value is not None and value < 2048:
        raise errors.InputError("modulus_bits", "it must be at least 2048", value)
    if value is not None and value.bit_length() > 32:
        raise errors.InputError("modulus_bits", "it must be below 2^32", value)
    return value


def public_exponent(value: int | None) -> int | None:
    """An odd exponent of at least 65537 (genRSAKeyPair, option -e) and below 2^256 (FIPS 186-5, section 5.1)."""
    if value is None:
        return None
    if value < 65537:
        raise errors.InputError("public_exponent", "it must be at least 65537", value)
    if value % 2 == 0:
        raise errors.InputError("public_exponent", "it must be odd", value)
    if value.bit_length() > 256:
        raise errors.InputError("public_exponent", "it must be below 2^256", value)
    return value

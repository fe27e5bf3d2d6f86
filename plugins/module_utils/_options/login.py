# Copyright (c) 2026, The cryptoki.hsm authors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""How a token is reached: library, token, user and PIN, gathered from options, files and the environment.

Note that this module util is **PRIVATE** to the collection. It can have breaking changes at any time.
Do not use it from outside.
"""

from __future__ import annotations

import dataclasses
import os
import re
import typing as t

from ansible_collections.cryptoki.hsm.plugins.module_utils._options import values as _values
from ansible_collections.cryptoki.hsm.plugins.module_utils._options.groups import PIN_CHOICE, TOKEN_CHOICE
from ansible_collections.cryptoki.hsm.plugins.module_utils._pair.token import TokenSelector
from ansible_collections.cryptoki.hsm.plugins.module_utils._standard.errors import HsmError, InputError
from ansible_collections.cryptoki.hsm.plugins.module_utils._standard.uri import PKCS11Uri, parse_uri

Params = t.Mapping[str, t.Any]
# What expect_token can pin of a token over PKCS#11.
EXPECTABLE = ("library_sha256", "manufacturer", "model", "serial", "hardware_version", "firmware_version")

# Each row: options of one group, and the variables that stand in for them where none of the group is given. A mixed
# use would hand the PIN of one token to another.
_ENVIRONMENT: tuple[tuple[tuple[str, ...], dict[str, str]], ...] = (
    (("module_path",), {"PKCS11_MODULE": "module_path"}),
    (TOKEN_CHOICE, {"HSM_TOKEN_LABEL": "token_label"}),
    (
        ("crypto_user", *PIN_CHOICE),
        {"HSM_CRYPTO_USER": "crypto_user", "HSM_PIN": "pin", "HSM_PIN_FILE": "pin_file"},
    ),
)


_SECRET_NAME = re.compile(r"pin|pass|pwd|secret|token|credential", re.IGNORECASE)
_SHA256 = re.compile(r"[0-9a-f]{64}")


class Secret:
    """A PIN; its text is in no representation of it."""

    def __init__(self, text: str) -> None:
        self._text = text

    def reveal(self) -> str:
        """The text itself, for the login and for Ansible's masking."""
        return self._text

    def __repr__(self) -> str:
        return "Secret(…)"


@dataclasses.dataclass(frozen=True)
class Login:
    """Everything that is needed to reach one token; `pin` is None where none was given."""

    module_path: str
    selector: TokenSelector
    environment: t.Mapping[str, str]
    vendor: str
    crypto_user: str | None
    pin: Secret | None
    force_login: bool
    expect: t.Mapping[str, str]
    token_uri: str | None = None

    def login_pin(self, composite: bool) -> str | None:
        """What C_Login gets: the PIN, or `user:PIN` for a crypto user or where the vendor's PINs are `composite`."""
        if self.pin is None:
            return None
        if self.crypto_user is not None:
            return f"{self.crypto_user}:{self.pin.reveal()}"
        if composite and ":" not in self.pin.reveal():
            raise HsmError("Refused to log in: this library's PINs are user:password; give the user as crypto_user.")
        return self.pin.reveal()

    def harmless(self) -> list[str]:
        """Checked values that may be seen, although their options are masked until they are checked."""
        named = [value for name, value in self.environment.items() if not _SECRET_NAME.search(name)]
        return [text for text in (self.token_uri, self.crypto_user, *named) if text]

    def secrets(self) -> list[str]:
        """Every text that must not be seen."""
        return [text for text in (self.pin.reveal() if self.pin else None, self.login_pin(False)) if text]


def with_environment(params: Params, environ: t.Mapping[str, str], refused: t.Collection[str] = ()) -> dict[str, t.Any]:
    """`params` with what the environment gives for the groups of which no option is given; never for replicas.

    `refused`: options that the provider does not take, so that nothing stands in for them.
    """
    filled = dict(params)
    for options, variables in _ENVIRONMENT:
        in_uri = options == ("module_path",) and "module-path=" in (params.get("token_uri") or "")
        if in_uri or any(option in refused or params.get(option) is not None for option in options):
            continue
        given = {option: environ[name] for name, option in variables.items() if environ.get(name)}
        if "pin" in given and "pin_file" in given:
            raise InputError("HSM_PIN", "the environment holds HSM_PIN_FILE as well; set one of them")
        filled.update(given)
    return filled


def login_from(params: Params, any_token: bool = False) -> Login:
    """The checked login of a module's options (`with_environment` first); raises `InputError`.

    `any_token`: the options need not choose a token.
    """
    uri = params["token_uri"]
    path = params["module_path"] or (_parsed(uri).module_path if uri else None)
    if not path:
        raise InputError("module_path", "it is missing; name the vendor's PKCS#11 library, or set PKCS11_MODULE")
    if not os.path.isabs(path):
        raise InputError("module_path", "give an absolute path", path)
    return Login(
        module_path=path,
        selector=_selector(params, any_token),
        environment=library_environment(params["library_environment"]),
        vendor=params["vendor"],
        crypto_user=crypto_user_from(params["crypto_user"]),
        pin=secret("pin", params["pin"], params["pin_file"]),
        force_login=params["force_login"],
        expect=expected_from(params["expect_token"]),
        token_uri=uri,
    )


def _parsed(uri: str) -> PKCS11Uri:
    try:
        parsed = parse_uri(uri)
    except ValueError as error:
        raise InputError("token_uri", str(error)) from None
    for name in ("slot_manufacturer", "slot_description", "object", "type", "id", "module_name"):
        if getattr(parsed, name) is not None:
            raise InputError("token_uri", f"{name.replace('_', '-')} does not choose a token here; leave it out")
    if not any(getattr(parsed, name) is not None for name in ("token", "serial", "model", "manufacturer", "slot_id")):
        raise InputError("token_uri", "it names no token; give token, serial, model, manufacturer or slot-id in it")
    return parsed


def _selector(params: Params, any_token: bool) -> TokenSelector:
    given = [option for option in TOKEN_CHOICE if params[option] is not None]
    if any_token and not given:
        return TokenSelector()
    if len(given) != 1:
        rule = "give exactly one of token_label, token_serial, slot_id and token_uri, or set HSM_TOKEN_LABEL"
        raise InputError("token_label", rule)
    choices: dict[str, t.Callable[[t.Any], TokenSelector]] = {
        "token_uri": lambda value: TokenSelector(uri=_parsed(value)),
        "slot_id": lambda value: TokenSelector(slot_id=value),
        "token_serial": lambda value: TokenSelector(serial=_values.text("token_serial", value)),
        "token_label": lambda value: TokenSelector(label=_values.token_label(value)),
    }
    return choices[given[0]](params[given[0]])


def library_environment(variables: Params | None) -> dict[str, str]:
    """Variables for the library, each a text; raises `InputError`."""
    checked = {}
    for name, value in (variables or {}).items():
        if "=" in name or not name:
            raise InputError("library_environment", "no variable has such a name", name)
        checked[name] = _values.text(f"library_environment.{name}", value)
    return checked


def crypto_user_from(value: t.Any) -> str | None:
    """The name of a crypto user, who may be given by number; raises `InputError`."""
    if value is None:
        return None
    user = str(value) if type(value) is int else _values.text("crypto_user", value)
    if ":" in user:
        # Not shown: what vendors call a PIN is user:password, and may have been given here as a whole.
        raise InputError("crypto_user", "it holds a colon, which ends the user's name in a PKCS#11 PIN")
    return user


def secret(option: str, value: t.Any, path: str | None) -> Secret | None:
    """The PIN given as `option` or in the file `path` (one trailing newline stripped); raises `InputError`."""
    if value is not None:
        return Secret(_values.text(option, value, secret=True))
    if path is None:
        return None
    try:
        with open(path, "rb") as file:
            raw = file.read()
    except OSError as error:
        raise InputError(f"{option}_file", f"it cannot be read ({os.strerror(error.errno or 0)})", path) from None
    try:
        text = raw.decode()
    except UnicodeDecodeError:
        raise InputError(f"{option}_file", "it is not valid UTF-8", path) from None
    stripped = text.removesuffix("\r\n") if text.endswith("\r\n") else text.removesuffix("\n")
    return Secret(_values.text(f"{option}_file", stripped, secret=True))


def expected_from(pins: Params | None, expectable: t.Sequence[str] = EXPECTABLE) -> dict[str, str]:
    """The values that `expect_token` pins, of which a provider tells the `expectable`; raises `InputError`."""
    if pins is None:
        return {}
    checked = {name: _values.text(f"expect_token.{name}", value) for name, value in pins.items() if value is not None}
    if not checked:
        raise InputError("expect_token", "it names no value")
    if "library_sha256" in checked:
        checked["library_sha256"] = checked["library_sha256"].lower().replace(":", "")
        if not _SHA256.fullmatch(checked["library_sha256"]):
            raise InputError("expect_token.library_sha256", "give 64 hexadecimal digits", checked["library_sha256"])
    for name in checked:
        if name not in expectable:
            rule = f"this provider does not tell it; choose from {', '.join(expectable)}"
            raise InputError(f"expect_token.{name}", rule)
    return checked

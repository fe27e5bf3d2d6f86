# Copyright (c) 2026, The cryptoki.hsm authors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""How a token is reached: library, token, user and PIN, gathered from options, files and the environment."""

from __future__ import annotations

import dataclasses
import os
import re
import stat
import typing as t

from ansible_collections.cryptoki.hsm.plugins.module_utils._host import file
from ansible_collections.cryptoki.hsm.plugins.module_utils._options import groups, values
from ansible_collections.cryptoki.hsm.plugins.module_utils._pair import token
from ansible_collections.cryptoki.hsm.plugins.module_utils._standard import errors
from ansible_collections.cryptoki.hsm.plugins.module_utils._standard.uri import PKCS11Uri, pins_in

Params = t.Mapping[str, t.Any]
# What expect_token can pin of a token over PKCS#11.
EXPECTABLE = ("library_sha256", "manufacturer", "model", "serial", "hardware_version", "firmware_version")

# Each row: options of one group, and the variables that stand in for them where none of the group is given. A mixed
# use would hand the PIN of one token to another.
_ENVIRONMENT: tuple[tuple[tuple[str, ...], dict[str, str]], ...] = (
    (("module_path",), {"PKCS11_MODULE": "module_path"}),
    (groups.TOKEN_CHOICE, {"HSM_TOKEN_LABEL": "token_label"}),
    (
        ("crypto_user", *groups.PIN_CHOICE),
        {"HSM_CRYPTO_USER": "crypto_user", "HSM_PIN": "pin", "HSM_PIN_FILE": "pin_file"},
    ),
)

# Variables of library_environment whose values are no secrets, each with where it is documented; others stay masked.
HARMLESS_VARIABLES = frozenset(
    {
        "SOFTHSM2_CONF",  # SoftHSM 2, softhsm2.conf(5): path
        # nShield, PKCS #11 library environment variables: 0 or 1, words such as import, and a path
        *("CKNFAST_LOADSHARING", "CKNFAST_HSM_POOL", "CKNFAST_ASSUME_SINGLE_PROCESS", "CKNFAST_FAKE_ACCELERATOR_LOGIN"),
        *("CKNFAST_NO_ACCELERATOR_SLOTS", "CKNFAST_OVERRIDE_SECURITY_ASSURANCES", "CKNFAST_SESSION_THREADSAFE"),
        *("CKNFAST_TOKENS_PERSISTENT", "CKNFAST_DEBUG", "CKNFAST_DEBUGFILE"),
        "ChrystokiConfigurationPath",  # Luna, SDK reference guide: folder of Chrystoki.conf
        "YUBIHSM_PKCS11_CONF",  # yubihsm-shell, PKCS#11 guide: path
        "P11NETHSM_CONFIG_FILE",  # nethsm-pkcs11, README: path of p11nethsm.conf
        "PKCS11SPY",  # OpenSC, pkcs11-spy: path of the library behind it
        "PKCS11SPY_OUTPUT",  # likewise: path of its log
        "P11_KIT_STRICT",  # p11-kit manual: yes or no
    }
)
_LEGIBLE_PIN = 3  # characters; shorter PINs occur in every text
_SHA256 = re.compile(r"[0-9a-f]{64}")


# Among filled options: the variable with a PIN that does not count, because crypto_user is given as an option.
UNUSED_PIN = "unused_pin"


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
    selector: token.TokenSelector
    environment: t.Mapping[str, str]
    vendor: str
    crypto_user: str | None
    pin: Secret | None
    force_login: bool
    expect: t.Mapping[str, str]
    token_uri: str | None
    unused_pin: str | None
    library_parameters: str | None
    vendor_facts: t.Mapping[str, t.Any]
    limited: bool

    def login_pin(self, composite: bool) -> str | None:
        """What C_Login gets: the PIN, or `user:PIN` for a crypto user or where the vendor's PINs are `composite`."""
        if self.pin is None:
            return None
        if self.crypto_user is not None:
            return f"{self.crypto_user}:{self.pin.reveal()}"
        if composite and ":" not in self.pin.reveal():
            raise errors.HsmError(
                "Refused to log in: this library's PINs are user:password; give the user as crypto_user."
            )
        return self.pin.reveal()

    def check_user(self, writable: bool) -> None:
        """Refuses a limited user for a task that may write."""
        if writable and self.limited:
            rule = "it uses keys, and neither generates, changes nor removes any; run the task in check mode to look"
            raise errors.InputError("user_type", rule, "limited_user")

    def harmless(self) -> list[str]:
        """Checked values that may be seen, although their options are masked until they are checked."""
        named = [value for name, value in self.environment.items() if name in HARMLESS_VARIABLES]
        uri = None if pins_in(self.token_uri or "") else self.token_uri
        known = None if self._hidden_parameters() else self.library_parameters
        return [text for text in (uri, self.crypto_user, known, *named) if text]

    def secrets(self) -> list[str]:
        """Every text that must not be seen."""
        hidden = [value for name, value in self.environment.items() if name not in HARMLESS_VARIABLES]
        pins = [self.pin.reveal() if self.pin else None, self.login_pin(False), *pins_in(self.token_uri or "")]
        return [text for text in (*pins, *hidden, *self._hidden_parameters()) if text]

    def _hidden_parameters(self) -> list[str]:
        if self.library_parameters is None:
            return []
        from ansible_collections.cryptoki.hsm.plugins.module_utils._options.library_parameters import hidden_parts

        return hidden_parts(self.library_parameters)

    def warnings(self) -> list[str]:
        """What may be wrong about the secrets, and is no reason to refuse."""
        told = short_pin(self.pin)
        writer = _writable(self.module_path)
        if self.pin and writer:
            told.append(
                f"Everybody may write {writer}, and the library {self.module_path} gets the PIN; take away that"
                " permission."
            )
        return told


def give_pin(unused: str | None) -> str:
    """What to do about a missing PIN; `unused` is a variable that holds one and does not count, "" where none does."""
    if not unused:
        return "give pin or pin_file" if unused == "" else "give pin or pin_file, or set HSM_PIN_FILE"
    return (
        f"{unused} is set and does not count, because the option crypto_user is given, and variables stand in for user"
        " and PIN together: give pin_file beside crypto_user, or the user by HSM_CRYPTO_USER"
    )


def short_pin(pin: Secret | None) -> list[str]:
    """The warning of a PIN that Ansible cannot mask without spoiling other texts; none for a longer one."""
    if pin is None or len(pin.reveal()) >= _LEGIBLE_PIN:
        return []
    return [
        f"The PIN has fewer than {_LEGIBLE_PIN} characters. Ansible masks it wherever it occurs, so texts and values of"
        " this task cannot be relied on; choose a longer PIN."
    ]


def _writable(path: str) -> str | None:
    """The file, or a folder above it without the sticky bit, which every user of the host may change."""
    path = os.path.realpath(path)
    while True:
        try:
            mode = os.stat(path).st_mode
        except OSError:
            mode = 0
        if mode & stat.S_IWOTH and not (stat.S_ISDIR(mode) and mode & stat.S_ISVTX):
            return path
        if path == os.path.dirname(path):
            return None
        path = os.path.dirname(path)


def with_environment(params: Params, environ: t.Mapping[str, str], refused: t.Collection[str] = ()) -> dict[str, t.Any]:
    """`params` with what the environment gives for the groups of which no option is given; never for replicas.

    `refused`: options that the provider does not take, so that nothing stands in for them.
    """
    filled = dict(params)
    for options, variables in _ENVIRONMENT:
        in_uri = options == ("module_path",) and "module-path=" in (params.get("token_uri") or "")
        if in_uri or any(option in refused for option in options):
            continue
        if any(params.get(option) is not None for option in options):
            filled.update(_unused(options, params, environ))
        else:
            filled.update(_given(variables, environ))
    return filled


def _given(variables: t.Mapping[str, str], environ: t.Mapping[str, str]) -> dict[str, str]:
    """The options that are given by variables."""
    given = {option: environ[name] for name, option in variables.items() if environ.get(name)}
    if "pin" in given and "pin_file" in given:
        raise errors.InputError("HSM_PIN", "the environment holds HSM_PIN_FILE as well; set one of them")
    return given


def _unused(options: t.Container[str], params: Params, environ: t.Mapping[str, str]) -> dict[str, str]:
    """The variable with a PIN that does not count, where the task gives a user and no PIN."""
    if "pin" not in options or any(params.get(option) is not None for option in groups.PIN_CHOICE):
        return {}
    unused = next((name for name in ("HSM_PIN_FILE", "HSM_PIN") if environ.get(name)), None)
    return {UNUSED_PIN: unused} if unused else {}


def login_from(params: Params, any_token: bool = False) -> Login:
    """The checked login of a module's options (`with_environment` first); raises `InputError`.

    `any_token`: the options need not choose a token.
    """
    uri = params["token_uri"]
    in_uri = _parsed(uri).module_path if uri else None
    path = params["module_path"] or in_uri
    if path and in_uri and os.path.realpath(path) != os.path.realpath(in_uri):
        raise errors.InputError(
            "module_path", "the module-path of token_uri names another library; leave one of them out", path
        )
    if not path:
        raise errors.InputError("module_path", "it is missing; name the vendor's PKCS#11 library, or set PKCS11_MODULE")
    if not os.path.isabs(path):
        raise errors.InputError("module_path", "give an absolute path", path)
    kind = file.irregular(path)
    if kind not in (None, "a directory"):  # of a folder the loader says as much
        raise errors.InputError("module_path", f"it is {kind}, not a library", path)
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
        unused_pin=params.get(UNUSED_PIN),
        library_parameters=_library_parameters(params["library_parameters"]),
        vendor_facts=_vendor_facts(params["vendor_facts"]),
        limited=params["user_type"] == "limited_user",
    )


def _parsed(uri: str) -> PKCS11Uri:
    from ansible_collections.cryptoki.hsm.plugins.module_utils._options import token_uri

    return token_uri.parsed(uri)


def _selector(params: Params, any_token: bool) -> token.TokenSelector:
    given = [option for option in groups.TOKEN_CHOICE if params[option] is not None]
    if any_token and not given:
        return token.TokenSelector()
    if len(given) != 1:
        rule = "give exactly one of token_label, token_serial, slot_id and token_uri, or set HSM_TOKEN_LABEL"
        raise errors.InputError("token_label", rule)
    choices: dict[str, t.Callable[[t.Any], token.TokenSelector]] = {
        "token_uri": lambda value: token.TokenSelector(uri=_parsed(value)),
        "slot_id": lambda value: token.TokenSelector(slot_id=values.slot_id(value)),
        "token_serial": lambda value: token.TokenSelector(serial=values.text("token_serial", value)),
        "token_label": lambda value: token.TokenSelector(label=values.token_label(value)),
    }
    return choices[given[0]](params[given[0]])


def library_environment(variables: Params | None) -> dict[str, str]:
    """Variables for the library, each a text; raises `InputError`."""
    checked = {}
    for name, value in (variables or {}).items():
        if "=" in name or not name:
            raise errors.InputError("library_environment", "no variable has such a name", name)
        checked[name] = values.text(f"library_environment.{name}", value)
    return checked


def _library_parameters(value: t.Any) -> str | None:
    return None if value is None else values.text("library_parameters", value, secret=True)


def _vendor_facts(given: Params | None) -> dict[str, t.Any]:
    if not given:
        return {}
    from ansible_collections.cryptoki.hsm.plugins.module_utils._options.vendor_facts import facts_from

    return facts_from(given)


def crypto_user_from(value: t.Any) -> str | None:
    """The name of a crypto user, who may be given by number; raises `InputError`."""
    if value is None:
        return None
    by_number = isinstance(value, int) and not isinstance(value, bool)
    user = str(value) if by_number else values.text("crypto_user", value)
    if ":" in user:
        # Not shown: what vendors call a PIN is user:password, and may have been given here as a whole.
        raise errors.InputError("crypto_user", "it holds a colon, which ends the user's name in a PKCS#11 PIN")
    return user


def secret(option: str, value: t.Any, path: str | None) -> Secret | None:
    """The PIN given as `option` or in the file `path` (one trailing newline stripped); raises `InputError`."""
    if value is not None:
        return Secret(values.text(option, value, secret=True))
    if path is None:
        return None
    from ansible_collections.cryptoki.hsm.plugins.module_utils._options import pin_file

    return Secret(pin_file.pin_in(f"{option}_file", path))


def expected_from(pins: Params | None, expectable: t.Sequence[str] = EXPECTABLE) -> dict[str, str]:
    """The values that `expect_token` pins, of which a provider tells the `expectable`; raises `InputError`."""
    if pins is None:
        return {}
    checked = {name: values.text(f"expect_token.{name}", value) for name, value in pins.items() if value is not None}
    if "library_sha256" in checked:
        checked["library_sha256"] = checked["library_sha256"].lower().replace(":", "")
        if not _SHA256.fullmatch(checked["library_sha256"]):
            raise errors.InputError(
                "expect_token.library_sha256", "give 64 hexadecimal digits", checked["library_sha256"]
            )
    for name in checked:
        if name not in expectable:
            rule = f"this provider does not tell it; choose from {', '.join(expectable)}"
            raise errors.InputError(f"expect_token.{name}", rule)
    return checked

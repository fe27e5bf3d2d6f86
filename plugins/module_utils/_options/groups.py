# Copyright (c) 2026, The cryptoki.hsm authors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The option groups that modules are made of; each has a twin in `plugins/doc_fragments`."""

from __future__ import annotations

import dataclasses
import typing as t

from ansible.module_utils.basic import AnsibleModule

from ansible_collections.cryptoki.hsm.plugins.module_utils._host import archive

archive.compile_once()  # first, as most of what a module imports comes after it

from ansible_collections.cryptoki.hsm.plugins.module_utils._options.raw_secrets import raw_secrets, without_secrets
from ansible_collections.cryptoki.hsm.plugins.module_utils._pair import vendors
from ansible_collections.cryptoki.hsm.plugins.module_utils._standard import attributes
from ansible_collections.cryptoki.hsm.plugins.module_utils._standard.text import spellings

Spec = dict[str, dict[str, t.Any]]


@dataclasses.dataclass(frozen=True)
class OptionGroup:
    """Options that belong together, with the rules that Ansible checks between them."""

    spec: Spec
    mutually_exclusive: tuple[tuple[str, ...], ...] = ()
    required_if: tuple[tuple[t.Any, ...], ...] = ()
    required_by: dict[str, tuple[str, ...]] = dataclasses.field(default_factory=dict)
    required_one_of: tuple[tuple[str, ...], ...] = ()

    def __add__(self, other: OptionGroup) -> OptionGroup:
        return OptionGroup(
            spec={**self.spec, **other.spec},
            mutually_exclusive=self.mutually_exclusive + other.mutually_exclusive,
            required_if=self.required_if + other.required_if,
            required_by={**self.required_by, **other.required_by},
            required_one_of=self.required_one_of + other.required_one_of,
        )

    def create_module(self) -> MaskingModule:
        """The AnsibleModule of a module with these options; every module of this collection has a check mode."""
        rules = {name: value for name, value in vars(self).items() if name != "spec"}
        return MaskingModule(argument_spec=self.spec, supports_check_mode=True, **rules)


class MaskingModule(AnsibleModule):  # type: ignore[misc]
    """An AnsibleModule that masks every secret among its options before it checks the first of them."""

    def __init__(self, argument_spec: Spec, **rules: t.Any) -> None:
        self._seen: set[str] = set()
        try:
            super().__init__(argument_spec, **rules)
        except Exception as error:  # pylint: disable=broad-except
            if not hasattr(self, "params"):
                raise  # no option was read yet that could be shown
            # Options of forms that Ansible's own checks stumble over; a traceback would show them.
            self.fail_json(msg=f"The options cannot be read: {error}.", exception=None)

    def _load_params(self) -> None:
        """The options as they came; called before anything is checked."""
        super()._load_params()
        self.mask(raw_secrets(self.argument_spec, self.params))

    def mask(self, secrets: t.Iterable[str]) -> None:
        """From now on Ansible masks these texts wherever they occur, however they are spelt."""
        self.no_log_values.update(spelling for secret in secrets for spelling in spellings(secret) if spelling)

    def unmask(self, texts: t.Collection[str]) -> None:
        """Takes that back: these were checked, and may be seen."""
        self._seen.update(texts)
        self.no_log_values.difference_update(spelling for text in texts for spelling in spellings(text))

    def exit_json(self, **result: t.Any) -> t.NoReturn:
        super().exit_json(**{"invocation": self._invocation(), **result})

    def fail_json(self, msg: str, **result: t.Any) -> t.NoReturn:
        if msg.startswith("Unsupported parameters") and "private_attributes.token" in msg:
            msg += " A session pair is never made permanent: it ends with its task's session. Leave session out."
        super().fail_json(msg, **{"invocation": self._invocation(), **result})

    def _invocation(self) -> dict[str, t.Any]:
        return {"module_args": without_secrets(self.argument_spec, self.params, self._seen)}

    def _log_invocation(self) -> None:
        """What goes to the system's log is what may be shown."""
        given, self.params = self.params, self._invocation()["module_args"]
        try:
            super()._log_invocation()
        finally:
            self.params = given


def each(kind: str, names: t.Iterable[str]) -> Spec:
    """Options of one type."""
    return {name: {"type": kind} for name in names}


def each_list(*names: str) -> Spec:
    """Options that are lists of texts."""
    return {name: {"type": "list", "elements": "str"} for name in names}


# How one token is reached and logged in to; a replica has these too.
_TOKEN: Spec = {
    "module_path": {"type": "path"},
    "token_label": {"type": "raw", "no_log": False},
    "token_serial": {"type": "raw", "no_log": False},
    "slot_id": {"type": "str"},
    "token_uri": {"type": "str", "no_log": True},  # it may hold a PIN, until it is checked
    "library_environment": {"type": "dict", "no_log": True},  # likewise
    "library_parameters": {"type": "raw", "no_log": True},  # likewise
    "vendor": {"type": "str", "default": "auto", "choices": ["auto", *sorted(vendors.VENDORS)]},
    "vendor_facts": {
        "type": "dict",
        "options": {
            **each("bool", ("set_attribute", "copy", "copy_sets_copyable", "read_only_sessions", "composite_pin")),
            **each("bool", ("certificates", "threads", "login_each_session", "label_is_id", "halves_are_one")),
            **each("int", ("id_length", "id_max", "label_max")),
            **each_list(
                "curves",
                "fixed",
                "not_searched",
                *(f"{what}_{half}" for what in ("not_sent", "only_true") for half in attributes.HALVES),
            ),
        },
    },
    "user_type": {"type": "str", "default": "user", "choices": ["user", "limited_user"]},
    "crypto_user": {"type": "raw", "no_log": True},  # what vendors call a PIN is user:password
    "pin": {"type": "raw", "no_log": True},
    "pin_file": {"type": "path", "no_log": False},
    "force_login": {"type": "bool", "default": False},
    "expect_token": {
        "type": "dict",
        "no_log": False,
        "options": {
            **each("str", ("library_sha256", "manufacturer", "model")),
            **each("raw", ("serial", "hardware_version", "firmware_version", "firmware_id", "fips_state")),
        },
    },
}
# Names of which at most one may be given: they choose the token, or give the PIN.
TOKEN_CHOICE = ("token_label", "token_serial", "slot_id", "token_uri")
PIN_CHOICE = ("pin", "pin_file")

LOGIN = OptionGroup(
    spec={
        "provider": {"type": "str", "default": "pkcs11", "choices": ["pkcs11", "cloudhsm_cli", "key_mgmt_util"]},
        "executable": {"type": "path"},
        **_TOKEN,
        "lock_timeout": {"type": "int", "default": 300},
        "lock_folder": {"type": "path"},
    },
    mutually_exclusive=(TOKEN_CHOICE, PIN_CHOICE),
)

KEYPAIR = OptionGroup(
    spec={
        "state": {"type": "str", "default": "present", "choices": ["present", "absent"]},
        "label": {"type": "raw", "aliases": ["l"]},
        **each("raw", ("id", "id_hex", "fingerprint")),
        "session": {"type": "bool", "default": False, "aliases": ["sess"]},
        "extractable": {"type": "bool"},
        "nex": {"type": "bool"},  # the flag -nex as it is: no alias can say the reverse
        "usage": {"type": "list", "elements": "str", "choices": list(attributes.USAGE_BITS)},
        "private_attributes": {"type": "dict", "options": each("bool", attributes.SETTABLE[attributes.PRIVATE])},
        "public_attributes": {"type": "dict", "options": each("bool", attributes.SETTABLE[attributes.PUBLIC])},
        "allowed_mechanisms": {"type": "list", "elements": "str"},
        "key_gen_mechanism": {"type": "str", "no_log": False},
        "on_mismatch": {"type": "str", "default": "fail", "choices": ["fail", "keep", "replace"]},
        "certificates": {"type": "str", "default": "fail", "choices": ["fail", "keep", "follow"]},
        "verify": {"type": "bool"},
        "share_with": {"type": "list", "elements": "raw", "aliases": ["u"]},
        "quorum": {"type": "int", "aliases": ["m_value"]},
        "management_quorum": {"type": "int"},
        "min_servers": {"type": "int", "aliases": ["min_srv"]},
        "timeout": {"type": "int"},
        "attest": {"type": "bool", "default": False},
        "replicas": {
            "type": "list",
            "elements": "dict",
            "options": {"name": {"type": "str", "required": True}, **_TOKEN},
            "mutually_exclusive": [TOKEN_CHOICE, PIN_CHOICE],
        },
        "wrapping_key": {"type": "str", "no_log": False},
        "return_attributes": {"type": "list", "elements": "str", "choices": list(attributes.RETURNED)},
    },
    mutually_exclusive=(("id", "id_hex"), ("extractable", "nex")),
    required_if=(("state", "present", ("label",)), ("state", "absent", ("label", "id", "id_hex", "fingerprint"), True)),
)

RSA = OptionGroup(
    spec={
        "modulus_bits": {"type": "int", "aliases": ["m"]},
        "public_exponent": {"type": "int", "aliases": ["e"]},
        "complete": {"type": "bool"},
    },
    required_if=(("state", "present", ("modulus_bits",)),),
)

ECC = OptionGroup(
    spec={"curve": {"type": "raw", "aliases": ["i"]}},
    required_if=(("state", "present", ("curve",)),),
)

# Copyright (c) 2026, The cryptoki.hsm authors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The option groups under Ansible's own validator: aliases, what must be given, and what excludes what."""

from __future__ import annotations

import typing as t

import pytest
from ansible.module_utils.basic import PASSWORD_MATCH

from ansible_collections.cryptoki.hsm.plugins.module_utils._options import groups as _groups
from ansible_collections.cryptoki.hsm.plugins.module_utils._options.certificate_groups import CERTIFICATE, CSR
from ansible_collections.cryptoki.hsm.plugins.module_utils._options.certificate_object import (
    CERTIFICATE_OBJECT,
    CHOOSING,
)
from ansible_collections.cryptoki.hsm.plugins.module_utils._options.groups import (
    LOGIN,
    PIN_CHOICE,
    TOKEN_CHOICE,
    OptionGroup,
)
from ansible_collections.cryptoki.hsm.plugins.module_utils._options.key_groups import FOR_ALL_PAIRS, KEYPAIRS
from ansible_collections.cryptoki.hsm.plugins.module_utils._pair.wish import Family
from ansible_collections.cryptoki.hsm.plugins.module_utils._tasks.keypair import OPTIONS
from ansible_collections.cryptoki.hsm.plugins.modules.hsm_token import OPTIONS as TOKEN_OPTIONS
from ansible_collections.cryptoki.hsm.plugins.modules.hsm_token_info import OPTIONS as TOKEN_INFO_OPTIONS
from ansible_collections.cryptoki.hsm.tests.support.task_options import FAMILIES, LEAST, params, refused, taken

LIST = LOGIN + KEYPAIRS
SECRET = {"token_uri", "library_environment", "library_parameters", "crypto_user", "pin", "so_pin"}
NO_NAME = "state is absent but any of the following are missing: label, id, id_hex, fingerprint"
GROUPS: dict[str, OptionGroup] = {
    "rsa": OPTIONS["rsa"],
    "ecc": OPTIONS["ecc"],
    "list": LIST,
    "token": TOKEN_OPTIONS,
    "token_info": TOKEN_INFO_OPTIONS,
}
SIGNING: dict[str, OptionGroup] = {"csr": LOGIN + CSR, "certificate": LOGIN + CERTIFICATE}


@pytest.mark.parametrize(
    ("family", "flags", "option", "value"),
    [
        ("rsa", {"m": "2048", "e": "65537", "l": "rsa_test"}, "public_exponent", 65537),
        ("rsa", {"m": "2048", "l": "rsa_test"}, "modulus_bits", 2048),
        ("rsa", {"m": 2048, "l": "rsa_mofn", "u": ["4"], "m_value": 2, "id": "rsa_mv2"}, "quorum", 2),
        ("rsa", {"m": 2048, "l": "rsa_mofn", "u": "4,5", "m_value": 2}, "share_with", ["4", "5"]),
        ("ecc", {"i": 14, "l": "ecc14"}, "curve", 14),
        ("ecc", {"i": "14", "l": "ecc14"}, "label", "ecc14"),
        ("ecc", {"i": 2, "l": "x", "min_srv": 3, "timeout": 9}, "min_servers", 3),
        ("ecc", {"i": 2, "l": "x", "sess": "yes"}, "session", True),
        ("ecc", {"i": 2, "l": "x", "attest": "true"}, "attest", True),
    ],
)
def test_the_flags_of_the_commands(family: Family, flags: dict[str, t.Any], option: str, value: t.Any) -> None:
    assert taken(OPTIONS[family], flags)[option] == value


@pytest.mark.parametrize("family", FAMILIES)
def test_defaults(family: Family) -> None:
    given = params(family)
    said = {name: value for name, value in given.items() if value is not None and name not in LEAST[family]}
    assert said == {
        "provider": "pkcs11",
        "vendor": "auto",
        "user_type": "user",
        "force_login": False,
        "lock_timeout": 300,
        "state": "present",
        "session": False,
        "on_mismatch": "fail",
        "certificates": "fail",
        "attest": False,
    }


@pytest.mark.parametrize("family", FAMILIES)
@pytest.mark.parametrize("name", ["pin", "id", "id_hex", "label", "token_serial", "token_label", "crypto_user"])
def test_texts_that_yaml_would_spoil_arrive_as_yaml_made_them(family: Family, name: str) -> None:
    for value in (42798, True, 1.5):
        assert type(taken(OPTIONS[family], {**LEAST[family], name: value})[name]) is type(value)


@pytest.mark.parametrize(
    ("family", "given", "messages"),
    [
        ("rsa", {}, ["state is present but all of the following are missing: label"]),
        ("ecc", {"label": "x"}, ["state is present but all of the following are missing: curve"]),
        ("rsa", {"label": "x"}, ["state is present but all of the following are missing: modulus_bits"]),
        ("ecc", {"curve": "P-256", "id": "x"}, ["state is present but all of the following are missing: label"]),
        (
            "rsa",
            {"state": "absent"},
            [NO_NAME],
        ),
        (
            "ecc",
            {**LEAST["ecc"], "id": "a", "id_hex": "61"},
            ["parameters are mutually exclusive: id|id_hex"],
        ),
        (
            "ecc",
            {**LEAST["ecc"], "pin": "1", "pin_file": "/x"},
            ["parameters are mutually exclusive: pin|pin_file"],
        ),
        (
            "ecc",
            {**LEAST["ecc"], "token_label": "a", "slot_id": 1},
            ["parameters are mutually exclusive: token_label|token_serial|slot_id|token_uri"],
        ),
        (
            "ecc",
            {**LEAST["ecc"], "replicas": [{"name": "b", "token_label": "a", "token_uri": "pkcs11:"}]},
            ["parameters are mutually exclusive: token_label|token_serial|slot_id|token_uri found in replicas"],
        ),
        ("ecc", {**LEAST["ecc"], "replicas": [{}]}, ["missing required arguments: name found in replicas"]),
        (
            "ecc",
            {**LEAST["ecc"], "usage": ["verify"]},
            ["value of usage must be one or more of: sign, decrypt, wrap, derive. Got no match for: verify"],
        ),
    ],
)
def test_what_ansible_refuses(family: Family, given: dict[str, t.Any], messages: list[str]) -> None:
    assert refused(OPTIONS[family], given) == messages


@pytest.mark.parametrize("family", FAMILIES)
@pytest.mark.parametrize("name", ["label", "id", "id_hex", "fingerprint"])
def test_one_name_suffices_for_absent(family: Family, name: str) -> None:
    assert refused(OPTIONS[family], {"state": "absent", name: "61"}) == []


@pytest.mark.parametrize("name", CHOOSING)
@pytest.mark.parametrize("source", ["path", "content"])
def test_one_name_and_one_source_suffice_for_a_certificate_on_the_token(name: str, source: str) -> None:
    assert refused(CERTIFICATE_OBJECT, {name: "61", source: "x"}) == []
    assert refused(CERTIFICATE_OBJECT, {name: "61"}) == [
        "state is present but any of the following are missing: path, content"
    ]


@pytest.mark.parametrize("first", TOKEN_CHOICE)
@pytest.mark.parametrize("second", TOKEN_CHOICE)
def test_one_token_is_chosen_in_one_way(first: str, second: str) -> None:
    messages = refused(OPTIONS["ecc"], {**LEAST["ecc"], first: "1", second: "1"})
    assert bool(messages) is (first != second)


@pytest.mark.parametrize("family", FAMILIES)
@pytest.mark.parametrize(
    ("option", "name"),
    [
        ("private_attributes", "extractable"),
        ("private_attributes", "sensitive"),
        ("private_attributes", "trusted"),
        ("private_attributes", "verify"),
        ("public_attributes", "sign"),
        ("public_attributes", "token"),
    ],
)
def test_the_lists_of_attributes_are_closed(family: Family, option: str, name: str) -> None:
    assert any(name in message for message in refused(OPTIONS[family], {**LEAST[family], option: {name: True}}))


def _specs(spec: t.Mapping[str, t.Any], path: str = "") -> t.Iterator[tuple[str, t.Mapping[str, t.Any]]]:
    for name, row in spec.items():
        yield path + name, row
        yield from _specs(row.get("options", {}), f"{path}{name}.")


@pytest.mark.parametrize("module", sorted(GROUPS | SIGNING))
def test_what_may_hold_a_pin_is_hidden_and_nothing_else(module: str) -> None:
    hidden = ("pin", "so_pin", "token_uri", "crypto_user", "library_environment", "library_parameters")
    for path, row in _specs((GROUPS | SIGNING)[module].spec):
        assert bool(row.get("no_log")) is (path.rpartition(".")[2] in hidden), path
        assert "fallback" not in row, f"{path}: the environment is not read through the spec"


@pytest.mark.parametrize("module", sorted(GROUPS | SIGNING))
def test_ansible_warns_of_no_name(module: str) -> None:
    for path, row in _specs((GROUPS | SIGNING)[module].spec):
        assert "no_log" in row or not PASSWORD_MATCH.search(path.rpartition(".")[2]), path


@pytest.mark.parametrize("family", FAMILIES)
def test_no_alias_is_another_option(family: Family) -> None:
    spec = OPTIONS[family].spec
    aliases = [alias for row in spec.values() for alias in row.get("aliases", ())]
    assert len(set(aliases)) == len(aliases) and not set(aliases) & set(spec)


def test_a_replica_has_all_that_reaches_a_token() -> None:
    replica = OPTIONS["ecc"].spec["replicas"]
    assert set(LOGIN.spec) - set(replica["options"]) == {"provider", "executable", "lock_timeout", "lock_folder"}
    assert replica["mutually_exclusive"] == [TOKEN_CHOICE, PIN_CHOICE]


@pytest.mark.parametrize("family", FAMILIES)
def test_an_entry_of_a_list_has_all_of_its_module(family: Family) -> None:
    """By the same names, with the same aliases, types and defaults; except what is said once for all."""
    own = {name: row for name, row in OPTIONS[family].spec.items() if name not in LOGIN.spec}
    entry = KEYPAIRS.spec["keypairs"]["options"]
    assert {name: row for name, row in own.items() if name not in FOR_ALL_PAIRS} == {
        name: entry[name] for name in own if name in entry
    }
    assert {name: LIST.spec[name] for name in FOR_ALL_PAIRS} == {name: own[name] for name in FOR_ALL_PAIRS}


@pytest.mark.parametrize(
    ("entry", "messages"),
    [
        ({"label": "x"}, ["missing required arguments: type found in keypairs"]),
        (
            {"type": "dsa", "label": "x"},
            ["value of type must be one of: rsa, ecc, got: dsa found in keypairs"],
        ),
        ({"type": "rsa"}, ["state is present but all of the following are missing: label found in keypairs"]),
        (
            {"type": "rsa", "state": "absent"},
            [f"{NO_NAME} found in keypairs"],
        ),
        (
            {"type": "ecc", "label": "x", "id": "a", "id_hex": "61"},
            ["parameters are mutually exclusive: id|id_hex found in keypairs"],
        ),
    ],
)
def test_what_ansible_refuses_of_an_entry(entry: dict[str, t.Any], messages: list[str]) -> None:
    assert refused(LIST, {"keypairs": [{"type": "ecc", "label": "good"}, entry]}) == messages


def test_the_flags_of_the_commands_in_a_list() -> None:
    flags = {"type": "rsa", "m": "2048", "e": "65537", "l": "x", "u": "4", "m_value": 2, "sess": "yes"}
    (entry,) = taken(LIST, {"keypairs": [flags], "min_srv": 1})["keypairs"]
    assert (entry["modulus_bits"], entry["public_exponent"], entry["label"]) == (2048, 65537, "x")
    assert (entry["share_with"], entry["quorum"], entry["session"]) == (["4"], 2, True)


def test_groups_add_up() -> None:
    one = OptionGroup({"a": {}}, (("a", "b"),), (("a", 1, ("b",)),), {"a": ("b",)}, (("a",),))
    two = OptionGroup({"b": {}}, (("c", "d"),), (("b", 1, ("a",)),), {"b": ("a",)}, (("b",),))
    both = one + two
    assert both == OptionGroup(
        {"a": {}, "b": {}},
        (("a", "b"), ("c", "d")),
        (("a", 1, ("b",)), ("b", 1, ("a",))),
        {"a": ("b",), "b": ("a",)},
        (("a",), ("b",)),
    )
    assert one.spec == {"a": {}}, "the parts stay as they were"


def flattened(spec: t.Mapping[str, t.Any]) -> t.Iterator[tuple[str, t.Any]]:
    """All options, also those of lists and dictionaries."""
    for name, row in spec.items():
        yield name, row
        yield from flattened(row.get("options", {}))


@pytest.mark.parametrize("name", GROUPS)
def test_what_ansible_masks_and_demands(name: str) -> None:
    rows = list(flattened(GROUPS[name].spec))
    assert {option for option, row in rows if row.get("no_log")} == SECRET & {option for option, _row in rows}
    demanded = {"token": {"token_label"}, "list": {"keypairs", "type", "name"}, "token_info": set()}
    assert {option for option, row in rows if row.get("required")} == demanded.get(name, {"name"})
    assert not [option for option, row in rows if row.get("default") is True]


def test_every_module_has_a_check_mode_and_the_rules_of_its_options(monkeypatch: pytest.MonkeyPatch) -> None:
    given: dict[str, t.Any] = {}
    monkeypatch.setattr(_groups, "MaskingModule", lambda **arguments: given.update(arguments))
    group = OPTIONS["rsa"]
    group.create_module()
    assert given == {
        "argument_spec": group.spec,
        "supports_check_mode": True,
        "mutually_exclusive": group.mutually_exclusive,
        "required_if": group.required_if,
        "required_by": group.required_by,
        "required_one_of": group.required_one_of,
    }

# Copyright (c) 2026, The cryptoki.hsm authors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The edge to Ansible: what it masks, how a module ends, and what it warns of."""

from __future__ import annotations

import os
import types
import typing as t

import pytest

from ansible_collections.cryptoki.hsm.plugins.module_utils._options.groups import LOGIN, OptionGroup
from ansible_collections.cryptoki.hsm.plugins.module_utils._options.login import Secret, login_from
from ansible_collections.cryptoki.hsm.plugins.module_utils._standard.errors import HsmError
from ansible_collections.cryptoki.hsm.plugins.module_utils._tasks import edge as _edge
from ansible_collections.cryptoki.hsm.plugins.module_utils._tasks.edge import HsmModule
from ansible_collections.cryptoki.hsm.plugins.module_utils._tasks.providers import kind_of
from ansible_collections.cryptoki.hsm.tests.support.refusal import refusal
from ansible_collections.cryptoki.hsm.tests.support.task_options import taken


class Ended(BaseException):
    """The module's end."""


class Ansible:
    """What an AnsibleModule does at the end; the caller sees it here."""

    check_mode = False

    def __init__(self, **given: t.Any) -> None:
        self.params = taken(LOGIN, {"module_path": "/lib.so", **given})
        self.no_log_values = {"ann", "4711"}
        self.warnings: list[str] = []
        self.failed: dict[str, t.Any] | None = None
        self.result: dict[str, t.Any] | None = None

    def mask(self, secrets: t.Iterable[str]) -> None:
        self.no_log_values.update(secrets)

    def unmask(self, texts: t.Collection[str]) -> None:
        self.no_log_values.difference_update(texts)

    def warn(self, text: str) -> None:
        self.warnings.append(text)

    def fail_json(self, **told: t.Any) -> t.NoReturn:
        self.failed = told
        raise Ended

    def exit_json(self, **told: t.Any) -> t.NoReturn:
        self.result = told
        raise Ended


def module(monkeypatch: pytest.MonkeyPatch, **given: t.Any) -> tuple[HsmModule, Ansible]:
    ansible = Ansible(**given)
    monkeypatch.setattr(OptionGroup, "create_module", lambda _group: ansible)
    return HsmModule(LOGIN, kind_of), ansible


def end(monkeypatch: pytest.MonkeyPatch, work: t.Callable[[HsmModule], t.Any], **given: t.Any) -> Ansible:
    one, ansible = module(monkeypatch, **given)
    with pytest.raises(Ended):
        one.run(work)
    return ansible


def test_a_result_comes_with_the_environment_filled_in(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HSM_TOKEN_LABEL", "demo")
    monkeypatch.setenv("HSM_PIN", "sesame")

    def work(one: HsmModule) -> dict[str, t.Any]:
        assert "HSM_PIN" not in os.environ
        return {"changed": True, "told": [one.params["token_label"], one.params["pin"]]}

    ansible = end(monkeypatch, work)
    assert ansible.result == {"changed": True, "told": ["demo", "sesame"]} and not ansible.failed


def test_failures_are_told_with_their_data(monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(_one: HsmModule) -> t.NoReturn:
        raise HsmError("Refused.", key_pairs=[1])

    assert end(monkeypatch, refuse).failed == {"msg": "Refused.", "key_pairs": [1]}
    failed = end(monkeypatch, lambda _one: 1 // 0).failed or {}
    assert failed["msg"] == "Unexpected ZeroDivisionError; this is a bug of cryptoki.hsm, please report it."
    assert "ZeroDivisionError" in failed["exception"]


def test_secrets_are_masked_and_what_was_checked_is_not(monkeypatch: pytest.MonkeyPatch) -> None:
    one, ansible = module(monkeypatch, token_label="demo", crypto_user="ann", pin="sesame")
    one.hide(None, "", Secret("open"))
    assert ansible.no_log_values == {"ann", "4711", "open"}
    one.know(login_from(one.params))
    assert ansible.no_log_values == {"4711", "open", "sesame", "ann:sesame"}
    assert "sesame" not in one.masked("the word is sesame") and one.masked("ann") == "ann"


def test_a_result_that_holds_the_pin_by_chance_is_warned_of(monkeypatch: pytest.MonkeyPatch) -> None:
    def work(one: HsmModule) -> dict[str, t.Any]:
        one.hide("beef")
        return {"changed": False, "key_pair": {"fingerprint": "de:ad", "id_hex": "beef"}}

    (warning,) = end(monkeypatch, work).warnings
    assert warning.startswith("A PIN or another secret occurs by chance in ") and "id_hex" in warning
    assert end(monkeypatch, lambda _one: {"changed": False}).warnings == []


def test_a_library_that_is_missing_is_told(monkeypatch: pytest.MonkeyPatch) -> None:
    one, _ansible = module(monkeypatch)
    one.require_libraries(t.cast(t.Any, types.SimpleNamespace(requires={"pkcs11": None})))
    with pytest.raises(HsmError, match="cryptography") as caught:
        one.require_libraries(t.cast(t.Any, types.SimpleNamespace(requires={"pkcs11": None, "cryptography": "trace"})))
    assert caught.value.data == {"exception": "trace"}


@pytest.mark.parametrize(
    ("path", "rule"), [(".", "give an absolute path"), ("/nonexistent", "there is no such folder"), ("", "give an")]
)
def test_where_locks_cannot_lie(path: str, rule: str) -> None:
    assert f"is refused: {rule}" in refusal(lambda: _edge._choose_lock_folder(path))

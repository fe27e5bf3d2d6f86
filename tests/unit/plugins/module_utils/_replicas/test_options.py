# Copyright (c) 2026, The cryptoki.hsm authors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The option replicas: every rule of it, before any login."""

from __future__ import annotations

import typing as t

import pytest

from ansible_collections.cryptoki.hsm.plugins.module_utils._options.login import give_pin, login_from
from ansible_collections.cryptoki.hsm.plugins.module_utils._options.wish import wish_from
from ansible_collections.cryptoki.hsm.plugins.module_utils._replicas.options import Replicas, replicas_from
from ansible_collections.cryptoki.hsm.plugins.module_utils._standard.errors import InputError
from ansible_collections.cryptoki.hsm.plugins.module_utils._tasks.edge import HsmModule
from ansible_collections.cryptoki.hsm.plugins.module_utils._tasks.keypair import replicas_of
from ansible_collections.cryptoki.hsm.tests.support.task_options import OPTIONS, params, refused

LOGIN: dict[str, t.Any] = {"module_path": "/lib/p11.so", "token_label": "one", "pin": "1234-own"}
TWO: dict[str, t.Any] = {"name": "two", "module_path": "/lib/p11.so", "token_label": "two", "pin": "1234-two"}
THREE: dict[str, t.Any] = {**TWO, "name": "three", "token_serial": "33", "token_label": None}


def replica(**changed: t.Any) -> dict[str, t.Any]:
    return {name: value for name, value in {**TWO, **changed}.items() if value is not None}


class Task:
    """A module that has options, and is told how to log in."""

    def __init__(self, given: dict[str, t.Any]) -> None:
        self.params = given
        self.known: list[t.Any] = []

    def know(self, login: t.Any) -> None:
        self.known.append(login)


def from_options(*replicas: t.Mapping[str, t.Any], **given: t.Any) -> Replicas | None:
    clean = [{name: value for name, value in row.items() if value is not None} for row in replicas]
    task = Task(params("ecc", **LOGIN, replicas=clean, **given))
    login = login_from(task.params)
    found = replicas_of(t.cast(HsmModule, task), login)
    assert task.known == (list(found.logins.values()) if found else [login])
    return found


def taken_from(*replicas: t.Mapping[str, t.Any], **given: t.Any) -> Replicas:
    found = from_options(*replicas, **given)
    assert found
    return found


def test_none() -> None:
    assert from_options() is None


def test_logins_and_terms() -> None:
    found = taken_from(TWO, THREE)
    assert list(found.logins) == ["one", "two", "three"]
    assert found.logins["two"].selector.label == "two"
    assert found.logins["three"].selector.serial == "33"
    assert (found.terms.min_servers, found.terms.timeout, found.terms.wrapping_key) == (3, None, None)
    found = taken_from(TWO, THREE, min_servers=2, timeout=60, wrapping_key="kek", lock_timeout=7)
    assert (found.terms.min_servers, found.terms.timeout, found.terms.wrapping_key) == (2, 60, "kek")
    assert found.lock_timeout == 7


def test_environment_is_not_for_replicas(monkeypatch: pytest.MonkeyPatch) -> None:
    """Neither the library nor the PIN of the source's token goes to another, and no message advises to set them."""
    for name, value in {"PKCS11_MODULE": "/lib/env.so", "HSM_PIN": "env", "HSM_TOKEN_LABEL": "env"}.items():
        monkeypatch.setenv(name, value)
    missing = r"^replicas\[0\]\.module_path is refused: it is missing; name .* library\. Its name is 'two'\.$"
    with pytest.raises(InputError, match=missing):
        from_options(replica(module_path=None))
    with pytest.raises(
        InputError, match=r"^replicas\[0\]\.token_label is refused: give .* slot_id and token_uri\. Its"
    ):
        from_options(replica(token_label=None))
    two = taken_from(replica(pin=None)).logins["two"]
    assert two.pin is None and give_pin(two.unused_pin) == "give pin or pin_file"


@pytest.mark.parametrize("name", ["", "  ", "one", " one ", "two"])
def test_names(name: str) -> None:
    """Each of its own, the source's token included."""
    with pytest.raises(InputError, match=r"^replicas\[1\]\.name '.*' is refused: give each replica a name of its own"):
        from_options(TWO, replica(name=name))


@pytest.mark.parametrize(
    ("changed", "told"),
    [
        ({"module_path": "p11.so"}, r"replicas\[0\]\.module_path 'p11.so' is refused: give an absolute path"),
        (
            {"token_label": 42},
            r"replicas\[0\]\.token_label 42 is refused: it came as a number;"
            r" quote it, in an INI inventory twice, or end its template in \| string",
        ),
        (
            {"pin": 1234567},
            r"replicas\[0\]\.pin is refused: it came as a number;"
            r" quote it, in an INI inventory twice, or end its template in \| string",
        ),
        (
            {"pin": None, "pin_file": "/nonexistent"},
            r"replicas\[0\]\.pin_file '/nonexistent' is refused: it cannot be read",
        ),
        ({"crypto_user": "a:b"}, r"replicas\[0\]\.crypto_user is refused: it holds a colon"),
        ({"library_environment": {"A": 1}}, r"replicas\[0\]\.library_environment.A 1 is refused: it came as a number"),
        ({"expect_token": {"serial": 1}}, r"replicas\[0\]\.expect_token.serial 1 is refused: it came as a number"),
        (
            {"token_label": None, "token_uri": "pkcs11:token=two?pin-value=99887766"},
            r"replicas\[0\]\.token_uri is refused: ",
        ),
    ],
)
def test_refused_login(changed: dict[str, t.Any], told: str) -> None:
    with pytest.raises(InputError, match=f"^{told}") as raised:
        from_options(replica(**changed))
    assert not {"1234567", "99887766"} & set(raised.value.msg.split())
    assert "99887766" not in raised.value.msg


def test_two_ways_to_name_a_token_or_a_pin() -> None:
    for more in ({"token_serial": "33"}, {"pin_file": "/pin"}):
        assert refused(OPTIONS["ecc"], {"label": "k", "curve": "P-256", **LOGIN, "replicas": [replica(**more)]})


@pytest.mark.parametrize(("count", "fits"), [(1, True), (2, True), (3, True), (4, False)])
def test_min_servers(count: int, fits: bool) -> None:
    if fits:
        assert taken_from(TWO, THREE, min_servers=count).terms.min_servers == count
    else:
        with pytest.raises(
            InputError, match="^min_servers 4 is refused: it may be at most the number of tokens, .* 3 "
        ):
            from_options(TWO, THREE, min_servers=count)


def checked(**given: t.Any) -> None:
    login = {name: value for name, value in {**LOGIN, **given}.items() if value is not None}
    taken = params("ecc", **login, replicas=[TWO])
    replicas_from(taken, login_from(taken)).check(wish_from("ecc", taken))


@pytest.mark.parametrize(
    ("given", "told"),
    [
        ({"on_mismatch": "replace"}, "on_mismatch 'replace' is refused: .* cannot be replaced at once"),
        ({"extractable": False, "min_servers": 1}, "min_servers 1 is refused: extractable=false needs every replica"),
        ({"private_attributes": {"wrap_with_trusted": True}}, "wrapping_key is refused: it is missing"),
        ({"usage": []}, "verify is refused: a copy has to be proven, and cannot be"),
        (
            {"pin": None, "private_attributes": {"always_authenticate": True}},
            "verify is refused: a copy has to be proven, and cannot be, because always_authenticate asks for the PIN at"
            " each use, and this task has none to give; set it to false",
        ),
    ],
)
def test_refused_wishes(given: dict[str, t.Any], told: str) -> None:
    with pytest.raises(InputError, match=f"^{told}"):
        checked(**given)


@pytest.mark.parametrize(
    "given",
    [
        {},
        {"on_mismatch": "keep"},
        {"extractable": False},
        {"extractable": False, "min_servers": 2},
        {"extractable": True, "min_servers": 1},
        {"private_attributes": {"wrap_with_trusted": True}, "wrapping_key": "kek"},
        {"usage": [], "verify": False},
        {"private_attributes": {"always_authenticate": True}},
        {"pin": None, "private_attributes": {"always_authenticate": True}, "verify": False},
    ],
)
def test_taken_wishes(given: dict[str, t.Any]) -> None:
    checked(**given)


@pytest.mark.parametrize(
    ("given", "told"),
    [
        ({"session": True, "replicas": [TWO]}, "session"),
        ({"timeout": 5}, "timeout"),
        ({"timeout": 0, "replicas": [TWO]}, "timeout"),
        ({"min_servers": 0, "replicas": [TWO]}, "min_servers"),
        ({"wrapping_key": "kek"}, "wrapping_key"),
    ],
)
def test_options_that_need_or_exclude_replicas(given: dict[str, t.Any], told: str) -> None:
    with pytest.raises(InputError, match=f"^{told} "):
        wish_from("ecc", params("ecc", **LOGIN, **given))

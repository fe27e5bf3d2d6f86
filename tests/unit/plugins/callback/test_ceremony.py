# Copyright (c) 2026, The cryptoki.hsm authors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The callback itself: nothing that goes wrong in it is passed over, and each playbook has a report of its own."""

from __future__ import annotations

import json
import types
import typing as t
from pathlib import Path

import pytest
from ansible.utils.context_objects import CLIArgs

from ansible_collections.cryptoki.hsm.plugins.callback import ceremony
from ansible_collections.cryptoki.hsm.plugins.plugin_utils._ceremony import run
from ansible_collections.cryptoki.hsm.plugins.plugin_utils._ceremony.verification import verify

HOST = types.SimpleNamespace(get_name=lambda: "here")
STATS = types.SimpleNamespace(processed={}, summarize=lambda host: {})


@pytest.fixture(autouse=True)
def _no_configuration(monkeypatch: pytest.MonkeyPatch) -> None:
    """ansible-test has one of its own."""
    monkeypatch.setattr(run.constants, "CONFIG_FILE", None)


@pytest.fixture
def reports(tmp_path: Path) -> Path:
    return tmp_path / "reports"


@pytest.fixture
def callback(reports: Path, monkeypatch: pytest.MonkeyPatch) -> t.Any:
    monkeypatch.setenv("ANSIBLE_INJECT_INVOCATION", "true")
    monkeypatch.setattr(ceremony.atexit, "register", lambda function: None)
    made = ceremony.CallbackModule()
    monkeypatch.setattr(made, "get_option", {"folder": str(reports)}.get)
    return made


def playbook(folder: Path) -> t.Any:
    folder.mkdir(exist_ok=True)
    file = folder / "play.yml"
    file.write_text("- hosts: all\n  tasks: []\n")
    return types.SimpleNamespace(_file_name=str(file), _loader=None)


def task(**more: t.Any) -> t.Any:
    given: dict[str, t.Any] = {
        "_uuid": "1",
        "_ds": {},
        "action": "ansible.builtin.debug",
        "delegate_to": None,
        "check_mode": False,
    }
    return types.SimpleNamespace(**{**given, **more})


def records_of(report: Path) -> list[dict[str, t.Any]]:
    return [json.loads(line) for line in (report / "report.jsonl").read_text().splitlines()]


def listed(report: Path) -> set[str]:
    return {record["of"] for record in records_of(report) if record["record"] == "sources"}


def test_each_playbook_of_a_command_has_a_whole_report(callback: t.Any, reports: Path, tmp_path: Path) -> None:
    for name in ("one", "two"):
        callback.v2_playbook_on_start(playbook(tmp_path / name))
        if name == "one":
            callback.v2_playbook_on_no_hosts_matched()
        callback.v2_playbook_on_stats(STATS)
    first, second = sorted(reports.iterdir(), key=lambda report: records_of(report)[0]["playbook"])
    assert listed(first) == listed(second) == {"playbook", "collection cryptoki.hsm"}
    assert [records_of(report)[-1]["status"] for report in (first, second)] == ["failed", "complete"]


def test_reports_in_the_folder_of_the_playbook_are_refused(
    callback: t.Any, reports: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    with pytest.raises(SystemExit):
        callback.v2_playbook_on_start(playbook(reports))
    assert "it is the folder of the playbook" in " ".join(capsys.readouterr().err.split())
    assert [file.name for file in reports.iterdir()] == ["play.yml"]


@pytest.mark.parametrize("where", ["sources", "record", "line", "page"])
def test_what_goes_wrong_is_no_complete_run(
    where: str, callback: t.Any, reports: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(*args: t.Any) -> t.NoReturn:
        raise KeyError("x")

    callback.v2_playbook_on_start(playbook(tmp_path / "one"))
    result = types.SimpleNamespace(task=task(), host=HOST, result={})
    if where == "sources":
        monkeypatch.setattr(run, "_folder_of", fail)
        callback.v2_runner_on_start(HOST, task(action="ansible.posix.mount"))
    elif where == "record":
        monkeypatch.setattr(ceremony, "task_record", fail)
    elif where == "line":
        monkeypatch.setattr(ceremony, "task_record", lambda *args: {("no", "name"): 1})
    else:
        monkeypatch.setattr(callback._folder, "finish", fail)
    callback.v2_runner_on_ok(result)
    with pytest.raises(SystemExit):
        callback.v2_playbook_on_stats(STATS)
    (report,) = reports.iterdir()
    if where != "page":
        assert records_of(report)[-1]["status"] == "failed" and verify(report, run.own_version())["holds"]


def test_a_run_that_is_broken_off_has_a_report(callback: t.Any, reports: Path, tmp_path: Path) -> None:
    callback.v2_playbook_on_start(playbook(tmp_path / "one"))
    done, cut_off = task(), task(_uuid="2", action="cryptoki.hsm.hsm_ecc_keypair", _ds={"name": "Have it"})
    callback.v2_runner_on_start(HOST, done)
    callback.v2_runner_on_ok(types.SimpleNamespace(task=done, host=HOST, result={}))
    callback.v2_runner_on_start(HOST, cut_off)
    callback._broken_off()
    callback._broken_off()
    (report,) = reports.iterdir()
    first, last, end = records_of(report)[-3:]
    assert (first["status"], last["status"], last["name"], last["host"]) == ("ok", "interrupted", "Have it", "here")
    assert "What it did until then is not told" in (report / "report.html").read_text()
    assert end["status"] == "failed" and end["broken_off"] and verify(report, run.own_version())["holds"]


@pytest.mark.parametrize(("given", "told"), [(True, True), (False, None), ("{{ no }}", None)])
def test_check_mode_of_a_task(given: t.Any, told: t.Any, callback: t.Any, reports: Path, tmp_path: Path) -> None:
    callback.v2_playbook_on_start(playbook(tmp_path / "one"))
    callback.v2_runner_on_ok(types.SimpleNamespace(task=task(check_mode=given), host=HOST, result={}))
    callback.v2_playbook_on_stats(STATS)
    (report,) = reports.iterdir()
    assert records_of(report)[-2].get("check_mode") is told


def test_the_collections_of_modules_are_listed(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setattr(run, "_folder_of", lambda name: tmp_path)
    sources = run.Sources()
    modules = ("debug", "ansible.builtin.debug", "ansible.legacy.x", "ansible.posix.mount", "a.b.sub.module", "a.b.x")
    found = [record["of"] for module in modules for record in sources.of_task(task(action=module))]
    assert found == ["collection ansible.posix", "collection a.b"]


def test_a_long_list_of_hosts_is_no_file(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setattr(run, "CLIARGS", CLIArgs({"inventory": ["host.example.org," * 40]}))
    (first, own) = run.Sources().at_start(playbook(tmp_path / "one"), tmp_path / "reports")
    assert first["of"] == "playbook" and own["of"] == "collection cryptoki.hsm"

# Copyright (c) 2026, The cryptoki.hsm authors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What a terminal shows of a long task, on several hosts at once: by ansible-playbook, with a real second connection."""

from __future__ import annotations

import contextlib
import json
import os
import pty
import pwd
import re
import shlex
import shutil
import subprocess
import sys
import typing as t
from pathlib import Path

import pytest

from ansible_collections.cryptoki.hsm.tests.support.faulty_token import FaultyToken
from ansible_collections.cryptoki.hsm.tests.support.folder import give_to_nobody, open_folder
from ansible_collections.cryptoki.hsm.tests.support.pins import RIGHT, assert_unseen
from ansible_collections.cryptoki.hsm.tests.support.soft_token import library
from ansible_collections.cryptoki.hsm.tests.support.ssh_to_here import ssh_options

MakeToken = t.Callable[..., FaultyToken]
PLAYBOOK = Path(sys.executable).parent / "ansible-playbook"
LOCAL = {"ansible_connection": "ansible.builtin.local", "ansible_python_interpreter": sys.executable}
# As local, but only the connection that is made first in a process works.
ONCE = """
from ansible.errors import AnsibleConnectionFailure
from ansible.plugins.connection.local import Connection as Local, DOCUMENTATION

class Connection(Local):
    first = None

    def __init__(self, *words, **named):
        super().__init__(*words, **named)
        Connection.first = Connection.first or self

    def exec_command(self, *words, **named):
        if self is not Connection.first:
            raise AnsibleConnectionFailure("once")
        return super().exec_command(*words, **named)
"""
BECOME = {"ansible_become": True, "ansible_become_method": "ansible.builtin.su", "ansible_become_flags": "-s /bin/sh"}
BECOME_ROOT_TOO = {"ANSIBLE_BECOME_ALLOW_SAME_USER": "1"}


class Play:
    """One task on several hosts at once, whose third generation waits for the file `gate`, though not for ever."""

    def __init__(self, make_token: MakeToken) -> None:
        self.folder = open_folder()
        self.gate = self.folder / "gate"
        waits = f"for try in $(seq 1200); do test -e {self.gate} && break; sleep 0.1; done"
        self.slow = f"C_GenerateKeyPair#3 before run {waits}"
        self.labels = [f"{self.folder.name}-{letter}" for letter in "abcd"]
        self.pairs = [{"type": "ecc", "label": label, "curve": "P-256"} for label in self.labels]
        self._make_token = make_token
        self.hosts: dict[str, dict[str, t.Any]] = {}
        self.tokens: dict[str, FaultyToken] = {}

    def host(self, name: str, **variables: t.Any) -> FaultyToken:
        token = self.tokens[name] = self._make_token(pin=RIGHT)
        login = {**token.login(), "module_path": str(token.interposer)}
        self.hosts[name] = {**LOCAL, "login": login, "log": str(token.log), "pairs": self.pairs, **variables}
        return token

    def command(self) -> list[str]:
        options: dict[str, t.Any] = {
            name: f"{{{{ login.{name} }}}}" for name in next(iter(self.hosts.values()))["login"]
        }
        options |= {"keypairs": "{{ pairs }}", "parallel": 1, "progress_file": "{{ progress_file | default(omit) }}"}
        task = {
            "name": "Have pairs",
            "cryptoki.hsm.hsm_keypairs": options,
            "async": "{{ seconds | default(0) }}",
            "poll": 1,
            "environment": {
                "FAULT_MODULE": library(),
                "FAULT": "{{ rules | default(slow) }}",
                "FAULT_LOG": "{{ log }}",
            },
        }
        play = [{"hosts": "all", "gather_facts": False, "vars": {"slow": self.slow}, "tasks": [task]}]
        inventory, playbook = self.folder / "hosts.json", self.folder / "play.json"
        inventory.write_text(json.dumps({"all": {"hosts": self.hosts}}))
        playbook.write_text(json.dumps(play))
        return [str(PLAYBOOK), "-v", "-f", "9", "-i", str(inventory), str(playbook)]

    def environment(self) -> dict[str, str]:
        (self.folder / "connection_plugins").mkdir(exist_ok=True)
        (self.folder / "connection_plugins/once.py").write_text(ONCE)
        return {
            **os.environ,
            "ANSIBLE_HOME": str(self.folder / "home"),
            "ANSIBLE_NOCOLOR": "1",
            "ANSIBLE_FORCE_COLOR": "0",
            "COLUMNS": "9999",
            **BECOME_ROOT_TOO,
        }


def on_terminal(play: Play, awaited: dict[str, str]) -> str:
    """What a play writes to a terminal; the gate opens when each of these hosts told how far it is, in such words."""
    ours, its = pty.openpty()
    environment = play.environment()
    with subprocess.Popen(play.command(), env=environment, stdin=its, stdout=its, stderr=its, start_new_session=True):
        os.close(its)
        shown = ""
        written = b""
        with contextlib.suppress(OSError):  # that is how Linux says that nobody writes any more
            while read := os.read(ours, 65536):
                written += read
                shown = written.decode(errors="replace").replace("\r", "")
                if all(words in "\n".join(half_done(shown, host)) for host, words in awaited.items()):
                    play.gate.touch()
    os.close(ours)
    return shown


def progress(shown: str, host: str) -> list[str]:
    """The lines of a host."""
    return re.findall(rf"^progress: \[{host}\] => (.*)$", shown, re.MULTILINE)


def half_done(shown: str, host: str) -> list[str]:
    """Those that tell of some pairs, and how long the others will take."""
    return [line for line in progress(shown, host) if re.match(r"[123] of 4 key pairs after .*; .* left$", line)]


def result(shown: str, host: str) -> dict[str, t.Any]:
    """What Ansible shows of a host at the end of the task."""
    found = re.search(rf"^(?:changed: |fatal: )\[{host}\](?:: FAILED!)? => (\{{.*\}})$", shown, re.MULTILINE)
    assert found, shown
    told: dict[str, t.Any] = json.loads(found[1])
    return told


@pytest.fixture
def play(make_token: MakeToken) -> t.Iterator[Play]:
    """A play without hosts, which leaves nothing behind."""
    made = Play(make_token)
    yield made
    for file in Path("/tmp").glob("ansible-hsm-*/progress"):
        with contextlib.suppress(OSError):  # it may be another task's, which just ends
            assert made.folder.name not in file.read_text()
    shutil.rmtree(made.folder)


def test_several_hosts_at_once(play: Play, tmp_path: Path) -> None:
    """Each tells of itself; how it is shown changes nothing of what comes of it."""
    file = tmp_path / "progress"
    file.write_text("4/4 unchanged the ECC key pair of an earlier run\n")
    play.host("plain")
    play.host("named", progress_file=str(file))
    play.host("failing", rules=f"{play.slow}\nC_GenerateKeyPair#2 instead return 0x31")
    play.host("refused", pairs=[*play.pairs, {"type": "ecc", "label": "e", "curve": "P-1"}])
    play.host("once", ansible_connection="once")
    play.host("background", seconds=600)
    shown = on_terminal(play, {"plain": "left", "named": "left", "failing": "; 1 failed; "})
    assert_unseen(RIGHT, shown)
    for host in ("plain", "named", "failing"):
        assert half_done(shown, host), shown
    assert not half_done(shown, "refused")
    assert any("; 1 failed; " in line for line in half_done(shown, "failing")), shown
    for host in ("once", "background"):
        assert not progress(shown, host), shown
    for host in ("plain", "named", "once", "background"):
        assert result(shown, host)["changed"] is True, shown
        assert [play.tokens[host].halves(label) for label in play.labels] == 4 * [["private", "public"]]
    assert result(shown, "failing")["msg"].startswith("Could not do 1 of 4 key pairs ")
    assert result(shown, "refused")["msg"].startswith("keypairs[4].curve 'P-1' is refused: ")
    assert len(file.read_text().splitlines()) == 4


def test_where_the_output_is_no_terminal(play: Play) -> None:
    play.host("piped", rules="C_GenerateKeyPair#3 before sleep 5")
    shown = subprocess.run(play.command(), env=play.environment(), capture_output=True, text=True, check=True).stdout
    assert result(shown, "piped")["changed"] is True and "progress" not in shown


def test_over_ssh(play: Play) -> None:
    """As the user who logs in, and as the one that this user becomes."""
    options, why = ssh_options(play.folder / "ssh")
    if why:
        pytest.skip(why)
    over_ssh = {
        "ansible_connection": "ansible.builtin.ssh",
        "ansible_host": "here",
        "ansible_ssh_args": shlex.join(options),
        "ansible_user": pwd.getpwuid(os.geteuid()).pw_name,
    }
    hosts = ["same", *(["other"] if os.geteuid() == 0 and shutil.which("su") else [])]
    for name in hosts:
        token = play.host(name, **over_ssh)
        if name == "other":
            user = "nobody" if can_be_nobody() else "root"  # by the same way, if not with other rights
            play.hosts[name] |= {**BECOME, "ansible_become_user": user}
            if user == "nobody":
                give_to_nobody(token.folder)
    shown = on_terminal(play, dict.fromkeys(hosts, "left"))
    assert_unseen(RIGHT, shown)
    for host in hosts:
        assert result(shown, host)["changed"] is True, shown
        assert half_done(shown, host), shown


def can_be_nobody() -> bool:
    """Whether nobody may run the Python that runs this; one in root's home may not."""
    command = ["su", "-s", "/bin/sh", "nobody", "-c", shlex.join([sys.executable, "-c", "import pkcs11"])]
    return subprocess.run(command, capture_output=True, check=False).returncode == 0

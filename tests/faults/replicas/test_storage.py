# Copyright (c) 2026, The cryptoki.hsm authors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The storage of one token fails: its folder is gone, read-only, or its disk is full."""

from __future__ import annotations

import os
import shutil
import typing as t

import pytest

from ansible_collections.cryptoki.hsm.tests.support.folder import give_to_nobody
from ansible_collections.cryptoki.hsm.tests.support.nodes import WHOLE, Nodes

TWO = {"alpha": WHOLE, "gamma": WHOLE}
ROOT_ONLY = pytest.mark.skipif(os.geteuid() != 0, reason="only root can become another user")


def others(nodes: Nodes, label: str = "k") -> dict[str, list[str]]:
    """What the two healthy tokens have."""
    return {name: nodes.tokens[name].halves(label) for name in ("alpha", "gamma")}


@pytest.mark.parametrize(
    "function", ["C_FindObjectsInit", "C_GenerateKeyPair", "C_CreateObject", "C_UnwrapKey", "C_Sign"]
)
@pytest.mark.parametrize("enough", [3, 2])
def test_folder_is_gone(nodes: Nodes, function: str, enough: int) -> None:
    """In the middle of the work; it comes back afterwards with what it had."""
    beta = nodes.tokens["beta"]
    hidden = beta.folder / "hidden"
    rule = f"{function} before run mv {beta.tokens} {hidden} 2>/dev/null || true"
    run = nodes.start("hsm_ecc_keypair", {"beta": rule}, label="k", curve="P-256", min_servers=enough).finish()
    if enough == 2:
        assert run.result.get("failed", False) is False, run.stdout
        assert others(nodes) == TWO
    elif run.result.get("failed"):
        assert "Node 'beta': " in run.msg
        assert others(nodes) == {"alpha": [], "gamma": []}
    shutil.rmtree(beta.tokens, ignore_errors=True)
    hidden.rename(beta.tokens)
    back = nodes.ecc()
    if back.result.get("failed"):
        # What could not be removed while its folder was away was named then; it is named again, with what to do.
        assert "'beta'" in run.msg
        assert "what the node 'beta' has of it is no pair" in back.msg or "it is only on replicas, 'beta'" in back.msg
    else:
        nodes.assert_one_pair()


def test_folder_was_never_there(nodes: Nodes) -> None:
    shutil.rmtree(nodes.tokens["beta"].tokens)
    run = nodes.ecc(min_servers=2)
    assert run.status_of == {"alpha": "ok", "beta": "failed", "gamma": "ok"}
    assert others(nodes) == TWO
    assert "Node 'beta': " in nodes.ecc().msg


@ROOT_ONLY
@pytest.mark.parametrize("enough", [3, 2])
def test_read_only_folder(nodes: Nodes, enough: int) -> None:
    """The user of the task may read that token, and write to the others."""
    for token in nodes.tokens.values():
        give_to_nobody(token.folder)
    beta = nodes.tokens["beta"]
    for path in [beta.tokens, *beta.tokens.rglob("*")]:
        path.chmod(0o555 if path.is_dir() else 0o444)
    run = as_nobody(nodes, label="k", curve="P-256", min_servers=enough)
    if enough == 3:
        assert run.result["failed"] is True
        assert "Node 'beta': " in run.msg
        assert others(nodes) == {"alpha": [], "gamma": []}
    else:
        assert run.result["changed"] is True
        assert others(nodes) == TWO
    assert beta.halves("k") == []


def as_nobody(nodes: Nodes, **given: t.Any) -> t.Any:
    imported = "import concurrent.futures.thread, multiprocessing.connection\n"
    return nodes.start("hsm_ecc_keypair", before=imported, popen={"as_nobody": True}, **given).finish()


@pytest.mark.parametrize("enough", [3, 2])
@pytest.mark.parametrize("function", ["C_CreateObject", "C_UnwrapKey"])
def test_disk_full(nodes: Nodes, function: str, enough: int) -> None:
    """No file can grow any more: SoftHSM answers an error, or stores less than it should."""
    before = {name: nodes.tokens[name].objects() for name in nodes.tokens}
    # The limit of the calling process: what it writes beyond ends in an error, the signal is ignored.
    limit = "prlimit --pid $PPID --fsize=0"
    ignored = "import signal\nsignal.signal(signal.SIGXFSZ, signal.SIG_IGN)\n"
    if shutil.which("prlimit") is None:
        pytest.skip("no prlimit on this host")
    run = nodes.start(
        "hsm_ecc_keypair",
        {"beta": f"{function} before run {limit}"},
        label="k",
        curve="P-256",
        min_servers=enough,
        before=ignored,
    ).finish()
    if enough == 3:
        assert run.result["failed"] is True, run.stdout
        assert {name: nodes.tokens[name].objects() for name in ("alpha", "gamma")} == {
            name: before[name] for name in ("alpha", "gamma")
        }
        assert "remain" in run.msg or "left" in run.msg or nodes.tokens["beta"].halves("k") == []
    else:
        assert run.result["changed"] is True
        assert others(nodes) == TWO

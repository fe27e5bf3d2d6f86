# Copyright (c) 2026, The cryptoki.hsm authors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""SIGKILL to the whole task at each step: the next run makes one pair on each token of what is there."""

from __future__ import annotations

import re
import typing as t

import pytest

from ansible_collections.cryptoki.hsm.tests.support.nodes import NAMES, WHOLE, Nodes, NodesRun

# Of a worker's shell: its group is the module with all its processes; its parent's parent is the module.
ALL = "run kill -9 0"
MODULE = "run kill -9 $(cut -d' ' -f4 /proc/$PPID/stat)"
OWN_GROUP = {"start_new_session": True}
# A node and what happens there.
MOMENTS = (
    ("alpha", "C_Login after"),
    ("alpha", "C_GenerateKeyPair before"),
    ("alpha", "C_GenerateKeyPair after"),
    ("alpha", "C_Sign after"),
    ("alpha", "C_GenerateKeyPair#2 after"),
    ("alpha", "C_DeriveKey#1 after"),
    ("alpha", "C_WrapKey#1 after"),
    ("alpha", "C_WrapKey#2 after"),
    ("alpha", "C_SetAttributeValue before"),
    ("alpha", "C_SetAttributeValue after"),
    ("alpha", "C_CloseSession before"),
    ("beta", "C_Initialize before"),
    ("beta", "C_GenerateKeyPair after"),
    ("beta", "C_DeriveKey after"),
    ("beta", "C_CreateObject before"),
    ("beta", "C_CreateObject after"),
    ("beta", "C_UnwrapKey before"),
    ("beta", "C_UnwrapKey after"),
    ("beta", "C_Sign after"),
    ("gamma", "C_DestroyObject after"),
    ("gamma", "C_Finalize after"),
)
# Where what the processes do alone could matter: what is stored, and what is final.
ALONE = ("C_GenerateKeyPair after", "C_CreateObject after", "C_UnwrapKey after", "C_SetAttributeValue after")
WISH: dict[str, t.Any] = {"label": "k", "curve": "P-256", "extractable": False}
FREEZE: dict[str, t.Any] = {
    **WISH,
    "private_attributes": {"modifiable": False},
    "public_attributes": {"modifiable": False},
}


def kill(nodes: Nodes, rules: t.Mapping[str, str], module: str = "hsm_ecc_keypair", **wish: t.Any) -> None:
    """Starts a task that is killed; the processes of the other tokens may be anywhere then.

    SoftHSM rewrites `token.object` at each login, and one that is killed in between leaves it empty now and then. Such a
    file is restored, as every later task asks for.
    """
    files = {path: path.read_bytes() for token in nodes.tokens.values() for path in token.tokens.glob("*/token.object")}
    assert nodes.start(module, rules, popen=OWN_GROUP, **wish).died()
    for path, content in files.items():
        if not path.stat().st_size:
            path.write_bytes(content)


def next_run(nodes: Nodes, name: str, wish: t.Mapping[str, t.Any]) -> NodesRun:
    """It ends well, or names what SoftHSM was writing on another token than `name` when it was killed; then without it.

    That is a copy beside its original, or a private half that has its names and no key yet.
    """
    run = nodes.ecc(**wish)
    told = run.result.get("msg", "")
    surplus = re.search(r"on the token '(\w+)': 3 ECC keys have that name: \((\w+) ", told)
    torn = re.search(
        r"on the token '(\w+)': its halves .* \(private ec key, label 'k', id \S+, fingerprint unknown\)", told
    )
    if surplus:
        where, kinds = surplus[1], ["pubkey" if surplus[2] == "public" else "privkey"]
    else:
        where, kinds = (torn[1] if torn else name), ["privkey", "pubkey"]
    if where != name:
        for kind in kinds:
            nodes.tokens[where].pkcs11_tool("--delete-object", "--type", kind, "--label", "k")
        run = nodes.ecc(**wish)
    assert run.result.get("failed", False) is False, run.stdout
    return run


def converged(nodes: Nodes, wish: t.Mapping[str, t.Any], name: str | None = None) -> None:
    """The next run ends well, with one and the same pair on each, none doubled, as wished.

    `name`: the token where all processes were killed, so that those of the others may have been anywhere.
    """
    run = next_run(nodes, name, wish) if name else nodes.ecc(**wish)
    assert run.result.get("failed", False) is False, run.stdout
    assert set(run.status_of.values()) == {"ok"}
    nodes.assert_one_pair()
    for name in NAMES:
        pair = nodes.tokens[name].ecc(label="k", curve="P-256").key_pair
        assert pair["private_key"]["attributes"]["extractable"] is False, name
        if "private_attributes" in wish:
            assert pair["private_key"]["attributes"]["modifiable"] is False, name
            assert pair["public_key"]["attributes"]["modifiable"] is False, name
    again = nodes.ecc(**wish)
    assert again.result["changed"] is False
    # What has no name is a file that SoftHSM was writing.
    named = {token: [row for row in rows if row[1] or row[2]] for token, rows in nodes.everything().items()}
    assert [len(rows) for rows in named.values()] == [2, 2, 2], nodes.everything()


@pytest.mark.parametrize(("name", "moment"), MOMENTS)
def test_killed_at(nodes: Nodes, name: str, moment: str) -> None:
    """With all its processes."""
    kill(nodes, {name: f"{moment} {ALL}"}, **WISH)
    converged(nodes, WISH, name)


@pytest.mark.parametrize(("name", "moment"), [row for row in MOMENTS if row[1] in ALONE])
def test_killed_alone_at(nodes: Nodes, name: str, moment: str) -> None:
    """Its processes notice, log out and end, and hold the locks until they have."""
    kill(nodes, {name: f"{moment} {MODULE}"}, **WISH)
    converged(nodes, WISH)


@pytest.mark.parametrize(("moment", "call"), [("before", 1), ("after", 2)])
@pytest.mark.parametrize("function", ["C_CopyObject", "C_DestroyObject^C_CopyObject"])
@pytest.mark.parametrize("name", ["alpha", "beta"])
def test_killed_while_it_freezes(nodes: Nodes, name: str, function: str, moment: str, call: int) -> None:
    """The last step, on the replicas and then on the source: the next run finishes it."""
    function, _caret, other = function.partition("^")
    rule = f"{function}#{call}{'^' + other if other else ''} {moment} {ALL}"
    kill(nodes, {name: rule}, **FREEZE)
    next_run(nodes, name, FREEZE)
    converged(nodes, FREEZE)


def test_killed_between_copy_and_freeze(nodes: Nodes) -> None:
    """All copies are there and the source is extractable still; a replica that was away then is given its copy first."""
    kill(nodes, {"alpha": f"C_SetAttributeValue before {ALL}"}, **WISH)
    assert nodes.halves() == dict.fromkeys(NAMES, WHOLE)
    pair = nodes.tokens["alpha"].ecc(label="k", curve="P-256").key_pair
    assert pair["private_key"]["attributes"]["extractable"] is True
    nodes.tokens["gamma"].ecc(label="k", state="absent")
    converged(nodes, WISH)


def test_killed_while_it_takes_back(nodes: Nodes) -> None:
    """The source's pair goes last: copies without it would be refused by every later run."""
    rules = {"beta": "C_UnwrapKey instead return 0x30", "alpha": f"C_DestroyObject before {ALL}"}
    kill(nodes, rules, label="k", curve="P-256")
    assert nodes.halves() == {"alpha": WHOLE, "beta": [], "gamma": []}
    converged(nodes, WISH)


LABELS = ("k", "l", "m", "n")
MANY: dict[str, t.Any] = {"keypairs": [{"type": "ecc", "label": label, "curve": "P-256"} for label in LABELS]}
# What SoftHSM has of a pair while it writes it: a public half alone, or beside it a private one without its key.
TORN = re.compile(
    r"what the node '(?P<node>\w+)' has of it is no pair, \(public "
    r"|on the token '(?P<token>\w+)': its halves .* \(private ec key, label '\w', id \S+, fingerprint unknown\)"
)


def next_run_of_many(nodes: Nodes) -> list[tuple[str, str]]:
    """It ends well, or names what SoftHSM was writing when it was killed; then without that, which is returned."""
    removed: list[tuple[str, str]] = []
    for dummy in range(len(NAMES)):
        run = nodes.run("hsm_keypairs", **MANY)
        failed = {row["label"]: row["msg"] for row in run.result["key_pairs"] if row["failed"]}
        for label, msg in failed.items():
            told = TORN.search(msg)
            assert told, msg
            where = told["node"] or told["token"]
            removed.append((where, label))
            for half in nodes.tokens[where].halves(label):
                kind = "privkey" if half == "private" else "pubkey"
                nodes.tokens[where].pkcs11_tool("--delete-object", "--type", kind, "--label", label)
        if not failed:
            return removed
    raise AssertionError(run.stdout)


def nameless(nodes: Nodes) -> dict[str, int]:
    """All pairs are there now, once; how many files with no name yet SoftHSM was writing, by token."""
    assert len({nodes.assert_one_pair(label) for label in LABELS}) == len(LABELS)
    again = nodes.run("hsm_keypairs", **MANY)
    assert again.result["changed"] is False
    assert not again.writes
    count = {}
    for node, rows in nodes.everything().items():
        named = [row for row in rows if row[1] or row[2]]
        assert len(named) == 2 * len(LABELS), rows
        count[node] = len(rows) - len(named)
    return count


MOMENTS_OF_MANY = pytest.mark.parametrize(
    ("name", "moment"),
    [("alpha", "C_GenerateKeyPair#5 after"), ("beta", "C_UnwrapKey#3 before"), ("gamma", "C_UnwrapKey#3 after")],
)


@MOMENTS_OF_MANY
def test_killed_while_it_makes_many(nodes: Nodes, name: str, moment: str) -> None:
    """One after the other: two pairs are on all tokens; this one is at the third, on which the others may be, too."""
    kill(nodes, {name: f"{moment} {ALL}"}, "hsm_keypairs", **MANY, parallel=1)
    assert len({row.get("label") for row in nodes.tokens[name].listing()}) == len(LABELS) - 1
    assert len({nodes.assert_one_pair(label) for label in LABELS[:2]}) == 2
    removed = next_run_of_many(nodes)
    assert removed in ([], *([(other, LABELS[2])] for other in NAMES if other != name))
    # Nothing is being written on this one.
    for node, count in nameless(nodes).items():
        assert count <= (node != name)


@MOMENTS_OF_MANY
def test_killed_while_it_makes_many_at_once(nodes: Nodes, name: str, moment: str) -> None:
    """The first pair is on all tokens; each of the others may be at any step, on each token that works on it."""
    kill(nodes, {name: f"{moment} {ALL}"}, "hsm_keypairs", **MANY, parallel=len(LABELS))
    nodes.assert_one_pair(LABELS[0])
    removed = next_run_of_many(nodes)
    assert len(removed) == len({*removed}) and LABELS[0] not in {label for _node, label in removed}
    assert max(nameless(nodes).values()) < len(LABELS)

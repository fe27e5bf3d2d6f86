# Copyright (c) 2026, The cryptoki.hsm authors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""SoftHSM's files: another user's, unreadable, read-only, on a full disk, damaged."""

from __future__ import annotations

import os
import resource
import typing as t
from pathlib import Path

import pytest

from ansible_collections.cryptoki.hsm.tests.support.faulty_token import FaultyToken
from ansible_collections.cryptoki.hsm.tests.support.folder import give_to_nobody
from ansible_collections.cryptoki.hsm.tests.support.module_run import Run
from ansible_collections.cryptoki.hsm.tests.support.small_disk import Disk
from ansible_collections.cryptoki.hsm.tests.support.soft_token import library

ROOT = os.geteuid() == 0
PUBLIC = "(public ec key, on secp256r1, label 'k', id DRAWN, fingerprint FINGERPRINT)"
PRIVATE = "(private ec key, on secp256r1, label 'k', id DRAWN, fingerprint unknown)"
ADVICE = "Check the token's name, the library's configuration and the user that runs the task."


@pytest.fixture
def own(token: FaultyToken) -> FaultyToken:
    """A token with a pair; the tasks are run by an ordinary user, who owns it: nobody if the tests are run by root."""
    token.ecc(label="k", curve="P-256")
    if ROOT:
        give_to_nobody(token.folder)
    return token


def task(token: FaultyToken, **params: t.Any) -> Run:
    """Runs hsm_ecc_keypair as an ordinary user: root may do everything."""
    return token.faulty("hsm_ecc_keypair", as_nobody=ROOT, **{"label": "k", "curve": "P-256", **params})


def tasks(token: FaultyToken) -> list[Run]:
    """All that could go wrong because a key is overlooked."""
    return [task(token), task(token, check_mode=True), task(token, state="absent", curve=None)]


def inner(token: FaultyToken) -> Path:
    """The folder of the only token."""
    (folder,) = token.tokens.iterdir()
    return folder


def objects(token: FaultyToken) -> list[Path]:
    """The files of the token's objects."""
    return sorted(path for path in inner(token).glob("*.object") if path.name != "token.object")


def plain(token: FaultyToken, run: Run) -> str:
    """The message, with words for the names of SoftHSM's files as well."""
    text = run.msg.replace(inner(token).name, "TOKEN")
    for path in objects(token):
        text = text.replace(path.stem, "OBJECT")
    return token.text(text)


def close(*paths: Path) -> None:
    """Nobody but root may use these: they are root's own then, else they have no permission bits."""
    for path in paths:
        if ROOT:
            os.chown(path, 0, 0)
        path.chmod(0o700 if ROOT and path.is_dir() else 0o600 if ROOT else 0)


def test_pair_is_seen_by_its_owner(own: FaultyToken) -> None:
    """The other tests here mean something only if this works."""
    assert task(own).result["changed"] is False


def test_folder_of_all_tokens_of_another_user(own: FaultyToken) -> None:
    close(own.tokens)
    for run in tasks(own):
        assert own.text(run.msg) == (
            "Could not initialise the PKCS#11 library LIBRARY: the HSM answered CKR_GENERAL_ERROR; check the library's"
            " configuration and that this user may read it."
        )
    own.tokens.chmod(0o755)


def test_token_of_another_user(own: FaultyToken) -> None:
    folder = inner(own)
    close(folder)
    for run in tasks(own):
        assert own.text(run.msg.replace(folder.name, "TOKEN")) == (
            "Could not find a token labelled 'test token' in LIBRARY: it has no initialised token; this user cannot read"
            f" FOLDER/tokens/TOKEN, so that a token there stays unseen. {ADVICE}"
        )
    made = own.faulty("hsm_token", as_nobody=ROOT, so_pin="85-officer-2260", check_mode=True)
    assert "whether it is there already is not known, because this user cannot read" in made.msg
    folder.chmod(0o755)


@pytest.mark.parametrize("which", [0, 1])
def test_unreadable_object(own: FaultyToken, which: int) -> None:
    """SoftHSM passes over it in silence, so that the pair would be a half, or absent."""
    close(objects(own)[which])
    for run in tasks(own):
        assert plain(own, run) == (
            "Refused to search the token 'test token' (serial SERIAL, slot N): this user cannot read"
            " FOLDER/tokens/TOKEN/OBJECT.object, and SoftHSM overlooks such files without an error. Run the task as the"
            " token's owner."
        )
    assert len(objects(own)) == 2


def test_read_only_token(own: FaultyToken) -> None:
    inner(own).chmod(0o500)
    assert task(own).result["changed"] is False
    run = task(own, label="new")
    assert own.text(run.msg) == (
        "Could not generate the ECC key pair 'new', id DRAWN on the token 'test token' (serial SERIAL, slot N): the HSM"
        " answered CKR_GENERAL_ERROR; check that this user may read and write the token and that its storage is not full."
        " Nothing of it is left on the token."
    )
    run = task(own, state="absent", curve=None)
    assert own.text(run.msg).endswith(f"What remains: {PUBLIC} and {PRIVATE}.")
    assert run.result["ckr"] == "CKR_FUNCTION_FAILED"
    inner(own).chmod(0o700)
    assert len(objects(own)) == 2
    assert task(own, verify=True).result["changed"] is False


def test_replacement_on_a_read_only_token(own: FaultyToken) -> None:
    inner(own).chmod(0o500)
    run = task(own, curve="P-384", on_mismatch="replace")
    assert run.msg.startswith("Did not replace the ECC key pair 'k', which is untouched. ")
    inner(own).chmod(0o700)
    assert task(own, verify=True).result["changed"] is False


@pytest.fixture
def disk(token: FaultyToken) -> t.Iterator[Disk]:
    """A small file system with a token that has the pair k."""
    token.ecc(label="k", curve="P-256")
    made = Disk(token)
    yield made
    made.close()


@pytest.mark.parametrize("spare", [0, 4])
def test_full_disk(disk: Disk, spare: int) -> None:
    """There is room for no object, or for one half: nothing of the new pair is left either way."""
    assert disk.task(curve="P-256").result["changed"] is False
    disk.fill(spare)
    run = disk.task(label="new", curve="P-256")
    assert run.result["ckr"] in ("CKR_FUNCTION_FAILED", "CKR_GENERAL_ERROR")
    assert run.msg.endswith("Nothing of it is left on the token.")
    assert "storage" in run.msg
    assert disk.listing() == ["k", "k"]
    assert disk.task(curve="P-256", verify=True).key_pair["verified"] == "CKM_ECDSA"


def test_replacement_on_a_full_disk(disk: Disk) -> None:
    disk.fill()
    run = disk.task(curve="P-384", on_mismatch="replace")
    assert run.msg.startswith("Did not replace the ECC key pair 'k', which is untouched. ")
    assert disk.listing() == ["k", "k"]
    assert disk.task(curve="P-256", verify=True).key_pair["verified"] == "CKM_ECDSA"


def test_removal_on_a_full_disk(disk: Disk) -> None:
    disk.fill()
    assert disk.task(state="absent").result["changed"] is True
    assert disk.listing() == []
    assert disk.task(curve="P-256").result["changed"] is True


@pytest.mark.parametrize("size", [500, 700])
def test_files_that_end_short(token: FaultyToken, size: int) -> None:
    """SoftHSM answers success, and the key is gone with the process: the task fails, and does not break the next run."""

    short = f"import resource, sys; sys.dont_write_bytecode = True; resource.setrlimit({resource.RLIMIT_FSIZE}, ({size},) * 2)"
    wish: dict[str, t.Any] = {
        "label": "k",
        "curve": "P-256",
        "module_path": library(),
    }  # the interposer writes a file, too
    run = token.start("hsm_ecc_keypair", **wish, popen={"before": short}).finish()
    assert [path.stat().st_size for path in objects(token)].count(size) >= 1
    assert "SoftHSM answered success, and " in run.result["msg"] and "is damaged" in run.result["msg"]
    again = token.ecc(label="k", curve="P-256")
    if again.result.get("failed"):
        assert "it is a public half without its private half" in again.msg
        public = token.listing()[0]["id"]
        assert token.ecc(id_hex=public, state="absent").result["changed"] is True


def test_damaged_objects(token: FaultyToken) -> None:
    """Empty files, files that end early and files of something else, where killed tasks are known to have left them."""
    token.ecc(label="k", curve="P-256")
    whole = objects(token)
    for number, content in enumerate((b"", b"\0" * 8, b"no object", os.urandom(700))):
        (inner(token) / f"11111111-2222-3333-4444-{number:012}.object").write_bytes(content)
    for number, path in enumerate(whole):
        for length in (16, 100, 300, 500):
            copy = inner(token) / f"11111111-2222-3333-5555-{length:06}{number:06}.object"
            copy.write_bytes(path.read_bytes()[:length])
    token.call_unfinished(*(path for path in objects(token) if path not in whole))
    for _count in range(2):
        assert token.ecc(label="k", curve="P-256", verify=True).result["changed"] is False
        assert token.rsa(label="k", modulus_bits=2048).result.get("changed") is not None
    assert token.ecc(label="new", curve="P-256").result["changed"] is True
    assert token.ecc(label="k", state="absent").result["changed"] is True
    assert token.ecc(label="k", state="absent").result["changed"] is False


def test_token_that_vanishes(token: FaultyToken) -> None:
    """Another process deletes the token before the pair is generated: an error and not a success."""
    run = token.faulty_ecc(f"C_GenerateKeyPair before run rm -r {inner(token)}", label="k")
    assert run.msg.startswith("Could not generate the ECC key pair 'k', id ")
    assert run.msg.endswith("Nothing of it is left on the token.")

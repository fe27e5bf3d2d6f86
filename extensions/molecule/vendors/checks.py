# SPDX-FileCopyrightText: The cryptoki.hsm contributors
# SPDX-License-Identifier: GPL-3.0-or-later

"""What every library is asked, in this order; a check takes the token as those before it left it."""

from __future__ import annotations

import functools
import subprocess
import typing as t
from pathlib import Path

from ansible_collections.cryptoki.hsm.extensions.molecule.vendors.library import Library, Refused

VERIFY = Path(__file__).parent.parent / "shared/verify-pair.sh"
TEN = [f"device-{number:02}" for number in range(10)]


def same(found: t.Any, wished: t.Any) -> None:
    """Both are the same."""
    if found != wished:
        raise AssertionError(f"found {found!r}, wished {wished!r}")


def token_info(library: Library) -> None:
    """The token is found without a PIN, and the table of vendors knows its library."""
    (slot,) = library.call("hsm_token_info")["slots"]
    same(slot["errors"], [])
    same(slot["token"]["initialized"], True)
    same(slot["token"]["vendor"], library.row["vendor"])


def check_mode(library: Library) -> None:
    """Check mode announces pairs and makes none."""
    for kind in library.kinds:
        same(library.pair(kind, check_mode=True)["changed"], True)
    same(library.found(), [])


def make(library: Library, kind: str) -> None:
    """A pair that cannot be extracted is made, proven, and found again."""
    made = library.pair(kind)
    again = library.pair(kind)
    same((made["changed"], again["changed"]), (True, False))
    same(made["key_pair"]["verified"] is None, False)
    same(again["key_pair"]["public_key_pem"], made["key_pair"]["public_key_pem"])
    private = again["key_pair"]["private_key"]["attributes"]
    same((private["extractable"], private["sensitive"]), (False, True))
    (library.folder / f"{kind}.pem").write_text(again["key_pair"]["public_key_pem"], encoding="utf-8")


def info(library: Library) -> None:
    """All pairs are found, each with both halves, and nothing else."""
    pairs = library.found()
    wished = sorted(library.wish(kind)["label"] for kind in library.kinds)
    same(sorted(pair["label"] for pair in pairs if pair["public_key"] and pair["private_key"]), wished)
    same(len(pairs), len(wished))


def outside(library: Library) -> None:
    """OpenSC and OpenSSL see both halves, their protection and the returned key, and check a signature."""
    for kind in library.kinds:
        done = subprocess.run(
            [
                *("sh", str(VERIFY), library.login["module_path"], library.login["token_label"], str(library.pin_file)),
                *(library.wish(kind)["label"], {"rsa": "rsa", "ecc": "ec"}[kind], str(library.folder / f"{kind}.pem")),
                *("always sensitive", "never extractable"),
            ],
            env=library.environment,
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            check=False,
        )
        if done.returncode:
            raise Refused(done.stdout + done.stderr)


def restrict(library: Library) -> None:
    """A pair loses a use, in place."""
    for kind in library.kinds:
        before = library.pair(kind)["key_pair"]["public_key_pem"]
        done = library.pair(kind, usage=["sign"])
        again = library.pair(kind, usage=["sign"])
        same((done["changed"], again["changed"]), (True, False))
        same(again["key_pair"]["public_key_pem"], before)
        private = again["key_pair"]["private_key"]["attributes"]
        same((private["sign"], private["decrypt"], private.get("derive", False)), (True, False, False))


def rename(library: Library) -> None:
    """Both halves get another label, and their own again."""
    for kind in library.kinds:
        own = library.wish(kind)["label"]
        for old, new in ((own, "another name"), ("another name", own)):
            same(library.call("hsm_key", label=old, new_label=new)["changed"], True)
        same(library.call("hsm_key", label=own, new_label=own)["changed"], False)


def ten(library: Library) -> None:
    """Ten pairs are made under one login, several at once, found again, and removed."""
    kind = library.kinds[-1]
    wishes = [{"type": kind, **library.wish(kind, label)} for label in TEN]
    gone = [{"type": kind, "label": label, "state": "absent"} for label in TEN]
    for keypairs, changed in ((wishes, True), (wishes, False), (gone, True), (gone, False)):
        done = library.call("hsm_keypairs", keypairs=keypairs, parallel=library.row.get("parallel", 4))
        same([pair["changed"] for pair in done["key_pairs"]], [changed] * len(TEN))


def session(library: Library) -> None:
    """A session pair is made and proven, and nothing of it stays."""
    kind = library.kinds[-1]
    before = len(library.found())
    made = library.call(f"hsm_{kind}_keypair", session=True, **library.wish(kind, "for a session"))
    same((made["changed"], made["key_pair"]["verified"] is None), (True, False))
    same(len(library.found()), before)


def wrong_pin(library: Library) -> None:
    """A wrong PIN is told, and the right one opens the token after that."""
    try:
        library.call("hsm_key_info", pin=library.row["wrong_pin"])
    except Refused as refused:
        same(library.row.get("wrong_pin_says", "CKR_PIN_INCORRECT") in str(refused), True)
    else:
        raise AssertionError("the wrong PIN opens the token")
    library.found()


def absent(library: Library) -> None:
    """The pairs go, once, and nothing is left."""
    for kind in library.kinds:
        label = library.wish(kind)["label"]
        for changed in (True, False):
            gone = library.call(f"hsm_{kind}_keypair", label=label, state="absent")
            same(gone["changed"], changed)
    same(library.call("hsm_key_info")["objects"], [])


CHECKS: dict[str, t.Callable[[Library], None]] = {
    "token info": token_info,
    "check mode": check_mode,
    "RSA": functools.partial(make, kind="rsa"),
    "ECC": functools.partial(make, kind="ecc"),
    "key info": info,
    "seen by OpenSC": outside,
    "fewer uses": restrict,
    "new label": rename,
    "ten in parallel": ten,
    "session pair": session,
    "wrong PIN": wrong_pin,
    "absent": absent,
}

# Copyright (c) 2026, The cryptoki.hsm authors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Whether a report is still the one that was written, and what it is the report of."""

from __future__ import annotations

import hashlib
import typing as t
from pathlib import Path

from ansible_collections.cryptoki.hsm.plugins.plugin_utils._ceremony.folder import (
    PAGE,
    RECORDS,
    SIGNATURE,
    SIGNER,
    SUMS,
    anchor_of,
    derived,
    records_in,
    sums_of,
)
from ansible_collections.cryptoki.hsm.plugins.plugin_utils._ceremony.sources import source_list
from ansible_collections.cryptoki.hsm.plugins.plugin_utils._ceremony.summary import Summary

_DIGEST = f"{SUMS}.digest"  # what is signed on the way


def verify(folder: Path, version: str, sha256: str | None = None, public_key: Path | None = None) -> dict[str, t.Any]:
    """What is to be said of the report in a folder.

    `version`: of this collection. `sha256`: what the witness wrote down. `public_key`: of whom the signature must be.
    """
    try:
        raw = (folder / RECORDS).read_bytes()
        records = records_in(raw)
        made = {name: text.encode() for name, text in derived(raw).items()}
    except (OSError, ValueError, KeyError, TypeError, AttributeError) as error:
        why = error.strerror if isinstance(error, OSError) and error.strerror else str(error)
        return {"holds": False, "problems": [f"{RECORDS} cannot be read: {why}"], "unproven": [], **_nothing()}
    told = _told(records, raw)
    maker, unproven = told["collection_version"], []
    wished = made if maker == version else _with_its_page(folder, made, raw)
    if wished[PAGE] != made[PAGE]:
        unproven.append(f"that {PAGE} tells what is in {RECORDS}: version {maker} made it, and this is {version}")
    other = _other(folder, wished)
    problems = [*_sums(folder), *(f"{name} is not what follows from {RECORDS}" for name in other if name != PAGE)]
    if PAGE in other:
        problems.append(f"{PAGE} tells something else than {RECORDS}")
    problems += _digest(folder)
    problems += _signature(folder, public_key)
    if sha256 is not None and "".join(sha256.lower().replace(":", "").split()) != told["sha256"]:
        problems.append(f"its SHA-256 is {told['sha256']}, and not the one that was written down")
    unproven += _unproven(folder, sha256, public_key)
    return {"holds": not problems, "problems": problems, "unproven": unproven, **told}


def _unproven(folder: Path, sha256: str | None, public_key: Path | None) -> t.Iterator[str]:
    if not (folder / SIGNATURE).exists():
        yield f"who vouches for the sums: there is no {SIGNATURE}"
    elif public_key is None:
        yield f"whose {SIGNER} is: compare it with a key that you know"
    if sha256 is None:
        yield "that it is the witnessed report: give the SHA-256 that the witness wrote down"


def _nothing() -> dict[str, t.Any]:
    names = ("sha256", "sources_sha256", "state", "rehearsal", "title", "began", "ended", "playbook", "playbook_sha256")
    return {**dict.fromkeys(names), "collection_version": None}


def _told(records: t.Sequence[t.Mapping[str, t.Any]], raw: bytes) -> dict[str, t.Any]:
    summary = Summary(records)
    start = summary.start
    listed = source_list(records)
    name = f"playbook/{Path(str(start.get('playbook'))).name}"
    sums = (line.split("  ", 1) for line in listed.splitlines())
    return {
        "sha256": anchor_of(raw),
        "sources_sha256": hashlib.sha256(listed.encode()).hexdigest(),
        "state": summary.state if summary.end else "broken off",
        "rehearsal": summary.rehearsal,
        "title": start.get("title"),
        "began": start.get("at"),
        "ended": summary.end.get("at") if summary.end else None,
        "playbook": start.get("playbook"),
        "playbook_sha256": next((sha256 for sha256, path in sums if path == name), None),
        "collection_version": start.get("versions", {}).get("cryptoki.hsm"),
    }


def _sums(folder: Path) -> list[str]:
    """What the sums tell, as sha256sum would; and what they do not cover."""
    try:
        lines = (folder / SUMS).read_text(encoding="utf-8", errors="replace").splitlines()
    except OSError:
        return [f"there is no {SUMS}: the run was killed, or it was removed"]
    listed = {name: sha256 for sha256, dummy, name in (line.partition("  ") for line in lines)}
    problems = []
    for name, sha256 in listed.items():
        file = folder / name
        if not file.is_file():
            problems.append(f"{name} is missing")
        elif hashlib.sha256(file.read_bytes()).hexdigest() != sha256:
            problems.append(f"{name} was changed: its sum is not that in {SUMS}")
    there = {file.name for file in folder.iterdir()} - {SUMS, SIGNATURE, _DIGEST}
    return problems + [f"{name} is not covered by {SUMS}" for name in sorted(there - listed.keys())]


def _with_its_page(folder: Path, made: t.Mapping[str, bytes], raw: bytes) -> dict[str, bytes]:
    """The same with the page that is there, which another version made, and with its sum in the sums."""
    page = _content(folder / PAGE)
    files = {**made, PAGE: made[PAGE] if page is None else page}
    files.pop(SUMS)
    return {**files, SUMS: sums_of({RECORDS: raw, **files}).encode()}


def _other(folder: Path, made: t.Mapping[str, bytes]) -> list[str]:
    """The files that are there and are not what the records make of them."""
    return [name for name, content in made.items() if _content(folder / name) not in (None, content)]


def _digest(folder: Path) -> list[str]:
    """Whether the digest that was signed on the way is another one."""
    found, sums = _content(folder / _DIGEST), _content(folder / SUMS) or b""
    return [] if found in (None, hashlib.sha256(sums).digest()) else [f"{_DIGEST} is not the digest of {SUMS}"]


def _content(file: Path) -> bytes | None:
    return file.read_bytes() if file.is_file() else None


def _signature(folder: Path, public_key: Path | None) -> list[str]:
    """Why the signature does not hold, if there is one."""
    raw, key = _content(folder / SIGNATURE), _content(folder / SIGNER)
    if raw is None:
        return ["there is no signature by the given key"] if public_key else []
    if public_key:
        key = public_key.read_bytes()
    if key is None:
        return [f"there is no {SIGNER}, which checks the signature"]
    return [] if _holds(key, raw, _content(folder / SUMS) or b"") else [f"the signature over {SUMS} does not hold"]


def _holds(pem: bytes, signature: bytes, content: bytes) -> bool:
    from cryptography.exceptions import InvalidSignature, UnsupportedAlgorithm
    from cryptography.hazmat.primitives import hashes, serialization
    from cryptography.hazmat.primitives.asymmetric import ec, padding, rsa

    try:
        key: t.Any = serialization.load_pem_public_key(pem)
        if isinstance(key, ec.EllipticCurvePublicKey):
            key.verify(signature, content, ec.ECDSA(hashes.SHA256()))
        elif isinstance(key, rsa.RSAPublicKey):
            key.verify(signature, content, padding.PKCS1v15(), hashes.SHA256())
        else:
            key.verify(signature, content)
    except (InvalidSignature, UnsupportedAlgorithm, ValueError, TypeError, AttributeError):  # as keys that sign nothing
        return False
    return True

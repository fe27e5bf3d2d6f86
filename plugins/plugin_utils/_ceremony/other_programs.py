# Copyright (c) 2026, The cryptoki.hsm authors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What another program shows of a key or a document, so that a witness can compare it: the lines to type."""

from __future__ import annotations

import shlex
import typing as t

_OF_DOCUMENTS = {
    "certificate": "openssl x509 -in {file} -noout -fingerprint -sha256",
    "request": "openssl req -in {file} -outform DER | sha256sum",
    "revocation list": "openssl crl -in {file} -noout -fingerprint -sha256",
}


def shows_key(pair: t.Mapping[str, t.Any]) -> str | None:
    """The line that reads a public key from its token; None where it is not there, or the library is not known."""
    uri, library = pair.get("uri"), pair.get("module_path")
    if not uri or not library or not pair.get("fingerprint"):
        return None
    read = shlex.join(["p11tool", "--provider", str(library), "--export", f"{uri};type=public"])
    return f"{read} | openssl pkey -pubin -outform DER | sha256sum"


def shows_document(document: t.Mapping[str, t.Any]) -> str | None:
    """The line for a file; None where there is none yet."""
    if not document.get("file") or not document.get("sha256"):
        return None
    return _OF_DOCUMENTS[document["kind"]].format(file=shlex.quote(str(document["file"])))

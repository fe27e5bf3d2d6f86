# Copyright (c) 2026, The cryptoki.hsm authors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""How the sums of a report are signed by a key of the token, and the signature verified: the lines to type."""

from __future__ import annotations

import shlex
import typing as t

from ansible_collections.cryptoki.hsm.plugins.plugin_utils._ceremony.evidence import token_in

Records = t.Iterable[t.Mapping[str, t.Any]]
# In the report's folder. ECDSA signs a digest, since few tokens make one themselves.
_DIGEST = "openssl dgst -sha256 -binary -out SHA256SUMS.digest SHA256SUMS"
_FILES = "--input-file {source} --output-file SHA256SUMS.sig"


class Signer(t.NamedTuple):
    """A key pair that may sign, as a task told of it."""

    label: str
    id_hex: str
    key_type: str
    public_key_pem: str
    token: str
    module_path: str

    def sign(self) -> list[str]:
        """What makes SHA256SUMS.sig; pkcs11-tool asks for the PIN."""
        tool = ["pkcs11-tool", "--module", self.module_path, "--token-label", self.token, "--login", "--sign"]
        key = ["--id", self.id_hex.replace(":", "")] if self.id_hex else ["--label", self.label]
        mechanism, source, before = {
            "rsa": (["SHA256-RSA-PKCS"], "SHA256SUMS", []),
            "ec": (["ECDSA", "--signature-format", "openssl"], "SHA256SUMS.digest", [_DIGEST]),
        }.get(self.key_type, (["EDDSA"], "SHA256SUMS", []))
        command = shlex.join([*tool, *key, "--mechanism", *mechanism])
        return [*before, f"{command} {_FILES.format(source=source)}"]

    def verify(self) -> list[str]:
        """What says whether it holds."""
        if self.key_type in ("rsa", "ec"):
            return ["openssl dgst -sha256 -verify signer.pem -signature SHA256SUMS.sig SHA256SUMS"]
        return ["openssl pkeyutl -verify -pubin -inkey signer.pem -rawin -in SHA256SUMS -sigfile SHA256SUMS.sig"]


def signer_of(records: Records) -> Signer | None:
    """The pair with the label that the run was told, else the first one that may sign; None where there is none."""
    records = list(records)
    wished = next((record.get("signing_key") for record in records if record["record"] == "start"), None)
    signers = [signer for record in records for signer in _signers(record)]
    return next((signer for signer in signers if wished in (None, signer.label)), None)


def _signers(record: t.Mapping[str, t.Any]) -> t.Iterator[Signer]:
    options = record.get("options", {})
    for pair in record.get("key_pairs", ()):
        if pair.get("private_key", {}).get("sign") is not True or not isinstance(pair.get("public_key_pem"), str):
            continue
        named = (pair.get("label") or "", pair.get("id_hex") or "", pair.get("key_type") or "", pair["public_key_pem"])
        token = token_in(pair.get("uri")).get("label") or str(options.get("token_label") or "TOKEN")
        yield Signer(*named, token, str(options.get("module_path") or "LIBRARY"))

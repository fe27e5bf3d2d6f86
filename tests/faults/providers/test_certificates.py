# Copyright (c) 2026, The cryptoki.hsm authors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Requests and certificates by keys of clusters: what their tools sign, and what is refused before they are asked to."""

from __future__ import annotations

import typing as t
from pathlib import Path

import pytest
from cryptography import x509

from ansible_collections.cryptoki.hsm.plugins.module_utils._x509.certificate import read
from ansible_collections.cryptoki.hsm.plugins.module_utils._x509.signature import verifies
from ansible_collections.cryptoki.hsm.tests.support.cluster import Cluster
from ansible_collections.cryptoki.hsm.tests.support.cluster_runs import ClusterRuns

NAMED: dict[str, t.Any] = {"common_name": "www.example.org"}
# Label, other options, and how the signature is called.
SIGNED: tuple[tuple[str, dict[str, t.Any], str], ...] = (
    ("rsa", {}, "pkcs1v15 with sha256"),
    ("rsa", {"digest": "sha512", "signature_scheme": "pss"}, "pss with sha512"),
    ("ecc", {}, "ecdsa with sha384"),
)


@pytest.mark.parametrize("provider", ["cloudhsm_cli", "key_mgmt_util"])
def test_what_the_tools_sign(provider: str, tmp_path: Path) -> None:
    cluster = Cluster(tmp_path / "cluster", nodes=2)
    tool = cluster.install_cloudhsm_cli() if provider == "cloudhsm_cli" else cluster.install_key_mgmt_util()
    runs = ClusterRuns(cluster, provider, tool)
    usage = {} if provider == "key_mgmt_util" else {"usage": ["sign"]}  # which has no other than its own
    assert runs.rsa(label="rsa", modulus_bits=2048, verify=False, **usage).result["changed"]
    assert runs.ecc(label="ecc", curve="P-384", verify=False, **usage).result["changed"]
    path = str(tmp_path / "a.pem")
    for label, options, signature in SIGNED:
        run = runs.run("hsm_certificate", label=label, path=path, force=True, **NAMED, **options)
        assert run.result["details"]["signature"] == signature
        certificate = read(run.result["certificate"].encode())
        assert certificate and verifies(certificate, certificate.public_key())
        assert len(cluster.calls("sign")) == 1
    again = runs.run("hsm_certificate", label="ecc", path=path, **NAMED)
    assert again.result["changed"] is False and not cluster.calls("sign")
    request = runs.run("hsm_csr", label="ecc", **NAMED)
    assert x509.load_pem_x509_csr(request.result["csr"].encode()).is_signature_valid
    # A hash that is weaker than the curve.
    for check_mode in (True, False):
        refused = runs.run("hsm_csr", check_mode=check_mode, label="ecc", digest="sha256", **NAMED)
        assert refused.msg.endswith(
            "the tool of the cluster does not sign with such a key by CKM_ECDSA and CKM_ECDSA_SHA256. Choose another digest"
            " or signature_scheme."
        )
        assert not cluster.calls("sign")


def test_a_cli_that_cannot_sign_yet(tmp_path: Path) -> None:
    cluster = Cluster(tmp_path / "cluster", nodes=2)
    runs = ClusterRuns(cluster, "cloudhsm_cli", cluster.install_cloudhsm_cli())
    runs.ecc(label="ecc", curve="P-384", usage=["sign"])
    cluster.set(version="5.10.0")
    refused = runs.run("hsm_csr", label="ecc", **NAMED)
    assert refused.msg.endswith("the CloudHSM CLI signs from version 5.11 on.")
    assert not cluster.calls("crypto")

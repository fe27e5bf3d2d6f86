# Copyright (c) 2026, The cryptoki.hsm authors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Six pairs on a SoftHSM token, made by hsm_keypairs."""

from __future__ import annotations

import typing as t

from ansible_collections.cryptoki.hsm.tests.support.faulty_token import FaultyRun, FaultyToken
from ansible_collections.cryptoki.hsm.tests.support.module_run import Run

LABELS = ("a", "b", "c", "d", "e", "f")


def ecc(label: str, **given: t.Any) -> dict[str, t.Any]:
    return {"type": "ecc", "label": label, "curve": "P-256", **given}


SIX = [ecc(label) for label in LABELS]


def many(token: FaultyToken, rules: str = "", **params: t.Any) -> FaultyRun:
    """Runs hsm_keypairs through the interposer, on the six pairs if nothing else is said."""
    return token.faulty("hsm_keypairs", rules, **{"keypairs": SIX, **params})


def rows(run: Run) -> list[dict[str, t.Any]]:
    return t.cast("list[dict[str, t.Any]]", run.result["key_pairs"])


def column(run: Run, name: str) -> list[t.Any]:
    return [row[name] for row in rows(run)]


def there(token: FaultyToken) -> dict[str, list[str]]:
    """What each label has, by pkcs11-tool; a kill may leave objects that had no label yet."""
    labels = {row["label"] for row in token.listing() if row.get("label")}
    return {label: token.halves(label) for label in sorted(labels)}


WHOLE = {label: ["private", "public"] for label in LABELS}


def assert_converged(token: FaultyToken, **params: t.Any) -> None:
    """The second run makes what is missing, the third finds all of it, whole and proven."""
    second = token.run("hsm_keypairs", **{"keypairs": SIX, **params})
    assert not second.result.get("failed"), second.stdout
    third = token.run("hsm_keypairs", **{"keypairs": SIX, **params, "verify": True})
    assert third.result["changed"] is False
    assert column(third, "fingerprint") == column(second, "fingerprint")
    assert column(third, "verified") == ["CKM_ECDSA"] * 6
    assert there(token) == WHOLE

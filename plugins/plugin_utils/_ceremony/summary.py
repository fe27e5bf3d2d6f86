# Copyright (c) 2026, The cryptoki.hsm authors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What a whole run came to: its state, and each token, key pair and document once, however many tasks told of it."""

from __future__ import annotations

import functools
import itertools
import typing as t

from ansible_collections.cryptoki.hsm.plugins.plugin_utils._ceremony.evidence import token_in

Row = t.Mapping[str, t.Any]
# Whose `changes` are of key pairs. Those of a certificate tell of its public key, which another one has now.
_MAKE_PAIRS = (".hsm_rsa_keypair", ".hsm_ecc_keypair", ".hsm_keypairs", ".hsm_key")


class Summary:
    """The records of a run, read for the page and for who verifies it."""

    def __init__(self, records: t.Sequence[Row]) -> None:
        self.records = records
        self.start: Row = next((record for record in records if record["record"] == "start"), {})
        self.end: Row | None = next((record for record in records if record["record"] == "end"), None)
        self.steps = [record for record in records if record["record"] == "task"]
        self.sources = [record for record in records if record["record"] == "sources"]

    @property
    def rehearsal(self) -> bool:
        """Whether it was in check mode."""
        return bool(self.start.get("rehearsal"))

    @property
    def in_earnest(self) -> int:
        """How many steps of a rehearsal changed something, because the playbook has `check_mode: false` at them."""
        done = (step for step in self.steps if step["status"] in ("changed", "begun") and not step.get("check_mode"))
        return sum(1 for step in done) if self.rehearsal else 0

    @property
    def state(self) -> str:
        """`complete`, or `failed`, which a run without an end is, too."""
        return str(self.end["status"]) if self.end else "failed"

    @property
    def not_done(self) -> list[str]:
        """What was left out or failed in a run that came to its end, in words, each with how often it was."""
        words = {
            "skipped": "left out",
            "ignored": "failed and ignored",
            "rescued": "failed and provided for",
            "unreachable": "not reached",
            "begun": "begun in the background",
        }
        found = {word: sum(step["status"] == status for step in self.steps) for status, word in words.items()}
        return [f"{count} {word}" for word, count in found.items() if count]

    @functools.cached_property
    def key_pairs(self) -> list[Row]:
        """By their public keys; what a later task tells of a pair holds, but that a pair was proven stays told."""
        rows: dict[t.Any, dict[str, t.Any]] = {}
        for step in self.steps:
            for gone in _gone(step):
                rows.pop(gone, None)
            for pair in step.get("key_pairs", ()):
                outcome = pair.get("outcome") or step.get("outcome")
                if outcome == "removed" or (pair.get("failed") and not pair.get("fingerprint")):
                    continue  # there is none
                name = pair.get("fingerprint") or (pair.get("label"), pair.get("uri"))
                library = step.get("options", {}).get("module_path")
                told = {**pair, "outcome": outcome, "module_path": library, "foretold": bool(step.get("check_mode"))}
                before = rows.get(name, {})
                if before.get("verified"):
                    told.update(verified=before["verified"], outcome=before["outcome"], unverified_reason=None)
                rows[name] = told
        return list(rows.values())

    @functools.cached_property
    def documents(self) -> list[Row]:
        """Certificates, requests and revocation lists, each once; those that check mode foretells by their files."""
        rows: dict[t.Any, Row] = {}
        for step in self.steps:
            for document in step.get("documents", ()):
                name = document.get("sha256") or (document["kind"], document.get("file"), document.get("subject"))
                rows.setdefault(name, {**document, "foretold": bool(step.get("check_mode"))})
        return list(rows.values())

    @functools.cached_property
    def tokens(self) -> list[Row]:
        """By serial number: what was told of them, and what was pinned."""
        rows: dict[t.Any, dict[str, t.Any]] = {}
        for step in self.steps:
            pinned = step.get("options", {}).get("expect_token")
            told = [*step.get("tokens", ())]
            told += [token_in(pair.get("uri")) for pair in step.get("key_pairs", ())]
            for token in filter(None, told):
                row = rows.setdefault(token.get("serial") or token.get("label"), {})
                row.update({name: value for name, value in token.items() if value is not None})
                if pinned:
                    row["pinned"] = {**row.get("pinned", {}), **pinned}
        for row in rows.values():
            if "pinned" in row and not self._always_pinned(row):
                row["pinned_at_times"] = row.pop("pinned")
        return list(rows.values())

    def _always_pinned(self, token: Row) -> bool:
        """Whether each step that names this token, or tells of it, had it pinned; of failed steps nothing is known."""
        for step in self.steps:
            options = step.get("options", {})
            if not options or options.get("expect_token"):
                continue
            told = [token_in(pair.get("uri")).get("serial") for pair in step.get("key_pairs", ())]
            told += [one.get("serial") for one in step.get("tokens", ())]
            if options.get("token_label") == token.get("label") or token.get("serial", "") in told:
                return False
        return True


def _gone(step: Row) -> t.Iterator[t.Any]:
    """The fingerprints of pairs that a step removed or replaced, on all tokens that have them."""
    made = not step.get("check_mode") and str(step.get("module")).endswith(_MAKE_PAIRS)
    told = (step, *step.get("key_pairs", ())) if made else ()
    for change in itertools.chain.from_iterable(one.get("changes", ()) for one in told):
        if change.get("name") == "fingerprint" and change.get("before") and not change.get("node"):
            yield change["before"]

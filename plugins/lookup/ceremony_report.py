# Copyright (c) 2026, The cryptoki.hsm authors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
name: ceremony_report
short_description: Say whether the report of a key ceremony is still the one that was written
version_added: 1.0.0
author:
  - The cryptoki.hsm authors (!UNKNOWN)
description:
  - Reads folders that P(cryptoki.hsm.ceremony#callback) wrote. All files must be as C(SHA256SUMS) says, and be what
    follows from C(report.jsonl). A signature over the sums must hold.
  - One changed byte in any of the files is told.
  - Nothing is written, and no token is needed.
options:
  _terms:
    description:
      - The folders of the reports.
    type: list
    elements: path
    required: true
  sha256:
    description:
      - The SHA-256 of C(report.jsonl) that the witness wrote down, with or without blanks. Without it, or a signature
        by a known key, somebody may have made another report.
    type: str
  public_key:
    description:
      - File with the public key, in PEM, by which the sums must be signed. If not given, a signature is checked with
        C(signer.pem) of the report itself.
    type: path
seealso:
  - plugin: cryptoki.hsm.ceremony
    plugin_type: callback
  - ref: ansible_collections.cryptoki.hsm.docsite.guide_ceremony
    description: A rehearsal, the day, its report, and what that proves.
"""

EXAMPLES = r"""
- name: Show whether a report holds
  ansible.builtin.debug:
    msg: "{{ lookup('cryptoki.hsm.ceremony_report', '/srv/reports/20261201T090000Z-ceremony') }}"

- name: Demand the report that was witnessed, and the signature of a known key
  ansible.builtin.assert:
    that: report.holds
    fail_msg: "{{ report.problems }}"
  vars:
    report: >-
      {{ lookup('cryptoki.hsm.ceremony_report', '/srv/reports/20261201T090000Z-ceremony',
                sha256='3f1c 9a02 ' ~ rest_of_the_number, public_key='/srv/known/report-2026.pem') }}
"""

RETURN = r"""
_raw:
  description: What is to be said of each report.
  type: list
  elements: dict
  contains:
    holds:
      description: Whether nothing is wrong with it.
      type: bool
    problems:
      description: What is wrong.
      type: list
      elements: str
    unproven:
      description: What the files alone do not prove, and how it is proven.
      type: list
      elements: str
    sha256:
      description: SHA-256 of C(report.jsonl).
      type: str
    sources_sha256:
      description: SHA-256 of the list of the files that were run.
      type: str
    state:
      description: V(complete), V(failed), or V(broken off) where the run was killed.
      type: str
    rehearsal:
      description: Whether the run was in check mode.
      type: bool
    title:
      description: Title of the report.
      type: str
    began:
      description: When the run began, in UTC.
      type: str
    ended:
      description: When the run ended, in UTC.
      type: str
    playbook:
      description: The playbook.
      type: str
    playbook_sha256:
      description: Its SHA-256.
      type: str
    collection_version:
      description: The version of this collection that was used.
      type: str
"""

import typing as t
from pathlib import Path

from ansible.plugins.lookup import LookupBase

from ansible_collections.cryptoki.hsm.plugins.plugin_utils._ceremony.run import own_version
from ansible_collections.cryptoki.hsm.plugins.plugin_utils._ceremony.verification import verify


class LookupModule(LookupBase):
    """Looks at reports."""

    def run(self, terms: t.Any, variables: t.Any = None, **kwargs: t.Any) -> list[dict[str, t.Any]]:
        """A verdict for each folder."""
        self.set_options(var_options=variables, direct=kwargs)
        sha256, key = self.get_option("sha256"), self.get_option("public_key")
        return [verify(Path(str(term)), own_version(), sha256, Path(key) if key else None) for term in terms]

# Copyright (c) 2026, The cryptoki.hsm authors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The steps of a run, for people who do not know Ansible."""

from __future__ import annotations

import typing as t

from ansible_collections.cryptoki.hsm.plugins.plugin_utils._ceremony.page_parts import groups, missing, table, text

Row = t.Mapping[str, t.Any]
_NOUNS = {
    "hsm_rsa_keypair": "The key pair",
    "hsm_ecc_keypair": "The key pair",
    "hsm_keypairs": "The key pairs",
    "hsm_key": "The keys",
    "hsm_csr": "The certificate request",
    "hsm_certificate": "The certificate",
    "hsm_crl": "The revocation list",
    "hsm_certificate_object": "The certificate on the token",
    "hsm_token": "The token",
}
_OUTCOMES = {
    "none": ("was there already, and is as wished", "is there already, and is as wished"),
    "generated": ("was made", "would be made"),
    "changed": ("was changed", "would be changed"),
    "replaced": ("was replaced by another one", "would be replaced by another one"),
    "removed": ("was removed", "would be removed"),
    "repaired": ("was finished or repaired", "would be finished or repaired"),
}
_STATUSES = {
    "ok": "Done; it changed nothing.",
    "changed": "Done.",
    "failed": "This failed.",
    "rescued": "This failed, and the play has steps for that case.",
    "ignored": "This failed, and the play goes on all the same.",
    "skipped": "Left out, because its condition did not hold.",
    "unreachable": "The computer was not reached.",
    "retried": "Not yet as wished; it was tried again.",
    "begun": "Begun in the background. How it ended is not told here.",
}
_FEW = 8  # key pairs or tokens that a step shows
BAD = ("failed", "rescued", "ignored", "unreachable", "begun")


def sentence(step: Row) -> str:
    """What a step did."""
    noun = _NOUNS.get(str(step.get("module", "")).rpartition(".")[2])
    words = _OUTCOMES.get(str(step.get("outcome")))
    if step.get("hidden"):
        return f"{_STATUSES.get(step['status'], step['status'])} The playbook hides what it was."
    if step.get("judged"):
        return "The playbook itself judged this, and takes it as done, whatever the message says."
    if noun and words and step["status"] in ("ok", "changed"):
        return f"{noun} {words[bool(step.get('check_mode'))]}."
    if step["status"] == "changed" and step.get("check_mode"):
        return "It would be done."
    return _STATUSES.get(step["status"], str(step["status"]))


def steps(records: t.Sequence[Row]) -> str:
    """All of them in their order, with plays and their hosts as headings."""
    parts, number, opened = [], 0, False
    for record in records:
        if record["record"] == "play":
            parts.append("</ol>" if opened else "")
            parts.append(f"<h3>{text(record.get('name') or 'Play')}</h3><ol class='steps'>")
            opened = True
        elif record["record"] == "no_hosts":
            parts.append(
                "<li class='bad'><span></span><div class='did'>No computer was meant, nothing was done.</div></li>"
            )
        elif record["record"] == "task":
            number += 1
            parts.append(("" if opened else "<ol class='steps'>") + _step(number, record))
            opened = True
    return "".join(parts) + ("</ol>" if opened else "")


def _step(number: int, step: Row) -> str:
    bad = ' class="bad"' if step["status"] in BAD else ""
    name = text(step.get("name") or step["module"])
    return (
        f"<li{bad}><span class='number'>{number}</span><div><div>{name}</div>"
        f"<div class='did'>{text(sentence(step))}</div>{_details(step)}"
        f"<div class='faint'>{text(_frame(step))}</div></div></li>"
    )


def _frame(step: Row) -> str:
    parts = [str(step["module"]), f"on {step['host']}"]
    if step.get("delegated_to"):
        parts[1] += f", done by {step['delegated_to']}"
    if "item" in step:
        parts.append(f"item {step['item']}")
    if "items" in step:
        parts.append(f"{step['items']} items")
    if step.get("attempt"):
        parts.append(f"attempt {step['attempt']}")
    if step.get("seconds") is not None:
        parts.append(f"{step['seconds']:.1f} s")
    if step.get("check_mode"):
        parts.append("rehearsed only")
    if step.get("warnings"):
        parts.append(f"{step['warnings']} warning(s), see the terminal's log")
    return " · ".join(parts)


def _details(step: Row) -> str:
    pairs = step.get("key_pairs", ())
    rows = [(f"Key pair {pair.get('label') or ''}", _pair(pair, step)) for pair in _first(pairs)]
    rows += [(document["kind"].capitalize(), _document(document, step)) for document in step.get("documents", ())]
    rows += [(f"Token {token.get('label') or ''}", text(_token(token))) for token in step.get("tokens", ())[:_FEW]]
    if len(pairs) > len(_first(pairs)):
        rows.append(("", f"and {len(pairs) - len(_first(pairs))} more, below"))
    rows += [("Message", text(step["message"]))] if step.get("message") else []
    return table(rows)


def _first(pairs: t.Sequence[Row]) -> list[Row]:
    """Those that a step shows: the first, and each that failed or was removed, which stands nowhere else."""
    return [pair for at, pair in enumerate(pairs) if at < _FEW or _gone(pair) or pair.get("failed")]


def _gone(pair: Row) -> bool:
    return pair.get("outcome") == "removed"


def _pair(pair: Row, step: Row) -> str:
    if pair.get("failed"):
        return text(f"This failed. {pair.get('msg') or ''}")
    return "was removed, or would be" if _gone(pair) else _found(pair.get("fingerprint"), step)


def _found(fingerprint: t.Any, step: Row) -> str:
    return f'<span class="code">{groups(fingerprint)}</span>' if fingerprint else missing(step.get("check_mode"))


def _document(document: Row, step: Row) -> str:
    return f"{text(document.get('subject') or document.get('issuer') or '')}<br>{_found(document.get('sha256'), step)}"


def _token(token: Row) -> str:
    names = ("manufacturer", "model", "serial", "firmware_version")
    return ", ".join(str(token[name]) for name in names if token.get(name))

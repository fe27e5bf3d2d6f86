# Copyright (c) 2026, The cryptoki.hsm authors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The page of a report: everything on it follows from the records, nothing on it comes from outside."""

from __future__ import annotations

import hashlib
import typing as t

from ansible_collections.cryptoki.hsm.plugins.plugin_utils._ceremony.other_programs import shows_document, shows_key
from ansible_collections.cryptoki.hsm.plugins.plugin_utils._ceremony.page_objects import document, key_pair, token
from ansible_collections.cryptoki.hsm.plugins.plugin_utils._ceremony.page_parts import (
    commands,
    facts,
    section,
    sum_of,
    table,
    text,
    when,
)
from ansible_collections.cryptoki.hsm.plugins.plugin_utils._ceremony.page_steps import steps
from ansible_collections.cryptoki.hsm.plugins.plugin_utils._ceremony.page_style import STYLE
from ansible_collections.cryptoki.hsm.plugins.plugin_utils._ceremony.signing import signer_of
from ansible_collections.cryptoki.hsm.plugins.plugin_utils._ceremony.sources import source_list
from ansible_collections.cryptoki.hsm.plugins.plugin_utils._ceremony.summary import Summary

Row = t.Mapping[str, t.Any]
_PARTICIPANTS = ("Operator", "Operator", "Witness", "Auditor")
_STATES = {
    "complete": "Complete: the run came to its end",
    "failed": "Failed: this is what happened until then",
    "rehearsal": "Rehearsal: nothing was made or changed",
}


def page(records: t.Sequence[Row], anchor: str) -> str:
    """The whole page. `anchor`: SHA-256 of report.jsonl, which the page cannot have of itself."""
    told = Summary(records)
    title = text(told.start.get("title") or "Key ceremony")
    body = "".join(
        (
            _head(told, title),
            _write_down(told, anchor),
            section("To be compared by eye", *_comparisons(told)),
            section("What was done", steps(records)),
            section("Tokens", *map(token, told.tokens)),
            section("Key pairs", *map(key_pair, told.key_pairs)),
            section("Certificates, requests and revocation lists", *map(document, told.documents)),
            section("Who took part", _signatures(told), paper=True),
            section("How this report is signed and checked", *_checking(told)),
            section("With what it was made", _versions(told)),
            section("What each step was told", *_options(told)),
            section("Files that were run", *_sources(told)),
        )
    )
    return (
        '<!DOCTYPE html>\n<html lang="en">\n<head>\n<meta charset="utf-8">\n'
        '<meta name="viewport" content="width=device-width, initial-scale=1">\n'
        # Nothing may be loaded or run, whatever a later version of this page forgets to escape.
        "<meta http-equiv=\"Content-Security-Policy\" content=\"default-src 'none'; style-src 'unsafe-inline'\">\n"
        f"<title>{title}</title>\n<style>{STYLE}</style>\n</head>\n<body>\n{body}</body>\n</html>\n"
    )


def _head(told: Summary, title: str) -> str:
    state = "rehearsal" if told.rehearsal and told.state == "complete" else told.state
    words = _STATES[state if state in _STATES else "failed"]
    if told.rehearsal:
        note = "This was a rehearsal: the programs logged in to the tokens and looked, as they will on the day."
    else:
        note = "This page tells what was done, in the order in which it was done."
    rows = [
        ("Began", when(told.start.get("at"))),
        ("Ended", when(told.end["at"]) if told.end else ""),
        *facts(told.start, {"host": "On the computer", "user": "By the user", "playbook": "Reviewed script"}),
        *facts(told.start.get("command", {}), _COMMAND),
        ("Steps", text(", ".join([str(len(told.steps)), *told.not_done]))),
    ]
    if told.rehearsal and state == "failed":
        words = f"Rehearsal. {words}"
    if told.end is None:
        words = "Broken off: this is what happened until then"
    if told.in_earnest:
        words = "Rehearsal" if state == "rehearsal" else words
        words, state = f"{words}, but {told.in_earnest} of its steps changed something", "failed"
    return (
        f"<h1>{title}</h1><div class='state {text(state)}'>{text(words)}</div>"
        f"<p>{note} The program that did it wrote it down at each step, in <code>report.jsonl</code> beside this"
        " page.</p>"
        f"{table(rows)}\n"
    )


_COMMAND = {
    "inventory": "Inventory",
    "extra_variables": "Variables given beside it",
    "limit": "Limited to",
    "tags": "Only steps tagged",
    "skip_tags": "Without steps tagged",
    "start_at_task": "Begun at the step",
}


def _write_down(told: Summary, anchor: str) -> str:
    listed = source_list(told.records)
    return section(
        "To be written down by the witness",
        '<div class="box compare"><h3>This report</h3>',
        sum_of(anchor),
        "<p>The SHA-256 of <code>report.jsonl</code>. The terminal showed the same number when the last step ended."
        " Whoever has it in writing can tell later whether the report is still this one.</p></div>",
        '<div class="box compare"><h3>What was run</h3>',
        sum_of(hashlib.sha256(listed.encode()).hexdigest()),
        "<p>The SHA-256 of <code>sources.sha256</code>, the list of all files that were run. It is the same number as"
        " in the rehearsal, if nothing was changed since.</p></div>",
    )


def _comparisons(told: Summary) -> t.Iterator[str]:
    rows = []
    for one in told.key_pairs:
        found = sum_of(one.get("fingerprint"), one["foretold"])
        rows.append((f"Public key {one.get('label') or ''}", found, shows_key(one)))
    for one in told.documents:
        named = one.get("subject") or one.get("issuer") or ""
        found = sum_of(one.get("sha256"), one["foretold"])
        rows.append((f"{one['kind'].capitalize()} {named}", found, shows_document(one)))
    if rows:
        yield (
            "<p>Each number is read from this page and from what another program shows, by the line below it. The box"
            " is for the mark of who has compared them.</p>"
        )
    for title, number, line in rows:
        yield f'<div class="box compare"><span class="tick"></span><h3>{text(title)}</h3>{number}'
        yield f'<pre class="show faint">{text(line)}</pre></div>' if line else "</div>"


def _signatures(told: Summary) -> str:
    people = told.start.get("participants") or _PARTICIPANTS
    lines = "".join(f'<div class="sign"><div>{text(one)}</div><div></div><div></div></div>' for one in people)
    return f"<p>Role and name, signature, date. Who signs has seen what this page tells.</p>{lines}"


def _checking(told: Summary) -> t.Iterator[str]:
    signer = signer_of(told.records)
    if signer and not told.rehearsal:
        yield f"<p>In the folder of this report, a key of a token signs the sums, here {text(signer.label)}:</p>"
        yield commands(signer.sign())
        yield "<p>Whoever has the folder checks that signature, and the files:</p>"
        yield commands([*signer.verify(), "sha256sum -c SHA256SUMS"])
    else:
        yield "<p>Whoever has the folder of this report checks its files:</p>"
        yield commands(["sha256sum -c SHA256SUMS"])
    yield (
        "<p>Then <code>sha256sum report.jsonl</code> must show the number that the witness wrote down. This command"
        " checks all of it, and that this page tells nothing but what is in the records:</p>"
    )
    yield commands(["ansible-playbook cryptoki.hsm.verify_ceremony -e report=FOLDER"])


def _versions(told: Summary) -> str:
    return table([(name, text(version)) for name, version in told.start.get("versions", {}).items()])


def _options(told: Summary) -> t.Iterator[str]:
    for number, step in enumerate(told.steps, 1):
        given = {name: value for name, value in step.get("options", {}).items() if value not in (False, [], {}, "")}
        if given:
            yield (
                f'<div class="box"><h3>{number} {text(step.get("name") or step["module"])}</h3>'
                f'<div class="code faint">{text(given)}</div></div>'
            )


def _sources(told: Summary) -> t.Iterator[str]:
    """Those of collections in a line, since nobody reads hundreds of sums on paper."""
    rows = []
    for record in told.sources:
        listed = source_list([record])
        if record["of"].startswith("collection "):
            name = f"{record['of']}, {len(record['files'])} files"
            rows.append((f"{hashlib.sha256(listed.encode()).hexdigest()}", f"{name}: the SHA-256 of their list"))
        else:
            rows += [(sha256, path) for sha256, dummy, path in (line.partition("  ") for line in listed.splitlines())]
    if rows:
        body = "".join(f'<tr><td class="code">{text(sha256)}</td><td>{text(name)}</td></tr>' for sha256, name in rows)
        yield f'<table class="files">{body}</table><p>Each file of them is in <code>sources.sha256</code>.</p>'
    left = [f"{one['path']} ({one['why']})" for record in told.sources for one in record.get("left_out", ())]
    if left:
        yield f"<p>Without a sum: {text(left)}.</p>"

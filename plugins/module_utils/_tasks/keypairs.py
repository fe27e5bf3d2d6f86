# Copyright (c) 2026, The cryptoki.hsm authors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What hsm_keypairs does: from a list of wished pairs to the list of results."""

from __future__ import annotations

import collections
import os
import typing as t

from ansible_collections.cryptoki.hsm.plugins.module_utils._options import groups, key_groups
from ansible_collections.cryptoki.hsm.plugins.module_utils._options.entries import Entry, entries_from
from ansible_collections.cryptoki.hsm.plugins.module_utils._pair import diff, outcome
from ansible_collections.cryptoki.hsm.plugins.module_utils._pair.session import Node, Provider
from ansible_collections.cryptoki.hsm.plugins.module_utils._reconcile import many
from ansible_collections.cryptoki.hsm.plugins.module_utils._standard import errors
from ansible_collections.cryptoki.hsm.plugins.module_utils._standard.text import colon_hex
from ansible_collections.cryptoki.hsm.plugins.module_utils._tasks import edge, keypair, providers
from ansible_collections.cryptoki.hsm.plugins.module_utils._tasks.progress import progress
from ansible_collections.cryptoki.hsm.plugins.module_utils._tasks.told import done_to

if t.TYPE_CHECKING:
    from ansible_collections.cryptoki.hsm.plugins.module_utils._reconcile.work import Staged
    from ansible_collections.cryptoki.hsm.plugins.module_utils._replicas import options
    from ansible_collections.cryptoki.hsm.plugins.module_utils._replicas.replicate import Replicated
    from ansible_collections.cryptoki.hsm.plugins.module_utils._replicas.tokens import Group

_MOST_THREADS = 64
_NO_THREADS = "parallel is 1 on the token '{}', its library does not allow threads."
_FEW = 3  # failures that are told in full in one message


def run() -> t.NoReturn:
    """Runs the module."""
    edge.HsmModule(groups.LOGIN + key_groups.KEYPAIRS, providers.kind_of).run(_work)


def _work(module: edge.HsmModule) -> edge.Result:
    entries = entries_from(module.params)
    parallel = _parallel(module.params)
    provider, login = providers.provider_from(module.params)
    for number, given in enumerate(module.params["keypairs"]):
        provider.refuse_unable(given, f"keypairs[{number}]")
    replicas = keypair.replicas_of(module, login)
    if replicas:
        _check_replicas(replicas, entries)
    module.require_libraries(provider)
    progress_file = None if module.check_mode else module.params["progress_file"]
    with progress(progress_file, len(entries), module.masked) as report:
        if replicas:
            every, result = _on_group(module, replicas, entries, parallel, report)
        else:
            every, result = _on_token(module, provider, entries, parallel, report)
    for warning in dict.fromkeys(text for done in every if done.outcome for text in done.outcome.warnings):
        module.warn(warning)
    if any(done.error for done in every):
        raise errors.HsmError(_failure(every, [node["name"] for node in result["nodes"]]), **result)
    return {"msg": in_words(result["counts"]), **result}


def _check_replicas(replicas: options.Replicas, entries: t.Sequence[Entry]) -> None:
    for entry in entries:
        try:
            if entry.state == "present":
                replicas.check(entry.wish)
        except errors.InputError as error:
            raise (error if error.option in key_groups.FOR_ALL_PAIRS else error.within(entry.option)) from None


def _on_token(
    module: edge.HsmModule,
    provider: Provider,
    entries: t.Sequence[Entry],
    parallel: int,
    report: t.Callable[[many.Done], None],
) -> tuple[list[many.Done], edge.Result]:
    threads = parallel > 1 and len(entries) > 1 and not module.check_mode
    provider.intend(entry.wish for entry in entries if entry.state == "present")
    with provider.session(writable=not module.check_mode, threads=threads) as session:
        if threads and not session.threads and module.params["parallel"]:
            module.warn(_NO_THREADS.format(session.token_name))
        every = many.reconcile_many(session, entries, module.check_mode, parallel if session.threads else 1, report)
        return every, _result(module, session.token_name, session.uri_attributes, every, session.nodes())


def _on_group(
    module: edge.HsmModule,
    replicas: options.Replicas,
    entries: t.Sequence[Entry],
    parallel: int,
    report: t.Callable[[many.Done], None],
) -> tuple[list[many.Done], edge.Result]:
    from ansible_collections.cryptoki.hsm.plugins.module_utils._replicas.many import most_at_once, replicate_many

    def bring(group: Group, entry: Entry) -> Staged[Replicated]:
        return replicas.stages(group, entry.wish, entry.state, module.check_mode)

    # Who waits for others would use up the time of a timeout.
    patient = replicas.terms.timeout is None
    wanted = min(parallel, len(entries)) if patient and not module.check_mode else 1
    at_once = min(wanted, most_at_once(len(replicas.logins)))
    with replicas.group(writable=not module.check_mode, sessions=at_once) as group:
        every = replicate_many(group, entries, bring, at_once, report, one_look=patient and module.check_mode)
        if wanted > 1 and module.params["parallel"]:
            _warn_of_less(module, group, wanted, at_once)
        return every, _result(module, group.source.name, group.source.uri_attributes, every, _worst(group, every))


def _warn_of_less(module: edge.HsmModule, group: Group, wanted: int, at_once: int) -> None:
    if at_once < wanted:
        module.warn(
            f"parallel is {at_once} on {len(group.all)} tokens, the limit of open files (ulimit -n) allows no more."
        )
    for token in group.all if at_once > 1 else ():  # else none was asked for threads
        if token.reached and not token.session.threads:
            module.warn(_NO_THREADS.format(token.session.token_name))


def _worst(group: Group, every: t.Sequence[many.Done]) -> list[Node]:
    """Each token as it fared where it fared worst."""
    told = [node for done in every for node in done.nodes if node.status != "ok"]
    rows = [Node(token.name, "failed", str(token.error)) for token in group.all if token.error]
    first = {node.name: node for node in reversed([*told, *rows])}
    return [first.get(token.name, Node(token.name)) for token in group.all]


def _parallel(params: edge.Params) -> int:
    """How many pairs at once; if nothing is said, twice the processors of this process, for tokens wait for disks."""
    parallel = params["parallel"]
    if parallel is None:
        return min(2 * len(os.sched_getaffinity(0)), _MOST_THREADS)
    if not 1 <= parallel <= _MOST_THREADS:
        raise errors.InputError("parallel", f"it must be from 1 to {_MOST_THREADS}", parallel)
    return t.cast(int, parallel)


def _result(
    module: edge.HsmModule,
    token_name: str,
    uri_attributes: t.Mapping[str, str],
    every: t.Sequence[many.Done],
    nodes: t.Iterable[Node],
) -> edge.Result:
    rows, told = [], []
    for done in every:
        row: edge.Result = {"changed": done.made}
        summary: edge.Result = {"outcome": "generated" if done.made else "none", "changes": []}
        if done.outcome:
            row = keypair.pair_result(uri_attributes, done.outcome, module.params)
            on_tokens = done.on_tokens or {token_name: done.outcome}
            summary, changed = done_to(done.entry.wish, done.outcome, on_tokens, bool(done.on_tokens))
            told.append(changed)
        rows.append(_row(done, row, summary))
    counts = counted("failed" if row["failed"] else row["outcome"] for row in rows)
    return {
        "changed": any(row["changed"] for row in rows),
        "counts": counts,
        "key_pairs": rows,
        "nodes": keypair.nodes_of(nodes),
        "diff": diff.diffs([changed for changed in told if changed]),
    }


def _row(done: many.Done, told: edge.Result, summary: edge.Result) -> edge.Result:
    """What is returned of an entry; the wish names it where there is no pair to describe."""
    wish, error = done.entry.wish, done.error
    return {
        **summary,
        "type": wish.family,
        "label": wish.label,
        "id_hex": colon_hex(wish.id) if wish.id else None,
        **(told.get("key_pair") or {}),
        **({"nodes": keypair.nodes_of(done.nodes)} if done.nodes else {}),
        **(error.data if error else {}),
        "changed": told["changed"],
        "failed": bool(error),
        "msg": error.msg if error else "",
    }


def _failure(every: t.Sequence[many.Done], tokens: t.Sequence[str]) -> str:
    failed = [done for done in every if done.error]
    told = " ".join(f"{done.entry.option}: {done.error.msg}" for done in failed[:_FEW] if done.error)
    more = [f"{done.entry.option} ({done.entry.wish})" for done in failed[_FEW:]]
    rest = f" Failed as well, see key_pairs: {', '.join(more)}." if more else ""
    where = f"the token '{tokens[0]}'" if len(tokens) == 1 else f"the tokens {', '.join(tokens)}"
    return f"Could not do {len(failed)} of {len(every)} key pairs on {where}. {told}{rest}"


def counted(words: t.Iterable[str]) -> dict[str, int]:
    """How often each word was told, those that never were with 0."""
    told = collections.Counter(words)
    return {word: told[word] for word in (*outcome.WORDS.values(), "failed")}


def in_words(counts: t.Mapping[str, int]) -> str:
    """The counts in one line, without what never was."""
    return ", ".join(f"{word}: {count}" for word, count in counts.items() if count) or "none: 0"

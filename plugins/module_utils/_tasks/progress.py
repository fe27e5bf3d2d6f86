# Copyright (c) 2026, The cryptoki.hsm authors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""A file with one line for each pair that is done, for a second terminal: a module cannot stream."""

from __future__ import annotations

import collections
import contextlib
import typing as t

from ansible_collections.cryptoki.hsm.plugins.module_utils._host import output_file
from ansible_collections.cryptoki.hsm.plugins.module_utils._host.file import FileProblem
from ansible_collections.cryptoki.hsm.plugins.module_utils._reconcile import many
from ansible_collections.cryptoki.hsm.plugins.module_utils._standard import errors


@contextlib.contextmanager
def progress(path: str | None, total: int, masked: t.Callable[[str], str]) -> t.Iterator[t.Callable[[many.Done], None]]:
    """A function that counts what is done, and tells it in the file `path` if there is one.

    The file is checked at once and touched when the first pair is done. `masked` hides secrets, as Ansible does in what
    passes through it. Where a pair is on several tokens, the line tells how many each has so far.
    """
    if path:
        try:
            output_file.check_writable(path)
        except FileProblem as error:
            raise errors.InputError("progress_file", f"it {error}", path) from None
    with contextlib.ExitStack() as opened:
        counted: dict[int, dict[str, int]] = {}
        by_token: collections.Counter[str] = collections.Counter()
        file: t.BinaryIO | None = None

        def tell(done: many.Done) -> None:
            nonlocal file
            if not path:
                return
            # A pair that is told of again may have failed since.
            nodes = {node.name: int(node.status == "ok" and not done.error) for node in done.nodes}
            by_token.subtract(counted.get(done.entry.number, {}))
            by_token.update(nodes)
            counted[done.entry.number] = nodes
            tokens = ", ".join(f"{name} {count}" for name, count in by_token.items())
            text = f"[{tokens}] {_text(done)}" if tokens else _text(done)
            line = f"{len(counted)}/{total} {masked(errors.one_line(text))}\n"
            # A full disk, or a file that changed meanwhile, is no reason to stop between two pairs.
            with contextlib.suppress(OSError, FileProblem):
                file = file or opened.enter_context(output_file.written_anew(path))
                file.write(line.encode())

        yield tell


def _text(done: many.Done) -> str:
    outcome, word = done.outcome, "generated"
    if done.error:
        return f"failed: {done.error.msg}"
    if outcome and not outcome.changed:
        word = "unchanged"
    elif outcome and outcome.before:
        word = "changed" if outcome.after else "removed"
    return f"{word} {done.entry.wish}"

# Copyright (c) 2026, The cryptoki.hsm authors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What must hold after each run of the campaign, whatever the library answered: the promise, as broken sentences."""

from __future__ import annotations

import collections
import dataclasses
import re
import typing as t

from ansible_collections.cryptoki.hsm.tests.faults.campaign.acts import Act
from ansible_collections.cryptoki.hsm.tests.faults.campaign.lies import Lie
from ansible_collections.cryptoki.hsm.tests.faults.campaign.world import Ran
from ansible_collections.cryptoki.hsm.tests.support.outside import Seen
from ansible_collections.cryptoki.hsm.tests.support.soft_token import PIN

HALVES = ("private", "public")
_NAMED = r"\((?P<kind>public|private) [^()]*?label '(?P<label>[^']*)', id (?P<id>[0-9a-f:]+|none), fingerprint"
_OBJECT = re.compile(_NAMED)
_LONE = re.compile(r"half without its \w+ half[:,] " + _NAMED)
# How a message says that something may be left which could not be looked for.
_UNKNOWN = "is not known"
_HONEST = Lie("", "")


def broken(act: Act, ran: Ran, lie: Lie = _HONEST) -> list[str]:
    """What of the promise was broken; nothing, if it held."""
    return [*_Verdict(act, ran, lie).broken()]


@dataclasses.dataclass(frozen=True)
class _Verdict:
    act: Act
    ran: Ran
    lie: Lie

    def broken(self) -> t.Iterator[str]:
        """Each sentence that is not so."""
        yield from self._bystanders()
        yield from self._lost()
        yield from self._doubled()
        if PIN in self.ran.output:
            yield "the PIN is shown"
        if self.ran.result is None:
            if self.ran.status != -9:  # SIGKILL, which the rules may ask for
                yield f"it ended without an answer, status {self.ran.status}: {self.ran.output[-300:]}"
            return
        if "Unexpected" in self.text or "Traceback" in self.ran.output:
            yield f"an unexpected error: {self.text} {self.ran.output[-600:]}"
        if self.ran.result.get("failed"):
            yield from self._said_of_failure()
            yield from self._unnamed()
        else:
            yield from self._said_of_success()
        if self.act.module == "hsm_keypairs":
            yield from self._said_of_rows()

    # ---- what is on the token ----

    @property
    def text(self) -> str:
        """The messages and warnings."""
        result = self.ran.result or {}
        rows = [row.get("msg", "") for row in result.get("key_pairs", []) if isinstance(row, dict)]
        return " ".join(map(str, [result.get("msg", ""), *rows, *result.get("warnings", [])]))

    @property
    def named(self) -> list[Seen]:
        """The objects that the task names, as they were at first."""
        return [seen for seen in self.ran.first if seen.label == self.act.label and seen.kind in HALVES]

    @property
    def keys(self) -> set[str | None]:
        """Which keys these are."""
        return {seen.key for seen in self.named}

    @property
    def kept(self) -> list[Seen]:
        """The objects of these keys, as they are now."""
        return [seen for seen in self.ran.after if seen.key in self.keys and seen.kind in HALVES]

    @property
    def made(self) -> list[Seen]:
        """What was not there before, of whatever key."""
        known = {(seen.kind, seen.key) for seen in self.ran.first if seen.kind in HALVES}
        return [seen for seen in self.ran.after if seen.kind in HALVES and (seen.kind, seen.key) not in known]

    def _bystanders(self) -> t.Iterator[str]:
        before = collections.Counter(seen for seen in self.ran.first if seen not in self.named)
        for seen, count in before.items():
            now = self.ran.after.count(seen)
            if now < count:
                yield f"a bystander was touched or is gone: {seen}"
        known = {(one.kind, one.key) for one in before if one.kind in HALVES}
        for seen in self.ran.after:  # a token may copy another key than it was asked to; then it is named
            if seen not in before and (seen.kind, seen.key) in known and not self._told_of([seen]):
                yield f"a bystander was changed or copied: {seen}"

    def _lost(self) -> t.Iterator[str]:
        if self.act.goes:
            return
        for seen in self.named:
            if (seen.kind, seen.key) not in {(one.kind, one.key) for one in self.ran.after}:
                yield f"lost, and not named to go: {seen}"

    def _doubled(self) -> t.Iterator[str]:
        for label in dict.fromkeys((self.act.label, self.act.ends_as)):
            of_label = [seen for seen in self.ran.after if seen.label == label and seen.kind in HALVES]
            keys = {seen.key for seen in of_label}
            if len(keys) > 1 and not self._told_of(of_label):
                yield f"a double: {', '.join(map(str, of_label))}"

    def _told_of(self, objects: t.Iterable[Seen]) -> bool:
        """Whether a failure names each of these that this run made."""
        failed = bool(self.ran.result and self.ran.result.get("failed"))
        return failed and all(self._names(seen) for seen in objects if seen not in self.ran.first)

    # ---- what was said ----

    def _names(self, seen: Seen) -> bool:
        """Whether the messages name an object by its id, its key or, where it has no id, its label."""
        if _UNKNOWN in self.text or (seen.id and _colons(seen.id) in self.text):
            return True
        return bool(seen.key and seen.key in self.text) or (not seen.id and f"'{seen.label}'" in self.text)

    def _unnamed(self) -> t.Iterator[str]:
        if self.lie.misleads:
            return
        kinds = [seen.kind for seen in self.kept]
        surplus = [seen for seen in self.kept if kinds.count(seen.kind) > 1]
        rows = (self.ran.result or {}).get("key_pairs", [])
        done = {row["label"] for row in rows if not row.get("failed", True)}  # of a list, whose other entries failed
        for seen in [*self.made, *surplus]:
            if seen.label not in done and not self._names(seen):
                yield f"left and not named: {seen}; {self.text}"

    def _said_of_failure(self) -> t.Iterator[str]:
        same = _halves(self.ran.before) == _halves(self.ran.after)
        named_same = self._of_named(self.ran.before) == self._of_named(self.ran.after)
        said = self.text
        unchanged = "Nothing was changed" in said or "untouched" in said
        if unchanged and not named_same and not self.lie.misleads:
            yield f"said that nothing was changed, and it was: {said}"
        gone = (
            "was removed again",
            "Nothing of it is left",
            "Nothing of that name is left",
            "Nothing that this run made",
        )
        if any(words in said for words in gone) and self.made:
            yield f"said that nothing is left, and there is {', '.join(map(str, self.made))}: {said}"
        if "The old pair is gone" in said and self.kept:
            yield f"said that the old pair is gone: {said}"
        if not same and not self.lie.misleads and not self._admits():
            yield f"failed, changed something and did not say so: {said}"
        if not self.lie.misleads:
            for claim in _OBJECT.finditer(said.partition("What remains: ")[2]):
                if not any(_is(seen, claim) for seen in self.ran.after):
                    yield f"said to remain, and does not: {claim[0]}; {said}"
        for claim in _LONE.finditer("" if self.lie.hides else said):
            half = next((seen for seen in self.ran.after if _is(seen, claim)), None)
            if half and any(seen.key == half.key and seen.kind != half.kind for seen in self.ran.after):
                yield f"a living pair is called a lone half: {said}"

    def _of_named(self, objects: t.Iterable[Seen]) -> t.Counter[Seen]:
        return collections.Counter(seen for seen in objects if seen.key in self.keys and seen.kind in HALVES)

    def _admits(self) -> bool:
        """Whether a failure says that something changed, or what is there now."""
        words = (
            "What remains",
            "What stays changed",
            "What is there now",
            "The pair is there",
            "The new pair is there",
        )
        more = ("The old pair is gone", "Beside it is its copy", _UNKNOWN, "What it left", "may")
        return any(word in self.text for word in (*words, *more)) or bool(_OBJECT.search(self.text))

    def _said_of_success(self) -> t.Iterator[str]:
        result = self.ran.result or {}
        changed = _halves(self.ran.before) != _halves(self.ran.after)
        if result.get("changed") is not changed and not self.lie.misleads:
            yield f"changed is {result.get('changed')}, and the token says {changed}"
        yield from self._ended()
        if self.act.module == "hsm_key_info" and not self.lie.hides:
            keys = [seen for seen in self.ran.after if seen.kind in (*HALVES, "secret")]
            told = [row for row in result["objects"] if "class" not in row["unreadable"]]
            if not len(told) <= len(keys) <= len(result["objects"]):
                yield f"listed {len(told)} and {len(result['objects']) - len(told)} unread of {len(keys)} keys"

    def _ended(self) -> t.Iterator[str]:
        """What a success is."""
        if self.act.ends_as is None:
            hidden = self.lie.misleads or (self.lie.hides and not (self.ran.result or {})["changed"])
            if self.kept and not hidden:
                yield f"said to be absent: {', '.join(map(str, self.kept))}"
            return
        there = [seen for seen in self.ran.after if seen.label == self.act.ends_as and seen.kind in HALVES]
        if [seen.kind for seen in sorted(there, key=str)] != list(HALVES):
            yield f"said to be there as a pair: {', '.join(map(str, there)) or 'nothing'}"
            return
        private, public = sorted(there, key=str)
        if private.key != public.key or private.id != public.id or private.key is None:
            yield f"said to be a pair, and is none: {private}, {public}"
        if not self.act.goes and self.keys and private.key not in self.keys:
            yield f"another pair than before: {private}"
        for name, value in self.act.told.items():
            if private.get(name) != value and not self.lie.misleads:
                yield f"said to be done, and {name} is {private.get(name)}"
        told = (self.ran.result or {}).get("key_pair")
        if told and not self.lie.misleads and told.get("fingerprint") != public.key:
            yield f"told of another pair: {told.get('fingerprint')}"
        strays = [seen for seen in self.made if seen not in there]
        if strays:
            yield f"left beside a success: {', '.join(map(str, strays))}"

    def _said_of_rows(self) -> t.Iterator[str]:
        for row in (self.ran.result or {}).get("key_pairs", []):
            there = [seen for seen in self.ran.after if seen.label == row["label"] and seen.kind in HALVES]
            if not row["failed"] and [seen.kind for seen in sorted(there, key=str)] != list(HALVES):
                yield f"'{row['label']}' is said to be there: {', '.join(map(str, there)) or 'nothing'}"


def _halves(objects: t.Iterable[Seen]) -> t.Counter[Seen]:
    return collections.Counter(seen for seen in objects if seen.kind in HALVES)


def _colons(digits: str) -> str:
    return bytes.fromhex(digits).hex(":")


def _is(seen: Seen, claim: re.Match[str]) -> bool:
    same_id = claim["id"] == (_colons(seen.id) if seen.id else "none")
    return (seen.kind, seen.label) == (claim["kind"], claim["label"]) and same_id

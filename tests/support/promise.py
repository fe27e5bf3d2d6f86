# Copyright (c) 2026, The cryptoki.hsm authors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The promise, as it can be known without the collection: which tasks name which keys, and what may become of these."""

from __future__ import annotations

import collections
import dataclasses
import typing as t

from hypothesis import strategies as st

from ansible_collections.cryptoki.hsm.plugins.module_utils._standard.attributes import SECRET

Given = dict[str, t.Any]
# Few names, so that they meet; among them look-alikes: a NUL at the end, two forms of a letter, digits and their bytes.
LABELS = ("a", "b", "a\0", "\u00e9", "e\u0301")
TOLD_LABELS = ("a", "b", "\u00e9", "e\u0301")
IDS = (b"", b"\x01", b"\x02", b"01")
KINDS = ("secp256r1", "secp256r1", "secp384r1", "2048")
FAMILY = {"secp256r1": "ecc", "secp384r1": "ecc", "2048": "rsa"}
LEAST: dict[str, Given] = {
    "secp256r1": {"curve": "P-256"},
    "secp384r1": {"curve": "P-384"},
    "2048": {"modulus_bits": 2048},
}


@dataclasses.dataclass(frozen=True)
class Row:
    """An object: which key it is, and what it tells."""

    half: str
    key: str
    family: str
    label: str | None
    id: bytes
    told: str = dataclasses.field(repr=False)

    @property
    def who(self) -> tuple[str, str]:
        """The object, whatever it is called."""
        return self.half, self.key


@dataclasses.dataclass(frozen=True)
class Names:
    """What a task names, and whether it may go."""

    family: str | None = None
    label: str | None = None
    id: bytes | None = None
    fingerprint: str | None = None
    half: str | None = None
    goes: bool = False

    def fit(self, row: Row) -> bool:
        """Whether an object has every name."""
        wishes = {"label": row.label, "id": row.id, "fingerprint": row.key, "half": row.half, "family": row.family}
        return all(getattr(self, name) in (None, value) for name, value in wishes.items())

    def keys(self, rows: t.Iterable[Row]) -> set[str]:
        """The keys that have a half with every name."""
        return {row.key for row in rows if self.fit(row)}


def names(given: Given, family: str | None = None, **more: t.Any) -> Names:
    raw = given.get("id_hex")
    fingerprint = given.get("fingerprint")
    return Names(family, given.get("label"), bytes.fromhex(raw) if raw else None, fingerprint, **more)


@st.composite
def present(draw: st.DrawFn) -> tuple[str, Given]:
    """A family, and what a task of its module says."""
    kind = draw(st.sampled_from(KINDS))
    more = st.fixed_dictionaries(
        {"label": st.sampled_from(TOLD_LABELS)},
        optional={
            "id_hex": st.sampled_from(["01", "02", "3031"]),
            "on_mismatch": st.sampled_from(["fail", "keep", "replace"]),
            "verify": st.booleans(),
            "usage": st.sampled_from([["sign"], ["sign", "derive"]]) if kind != "2048" else st.just(["sign"]),
            "extractable": st.booleans(),
            "private_attributes": st.sampled_from([{"modifiable": False}, {"copyable": False}]),
        },
    )
    return FAMILY[kind], {**LEAST[kind], **draw(more)}


@st.composite
def absent(draw: st.DrawFn) -> tuple[str, Given]:
    more = st.fixed_dictionaries(
        {}, optional={"label": st.sampled_from(TOLD_LABELS), "id_hex": st.sampled_from(["01", "02", "3031"])}
    )
    return draw(st.sampled_from(("rsa", "ecc"))), {"state": "absent", **draw(more.filter(bool))}


CHANGES = st.one_of(
    st.fixed_dictionaries({"new_label": st.sampled_from(TOLD_LABELS)}),
    st.fixed_dictionaries({"new_id_hex": st.sampled_from(["01", "02", "3031"])}),
    st.fixed_dictionaries({"new_label": st.sampled_from(TOLD_LABELS), "new_id_hex": st.sampled_from(["01", "02"])}),
    st.just({"extractable": False}),
    st.just({"private_attributes": {"modifiable": False}}),
    st.just({"state": "absent"}),
)


def nothing_unnamed(
    before: collections.Counter[Row],
    after: collections.Counter[Row],
    goes: t.Sequence[Names],
    touched: t.Sequence[Names],
    told: str,
) -> None:
    """Only keys with a named half are changed, only those that may go are gone, and a new one has no namesake."""
    there, left = (collections.Counter(row.who for row in rows.elements()) for rows in (before, after))
    may_go = {key for one in goes for key in one.keys(before)}
    may_change = {key for one in touched for key in one.keys(before)}
    gone = {who for who in there if left[who] < there[who]}
    assert all(key in may_go for half, key in gone), f"gone, and not named: {gone}; {told}"
    for row in before - after:
        assert row.key in may_change, f"changed, and not named: {row}; {told}"
    known = {row.key for row in before}
    pairs = [row for row in after.elements() if row.half != SECRET]
    for row in (row for row in pairs if row.key not in known):
        same = [other for other in pairs if (other.label, other.family) == (row.label, row.family)]
        names_ = {other.key for other in same if other.id == row.id}
        assert len(names_) == 1, f"two keys of one name: {same}; {told}"

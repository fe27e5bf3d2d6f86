# Copyright (c) 2026, The cryptoki.hsm authors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The CloudHSM CLI's answers: data, a refusal, or neither; of a mangled one never a traceback."""

from __future__ import annotations

import json
import typing as t

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ansible_collections.cryptoki.hsm.plugins.module_utils._cloudhsm_cli.answer import Refused, Unclear, data_of
from ansible_collections.cryptoki.hsm.plugins.module_utils._cloudhsm_cli.lists import Pages
from ansible_collections.cryptoki.hsm.tests.support.cloudhsm_cli_samples import (
    AES,
    EC_PAIR,
    FAILURES,
    HSMS,
    RSA_PRIVATE,
    USERS,
    failure,
    page,
    success,
)

ALL = {"pair": EC_PAIR, "list": page(RSA_PRIVATE, AES), "empty": page(), "hsms": HSMS, "users": USERS, "text": "Done"}


@pytest.mark.parametrize("data", ALL.values(), ids=ALL)
def test_a_success_gives_its_data(data: t.Any) -> None:
    assert data_of(success(data)) == data
    assert data_of(b"\n " + json.dumps({"data": data, "error_code": 0, "more": 1}).encode()) == data


@pytest.mark.parametrize("text", FAILURES)
def test_a_failure_gives_its_text(text: str) -> None:
    with pytest.raises(Refused, match=text[:30]):
        data_of(failure(text))


@pytest.mark.parametrize(
    ("output", "why"),
    [
        (b"", "nothing on its standard output"),
        (b" \n", "nothing on its standard output"),
        (b"Segmentation fault", "no JSON, 'Segmentation fault'"),
        (b"[]", r"no JSON object, '\[\]'"),
        (b"null", "no JSON object"),
        (b"{}", "JSON without error_code and data"),
        (b'{"error_code": 0}', "JSON without error_code and data"),
        (b'{"data": {}}', "JSON without error_code and data"),
        (b'{"error_code": false, "data": {}}', "JSON without error_code and data"),
        (b'{"error_code": "0", "data": {}}', "JSON without error_code and data"),
        (b'{"error_code": 0.0, "data": {}}', "JSON without error_code and data"),
        (b'{"error_code": 1, "error_code": 0, "data": {}}', "no JSON"),
        (b'{"error_code": 0, "data": NaN}', "no JSON"),
        (b'{"error_code": 0, "data": {}} trailing', "no JSON"),
        (b'\xff{"error_code": 0, "data": {}}', "no JSON"),
        (b"[" * 100_000, "no JSON"),
    ],
)
def test_what_is_no_answer(output: bytes, why: str) -> None:
    with pytest.raises(Unclear, match=why):
        data_of(output)


def test_a_failure_without_a_text_is_a_failure() -> None:
    for data in ("null", "{}", '""', "[1]"):
        with pytest.raises(Refused, match="error_code 7"):
            data_of(f'{{"error_code": 7, "data": {data}}}'.encode())


@given(st.sampled_from(list(ALL.values())), st.data())
def test_every_beginning_of_an_answer_is_unclear(data: t.Any, draw: st.DataObject) -> None:
    output = success(data).rstrip()
    end = draw.draw(st.integers(0, len(output) - 1))
    with pytest.raises(Unclear):
        data_of(output[:end])


@given(st.binary())
def test_any_bytes_are_data_a_refusal_or_unclear(output: bytes) -> None:
    with pytest.raises((Unclear, Refused)):
        data_of(output)


@given(st.sampled_from(list(ALL.values())), st.integers(0), st.binary(min_size=1, max_size=3))
def test_an_overwritten_answer_never_ends_otherwise(data: t.Any, place: int, with_: bytes) -> None:
    """Some bytes of a right answer are others: it is an answer or none, and a list of keys adds up or is unclear."""
    output = success(data)
    place %= len(output)
    try:
        told = data_of(output[:place] + with_ + output[place + len(with_) :])
        keys = Pages()
        keys.add(told)
    except (Unclear, Refused):
        return
    assert keys.total == len(keys.keys) or keys.token is not None

# Copyright (c) 2026, The cryptoki.hsm authors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What the CloudHSM CLI can do that the PKCS#11 library of the same HSMs cannot."""

from __future__ import annotations

import dataclasses

import pytest

from ansible_collections.cryptoki.hsm.plugins.module_utils._cloudhsm_cli.command import FACTS, refuse_others
from ansible_collections.cryptoki.hsm.plugins.module_utils._cloudhsm_cli.keys import key_from
from ansible_collections.cryptoki.hsm.plugins.module_utils._pair.inheritance import irreplaceable
from ansible_collections.cryptoki.hsm.plugins.module_utils._pair.session import Query
from ansible_collections.cryptoki.hsm.plugins.module_utils._pair.vendor_limits import vendor_refusal
from ansible_collections.cryptoki.hsm.plugins.module_utils._pair.vendors import VENDORS
from ansible_collections.cryptoki.hsm.plugins.module_utils._pair.wish import Wish
from ansible_collections.cryptoki.hsm.plugins.module_utils._standard.attributes import PRIVATE
from ansible_collections.cryptoki.hsm.plugins.module_utils._standard.curves import curve_by_name
from ansible_collections.cryptoki.hsm.plugins.module_utils._standard.errors import TokenError
from ansible_collections.cryptoki.hsm.tests.support.cloudhsm_cli_samples import RSA_PRIVATE

CURVE = curve_by_name("P-256")


def test_a_pair_can_be_replaced_and_frozen() -> None:
    frozen = Wish("ecc", label="x", curve=CURVE, private_attributes={"destroyable": False})
    for wish in (Wish("ecc", label="x", curve=CURVE), frozen):
        assert irreplaceable(wish, FACTS) == ""
        assert irreplaceable(wish, VENDORS["cloudhsm"]).startswith("cloudhsm cannot rename a key")
        assert vendor_refusal(wish, FACTS) is None


def test_a_list_that_was_not_filtered_is_refused() -> None:
    key = key_from(RSA_PRIVATE)
    label = str(key.found.label)
    unread = dataclasses.replace(
        key, found=dataclasses.replace(key.found, attributes={}, unreadable={"label": "inconsistent"})
    )
    refuse_others("search", [key], Query(PRIVATE, label=label))
    refuse_others("search", [unread], Query(PRIVATE, label=label))
    refuse_others("search", [key], Query(PRIVATE, label="other", handle=1))
    with pytest.raises(TokenError, match="a key of another label"):
        refuse_others("search", [unread, key], Query(PRIVATE, label="other"))


def test_it_knows_no_copyable() -> None:
    wish = Wish("ecc", label="x", curve=CURVE, private_attributes={"destroyable": False, "copyable": False})
    assert (vendor_refusal(wish, FACTS) or "").startswith("the CloudHSM CLI cannot set copyable=false")

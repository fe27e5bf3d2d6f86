# Copyright (c) 2026, The cryptoki.hsm authors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What the CloudHSM CLI can do that the PKCS#11 library of the same HSMs cannot."""

from __future__ import annotations

from ansible_collections.cryptoki.hsm.plugins.module_utils._cloudhsm_cli.command import FACTS
from ansible_collections.cryptoki.hsm.plugins.module_utils._pair.inheritance import irreplaceable
from ansible_collections.cryptoki.hsm.plugins.module_utils._pair.vendor_limits import vendor_refusal
from ansible_collections.cryptoki.hsm.plugins.module_utils._pair.vendors import VENDORS
from ansible_collections.cryptoki.hsm.plugins.module_utils._pair.wish import Wish
from ansible_collections.cryptoki.hsm.plugins.module_utils._standard.curves import curve_by_name

CURVE = curve_by_name("P-256")


def test_a_pair_can_be_replaced_and_frozen() -> None:
    frozen = Wish("ecc", label="x", curve=CURVE, private_attributes={"destroyable": False})
    for wish in (Wish("ecc", label="x", curve=CURVE), frozen):
        assert irreplaceable(wish, FACTS) == ""
        assert irreplaceable(wish, VENDORS["cloudhsm"]).startswith("cloudhsm cannot rename a key")
        assert vendor_refusal(wish, FACTS) is None


def test_it_knows_no_copyable() -> None:
    wish = Wish("ecc", label="x", curve=CURVE, private_attributes={"destroyable": False, "copyable": False})
    assert (vendor_refusal(wish, FACTS) or "").startswith("the CloudHSM CLI cannot set copyable=false")

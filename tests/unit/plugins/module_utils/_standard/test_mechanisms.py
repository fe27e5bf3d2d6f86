# Copyright (c) 2026, The cryptoki.hsm authors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The table of mechanisms: their names, and their numbers."""

from __future__ import annotations

import pkcs11

from ansible_collections.cryptoki.hsm.plugins.module_utils._standard.mechanisms import (
    KEY_GEN,
    MECHANISMS,
)


def test_the_numbers_are_those_of_python_pkcs11_where_it_has_them() -> None:
    known = {f"CKM_{name}": int(member) for name, member in pkcs11.Mechanism.__members__.items()}
    # python-pkcs11's names differ from the header's here
    known |= {"CKM_EC_EDWARDS_KEY_PAIR_GEN": known.get("CKM_EC_EDWARDS_KEY_PAIR_GEN", 0x1055)}
    both = set(known) & set(MECHANISMS)
    assert len(both) > 20
    assert {name: known[name] for name in both} == {name: MECHANISMS[name].code for name in both}
    assert len({row.code for row in MECHANISMS.values()}) == len(MECHANISMS)


def test_the_table_fits_itself() -> None:
    for key_type, name in KEY_GEN.items():
        assert (MECHANISMS[name].use, MECHANISMS[name].family) == ("generate", key_type)
    for row in MECHANISMS.values():
        words = [word for word in row.name.removeprefix("CKM_").split("_") if word.startswith("SHA")]
        assert row.hash == (words[0].lower() if words else "")

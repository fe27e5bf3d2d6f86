# Copyright (c) 2026, The cryptoki.hsm authors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Who can read what is made in a token's folder: by its group, and by the masks of both sides."""

from __future__ import annotations

import os
import typing as t
from pathlib import Path

import pytest

from ansible_collections.cryptoki.hsm.plugins.module_utils._pkcs11.softhsm_owner import refuse_foreign
from ansible_collections.cryptoki.hsm.plugins.module_utils._standard.errors import HsmError

NOBODY = 65534
needs_root = pytest.mark.skipif(os.geteuid() != 0, reason="only root can give a folder away")


def refused(folder: Path, umask: str | None) -> bool:
    try:
        refuse_foreign(str(folder), lambda: umask, "generate")
    except HsmError:
        return True
    return False


@pytest.fixture
def process_umask() -> t.Iterator[None]:
    before = os.umask(0o022)
    yield
    os.umask(before)


def test_own_folder_needs_no_look_at_the_configuration(tmp_path: Path) -> None:
    refuse_foreign(str(tmp_path), lambda: pytest.fail("it was looked at"), "generate")


@needs_root
@pytest.mark.usefixtures("process_umask")
def test_masks_and_groups(tmp_path: Path) -> None:
    os.chown(tmp_path, NOBODY, NOBODY)
    assert [refused(tmp_path, umask) for umask in (None, "0077", "0027", "0007", "nonsense")] == [True] * 5
    assert not refused(tmp_path, "0022")  # everybody may read
    tmp_path.chmod(0o2770)  # the files get the group of the folder
    assert [refused(tmp_path, umask) for umask in (None, "0077", "0027", "0007")] == [True, True, False, False]
    os.umask(0o077)
    assert refused(tmp_path, "0007")
    assert os.umask(0o077) == 0o077  # the look left it as it was
    os.umask(0o022)
    os.chown(tmp_path, NOBODY, 4242)  # a group that the owner is not in
    assert refused(tmp_path, "0027")

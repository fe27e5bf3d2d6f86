# Copyright (c) 2026, The cryptoki.hsm authors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The tests of the simulators need the collection on PYTHONPATH, SoftHSM, pkcs11-tool and openssl."""

from __future__ import annotations

from ansible_collections.cryptoki.hsm.tests.support.environment import clean_environment

clean_environment()

# Copyright (c) 2026, The cryptoki.hsm authors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The tests of the documentation start Ansible as a reader does, with nothing of the caller's."""

from __future__ import annotations

from ansible_collections.cryptoki.hsm.tests.support.environment import clean_environment

clean_environment()

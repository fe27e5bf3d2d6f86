# Copyright (c) 2026, The cryptoki.hsm authors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

from ansible_collections.cryptoki.hsm.plugins.module_utils._key_info_module import run


def main() -> None:
    """Entry point."""
    run()


if __name__ == "__main__":
    main()

#!/bin/sh
# SPDX-FileCopyrightText: The cryptoki.hsm contributors
# SPDX-License-Identifier: GPL-3.0-or-later

# A simulated NetHSM. Generating needs an administrator, whose password stands in the configuration.
set -eu
cat >"$P11NETHSM_CONFIG_FILE" <<END
slots:
  - label: vendors
    operator:
      username: operator
    administrator:
      username: admin
      password: "$PIN"
    instances:
      - url: "http://127.0.0.1:18443/api/v1"
        danger_insecure_cert: true
END
PASSWORD=$PIN "$PYTHON" "$SIMULATORS/nethsm.py" 18443 &
. "$(dirname "$0")/../wait.sh"
until_works listening 18443

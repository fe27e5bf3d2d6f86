#!/bin/sh
# SPDX-FileCopyrightText: The cryptoki.hsm contributors
# SPDX-License-Identifier: GPL-3.0-or-later

# A simulated YubiHSM 2 behind its connector. The PIN is the number of the authentication key, then its password.
set -eu
echo connector=http://127.0.0.1:12345 >"$YUBIHSM_PKCS11_CONF"
PASSWORD=${PIN#0001} "$PYTHON" "$SIMULATORS/yubihsm.py" 12345 &
. "$(dirname "$0")/../wait.sh"
until_works listening 12345

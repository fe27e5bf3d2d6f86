#!/bin/sh
# SPDX-FileCopyrightText: The cryptoki.hsm contributors
# SPDX-License-Identifier: GPL-3.0-or-later

# A token of SoftHSM, behind pkcs11-proxy's daemon.
set -eu
. "$(dirname "$0")/softhsm.sh"
PKCS11_DAEMON_SOCKET="$PKCS11_PROXY_SOCKET" pkcs11-daemon /usr/lib/softhsm/libsofthsm2.so &
. "$(dirname "$0")/../wait.sh"
until_works listening 2345

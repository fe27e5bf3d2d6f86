#!/bin/sh
# SPDX-FileCopyrightText: The cryptoki.hsm contributors
# SPDX-License-Identifier: GPL-3.0-or-later

# A token of SoftHSM, behind p11-kit's server.
set -eu
. "$(dirname "$0")/softhsm.sh"
p11-kit server --foreground --provider /usr/lib/softhsm/libsofthsm2.so \
    --name "${P11_KIT_SERVER_ADDRESS#unix:path=}" pkcs11: &
. "$(dirname "$0")/../wait.sh"
until_works test -S "${P11_KIT_SERVER_ADDRESS#unix:path=}"

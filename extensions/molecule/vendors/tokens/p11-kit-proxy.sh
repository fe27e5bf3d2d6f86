#!/bin/sh
# SPDX-FileCopyrightText: The cryptoki.hsm contributors
# SPDX-License-Identifier: GPL-3.0-or-later

# A token of SoftHSM, behind p11-kit's proxy, which shows nothing else.
set -eu
. "$(dirname "$0")/softhsm.sh"
mkdir -p "$XDG_CONFIG_HOME/pkcs11/modules"
echo 'user-config: only' >"$XDG_CONFIG_HOME/pkcs11/pkcs11.conf"
echo 'module: /usr/lib/softhsm/libsofthsm2.so' >"$XDG_CONFIG_HOME/pkcs11/modules/softhsm.module"

#!/bin/sh
# SPDX-FileCopyrightText: The cryptoki.hsm contributors
# SPDX-License-Identifier: GPL-3.0-or-later

# A token of SoftHSM in this folder. The PINs on command lines are those of a test token.
set -eu
mkdir tokens
echo "directories.tokendir = $PWD/tokens" >"$SOFTHSM2_CONF"
softhsm2-util --init-token --free --label vendors --pin "$PIN" --so-pin 22608522

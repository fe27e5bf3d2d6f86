#!/bin/sh
# SPDX-FileCopyrightText: The cryptoki.hsm contributors
# SPDX-License-Identifier: GPL-3.0-or-later

# A simulated TPM behind a resource manager, as the kernel has one, and a token in it, made by the library itself. The
# PINs on command lines are those of a test token.
set -eu
# Where the resource manager is, and an ordinary user who comes by ssh does not look
PATH=$PATH:/usr/sbin
. "$(dirname "$0")/../wait.sh"
mkdir tpm "$TPM2_PKCS11_STORE"
swtpm socket --tpm2 --tpmstate dir="$PWD/tpm" --flags not-need-init,startup-clear \
    --server type=tcp,port=2321 --ctrl type=tcp,port=2322 &
until_works listening 2321
dbus-daemon --session --nofork --nopidfile --address="$DBUS_SESSION_BUS_ADDRESS" &
until_works test -S bus
tpm2-abrmd --session --tcti=swtpm:host=127.0.0.1,port=2321 &
tool() {
    pkcs11-tool --module "$MODULE" --so-pin 22608522 "$@"
}
until_works tool --init-token --slot-index 0 --label vendors
tool --login --login-type so --init-pin --token-label vendors --new-pin "$PIN"

# SPDX-FileCopyrightText: The cryptoki.hsm contributors
# SPDX-License-Identifier: GPL-3.0-or-later

# A simulated TPM behind a resource manager, as the kernel has one, and a token in it, made by the library itself. The
# PINs on command lines are those of a test token.
mkdir tpm "$TPM2_PKCS11_STORE"
swtpm socket --tpm2 --tpmstate dir="$PWD/tpm" --flags not-need-init,startup-clear \
    --server type=tcp,port=2321 --ctrl type=tcp,port=2322 &
dbus-daemon --session --nofork --nopidfile --address="$DBUS_SESSION_BUS_ADDRESS" &
sleep 0.5
tpm2-abrmd --session --tcti=swtpm:host=127.0.0.1,port=2321 &
tool() {
    pkcs11-tool --module "$MODULE" --so-pin 22608522 "$@"
}
for attempt in 1 2 3 4 5 6 7 8 9 10; do
    if tool --init-token --slot-index 0 --label vendors; then break; fi
    sleep 0.3
done
tool --login --login-type so --init-pin --token-label vendors --new-pin "$PIN"

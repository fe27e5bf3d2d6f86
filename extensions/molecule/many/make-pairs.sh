#!/bin/sh
# SPDX-FileCopyrightText: The cryptoki.hsm contributors
# SPDX-License-Identifier: GPL-3.0-or-later

# The first pairs of vars/pairs.yml, made by OpenSC. The PIN on command lines is that of a test token.
#
#   make-pairs.sh LIBRARY TOKEN PIN_FILE PAIRS
set -eu
number=0
while [ "$number" -lt "$4" ]; do
    if [ $((number % 15)) = 0 ]; then
        label="rsa $number" type=rsa:2048
    else
        label="ecc $number" type=EC:prime256v1
    fi
    pkcs11-tool --module "$1" --token-label "$2" --login --pin "$(cat "$3")" --keypairgen --key-type "$type" \
        --label "$label" --id "$(printf %04x "$number")" --sensitive >/dev/null
    number=$((number + 1))
done

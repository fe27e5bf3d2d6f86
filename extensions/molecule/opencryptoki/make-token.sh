#!/bin/sh
# SPDX-FileCopyrightText: The cryptoki.hsm contributors
# SPDX-License-Identifier: GPL-3.0-or-later

# Initialises a soft token of openCryptoki and walks it through the changes of PIN that it demands. It makes nothing of
# a token that has a user PIN. The PINs on command lines are those of a test token.
#
#   make-token.sh SLOT LABEL PIN
set -eu
slot=$1 label=$2 pin=$3
factory=87654321 officer=22608522
# Where pkcsconf is, and an ordinary user who comes by ssh does not look
PATH=$PATH:/usr/sbin

flags=$(pkcsconf -t -c "$slot" | grep Flags)
case $flags in *USER_PIN_INITIALIZED*) exit 0 ;; esac

echo "$label" | pkcsconf -I -c "$slot" -S "$factory"
pkcsconf -P -c "$slot" -S "$factory" -n "$officer"
pkcsconf -u -c "$slot" -S "$officer" -n 12345678
pkcsconf -p -c "$slot" -U 12345678 -n "$pin"

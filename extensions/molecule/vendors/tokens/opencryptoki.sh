#!/bin/sh
# SPDX-FileCopyrightText: The cryptoki.hsm contributors
# SPDX-License-Identifier: GPL-3.0-or-later

# Initialises openCryptoki's soft token and walks it through the changes of PIN that it demands. The PINs on command
# lines are those of a test token, which have 4 to 8 characters.
set -eu
factory=87654321 officer=22608522
PATH=$PATH:/usr/sbin
echo vendors | pkcsconf -I -c 3 -S "$factory"
pkcsconf -P -c 3 -S "$factory" -n "$officer"
pkcsconf -u -c 3 -S "$officer" -n 12345678
pkcsconf -p -c 3 -U 12345678 -n "$PIN"

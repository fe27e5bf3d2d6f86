#!/bin/sh
# SPDX-FileCopyrightText: The cryptoki.hsm contributors
# SPDX-License-Identifier: GPL-3.0-or-later

# A database of NSS in this folder.
set -eu
mkdir db
printf '%s\n' "$PIN" >db.password
certutil -N -d sql:db -f db.password

#!/bin/sh
# SPDX-FileCopyrightText: The cryptoki.hsm contributors
# SPDX-License-Identifier: GPL-3.0-or-later

# Starts openCryptoki's daemon as root, with one slot: a soft token for its group. No service manager runs in the
# container.
#
#   opencryptoki-daemon.sh USER...
set -eu
for user in "$@"; do
    usermod --append --groups pkcs11 "$user"
done
cat >/etc/opencryptoki/opencryptoki.conf <<END
version opencryptoki-3.23
disable-event-support
slot 3
{
stdll = libpkcs11_sw.so
tokversion = 3.12
}
END
rm -rf /var/lib/opencryptoki/swtok
install --directory --group pkcs11 --mode 0770 /var/lib/opencryptoki/swtok /var/lib/opencryptoki/swtok/TOK_OBJ
pkcsslotd
. "$(dirname "$0")/wait.sh"
until_works test -S /run/opencryptoki/pkcsslotd.socket

#!/usr/bin/env bash
# SPDX-FileCopyrightText: The cryptoki.hsm contributors
# SPDX-License-Identifier: GPL-3.0-or-later

# look.sh TOKEN   what is on the token, by pkcs11-tool and by p11tool
# look.sh         the tokens, by pkcs11-tool
#
# One line an object and program, sorted, because SoftHSM's order differs between processes. pkcs11-tool 0.23 lists all
# objects, whatever --label or --id says.

set -o errexit -o nounset -o pipefail

. "$(dirname "$0")/settings.sh"

# Joins the lines of one thing, which begins with a line like $1, and drops what stands before the first.
join_lines() {
    awk -v head="$1" '
        $0 ~ head { if (line) print line; line = $0; next }
        line && NF { $1 = $1; line = line " | " $0 }
        END { if (line) print line }
    ' | sort
}

fail() {
    cat "$0.log" >&2
    exit 1
}

if [ $# = 0 ]
then
    # "Slot 3 (0x1234): description"; its index may be another one when a token was added.
    pkcs11-tool --module "$SOFTHSM_LIBRARY" --list-slots 2> "$0.log" | sed 's/^Slot [0-9]* /Slot /' | join_lines '^Slot ' || fail
    exit
fi

pkcs11-tool --module "$SOFTHSM_LIBRARY" --token-label "$1" --login --pin env:PIN --list-objects 2> "$0.log" | join_lines '^[^ ]' || fail

# An empty token is an error to p11tool. It numbers objects anew each time.
p11tool --provider "$SOFTHSM_LIBRARY" --login --list-all "pkcs11:token=${1// /%20}" > "$0.listed" 2> "$0.log" \
    || grep --quiet '^No matching objects found$' "$0.log" || fail
sed 's/^Object [0-9]*:$/p11tool:/' "$0.listed" | join_lines '^p11tool:'

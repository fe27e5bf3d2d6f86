#!/bin/sh
# SPDX-FileCopyrightText: The cryptoki.hsm contributors
# SPDX-License-Identifier: GPL-3.0-or-later

# Looks at a key pair from outside, with OpenSC and OpenSSL: both halves once, the private key's access, the public key
# as it was returned, and a signature. The PIN on command lines is that of a test token.
#
#   verify-pair.sh LIBRARY TOKEN PIN_FILE LABEL rsa|ec PEM_FILE [copy] [WORD of the access line...]
#
# A copy was not made where it is, so that it is not 'local'.
set -eu
library=$1 token=$2 pin=$(cat "$3") label=$4 type=$5 pem=$6
shift 6
made=local
if [ "${1:-}" = copy ]; then
    made=sensitive
    shift
fi

work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
cd "$work"

tool() {
    pkcs11-tool --module "$library" --token-label "$token" --login --pin "$pin" "$@" 2>errors || {
        cat errors >&2
        exit 1
    }
}
fail() {
    echo "$token, $label: $1" >&2
    exit 1
}

# --list-objects does not heed --label: pick the paragraphs out.
halves() {
    tool --list-objects --type "$1" | awk -v label="$label" '
        /^[^ ]/ { if (mine) printf "%s", text; text = ""; mine = 0 }
        { text = text $0 "\n" }
        $1 == "label:" { sub(/^ *label: */, ""); mine = ($0 == label) }
        END { if (mine) printf "%s", text }'
}
halves privkey >private
halves pubkey >public
[ "$(grep -c '^Private Key Object' private)" = 1 ] || fail "not one private half: $(cat private)"
[ "$(grep -c '^Public Key Object' public)" = 1 ] || fail "not one public half: $(cat public)"

# pkcs11-tool signs with just any key, whatever its --label: name the key by its id.
id=$(sed -n 's/^ *ID: *//p' private)
grep -q "ID: *$id\$" public || fail "the halves do not share the id $id"

# 'never extractable' holds the word extractable: take the list apart.
sed -n 's/^ *Access: *//p' private | tr ',' '\n' | sed 's/^ *//; s/ *$//' >access
for word in sensitive "$made" "$@"; do
    grep -qx "$word" access || fail "the private half is not $word: $(tr '\n' ',' <access)"
done

# The returned key is the one that the token shows, or ends with the point that it shows.
returned=$(openssl pkey -pubin -in "$pem" -outform DER | od -An -v -tx1 | tr -d ' \n')
if [ "$type" = rsa ]; then
    tool --read-object --type pubkey --id "$id" --output-file read.der >/dev/null
    held=$(openssl pkey -pubin -inform DER -in read.der -outform DER | od -An -v -tx1 | tr -d ' \n')
else
    # OpenSC 0.23 cannot read every curve's key, so take the point from the listing, less tag and length.
    held=$(sed -n 's/^ *EC_POINT: *04..//p' public)
fi
[ "${#held}" -gt 100 ] || fail "the token shows no public key: $(cat public)"
case $returned in *"$held") ;; *) fail "the returned public key is not the token's" ;; esac

echo "molecule" >text
openssl dgst -sha256 -binary text >digest
if [ "$type" = rsa ]; then
    tool --sign --mechanism SHA256-RSA-PKCS --id "$id" --input-file text --output-file signature >/dev/null
else
    tool --sign --mechanism ECDSA --signature-format openssl --id "$id" --input-file digest \
        --output-file signature >/dev/null
fi
openssl dgst -sha256 -verify "$pem" -signature signature text

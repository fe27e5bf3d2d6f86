#!/usr/bin/env bash
# SPDX-FileCopyrightText: The cryptoki.hsm contributors
# SPDX-License-Identifier: GPL-3.0-or-later

# outside.sh TOKEN ID PEM: holds a pair with this id (hexadecimal digits, colons allowed) against the PEM that the module
# returned, by programs that know nothing of the module. What was checked is printed, one word a line:
#
#   signature    pkcs11-tool signed on the token, openssl verified with the PEM
#   point        pkcs11-tool lists the same point, and the token itself verified (SM2, with which openssl does no ECDSA)
#   p11tool      it exports the same public key; not all curves are known to it
#   ssh-keygen   it lists the same public key, without a login; RSA and NIST's curves only
#
# pkcs11-tool 0.23 signs with the first private key that it sees, whatever --label says: only --id chooses.

set -o errexit -o nounset -o pipefail

. "$(dirname "$0")/settings.sh"

token=$1
id=${2//:/}
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
printf '%s' "$3" > "$work/key.pem"

fail() {
    echo "outside.sh: $*" >&2
    cat "$work"/*.log >&2
    exit 1
}

tool() {
    pkcs11-tool --module "$SOFTHSM_LIBRARY" --token-label "$token" --login --pin env:PIN --id "$id" "$@" > "$work/tool.log" 2>&1 \
        || fail "pkcs11-tool $*"
}

verify() {
    openssl "$@" > "$work/openssl.log" 2>&1 || fail "openssl $*"
}

head -c 200 /dev/urandom > "$work/data"
openssl dgst -sha256 -binary -out "$work/hash" "$work/data"
kind=$(openssl pkey -pubin -in "$work/key.pem" -noout -text)
how=signature
ssh=false
case $kind in
    ED25519*|ED448*)
        tool --sign --mechanism EDDSA --input-file "$work/data" --output-file "$work/signature"
        verify pkeyutl -verify -rawin -pubin -inkey "$work/key.pem" -sigfile "$work/signature" -in "$work/data"
        ;;
    *"ASN1 OID: SM2"*)
        tool --sign --mechanism ECDSA --signature-format openssl --input-file "$work/hash" --output-file "$work/signature"
        tool --verify --mechanism ECDSA --signature-format openssl --input-file "$work/hash" --signature-file "$work/signature"
        grep --quiet '^Signature is valid' "$work/tool.log" || fail "the token's own signature is not valid"
        tool --list-objects
        der=$(openssl pkey -pubin -in "$work/key.pem" -outform DER | od -A n -v -t x1 | tr -d ' \n')
        grep --quiet "EC_POINT: *0441${der: -130}\$" "$work/tool.log" || fail "no object has the PEM's point"
        how=point
        ;;
    *"ASN1 OID: "*)
        tool --sign --mechanism ECDSA --signature-format openssl --input-file "$work/hash" --output-file "$work/signature"
        verify pkeyutl -verify -pubin -inkey "$work/key.pem" -sigfile "$work/signature" -in "$work/hash"
        ! [[ $kind == *"NIST CURVE: P-"@(256|384|521)* ]] || ssh=true
        ;;
    *)
        tool --sign --mechanism SHA256-RSA-PKCS --input-file "$work/data" --output-file "$work/signature"
        verify dgst -sha256 -verify "$work/key.pem" -signature "$work/signature" "$work/data"
        ssh=true
        ;;
esac
echo "$how"

url="pkcs11:token=${token// /%20};id=$(fold -w 2 <<< "$id" | sed 's/^/%/' | tr -d '\n')"
if p11tool --provider "$SOFTHSM_LIBRARY" --login --export-pubkey "$url;type=private" --outfile "$work/exported.pem" > "$work/p11tool.log" 2>&1
then
    diff "$work/exported.pem" "$work/key.pem" > "$work/diff.log" || fail "p11tool exports another public key"
    echo p11tool
fi

if $ssh
then
    # It speaks of every key that it does not know, of other algorithms for instance.
    ssh-keygen -D "$SOFTHSM_LIBRARY" > "$work/listed" 2> "$work/ssh.log" || fail "ssh-keygen -D"
    converted=$(ssh-keygen -i -m PKCS8 -f "$work/key.pem")
    grep --quiet --fixed-strings -- "$converted" "$work/listed" || fail "ssh-keygen lists no $converted"
    echo ssh-keygen
fi

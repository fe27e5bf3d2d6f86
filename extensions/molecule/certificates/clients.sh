#!/bin/sh
# SPDX-FileCopyrightText: The cryptoki.hsm contributors
# SPDX-License-Identifier: GPL-3.0-or-later

# Programs that use keys in a token by the URIs that the modules return, with the certificates that the role made. Each
# must do its work with the key; what it is told is in its own configuration or environment, and no PIN is in an argument.
#
#   clients.sh FOLDER LIBRARY CLIENT...
#
# FOLDER has the certificates, the file `pin`, and the file `uris` with the URI of each key.
set -eu
cd "$1"
library=$2
shift 2
. ./uris
here=$PWD work=$(mktemp -d)
servers=
finish() {
    for server in $servers; do kill "$server" 2>/dev/null || true; done
    rm -rf "$work"
}
trap finish EXIT

fail() {
    echo "clients: $client: $1" >&2
    tail -n 5 "$work"/*.log >&2
    exit 1
}

# A server in the background, which is stopped at the end
start() {
    log=$(mktemp "$work/server-XXXX.log")
    "$@" >"$log" 2>&1 &
    servers="$servers $!"
}

# Whether a server at a port has the name, by a chain that ends with the root; it may be starting still.
answers() {
    attempts=300
    until timeout 10 openssl s_client -connect "127.0.0.1:$1" -CAfile root-ca.pem -verify_return_error -verify_hostname "$2" \
        </dev/null >"$work/s_client.log" 2>&1 && grep -q '^ *Verify return code: 0 ' "$work/s_client.log"; do
        attempts=$((attempts - 1))
        [ "$attempts" -gt 0 ] || fail "no answer as $2"
        sleep 0.1
    done
}

# Root, intermediate and leaf
chains() {
    openssl verify -x509_strict -CAfile root-ca.pem -untrusted issuing-ca.pem www.pem mail.pem code-signing.pem \
        >"$work/verify.log" 2>&1 || fail "no chain"
}

# Debian 12: the engine of libp11. Its control commands are in OpenSSL's configuration.
engine() {
    cat >"$work/engine.cnf" <<END
openssl_conf = openssl_init
[openssl_init]
engines = engines
[engines]
pkcs11 = pkcs11_section
[pkcs11_section]
engine_id = pkcs11
MODULE_PATH = $library
init = 0
END
    OPENSSL_CONF="$work/engine.cnf" openssl dgst -sha256 -engine pkcs11 -keyform engine \
        -sign "$code_signing;type=private?pin-source=file:$here/pin" -out "$work/signature" pin >"$work/dgst.log" 2>&1 ||
        fail "no signature by code-signing"
    start env OPENSSL_CONF="$work/engine.cnf" openssl s_server -www -accept 8441 -cert www.pem -cert_chain issuing-ca.pem \
        -engine pkcs11 -keyform engine -key "$www;type=private?pin-source=file:$here/pin"
    answers 8441 www.example.org
    start env OPENSSL_CONF="$work/engine.cnf" openssl s_server -www -accept 8442 -cert mail.pem -cert_chain issuing-ca.pem \
        -engine pkcs11 -keyform engine -key "$mail;type=private?pin-source=file:$here/pin"
    answers 8442 mail.example.org
}

# Debian 13: the provider. Without the quirk each call ends in a crash, after its work is done.
provider() {
    cat >"$work/provider.cnf" <<END
openssl_conf = openssl_init
[openssl_init]
providers = providers
[providers]
default = default_provider
pkcs11 = pkcs11_section
[default_provider]
activate = 1
[pkcs11_section]
pkcs11-module-path = $library
pkcs11-module-token-pin = file:$here/pin
pkcs11-module-quirks = no-deinit
activate = 1
END
    start env OPENSSL_CONF="$work/provider.cnf" openssl s_server -www -accept 8443 -cert www.pem -cert_chain issuing-ca.pem \
        -key "$www;type=private"
    answers 8443 www.example.org
    start env OPENSSL_CONF="$work/provider.cnf" openssl s_server -www -accept 8444 -cert mail.pem -cert_chain issuing-ca.pem \
        -key "$mail;type=private"
    answers 8444 mail.example.org
}

# nginx with that engine. Of its own environment it passes on what it is told to.
nginx() {
    cat >"$work/nginx.conf" <<END
daemon off;
pid $work/nginx.pid;
error_log stderr;
env OPENSSL_CONF;
ssl_engine pkcs11;
events {}
http {
    access_log off;
    client_body_temp_path $work;
    proxy_temp_path $work;
    fastcgi_temp_path $work;
    uwsgi_temp_path $work;
    scgi_temp_path $work;
    server {
        listen 127.0.0.1:8445 ssl;
        server_name www.example.org;
        ssl_certificate $here/www-chain.pem;
        ssl_certificate_key "engine:pkcs11:$www;type=private?pin-source=file:$here/pin";
        location / { return 200 "a page\n"; }
    }
}
END
    start env OPENSSL_CONF="$work/engine.cnf" /usr/sbin/nginx -c "$work/nginx.conf"
    answers 8445 www.example.org
    page=$(curl --silent --show-error --cacert root-ca.pem --connect-to ::127.0.0.1:8445 https://www.example.org/)
    [ "$page" = "a page" ] || fail "the page is $page"
}

# GnuTLS finds the library by p11-kit's configuration. It takes no chain from the token.
gnutls() {
    mkdir -p "$work/pkcs11/modules"
    echo 'user-config: only' >"$work/pkcs11/pkcs11.conf"
    echo "module: $library" >"$work/pkcs11/modules/token.module"
    export GNUTLS_PIN XDG_CONFIG_HOME="$work"
    GNUTLS_PIN=$(cat pin)
    for name in www mail code_signing; do
        eval "uri=\$$name"
        p11tool --login --test-sign "$uri;type=private" >"$work/p11tool.log" 2>&1 || fail "no signature by $name"
    done
    start gnutls-serv --quiet --http --port 8446 --x509certfile www-chain.pem --x509keyfile "$www;type=private"
    answers 8446 www.example.org
    start gnutls-serv --quiet --http --port 8447 --x509certfile mail-chain.pem --x509keyfile "$mail;type=private"
    answers 8447 mail.example.org
}

# NSS shows a certificate by the label that it has on the token.
nss() {
    mkdir "$work/db"
    certutil -N -d "sql:$work/db" --empty-password
    modutil -force -dbdir "sql:$work/db" -add token -libfile "$library" >"$work/modutil.log" 2>&1 || fail "no library"
    certutil -L -d "sql:$work/db" -h molecule-web -f pin >"$work/certutil.log" 2>&1
    for name in www mail code-signing; do
        grep -q "^molecule-web:$name .*u,u,u" "$work/certutil.log" || fail "no certificate $name with its key"
    done
}

# Java shows a key only beside its certificate, whose label is the alias.
java() {
    # The token goes by the number of its slot.
    slot=$(pkcs11-tool --module "$library" --list-slots 2>/dev/null |
        sed -n '/^Slot /{N; s/^Slot [0-9]* (\(0x[0-9a-f]*\)).*: molecule-web$/\1/p}')
    printf '%s\n' 'name = token' "library = $library" "slot = $(printf %d "$slot")" >"$work/java.cfg"
    set -- -storetype PKCS11 -storepass:file pin -providerClass sun.security.pkcs11.SunPKCS11 -providerArg "$work/java.cfg"
    keytool -list "$@" >"$work/keytool.log" 2>&1 || fail "no list"
    for name in www mail code-signing; do
        grep -q "^$name, PrivateKeyEntry" "$work/keytool.log" || fail "no key $name"
    done
    # The program jarsigner comes with a larger package; what it starts is here. It takes the chain from the token.
    (cd "$work" && echo "a class" >A.class && python3 -m zipfile -c app.jar A.class)
    command java -m jdk.jartool/sun.security.tools.jarsigner.Main -keystore NONE "$@" "$work/app.jar" code-signing \
        >"$work/jarsigner.log" 2>&1 || fail "no signature"
    (cd "$work" && python3 -m zipfile -e app.jar .)
    openssl cms -verify -binary -inform DER -in "$work/META-INF/CODE-SIG.RSA" -content "$work/META-INF/CODE-SIG.SF" \
        -CAfile root-ca.pem -purpose any -out /dev/null 2>"$work/cms.log" || fail "no signature by the chain"
}

for client in "$@"; do
    "$client"
    echo "$client"
done

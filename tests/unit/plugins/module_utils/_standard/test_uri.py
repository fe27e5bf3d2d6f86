# Copyright (c) 2026, The cryptoki.hsm authors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""PKCS#11 URIs: the grammar of RFC 7512, the round trip, and that no PIN is ever spoken of."""

from __future__ import annotations

import dataclasses
import re
import shutil
import subprocess
import typing as t
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ansible_collections.cryptoki.hsm.plugins.module_utils._standard.uri import PKCS11Uri, build_uri, parse_uri

SOFTHSM = "/usr/lib/softhsm/libsofthsm2.so"

TEXT = st.sampled_from([";pin-value=1", "&pin-value=1", ":pin-source", "?pin-value="]) | st.text(
    st.characters(exclude_categories=["Cs"], exclude_characters="\0"), max_size=20
)
URIS = st.builds(
    PKCS11Uri,
    **{
        field.name: st.none() | TEXT
        for field in dataclasses.fields(PKCS11Uri)
        if field.name not in ("slot_id", "type", "id", "library_version")
    },
    slot_id=st.none() | st.integers(0, 2**64 - 1),
    type=st.sampled_from([None, "public", "private", "cert", "secret-key", "data"]),
    id=st.none() | st.binary(max_size=20),
    library_version=st.sampled_from([None, "2", "2.6", "255.255"]),
)


@given(URIS)
def test_round_trip(uri: PKCS11Uri) -> None:
    text = build_uri(uri)
    assert re.fullmatch(r"pkcs11:[!-~]*", text)
    assert parse_uri(text) == uri


@given(st.text(max_size=80) | st.text(max_size=60).map(lambda text: "pkcs11:" + text))
def test_anything_is_a_uri_or_one_line(text: str) -> None:
    try:
        parse_uri(text)
    except ValueError as error:
        assert len(str(error).splitlines()) == 1


def test_all_attributes() -> None:
    text = (
        "pkcs11:token=The%20Software%20PKCS%2311%20Softtoken;manufacturer=Snake%20Oil%2c%20Inc.;serial=;model=1.0"
        ";library-manufacturer=m;library-description=d;library-version=3;slot-manufacturer=s;slot-description=t"
        ";slot-id=327;object=my-certificate%2F%3F;type=cert;id=%69%95%3E%5C%F4%BD%EC%91;x-vendor=a=b"
        "?module-path=/usr/lib/libmypkcs11.so.1&x-more=1&x-more=2&module-name=mypkcs11"
    )
    assert parse_uri(text) == PKCS11Uri(
        token="The Software PKCS#11 Softtoken",
        manufacturer="Snake Oil, Inc.",
        serial="",
        model="1.0",
        library_manufacturer="m",
        library_description="d",
        library_version="3",
        slot_manufacturer="s",
        slot_description="t",
        slot_id=327,
        object="my-certificate/?",
        type="cert",
        id=b"\x69\x95\x3e\x5c\xf4\xbd\xec\x91",
        module_path="/usr/lib/libmypkcs11.so.1",
        module_name="mypkcs11",
    )


def test_small_ones() -> None:
    assert parse_uri("pkcs11:") == parse_uri("PKCS11:?") == PKCS11Uri()
    assert parse_uri("pkcs11:id=") == PKCS11Uri(id=b"")
    assert parse_uri("pkcs11:object=%C3%BC%E2%82%AC&a=b") == PKCS11Uri(object="ü€&a=b")
    assert parse_uri("pkcs11:?module-path=a?b|c/d") == PKCS11Uri(module_path="a?b|c/d")
    assert build_uri(PKCS11Uri()) == "pkcs11:"


def test_escapes() -> None:
    uri = PKCS11Uri(token="a b;c/d?e%f&g=h#i", object="ü", id=b"Az\x00", module_path="/x y;&z")
    assert (
        build_uri(uri)
        == "pkcs11:token=a%20b%3Bc%2Fd%3Fe%25f%26g=h%23i;object=%C3%BC;id=%41%7A%00?module-path=/x%20y%3B%26z"
    )
    with pytest.raises(ValueError, match="^object is not valid UTF-8$"):
        build_uri(PKCS11Uri(object="\udc80"))


@pytest.mark.parametrize(
    ("text", "part"),
    [
        ("", "starts with 'pkcs11:'"),
        ("pkcs12:token=a", "starts with 'pkcs11:'"),
        (" pkcs11:token=a", "starts with 'pkcs11:'"),
        ("pkcs11:token=a;token=a", "token is twice"),
        ("pkcs11:?module-name=a&module-name=b", "module-name is twice"),
        ("pkcs11:token=a;", "part without a name"),
        ("pkcs11:;token=a", "part without a name"),
        ("pkcs11:=a", "part without a name"),
        ("pkcs11:token", "part without a name or without '='"),
        ("pkcs11:token=a?module-name=b&", "the query of the URI has a part without a name"),
        ("pkcs11:label=a", "unknown there; known are token, manufacturer"),
        ("pkcs11:Token=a", "unknown there"),
        ("pkcs11:module-path=a", "unknown there"),
        ("pkcs11:slot_id=1", "unknown there"),
        ("pkcs11:?token=a", "unknown there; known are module-path, module-name"),
        ("pkcs11:x-=a", "unknown there"),
        ("pkcs11:token=a%2", "token has a '%'"),
        ("pkcs11:token=a%zz", "token has a '%'"),
        ("pkcs11:token=100%", "%25"),
        ("pkcs11:token=My Token", "%20"),
        ("pkcs11:token=a/b", "%2F"),
        ("pkcs11:token=ü", "percent-encoded"),
        ("pkcs11:token=a#b", "percent-encoded"),
        ("pkcs11:token=%FF", "token is not valid UTF-8"),
        ("pkcs11:token=a%00", "NUL"),
        ("pkcs11:slot-id=", "slot-id is not a decimal number, as RFC 7512 wants it; the option slot_id takes 0x…"),
        (
            "pkcs11:slot-id=-1",
            "slot-id is not a decimal number, as RFC 7512 wants it; the option slot_id takes 0x…",
        ),
        (
            "pkcs11:slot-id=0x1",
            "slot-id is not a decimal number, as RFC 7512 wants it; the option slot_id takes 0x…",
        ),
        (
            "pkcs11:slot-id=%D9%A1",
            "slot-id is not a decimal number, as RFC 7512 wants it; the option slot_id takes 0x…",
        ),
        ("pkcs11:type=key", "type is none of public, private"),
        ("pkcs11:library-version=2.x", "library-version"),
        (t.cast(str, 7), "is a text"),
        (t.cast(str, b"pkcs11:"), "is a text"),
    ],
)
def test_refused(text: str, part: str) -> None:
    with pytest.raises(ValueError, match=re.escape(part)):
        parse_uri(text)


@pytest.mark.parametrize(
    "text",
    [
        "pkcs11:token=a?pin-value=s3cr3t",
        "pkcs11:token=a?module-name=b&pin-value=s3cr3t",
        "pkcs11:pin-value=s3cr3t",
        "PKCS11:token=%zz?PIN-VALUE=s3cr3t",
        "pkcs11:token=a?pin-value=s3cr3t&s3cr3t=1",
        "pkcs11:token=a;s3cr3t?pin-value=1",
        "pkcs11:token=a&pin-value=s3cr3t",
        "http:token=a?pin-value=s3cr3t",
        "pkcs11:token=a? pin-value = s3cr3t",
        "pkcs11:token=a?pin-value",
    ],
)
def test_pin_is_refused_without_echo(text: str) -> None:
    with pytest.raises(ValueError) as caught:
        parse_uri(text)
    assert str(caught.value) == "pin-value in a URI is refused: give the PIN by the option pin or pin_file"
    assert caught.value.__cause__ is None and caught.value.__context__ is None


def test_pin_source_is_refused() -> None:
    with pytest.raises(ValueError, match="^pin-source in a URI is refused"):
        parse_uri("pkcs11:token=a?pin-source=file:/etc/s3cr3t")


@pytest.mark.parametrize(
    "text",
    [
        "pkcs11:token=a?pin_value=s3cr3t",
        "pkcs11:token=a?pin%2Dvalue=s3cr3t",
        "pin-value=s3cr3t",
        "pkcs11:token=s3cr3t",
        "s3cr3t",
        "pkcs11:s3cr3t",
        "pkcs11:s3cr3t /=1",
        "pkcs11:token=s3cr3t%",
        "pkcs11:token=s3cr3t%FF",
        "pkcs11:token=s3cr3t /",
        "pkcs11:slot-id=s3cr3t",
        "pkcs11:type=s3cr3t",
        "pkcs11:library-version=s3cr3t",
        "pkcs11:token=s3cr3t;token=s3cr3t",
    ],
)
def test_no_reason_holds_a_value(text: str) -> None:
    try:
        parse_uri(text)
    except ValueError as error:
        assert "s3cr3t" not in str(error)
        assert error.__cause__ is None and (error.__context__ is None or error.__suppress_context__)


@pytest.mark.skipif(not shutil.which("p11tool") or not Path(SOFTHSM).exists(), reason="needs gnutls-bin and softhsm2")
def test_reads_and_writes_what_p11tool_understands(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    label, object_label = "tök en;/?#&=%", "schlüssel / 1;2"
    (tmp_path / "tokens").mkdir()
    (tmp_path / "conf").write_text(f"directories.tokendir = {tmp_path}/tokens\n")
    monkeypatch.setenv("SOFTHSM2_CONF", str(tmp_path / "conf"))
    monkeypatch.setenv("GNUTLS_PIN", "1234")

    def run(*command: str, status: int = 0) -> list[PKCS11Uri]:
        done = subprocess.run(command, capture_output=True, text=True, check=False)
        assert done.returncode == status, done.stderr
        return [parse_uri(uri) for uri in re.findall(r"pkcs11:\S*", done.stdout)]

    run("softhsm2-util", "--init-token", "--free", "--label", label, "--pin", "1234", "--so-pin", "1234")
    listed = run("p11tool", "--provider", SOFTHSM, "--list-tokens", "--only-urls")
    (token,) = [uri for uri in listed if uri.token == label]
    assert token.model == "SoftHSM v2" and token.manufacturer == "SoftHSM project"
    only_token = build_uri(PKCS11Uri(token=label))
    generate = ["--login", "--generate-privkey=ecdsa", "--curve=secp256r1", "--id=00ff", f"--label={object_label}"]
    run("p11tool", "--provider", SOFTHSM, *generate, "--outfile=/dev/null", only_token)
    wished = PKCS11Uri(token=label, object=object_label, id=b"\x00\xff", type="private")
    (found,) = run("p11tool", "--provider", SOFTHSM, "--login", "--list-all", "--only-urls", build_uri(wished))
    assert (found.token, found.object, found.id, found.type) == (label, object_label, b"\x00\xff", "private")
    other = build_uri(dataclasses.replace(wished, id=b"\x00\xfe"))
    assert run("p11tool", "--provider", SOFTHSM, "--login", "--list-all", "--only-urls", other, status=2) == []


def test_an_unknown_attribute_is_named() -> None:
    with pytest.raises(ValueError, match="^the path of the URI has an attribute 'tokn' that is unknown there; known"):
        parse_uri("pkcs11:tokn=a")
    with pytest.raises(ValueError, match="^the query of the URI has an attribute 'token' that is unknown there; known"):
        parse_uri("pkcs11:?token=a")


def test_other_programs_attributes_of_the_query_are_passed_over() -> None:
    assert parse_uri("pkcs11:token=a?object-store=b&module-path=%2Fc") == PKCS11Uri(token="a", module_path="/c")
    for name in ("pin_value", "PINvalue", "user-pin"):
        with pytest.raises(ValueError, match="attribute '[^']*' that is unknown there"):
            parse_uri(f"pkcs11:token=a?{name}=s3cr3t")

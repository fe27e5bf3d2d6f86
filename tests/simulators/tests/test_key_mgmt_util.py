# Copyright (c) 2026, The cryptoki.hsm authors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The simulator of key_mgmt_util does what its documentation shows, word for word, with real keys.

Expected outputs are data: the transcripts of AWS's pages genRSAKeyPair and genECCKeyPair, of the other key_mgmt_util
pages of its guide, and of Azure Cloud HSM's page on certificate storage. Blanks are not compared, because pages lose
them.
"""

from __future__ import annotations

import re
import subprocess
import time
import typing as t
from pathlib import Path

import pytest

from ansible_collections.cryptoki.hsm.tests.support.cluster import OWNER, OWNER_PASSWORD, Cluster, run
from ansible_collections.cryptoki.hsm.tests.support.terminal import Terminal

OTHER_PASSWORD = "63-other-8127"
PROMPT = "Command:  "
SPELLINGS = ("aws", "aws_status", "azure")


class Tool:
    """key_mgmt_util in single-command mode, in a folder of its own."""

    def __init__(self, cluster: Cluster, spelling: str = "aws", **variables: str) -> None:
        self.cluster = cluster
        self.path = cluster.install_key_mgmt_util(None, "key_mgmt_util", spelling, **variables)

    def run(self, command: str, user: str = OWNER, password: str = OWNER_PASSWORD) -> subprocess.CompletedProcess[str]:
        """One command after a login."""
        login = ["singlecmd", "loginHSM", "-u", "CU", "-s", user, "-p", password]
        return run(self.path, *login, *command.split(), cwd=self.cluster.folder, env={})

    def says(self, command: str, **login: str) -> str:
        """What a command prints, without banner, login and echo; blanks made one."""
        output = self.run(command, **login).stdout
        return " ".join(output.partition(f"Command: {command}\n")[2].split())

    def dump(self, handle: int) -> str:
        """All attributes of a key, in a row."""
        self.run(f"getAttribute -o {handle} -a 512 -out attributes")
        return " ".join((self.cluster.folder / "attributes").read_text().split())


def made(tmp_path: Path, spelling: str = "aws", nodes: int = 2, first_node: int = 0, **variables: str) -> Tool:
    """A tool of a new cluster, whose users have the ids of the documentation: the owner 3, bob 4."""
    cluster = Cluster(tmp_path / "cluster", nodes=nodes, first_node=first_node)
    cluster.add_user("bob", OTHER_PASSWORD)
    return Tool(cluster, spelling, **variables)


def half(tool: Tool, label: str, key_class: str) -> int:
    """Handle of one half of a pair."""
    return next(key.handle for key in tool.cluster.held(label) if key.key_class == f"{key_class}-key")


# -- genRSAKeyPair ------------------------------------------------------------------------------------------------


def test_rsa_example(tmp_path: Path) -> None:
    tool = made(tmp_path, "aws_status")
    tool.cluster.next_handles(2100177, 2100426)
    assert tool.says("genRSAKeyPair -m 2048 -e 65537 -l rsa_test") == (
        "Cfm3GenerateKeyPair returned: 0x00 : HSM Return: SUCCESS"
        " Cfm3GenerateKeyPair: public key handle: 2100177 private key handle: 2100426"
        " Cluster Status:"
        " Node id 0 status: 0x00000000 : HSM Return: SUCCESS"
        " Node id 1 status: 0x00000000 : HSM Return: SUCCESS"
    )
    assert tool.says("getAttribute -o 2100177 -a 512 -out attr_2100177") == (
        "Attribute size: 801, count: 26 Written to: attr_2100177 file"
        " Cfm3GetAttribute returned: 0x00 : HSM Return: SUCCESS"
    )
    lines = (tool.cluster.folder / "attr_2100177").read_text().splitlines()
    start = lines.index("OBJ_ATTR_MODULUS") + 1
    end = lines.index("OBJ_ATTR_MODULUS_BITS")
    modulus = lines[start:end]
    assert [len(line) for line in modulus] == [80] * 6 + [34]
    kcv = lines[lines.index("OBJ_ATTR_KCV") + 1]
    assert re.fullmatch("0x[0-9a-f]{6}", kcv)
    assert lines[:start] + lines[end:] == [
        *("OBJ_ATTR_CLASS", "0x02", "OBJ_ATTR_KEY_TYPE", "0x00", "OBJ_ATTR_TOKEN", "0x01", "OBJ_ATTR_PRIVATE", "0x01"),
        *("OBJ_ATTR_ENCRYPT", "0x01", "OBJ_ATTR_DECRYPT", "0x00", "OBJ_ATTR_WRAP", "0x01", "OBJ_ATTR_UNWRAP", "0x00"),
        *("OBJ_ATTR_SIGN", "0x00", "OBJ_ATTR_VERIFY", "0x01", "OBJ_ATTR_LOCAL", "0x01", "OBJ_ATTR_SENSITIVE", "0x00"),
        *("OBJ_ATTR_EXTRACTABLE", "0x01", "OBJ_ATTR_LABEL", "rsa_test", "OBJ_ATTR_ID", ""),
        *("OBJ_ATTR_VALUE_LEN", "0x00000200", "OBJ_ATTR_KCV", kcv, "OBJ_ATTR_MODULUS"),
        *("OBJ_ATTR_MODULUS_BITS", "0x00000800", "OBJ_ATTR_PUBLIC_EXPONENT", "0x010001", "OBJ_ATTR_TRUSTED", "0x00"),
        *("OBJ_ATTR_WRAP_WITH_TRUSTED", "0x00", "OBJ_ATTR_DESTROYABLE", "0x01", "OBJ_ATTR_DERIVE", "0x00"),
        *("OBJ_ATTR_ALWAYS_SENSITIVE", "0x00", "OBJ_ATTR_NEVER_EXTRACTABLE", "0x00"),
    ]


def test_rsa_example_of_an_older_build(tmp_path: Path) -> None:
    """An earlier edition of key_mgmt_util-genRSAKeyPair."""
    tool = made(tmp_path)
    tool.cluster.next_handles(262159, 262160)
    tool.says("genRSAKeyPair -m 2048 -e 65541 -l rsa_test")
    assert tool.says("getAttribute -o 262159 -a 512 -out attr_262159").startswith("got all attributes of size ")
    told = tool.dump(262159)
    assert "OBJ_ATTR_PRIVATE 0x00 OBJ_ATTR_ENCRYPT 0x01" in told and "OBJ_ATTR_WRAP 0x00" in told
    assert re.search("OBJ_ATTR_MODULUS [0-9a-f]{80} .* OBJ_ATTR_PUBLIC_EXPONENT 0x010005$", told)
    assert tool.says("listAttributes").count("OBJ_ATTR_") == told.count("OBJ_ATTR_") == 20


def test_shared_rsa_example(tmp_path: Path) -> None:
    tool = made(tmp_path)
    tool.cluster.next_handles(27, 28)
    assert tool.says("genRSAKeyPair -m 2048 -e 65537 -l rsa_mofn -id rsa_mv2 -u 4 -m_value 2") == (
        "Cfm3GenerateKeyPair returned: 0x00 : HSM Return: SUCCESS"
        " Cfm3GenerateKeyPair: public key handle: 27 private key handle: 28"
        " Cluster Error Status"
        " Node id 0 and err state 0x00000000 : HSM Return: SUCCESS"
        " Node id 1 and err state 0x00000000 : HSM Return: SUCCESS"
    )
    # key_mgmt_util-getKeyInfo
    assert tool.says("getKeyInfo -k 28") == (
        "Cfm3GetKey returned: 0x00 : HSM Return: SUCCESS Owned by user 3"
        " also, shared to following 1 user(s): 4 2 Users need to approve to use/manage this key"
    )
    assert tool.says("getKeyInfo -k 27") == "Cfm3GetKey returned: 0x00 : HSM Return: SUCCESS Owned by user 3"


# -- genECCKeyPair ------------------------------------------------------------------------------------------------


def test_ecc_example(tmp_path: Path) -> None:
    tool = made(tmp_path, nodes=3, CLUSTER_SIMULATOR_NODE_ORDER="descending")
    tool.cluster.next_handles(262179, 262177)
    assert tool.says("genECCKeyPair -i 14 -l ecc14") == (
        "Cfm3GenerateKeyPair returned: 0x00 : HSM Return: SUCCESS"
        " Cfm3GenerateKeyPair: public key handle: 262179 private key handle: 262177"
        " Cluster Error Status"
        " Node id 2 and err state 0x00000000 : HSM Return: SUCCESS"
        " Node id 1 and err state 0x00000000 : HSM Return: SUCCESS"
        " Node id 0 and err state 0x00000000 : HSM Return: SUCCESS"
    )
    # The dump of the page belongs to a key on P-256, whatever its command says.
    tool.cluster.next_handles(262181, 262180)
    tool.run("genECCKeyPair -i 2 -l ecc14")
    assert tool.says("getAttribute -o 262180 -a 512 -out attr_262180") == (
        "got all attributes of size 529 attr cnt 19 Attributes dumped into attr_262180"
        " Cfm3GetAttribute returned: 0x00 : HSM Return: SUCCESS"
    )
    assert re.fullmatch(
        "OBJ_ATTR_CLASS 0x03 OBJ_ATTR_KEY_TYPE 0x03 OBJ_ATTR_TOKEN 0x01 OBJ_ATTR_PRIVATE 0x01 OBJ_ATTR_ENCRYPT 0x00"
        " OBJ_ATTR_DECRYPT 0x00 OBJ_ATTR_WRAP 0x00 OBJ_ATTR_UNWRAP 0x00 OBJ_ATTR_SIGN 0x01 OBJ_ATTR_VERIFY 0x00"
        " OBJ_ATTR_LOCAL 0x01 OBJ_ATTR_SENSITIVE 0x01 OBJ_ATTR_EXTRACTABLE 0x01 OBJ_ATTR_LABEL ecc14 OBJ_ATTR_ID"
        " OBJ_ATTR_VALUE_LEN 0x0000008a OBJ_ATTR_KCV 0x[0-9a-f]{6} OBJ_ATTR_MODULUS 04[0-9a-f]{128}"
        " OBJ_ATTR_MODULUS_BITS 0x0000019f",
        tool.dump(262180),
    )


def test_refused_curve_example(tmp_path: Path) -> None:
    tool = made(tmp_path)
    assert tool.says("genECCKeyPair -i 1 -l ecc1") == (
        "Cfm3GenerateKeyPair returned: 0xb3 : HSM Error: This operation violates the current configured/FIPS policies"
        " Cluster Error Status"
        " Node id 0 and err state 0x30000085 : HSM CLUSTER ERROR: Server in cluster is unavailable"
    )
    assert not tool.cluster.held()
    tool.cluster.set(fips=False)
    assert "private key handle" in tool.says("genECCKeyPair -i 1 -l ecc1")


# -- Azure's transcript -------------------------------------------------------------------------------------------


def test_azure_transcript(tmp_path: Path) -> None:
    tool = made(tmp_path, "azure", nodes=3, first_node=1)
    tool.cluster.set(fips=False)
    tool.cluster.next_handles(262151, 262152)
    output = " ".join(tool.run("genRSAKeyPair -m 2048 -e 65537 -l signkeyid -id signkeyid").stdout.split())
    nodes = " ".join(f"Node id {number} status: 0x00000000 : HSM Return: SUCCESS" for number in (1, 2, 3))
    assert re.sub(r"Version: [\d.]+", "Version: <version>", output) == (
        "Version info, Client Version: <version>, SDK API Version: <version>, SDK Package Version: <version>"
        " Cfm3Initialize() returned app id : 01000000 session_handle 1000000 Current FIPS mode is: 00000000"
        f" Cfm3LoginHSM returned: 0x00 : HSM Return: SUCCESS Cluster Status: {nodes}"
        " Command: genRSAKeyPair -m 2048 -e 65537 -l signkeyid -id signkeyid"
        " Cfm3GenerateKeyPair returned: 0x00 : HSM Return: SUCCESS"
        " Cfm3GenerateKeyPair: public key handle: 262151 private key handle: 262152"
        f" Cluster Status: {nodes}"
    )


def test_azure_error_stands_on_a_line_of_its_own(tmp_path: Path) -> None:
    tool = made(tmp_path, "azure")
    output = tool.run("deleteKey -k 77").stdout
    assert "returned: 0xa8 \n\n\tHSM Error: Invalid object handle is passed to this operation\n" in output


# -- other pages of the guide -------------------------------------------------------------------------------------


@pytest.mark.parametrize("spelling", SPELLINGS)
def test_find_key(tmp_path: Path, spelling: str) -> None:
    tool = made(tmp_path, spelling)
    tool.run("genRSAKeyPair -m 2048 -e 65537 -l r -id one")
    tool.run("genECCKeyPair -i 2 -l e")
    total = "Total number of keys present:" if spelling == "azure" else "Total number of keys present"
    status = (
        "Cluster Error Status Node id 0 and err state 0x00000000 : HSM Return: SUCCESS"
        " Node id 1 and err state 0x00000000 : HSM Return: SUCCESS"
        if spelling == "aws"
        else "Cluster Status: Node id 0 status: 0x00000000 : HSM Return: SUCCESS"
        " Node id 1 status: 0x00000000 : HSM Return: SUCCESS"
    )
    end = f"{status} Cfm3FindKey returned: 0x00 : HSM Return: SUCCESS"
    head = (
        "Number of matching keys from start index 0::{} Handles of matching keys:"
        if spelling == "azure"
        else "number of keys matched from start index 0::{}"
    )
    every = "262145, 262146, 262147, 262148"
    assert tool.says("findKey") == f"{total} 4 {head.format(3)} {every} {end}"
    assert tool.says("findKey -c 3 -t 0 -l r -id one -sess 0") == f"{total} 1 {head.format(0)} 262146 {end}"
    assert tool.says("findKey -l none") == f"{total} 0 {end}"
    assert tool.says("findKey -u 4") == f"{total} 2 {head.format(1)} 262145, 262147 {end}"
    kcv = re.findall(r"KCV (0x\w+)", tool.dump(262147))[0]
    assert tool.says(f"findKey -kcv {kcv}") == f"{total} 2 {head.format(1)} 262147, 262148 {end}"
    tool.run("getAttribute -o 262145 -a 288 -out m")
    assert tool.says("findKey -m m") == f"{total} 2 {head.format(1)} 262145, 262146 {end}"


def test_one_attribute(tmp_path: Path) -> None:
    tool = made(tmp_path)
    tool.run("genECCKeyPair -i 2 -l e")
    told = tool.says("getAttribute -o 262145 -a 256 -out attribute.txt")
    assert told.startswith("Attributes dumped into attribute.txt file")
    assert (tool.cluster.folder / "attribute.txt").read_text() == "OBJ_ATTR_KEY_TYPE\n0x00000003\n"
    assert "returned: 0x00" not in tool.says("getAttribute -o 262145 -a 290 -out attribute.txt")


def test_delete_key(tmp_path: Path) -> None:
    tool = made(tmp_path)
    tool.run("genECCKeyPair -i 2 -l e")
    unknown = "HSM Error: Invalid object handle is passed to this operation"
    assert tool.says("deleteKey -k 252126") == (
        f"Cfm3FindKey returned: 0xa8 : {unknown} Cluster Error Status"
        f" Node id 0 and err state 0x000000a8 : {unknown} Node id 1 and err state 0x000000a8 : {unknown}"
    )
    other = {"user": "bob", "password": OTHER_PASSWORD}
    denied = "Cfm3DeleteKey returned: 0xc6 : HSM Error: Key Access is denied"
    assert tool.says("deleteKey -k 262145", **other) == denied
    assert tool.says("getKeyInfo -k 262146", **other) == denied.replace("DeleteKey", "GetKey")
    assert tool.says("deleteKey -k 262146") == (
        "Cfm3DeleteKey returned: 0x00 : HSM Return: SUCCESS Cluster Error Status"
        " Node id 0 and err state 0x00000000 : HSM Return: SUCCESS"
        " Node id 1 and err state 0x00000000 : HSM Return: SUCCESS"
    )
    assert [key.key_class for key in tool.cluster.held()] == ["public-key"]
    assert "Private Key Object" not in tool.cluster.pkcs11_tool("--list-objects")


def test_list_users(tmp_path: Path) -> None:
    tool = made(tmp_path)
    assert tool.says("listUsers") == (
        "Number Of Users found 4 Index User ID User Type User Name MofnPubKey LoginFailureCnt 2FA"
        f" 1 1 PCO admin NO 0 NO 2 2 AU app_user NO 0 NO 3 3 CU {OWNER} NO 0 NO 4 4 CU bob NO 0 NO"
        " Cfm3ListUsers returned: 0x00 : HSM Return: SUCCESS"
    )


@pytest.mark.parametrize("spelling", SPELLINGS)
def test_keys_are_real(tmp_path: Path, spelling: str) -> None:
    tool = made(tmp_path, spelling)
    folder = tool.cluster.folder
    (folder / "message").write_bytes(b"abc123")
    tool.run("genRSAKeyPair -m 2048 -e 195193 -l r")
    tool.run("genECCKeyPair -i 14 -l e")
    assert "Public Key Object; EC  EC_POINT 384 bits" in tool.cluster.pkcs11_tool("--list-objects")
    for label, mechanism, name in (("r", 1, "sha256"), ("e", 18, "sha384")):
        private, public = half(tool, label, "private"), half(tool, label, "public")
        told = tool.says(f"sign -f message -k {private} -m {mechanism} -out signature")
        assert "signature is written to file signature" in told
        assert "returned: 0x00 : HSM Return: SUCCESS" in told
        told = tool.says(f"exportPubKey -k {public} -out public.pem")
        assert told.startswith("PEM formatted public key is written to public.pem")
        command = ("openssl", "dgst", f"-{name}", "-verify", "public.pem", "-signature", "signature", "message")
        assert "Verified OK" in subprocess.check_output(command, cwd=folder, text=True)
        verify = f"verify -f message -s signature -k {public} -m {mechanism}"
        assert tool.says(verify).startswith("Signature verification successful Cfm3Verify returned: 0x00")
        (folder / "signature").write_bytes(b"\1" * len((folder / "signature").read_bytes()))
        assert tool.says(verify) == "Cfm3Verify returned: 0x1b CSP Error: ERR_BAD_PKCS_DATA"
    assert "OBJ_ATTR_PUBLIC_EXPONENT 0x02fa79" in tool.dump(half(tool, "r", "public"))


def test_quorum_key_is_refused_without_approvals(tmp_path: Path) -> None:
    tool = made(tmp_path)
    (tool.cluster.folder / "message").write_bytes(b"abc123")
    tool.run("genECCKeyPair -i 2 -l e -m_value 2 -u 4")
    private = half(tool, "e", "private")
    for login in ({}, {"user": "bob", "password": OTHER_PASSWORD}):
        told = tool.says(f"sign -f message -k {private} -m 17 -out signature", **login)
        assert told == "Cfm3Sign returned: 0xd1 : HSM Error: RET_MXN_AUTH_FAILED"
    assert not (tool.cluster.folder / "signature").exists()


@pytest.mark.parametrize(
    "words",
    [
        "-m_value 2",  # needs -u
        "-u 4 -m_value 3",  # more than users and owner
        "-u 3",  # the caller
        "-u 9",  # nobody
        "-u 2",  # no crypto user
        "-id taken",
    ],
)
def test_wishes_that_are_refused(tmp_path: Path, words: str) -> None:
    tool = made(tmp_path)
    tool.run("genECCKeyPair -i 2 -l first -id taken")
    assert re.match("Cfm3GenerateKeyPair returned: 0x(?!00)", tool.says(f"genECCKeyPair -i 2 -l second {words}"))
    assert not tool.cluster.held("second")


@pytest.mark.parametrize(
    ("command", "error"),
    [
        ("genECCKeyPair -l x", "Error: Curve id (-i) is missing."),
        ("genECCKeyPair -i 2", "Error: Key label (-l) is missing."),
        ("genECCKeyPair -i 77 -l x", "Error: Invalid EC Curve ID."),
        ("genECCKeyPair -i 2 -l x -timeout 5", "Error: Minimum servers (-min_srv) option is missing"),
        ("genECCKeyPair -i 2 -l x -sess -u 4", "Error: sharing session keys is not allowed"),
        ("genECCKeyPair -i 2 -l x -bogus", "Description"),
        ("genRSAKeyPair -h", "Description"),
    ],
)
def test_flags_that_are_wrong(tmp_path: Path, command: str, error: str) -> None:
    tool = made(tmp_path)
    told = tool.says(command)
    assert told.startswith(error)
    assert "returned:" not in told
    assert not tool.cluster.held()


def test_order_of_flags(tmp_path: Path) -> None:
    tool = made(tmp_path, CLUSTER_SIMULATOR_STRICT_ORDER="1")
    assert "returned:" not in tool.says("genECCKeyPair -l x -i 2")
    assert "returned: 0x00" in tool.says("genECCKeyPair -i 2 -l x")


def test_flags(tmp_path: Path) -> None:
    tool = made(tmp_path, "aws_status")
    assert "Attestation Check : [PASS] Cluster Status:" in tool.says("genECCKeyPair -i 2 -l e -id i -nex -attest")
    dump = tool.dump(half(tool, "e", "private"))
    assert "OBJ_ATTR_EXTRACTABLE 0x00" in dump
    assert "OBJ_ATTR_NEVER_EXTRACTABLE 0x01" in dump
    assert "OBJ_ATTR_ID i " in dump
    assert "OBJ_ATTR_EXTRACTABLE 0x01" in tool.dump(half(tool, "e", "public"))
    tool.cluster.set(attestation=False)
    told = tool.says("genECCKeyPair -i 2 -l f -attest")
    assert "Attestation Check : [FAIL]" in told
    assert "returned: 0x00" in told


def test_error_to_string(tmp_path: Path) -> None:
    tool = made(tmp_path)
    assert tool.says("Error2String -r 0xdb") == "Error Code db maps to HSM Error: Invalid User Type."


# -- servers ------------------------------------------------------------------------------------------------------


def test_waits_for_enough_servers(tmp_path: Path) -> None:
    tool = made(tmp_path, "azure", nodes=3)
    tool.cluster.set(sync_delay=0.7)
    told = tool.says("genECCKeyPair -i 2 -l e -min_srv 2 -timeout 9")
    assert told.startswith("Cfm3GenerateKeyPair returned: 0x30000086")
    assert "Checking private key status (0 seconds).." in told
    assert told.count("private key handle") == 2
    assert "Rolling back" not in told
    time.sleep(0.8)
    assert "returned: 0x00" in tool.says(f"findSingleKey -k {half(tool, 'e', 'private')}")


def test_takes_back_what_did_not_spread(tmp_path: Path) -> None:
    tool = made(tmp_path)
    tool.cluster.stop_node(1)
    started = time.monotonic()
    told = tool.says("genECCKeyPair -i 2 -l e -min_srv 2 -timeout 1")
    assert time.monotonic() - started > 2
    assert "Couldn't verify key sync on 2 servers Rolling back Cfm3DeleteKey returned: 0x00" in told
    assert not tool.cluster.held()
    assert told.startswith("Cfm3GenerateKeyPair returned: 0x30000086")
    assert "private key handle" in told


def test_more_servers_than_there_are(tmp_path: Path) -> None:
    told = (tool := made(tmp_path)).says("genECCKeyPair -i 2 -l e -min_srv 5 -timeout 1")
    assert "Not a valid min_srv count, please check the number of servers in cluster !!" in told
    assert len(tool.cluster.held()) == 2


def test_find_single_key_tells_who_lacks_it(tmp_path: Path) -> None:
    tool = made(tmp_path)
    tool.cluster.set(sync_fails=True)
    tool.run("genECCKeyPair -i 2 -l e")
    told = tool.says("findSingleKey -k 262146")
    assert "Node id 0 and err state 0x00000000 : HSM Return: SUCCESS" in told
    assert "Node id 1 and err state 0x000000a8" in told
    assert told.startswith("Cfm3FindKey returned: 0xa8")


# -- logins -------------------------------------------------------------------------------------------------------


def test_failed_login_runs_nothing(tmp_path: Path) -> None:
    tool = made(tmp_path)
    done = tool.run("genECCKeyPair -i 2 -l e", password="wrong")
    assert done.returncode == 255
    assert "Cfm3LoginHSM returned: 0xa3 : HSM Error: RET_USER_LOGIN_FAILURE" in done.stdout
    assert "Command:" not in done.stdout
    assert not tool.cluster.held()
    assert tool.run("genECCKeyPair -i 1 -l e").returncode == 0  # a command's failure is not told by it


def test_lock_after_five_wrong_passwords(tmp_path: Path) -> None:
    tool = made(tmp_path)
    for _number in range(5):
        tool.run("findKey", password="wrong")
    assert tool.run("findKey").returncode == 255
    assert tool.cluster.user(OWNER).locked
    told = tool.says("listUsers", user="bob", password=OTHER_PASSWORD)
    assert f"3 3 CU {OWNER} NO 5 NO" in told


def test_only_crypto_users(tmp_path: Path) -> None:
    tool = made(tmp_path)
    tool.cluster.add_user("officer", OTHER_PASSWORD, kind="CO")
    done = run(tool.path, *f"singlecmd loginHSM -u CO -s officer -p {OTHER_PASSWORD} findKey".split(), env={})
    assert "Cfm3LoginHSM returned: 0xdb : HSM Error: Invalid User Type." in done.stdout
    done = run(tool.path, "singlecmd", "findKey", env={})
    assert "Total number" not in done.stdout


@pytest.mark.parametrize("spelling", SPELLINGS)
def test_prompt(tmp_path: Path, spelling: str) -> None:
    tool = made(tmp_path, spelling)
    terminal = Terminal(tool.path)
    assert "genRSAKeyPair" in terminal.until(PROMPT)
    terminal.type(f"loginHSM -u CU -s {OWNER} -hpswd", "Enter password: ")
    assert "Cfm3LoginHSM returned: 0x00 : HSM Return: SUCCESS" in terminal.type_hidden(OWNER_PASSWORD, PROMPT)
    assert OWNER_PASSWORD not in terminal.written
    assert terminal.type("", PROMPT).strip().startswith("Command:")
    assert "private key handle" in terminal.type("genECCKeyPair -i 2 -l e -sess", PROMPT)
    found = terminal.type("findKey -sess 1", PROMPT)
    assert re.search(r"Total number of keys present:? 2\n", found)
    private = half(tool, "e", "private")
    terminal.type(f"setAttribute -o {private} -a 1", "Enter the boolean attribute value (0 or 1):")
    assert "Cfm3SetAttribute returned: 0x00" in terminal.type("1", PROMPT)
    assert "Error: Key label (-l) is missing." in terminal.type("genECCKeyPair -i 2", PROMPT)
    assert "Cfm3LogoutHSM returned: 0x00" in terminal.type("logoutHSM", PROMPT)
    assert "returned: 0x00" not in terminal.type("findKey", PROMPT)
    terminal.end("exit")
    assert [key.key_class for key in tool.cluster.held()] == ["private-key"]  # the other half went with the session


@pytest.mark.parametrize(
    ("way", "line", "prompt"),
    [
        ("without_p", f"loginHSM -u CU -s {OWNER}", "Enter password: "),
        ("none", f"loginHSM -u CU -s {OWNER} -hpswd", "Syntax: loginHSM"),
        ("hpswd", f"loginHSM -u CU -s {OWNER}", "Password (-p) is missing."),
    ],
)
def test_builds_differ_in_how_they_ask(tmp_path: Path, way: str, line: str, prompt: str) -> None:
    tool = made(tmp_path, CLUSTER_SIMULATOR_PASSWORD_PROMPT=way)
    terminal = Terminal(tool.path)
    terminal.until(PROMPT)
    terminal.type(line, prompt)
    if prompt.startswith("Enter"):
        assert "returned: 0x00" in terminal.type_hidden(OWNER_PASSWORD, PROMPT)
    else:
        terminal.until(PROMPT)
        assert "returned: 0x00" in terminal.type(f"loginHSM -u CU -s {OWNER} -p {OWNER_PASSWORD}", PROMPT)
    terminal.end("exit")


# -- faults -------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("kind", "values", "told", "keys"),
    [
        ("error_after_success", {}, "Cfm3GenerateKeyPair returned: 0x30000085 : HSM CLUSTER ERROR", 2),
        ("error", {"code": 0x94, "text": "HSM Error: x"}, "Cfm3GenerateKeyPair returned: 0x94 : HSM Error: x", 0),
        ("unknown_error", {}, "Cfm3GenerateKeyPair returned: 0xee : E9071", 0),
        ("no_json", {}, "Segmentation fault", 2),
        ("half", {}, "Cfm3GenerateKeyPair returned: 0x00", 2),
        ("silence", {}, "", 2),
    ],
)
def test_faults(tmp_path: Path, kind: str, values: dict[str, t.Any], told: str, keys: int) -> None:
    tool = made(tmp_path)
    tool.cluster.set_fault(kind, "genECCKeyPair", times=1, **values)
    answer = tool.says("genECCKeyPair -i 2 -l e")
    assert answer.startswith(told)
    assert "Node id 1" not in answer
    assert len(tool.cluster.held()) == keys


def test_fault_of_the_login(tmp_path: Path) -> None:
    tool = made(tmp_path)
    tool.cluster.set_fault("unknown_error", "loginHSM")
    done = tool.run("findKey")
    assert done.returncode == 255
    assert "Cfm3LoginHSM returned: 0xee" in done.stdout


def test_no_password_is_kept(tmp_path: Path) -> None:
    tool = made(tmp_path)
    tool.run("genECCKeyPair -i 2 -l e")
    kept = b"".join(file.read_bytes() for file in tool.cluster.folder.rglob("*") if file.is_file())
    assert OWNER_PASSWORD.encode() not in kept


def test_both_tools_work_on_one_cluster(tmp_path: Path) -> None:
    tool = made(tmp_path)
    tool.run("genECCKeyPair -i 14 -l e -u 4")
    cli = tool.cluster.install_cloudhsm_cli()
    environment = {"CLOUDHSM_ROLE": "crypto-user", "CLOUDHSM_PIN": f"{OWNER}:{OWNER_PASSWORD}"}
    listed = run(cli, "key", "list", "--filter", "attr.label=e", "attr.sign=true", "--verbose", env=environment).stdout
    assert '"key-reference": "0x0000000000040002"' in listed
    assert '"username": "bob"' in listed
    assert '"curve": "secp384r1"' in listed

# Copyright (c) 2026, The cryptoki.hsm authors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The simulator of CloudHSM CLI does what AWS documents, with real keys."""

from __future__ import annotations

import base64
import concurrent.futures
import json
import subprocess
import time
import typing as t
from pathlib import Path

import pytest

from ansible_collections.cryptoki.hsm.tests.support.cluster import OWNER, OWNER_PASSWORD, Cluster, run
from ansible_collections.cryptoki.hsm.tests.support.terminal import Terminal

OTHER_PASSWORD = "63-other-8127"
RSA = "key generate-asymmetric-pair rsa --public-exponent 65537 --modulus-size-bits 2048"
EC = "key generate-asymmetric-pair ec --curve secp384r1"
NAMES = "--public-label p --private-label k"
SIGN = "--public-attributes verify=true --private-attributes sign=true"


class Tool:
    """CloudHSM CLI as a user calls it."""

    def __init__(self, cluster: Cluster) -> None:
        self.cluster = cluster
        self.path = cluster.install_cloudhsm_cli()

    def run(
        self, command: str, *words: str, user: str = OWNER, password: str = OWNER_PASSWORD, role: str = "crypto-user"
    ) -> subprocess.CompletedProcess[str]:
        """One command with nothing in its environment but the login."""
        environment = {"CLOUDHSM_ROLE": role, "CLOUDHSM_PIN": f"{user}:{password}"}
        return run(self.path, *command.split(), *words, env=environment)

    def answer(self, command: str, *words: str, **login: str) -> t.Any:
        """The JSON answer."""
        return json.loads(self.run(command, *words, **login).stdout)

    def data(self, command: str, *words: str, **login: str) -> t.Any:
        """The data of an answer that has to be a success."""
        answer = self.answer(command, *words, **login)
        assert answer["error_code"] == 0, answer
        return answer["data"]

    def error(self, command: str, *words: str, **login: str) -> str:
        """The text of an answer that has to be a failure."""
        answer = self.answer(command, *words, **login)
        assert answer["error_code"] == 1, answer
        return t.cast(str, answer["data"])


@pytest.fixture
def cluster(tmp_path: Path) -> Cluster:
    """Two HSMs, and two more crypto users."""
    made = Cluster(tmp_path / "cluster")
    made.add_user("cu2", OTHER_PASSWORD)
    made.add_user("cu3", OTHER_PASSWORD)
    return made


@pytest.fixture
def tool(cluster: Cluster) -> Tool:
    """The installed tool."""
    return Tool(cluster)


# AWS cloudhsm_cli-key-generate-asymmetric-pair-rsa: names and order of the first example
INFO = ["key-owners", "shared-users", "key-quorum-values", "cluster-coverage"]
ATTRIBUTES = [
    *("key-type", "label", "id", "check-value", "class", "encrypt", "decrypt", "token", "always-sensitive", "derive"),
    *("destroyable", "extractable", "local", "modifiable", "never-extractable", "private", "sensitive", "sign"),
    *("trusted", "unwrap", "verify", "wrap", "wrap-with-trusted", "key-length-bytes", "public-exponent", "modulus"),
    "modulus-size-bits",
]
SAMPLE = {
    "encrypt": False,
    "decrypt": False,
    "token": True,
    "always-sensitive": False,
    "derive": False,
    "destroyable": True,
    "extractable": True,
    "local": True,
    "modifiable": True,
    "never-extractable": False,
    "private": True,
    "sensitive": False,
    "sign": False,
    "trusted": False,
    "unwrap": False,
    "verify": False,
    "wrap": False,
    "wrap-with-trusted": False,
}


def test_generated_pair_has_the_form_of_the_sample(tool: Tool) -> None:
    pair = tool.data(f"{RSA} {NAMES}")
    assert list(pair) == ["public_key", "private_key"]
    public, private = pair["public_key"]["attributes"], pair["private_key"]["attributes"]
    assert list(pair["public_key"]) == ["key-reference", "key-info", "attributes"]
    assert pair["public_key"]["key-reference"] == "0x0000000000040001"
    assert list(pair["public_key"]["key-info"]) == INFO
    assert list(public) == list(private) == ATTRIBUTES
    assert {name: public[name] for name in SAMPLE} == SAMPLE
    assert {name: private[name] for name in SAMPLE} == {**SAMPLE, "sensitive": True, "always-sensitive": True}
    assert (public["key-length-bytes"], private["key-length-bytes"]) == (512, 1217)
    assert (public["public-exponent"], public["modulus-size-bits"], public["id"]) == ("0x010001", 2048, "0x")
    assert public["modulus"] == private["modulus"]
    assert pair["private_key"]["key-info"] == {
        "key-owners": [{"username": OWNER, "key-coverage": "full"}],
        "shared-users": [],
        "key-quorum-values": {"manage-key-quorum-value": 0, "use-key-quorum-value": 0},
        "cluster-coverage": "full",
    }


def test_ec_pair(tool: Tool) -> None:
    pair = tool.data(f"key generate-asymmetric-pair ec --curve secp224r1 {NAMES}")
    public, private = pair["public_key"]["attributes"], pair["private_key"]["attributes"]
    # AWS cloudhsm_cli-key-generate-asymmetric-pair-ec
    assert (public["key-length-bytes"], private["key-length-bytes"], private["curve"]) == (57, 122, "secp224r1")
    assert public["ec-point"] == private["ec-point"]
    assert len(public["ec-point"]) == len("0x") + 2 * 57


def test_keys_are_real(cluster: Cluster, tool: Tool) -> None:
    tool.data(f"{RSA} {NAMES} {SIGN}")
    objects = cluster.pkcs11_tool("--list-objects")
    assert "Public Key Object; RSA 2048 bits" in objects
    assert "Private Key Object; RSA" in objects
    signed = tool.data("crypto sign rsa-pkcs --key-filter attr.label=k --hash-function sha256 --data YWJjMTIz")
    folder = cluster.folder
    (folder / "public.pem").write_text(cluster.public_key("p"))
    (folder / "data").write_bytes(b"abc123")
    (folder / "signature").write_bytes(base64.b64decode(signed["signature"]))
    command = ("openssl", "dgst", "-sha256", "-verify", "public.pem", "-signature", "signature", "data")
    assert "Verified OK" in subprocess.check_output(command, cwd=folder, text=True)
    tool.data(
        "crypto verify rsa-pkcs --key-filter attr.label=p --hash-function sha256 --data YWJjMTIz --signature",
        signed["signature"],
    )
    wrong = "crypto verify rsa-pkcs --key-filter attr.label=p --hash-function sha256 --data aW52YWxpZA== --signature"
    assert tool.error(wrong, signed["signature"]) == "Signature verification failed"
    tool.data("key delete --filter attr.label=k")
    assert "Private Key Object" not in cluster.pkcs11_tool("--list-objects")


@pytest.mark.parametrize("curve", ["secp256r1", "secp384r1", "secp521r1", "secp256k1", "secp224r1"])
def test_ec_keys_sign(tool: Tool, curve: str) -> None:
    tool.data(f"key generate-asymmetric-pair ec --curve {curve} {NAMES} {SIGN}")
    signed = tool.data("crypto sign ecdsa --key-filter attr.label=k --hash-function sha384 --data YWJjMTIz")
    tool.data(
        "crypto verify ecdsa --key-filter attr.label=p --hash-function sha384 --data YWJjMTIz --signature",
        signed["signature"],
    )


def test_usage_is_off_unless_asked_for(tool: Tool) -> None:
    tool.data(f"{EC} {NAMES}")
    assert tool.error("crypto sign ecdsa --key-filter attr.label=k --hash-function sha256 --data YWJjMTIz")


@pytest.mark.parametrize("word", ["--public-attributes unwrap=true", "--private-attributes wrap=true"])
def test_attributes_that_a_half_cannot_have(tool: Tool, word: str) -> None:
    name = word.split()[1].split("=")[0]
    text = f"Attribute {name} cannot be set to the value true by the user for this operation"
    assert tool.error(f"{EC} {NAMES} {word}") == text


def test_pages(tool: Tool) -> None:
    for _number in range(6):
        tool.data(f"{EC} {NAMES}")
    first = tool.data("key list")
    assert (first["total_key_count"], first["returned_key_count"], first["next_token"]) == (12, 10, "10")
    assert list(first["matched_keys"][0]) == ["key-reference", "attributes"]
    assert list(first["matched_keys"][0]["attributes"]) == ["label"]
    last = tool.data("key list --starting-token 10")
    assert last["returned_key_count"] == 2
    assert "next_token" not in last
    pages = [tool.data(f"key list --max-items 5 --starting-token {start}")["matched_keys"] for start in (0, 5, 10)]
    assert [key for page in pages for key in page] == first["matched_keys"] + last["matched_keys"]


def test_filters(tool: Tool) -> None:
    made = tool.data(f"{EC} {NAMES} --public-attributes id=0x3132 --private-attributes id=0x3132")
    tool.data(f"{RSA} {NAMES}")
    reference = made["private_key"]["key-reference"]
    decimal = int(reference, 16)
    for words in (
        f"key-reference={reference}",
        f"key-reference={decimal}",
        "attr.class=private-key attr.id=0x3132",
        "attr.key-type=ec attr.label=k",
        f"attr.ec-point={made['private_key']['attributes']['ec-point']} attr.sensitive=true",
    ):
        found = tool.data(f"key list --verbose --filter {words}")
        assert [key["key-reference"] for key in found["matched_keys"]] == [reference], words
    none = {"matched_keys": [], "total_key_count": 0, "returned_key_count": 0}
    assert tool.data("key list --filter attr.label=none") == none
    assert tool.error("key delete --filter attr.key-type=rsa") == (
        "Key selection criteria matched 2 keys. Refine selection criteria to select a single key."
    )


def test_others_see_public_halves_and_what_is_shared(tool: Tool) -> None:
    tool.data(f"{EC} {NAMES}")
    other = {"user": "CU2", "password": OTHER_PASSWORD}
    assert tool.data("key list", **other)["total_key_count"] == 1
    private = "--filter attr.label=k attr.class=private-key --username CU2 --role crypto-user"
    assert tool.data(f"key share {private}") == {"message": "Key shared successfully"}
    assert tool.data("key list", **other)["total_key_count"] == 2
    shared = tool.data("key list --verbose --filter attr.label=k")["matched_keys"][0]["key-info"]["shared-users"]
    assert shared == [{"username": "cu2", "key-coverage": "full"}]
    assert tool.error("key delete --filter attr.label=k", **other)
    assert tool.error("key set-attribute --filter attr.label=k --name label --value x", **other)
    assert tool.data(f"key unshare {private}") == {"message": "Key unshared successfully"}
    assert tool.data("key list", **other)["total_key_count"] == 1


def test_attributes_are_changed(tool: Tool) -> None:
    tool.data(f"{EC} {NAMES}")
    for name, value in (("encrypt", "true"), ("label", "new name"), ("extractable", "false"), ("id", "0x07")):
        said = tool.data("key set-attribute --filter attr.class=private-key --name", name, "--value", value)
        assert said == {"message": "Attribute set successfully"}
    key = tool.data("key list --verbose --filter attr.class=private-key")["matched_keys"][0]["attributes"]
    assert (key["encrypt"], key["label"], key["extractable"], key["id"]) == (True, "new name", False, "0x07")
    assert key["never-extractable"] is False
    again = "key set-attribute --filter attr.class=private-key --name extractable --value true"
    assert tool.error(again) == "Attribute extractable cannot be set to the value true by the user for this operation"


def test_older_hsms_keep_their_ids(cluster: Cluster, tool: Tool) -> None:
    cluster.set(hsm_type="hsm1.medium")
    tool.data(f"{EC} {NAMES}")
    assert tool.error("key set-attribute --filter attr.label=k --name id --value 0x07")


def test_public_key_file(cluster: Cluster, tool: Tool) -> None:
    tool.data(f"{EC} {NAMES}")
    file = cluster.folder / "p.pem"
    said = tool.data(f"key generate-file --encoding pem --path {file} --filter attr.label=p")
    assert said == {"message": "Successfully generated key file"}
    assert "NIST CURVE: P-384" in subprocess.check_output(
        ["openssl", "pkey", "-pubin", "-in", str(file), "-text"], text=True
    )


QUORUM = "--share-crypto-users cu2 --manage-private-key-quorum-value {} --use-private-key-quorum-value {}"


@pytest.mark.parametrize(
    ("manage", "use", "text"),
    [
        (3, 2, "Invalid quorum value provided."),
        (2, 3, "Invalid quorum value provided."),
        (1, 2, "The manage key and use key quorum values must be set to a value greater than 1"),
        (2, 0, "The manage key and use key quorum values must be set to a value greater than 1"),
    ],
)
def test_quorum_values_that_cannot_be(tool: Tool, manage: int, use: int, text: str) -> None:
    assert tool.error(f"{RSA} {NAMES} {QUORUM.format(manage, use)}") == text


def test_quorum_key_needs_approvals(cluster: Cluster, tool: Tool) -> None:
    pair = tool.data(f"{RSA} {NAMES} {SIGN} {QUORUM.format(2, 2)}")
    values = {"manage-key-quorum-value": 2, "use-key-quorum-value": 2}
    assert pair["private_key"]["key-info"]["key-quorum-values"] == values
    assert pair["public_key"]["key-info"]["key-quorum-values"] == dict.fromkeys(values, 0)
    sign = "crypto sign rsa-pkcs --key-filter attr.label=k --hash-function sha256 --data YWJjMTIz"
    assert tool.error(sign) == "Quorum Failed"
    assert tool.error("key share --filter attr.label=k --username cu3 --role crypto-user") == "Quorum Failed"
    assert tool.error("key set-attribute --filter attr.label=k --name encrypt --value true") == "Quorum Failed"
    tool.data("key delete --filter attr.label=k")  # needs none (AWS cloudhsm_cli-key-delete)


def signed(folder: Path, name: str, digest: str) -> str:
    """A user's signature, as AWS key-quorum-auth-chsm-cli-crypto-user makes it."""
    (folder / "digest").write_bytes(base64.b64decode(digest))
    command = ("openssl", "pkeyutl", "-sign", "-inkey", f"{name}.key", "-pkeyopt", "digest:sha256", "-in", "digest")
    return base64.b64encode(subprocess.check_output(command, cwd=folder)).decode()


def registered(tool: Tool, name: str, password: str) -> None:
    """Registers a key for approvals (AWS key-quorum-auth-chsm-cli-first-time)."""
    folder = tool.cluster.folder
    subprocess.check_output(["openssl", "genrsa", "-out", f"{name}.key", "2048"], cwd=folder, stderr=subprocess.DEVNULL)
    public = subprocess.check_output(["openssl", "rsa", "-in", f"{name}.key", "-pubout"], cwd=folder, stderr=-3)
    (folder / f"{name}.pub").write_bytes(public)
    token = folder / f"{name}.token"
    tool.data(f"quorum token-sign generate --service registration --token {token}", user=name, password=password)
    content = json.loads(token.read_text())
    content["tokens"][0]["signed"] = signed(folder, name, content["tokens"][0]["unsigned"])
    token.write_text(json.dumps(content))
    register = f"user change-quorum token-sign register --public-key {folder}/{name}.pub --signed-token {token}"
    tool.data(register, user=name, password=password)


def test_quorum_key_signs_with_approvals(cluster: Cluster, tool: Tool) -> None:
    tool.data(f"{RSA} {NAMES} {SIGN} {QUORUM.format(2, 2)}")
    registered(tool, OWNER, OWNER_PASSWORD)
    registered(tool, "cu2", OTHER_PASSWORD)
    users = {user["username"]: user["quorum"] for user in tool.data("user list")["users"]}
    assert users["cu2"] == [{"strategy": "token-sign", "status": "enabled"}]
    assert users["cu3"] == []

    prompt, file = "aws-cloudhsm > ", cluster.folder / "approval"
    terminal = Terminal(tool.path, "interactive")
    terminal.until(prompt)
    terminal.type(f"login --username {OWNER} --role crypto-user", "Enter password:")
    told = terminal.type_hidden(OWNER_PASSWORD, prompt)
    assert '"error_code": 0' in told
    assert OWNER_PASSWORD not in told
    make = f"quorum token-sign generate --service key-usage --token {file} --filter attr.label=k"
    use = "crypto sign rsa-pkcs --key-filter attr.label=k --hash-function sha256 --data YWJjMTIz --approval"
    terminal.type(make, prompt)
    token = json.loads(file.read_text())
    assert list(token) == ["version", "service", "key_reference", "approval_data", "token", "signatures"]
    for name, text in ((OWNER, "Too few quorum approvals"), ("cu2", '"signature":')):
        signature = signed(cluster.folder, name, token["token"])
        token["signatures"].append({"username": name, "role": "crypto-user", "signature": signature})
        file.write_text(json.dumps(token))
        assert text in terminal.type(f"{use} {file}", prompt)
    assert "Quorum approval is required for this operation" in terminal.type(f"{use} {file}", prompt)
    terminal.type(make, prompt)
    terminal.end("quit")
    # a token is worth nothing in another login session
    assert tool.error(f"{use} {file}") == "Quorum approval is required for this operation"


def test_lock_after_five_wrong_passwords(cluster: Cluster, tool: Tool) -> None:
    tool.error("key list", password="wrong")
    tool.data("key list")  # a right one counts anew
    for _number in range(5):
        tool.error("key list", password="wrong")
    assert tool.error("key list")
    locked = {user["username"]: user["locked"] for user in tool.data("user list")["users"]}
    assert locked[OWNER] == "true"
    assert locked["cu2"] == "false"
    cluster.unlock(OWNER, OWNER_PASSWORD)
    tool.data("key list")


@pytest.mark.parametrize(
    "login", [{"user": "nobody"}, {"role": "admin"}, {"password": ""}, {"role": ""}, {"role": "root"}]
)
def test_other_wrong_logins(tool: Tool, login: dict[str, str]) -> None:
    assert tool.error("key list", **login)


def test_no_login_needed(cluster: Cluster, tool: Tool) -> None:
    bare = run(tool.path, "cluster", "hsm-info", env={})
    hsms = json.loads(bare.stdout)["data"]["hsms"]
    assert [hsm["serial-number"] for hsm in hsms] == ["5.3G1941-ICM000590", "5.3G1941-ICM000625"]
    assert hsms[0]["fips-state"] == "2 [FIPS mode with single factor authentication]"
    assert json.loads(run(tool.path, "user", "list", env={}).stdout)["error_code"] == 0
    assert json.loads(run(tool.path, "key", "list", env={}).stdout)["error_code"] == 1
    cluster.stop_node(1)
    assert len(tool.data("cluster hsm-info")["hsms"]) == 1


def test_one_hsm_is_too_few(cluster: Cluster, tool: Tool) -> None:
    cluster.set(availability_wait=0.3)
    cluster.stop_node(1)
    assert "must be available on at least 2 HSMs" in tool.error(f"{EC} {NAMES}")
    assert len(cluster.held()) == 2  # what came of it is to be looked for
    assert "must be available on at least 2 HSMs" in tool.error("key list")
    assert tool.data("key list --filter attr.label=none")["total_key_count"] == 0
    cluster.set(availability_check=False)
    made = tool.data("key list --verbose")["matched_keys"]
    assert {key["key-info"]["cluster-coverage"] for key in made} == {"full"}  # of one
    cluster.start_node(1)
    cluster.set(availability_check=True)
    assert tool.data("key list")["total_key_count"] == 2


def test_synchronisation_takes_its_time(tmp_path: Path) -> None:
    tool = Tool(Cluster(tmp_path / "cluster", nodes=3, sync_delay=2))
    pair = tool.data(f"{EC} {NAMES}")  # waits for the second HSM, not for the third
    assert pair["private_key"]["key-info"]["cluster-coverage"] == "inconsistent"
    coverage = {"inconsistent"}
    for _attempt in range(60):
        time.sleep(1)
        listed = tool.data("key list --verbose")["matched_keys"]
        coverage = {key["key-info"]["cluster-coverage"] for key in listed}
        if coverage == {"full"}:
            break
    assert coverage == {"full"}


def test_what_a_stopped_hsm_has_missed(tmp_path: Path) -> None:
    cluster = Cluster(tmp_path / "cluster", nodes=3)
    cluster.add_user("cu2", OTHER_PASSWORD)
    tool = Tool(cluster)
    tool.data(f"{EC} {NAMES}")
    cluster.stop_node(2)
    change = "key set-attribute --filter attr.class=private-key --name sign --value true"
    share = "key share --filter attr.class=private-key --username cu2 --role crypto-user"
    tool.data(change)
    tool.data(share)

    def seen() -> tuple[t.Any, str, str]:
        key = tool.data("key list --verbose --filter attr.class=private-key")["matched_keys"][0]
        info = key["key-info"]
        return key["attributes"]["sign"], info["shared-users"][0]["key-coverage"], info["cluster-coverage"]

    assert seen() == (True, "full", "full")
    cluster.start_node(2)
    assert seen() == ("inconsistent", "inconsistent", "full")
    tool.data(change)
    tool.data(share)
    assert seen() == (True, "full", "full")


def test_several_clusters(cluster: Cluster, tool: Tool) -> None:
    cluster.set(cluster_ids=["cluster-abcdefghijk", "cluster-bcdefghijkl"])
    assert tool.error("key list")
    assert tool.error("user list --cluster-id cluster-cdefghijklm")
    tool.data("key list --cluster-id cluster-bcdefghijkl")


def test_full_hsm(cluster: Cluster, tool: Tool) -> None:
    cluster.set(most_keys=3)
    tool.data(f"{EC} {NAMES}")
    assert tool.error(f"{EC} {NAMES}")


def test_session_keys_go_with_the_process(cluster: Cluster, tool: Tool) -> None:
    pair = tool.data(f"{EC} {NAMES} --session")
    assert pair["private_key"]["attributes"]["token"] is False
    info = pair["public_key"]["key-info"]
    assert (info["key-owners"][0]["key-coverage"], info["cluster-coverage"]) == ("full", "session")
    assert not cluster.held()
    assert "Key Object" not in cluster.pkcs11_tool("--list-objects")


def test_policy(cluster: Cluster, tool: Tool) -> None:
    for words in ("--modulus-size-bits 1024 --public-exponent 65537", "--modulus-size-bits 2048 --public-exponent 3"):
        assert tool.error(f"key generate-asymmetric-pair rsa {words} {NAMES}")
    assert tool.error(f"key generate-asymmetric-pair ec --curve ed25519 {NAMES}")
    cluster.set(limited_write=True)
    assert tool.error(f"{EC} {NAMES}")


def test_versions(cluster: Cluster, tool: Tool) -> None:
    assert tool.run("--version").stdout == "cloudhsm-cli 5.17.2\n"
    cluster.set(version="5.13.1")
    refused = tool.run(f"{RSA} {NAMES} {QUORUM.format(2, 2)}")
    assert (refused.returncode, refused.stdout) == (2, "")
    assert "--manage-private-key-quorum-value" in refused.stderr
    assert "key-quorum-values" not in tool.data(f"{EC} {NAMES}")["public_key"]["key-info"]
    cluster.set(version="5.9.0")
    assert tool.run("key list").returncode == 2


@pytest.mark.parametrize(
    "words",
    [
        "key list --bogus",
        "key delete",
        "key list --max-items x",
        EC,
        "key share --filter attr.label=k --username cu2 --role king",
        f"{EC} --public-label -p --private-label k",
        "bogus",
    ],
)
def test_words_that_are_no_command(tool: Tool, words: str) -> None:
    done = tool.run(words)
    assert (done.returncode, done.stdout) == (2, "")
    assert done.stderr.startswith("error: ")


def test_lists_swallow_what_follows(tool: Tool) -> None:
    tool.data(f"{EC} {NAMES} --share-crypto-users cu2 cu3 --private-attributes sign=true derive=true")
    key = tool.data("key list --filter attr.label=k attr.derive=true --verbose")["matched_keys"][0]
    assert [user["username"] for user in key["key-info"]["shared-users"]] == ["cu2", "cu3"]
    assert tool.error(f"{EC} {NAMES} --share-crypto-users {OWNER}")
    assert tool.error(f"{EC} {NAMES} --share-crypto-users", "nobody")


def test_two_at_once(cluster: Cluster, tool: Tool) -> None:
    with concurrent.futures.ThreadPoolExecutor(4) as pool:
        answers = list(pool.map(lambda _number: tool.answer(f"{EC} {NAMES}"), range(4)))
    assert [answer["error_code"] for answer in answers] == [0] * 4
    assert len({key.handle for key in cluster.held()}) == 8


def test_no_password_is_kept(cluster: Cluster, tool: Tool) -> None:
    tool.data(f"{EC} {NAMES}")
    kept = b"".join(file.read_bytes() for file in cluster.folder.rglob("*") if file.is_file())
    assert OWNER_PASSWORD.encode() not in kept
    assert OTHER_PASSWORD.encode() not in kept


def test_exit_status_of_a_failure_is_a_setting(cluster: Cluster, tool: Tool) -> None:
    assert tool.run("key delete --filter attr.label=none").returncode == 1
    cluster.set(failure_status=0)
    assert tool.run("key delete --filter attr.label=none").returncode == 0


@pytest.mark.parametrize(("kind", "made"), [("error_after_success", 2), ("error", 0), ("unknown_error", 0)])
def test_errors_on_demand(cluster: Cluster, tool: Tool, kind: str, made: int) -> None:
    cluster.set_fault(kind, "key generate", times=1)
    assert tool.error(f"{EC} {NAMES}")
    assert len(cluster.held()) == made
    tool.data(f"{EC} {NAMES}")


@pytest.mark.parametrize("kind", ["no_json", "half", "silence"])
def test_answers_that_are_none(cluster: Cluster, tool: Tool, kind: str) -> None:
    cluster.set_fault(kind, "key generate")
    done = tool.run(f"{EC} {NAMES}")
    with pytest.raises(ValueError):
        json.loads(done.stdout)
    assert len(cluster.held()) == 2


def test_hang(cluster: Cluster, tool: Tool) -> None:
    cluster.set_fault("hang", "key list", skip=1)
    tool.data("key list")
    with pytest.raises(subprocess.TimeoutExpired):
        run(tool.path, "key", "list", timeout=0.5)
    tool.data("user list")  # others are not kept waiting


def test_inconsistent(cluster: Cluster, tool: Tool) -> None:
    tool.data(f"{EC} {NAMES}")
    cluster.set_fault("inconsistent", "key list", times=1)
    key = tool.data("key list --verbose")["matched_keys"][0]
    assert key["key-info"]["cluster-coverage"] == key["key-info"]["key-owners"][0]["key-coverage"] == "inconsistent"
    cluster.set_fault("inconsistent", "key list", attributes=["sign"])
    key = tool.data("key list --verbose")["matched_keys"][0]
    assert (key["key-info"]["cluster-coverage"], key["attributes"]["sign"]) == ("full", "inconsistent")


def test_faults_by_variable(cluster: Cluster, tool: Tool) -> None:
    cluster.install_cloudhsm_cli(CLUSTER_SIMULATOR_FAULT="half:key list")
    with pytest.raises(ValueError):
        tool.answer("key list")
    tool.data("user list")
    assert cluster.calls() == ["cloudhsm_cli: user list"]


def test_killed(cluster: Cluster, tool: Tool) -> None:
    cluster.set_fault("killed", "key generate")
    assert tool.run(f"{EC} {NAMES}").returncode == -9
    assert len(cluster.held()) == 2

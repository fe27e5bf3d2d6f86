# Copyright (c) 2026, The cryptoki.hsm authors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What README.md and the guides show runs as it stands there, or says here why it does not.

Options and roles are compared with what modules and roles take in every block of YAML, run or not.
"""

from __future__ import annotations

import os
import subprocess
import sys
import typing as t
from pathlib import Path

import pytest
import yaml

from ansible_collections.cryptoki.hsm.plugins.module_utils._options.groups import LOGIN
from ansible_collections.cryptoki.hsm.tests.support.blocks import ROOT, Block, blocks
from ansible_collections.cryptoki.hsm.tests.support.soft_token import PIN, SO_PIN, SoftToken, library
from ansible_collections.cryptoki.hsm.tests.support.taken_options import taken_by

BLOCKS = blocks()
MODULES = [file.stem for file in (ROOT / "plugins/modules").glob("*.py")]
DEBIANS = "/usr/lib/softhsm/libsofthsm2.so"
SCREEN = 40  # lines that one result may have
TOKENS = ("demo", "devices", "root", "issuing")

# Run by test_tasks_run, in this order, on tokens of SoftHSM.
TASKS = (
    "guide_certificates: - name: Have the key of a web server",
    "guide_certificates: - name: Have the root certificate",
    "guide_certificates: - name: Have the first revocation list",
    "guide_certificates: - name: Have the revocation list",
    "guide_certificates: - name: Have the certificate and its issuers beside the key",
    "guide_keys: - name: Rename a key pair",
    "guide_keys: - name: Read every key of the token",
    "guide_keys: - name: Give a pair and its certificate another id",
    "guide_keys: - name: Find keys without a name",
    "guide_key_pairs: - name: Have a pair that signs and does nothing else",
    "guide_key_pairs: - name: Have a pair whose private half only trusted keys may wrap",
    "guide_key_pairs: - name: Remove the RSA pair of 1024 bits, and no other one of that label",
    "guide_key_pairs: - name: Have a key pair for each device",
    "guide_key_pairs: - name: Publish the public key",
    "guide_key_pairs: - name: Look at what would be done",
    "guide_login: - name: Have a key pair in a token of a SoftHSM configuration of its own",
)
# The login of the tasks above, or of tasks for other libraries: each line is an option of the login.
LOGINS = tuple(block.name for block in BLOCKS if block.name.startswith("guide_vendors: module_path: "))
# Run by test_the_quick_start_by_hand and test_ad_hoc_calls.
BY_HAND = (
    "guide_quickstart: python3 -m venv venv",  # the folder and its files; the packages are there
    "guide_quickstart: - name: Quick start",
    "guide_quickstart: ansible-playbook quickstart.yml",
    "guide_quickstart: SOFTHSM2_CONF=$PWD/softhsm2.conf pkcs11-tool --module /usr/lib/softhsm/libsofthsm2.so \\",
)
AD_HOC = ("README.md: . build/demo/env", "guide_quickstart: . build/demo/env")
PLAYBOOKS = (
    "README.md: - name: Keys of the root CA",
    "roles/keypairs/README.md: - name: Keys of the CA",
    "guide_login: - name: Keys",
    "guide_testing: - name: Keys of the CA",
)
RUN = {*TASKS, *LOGINS, *BY_HAND, *AD_HOC, *PLAYBOOKS}

DEMO = "it gets packages, and makes what scripts/demo makes; the lines after it are run"
INSTALLS = "it installs from Galaxy, PyPI or Debian"
CONTAINERS = "it needs podman; the Molecule scenarios of this collection are like it"
SHOWN = "it is what something prints"
CLIENTS = "it needs a program that uses keys; the Molecule scenario certificates tries them, and runs the role"
CEREMONY = "the target hsm_ceremony holds a whole one, signs its report and verifies it"
NOT_RUN = {
    "README.md: make demo": DEMO,
    "README.md: apt-get install ca-certificates git make python3 python3-venv": INSTALLS,
    "README.md: ansible-galaxy collection install cryptoki.hsm": INSTALLS,
    "README.md: ansible-galaxy collection build": "the session that runs this builds the artefact",
    "README.md: python3 -m venv /opt/hsm-python": INSTALLS,
    "roles/pkcs11_client/README.md: - name: Hosts that use an HSM": INSTALLS,
    "roles/pkcs11_client/README.md: - name: Keys of the CA": "a play without tasks",
    "roles/softhsm/README.md: - name: A token to test with": INSTALLS,
    "roles/certificate/README.md: - name: Certificate of the web server": CLIENTS,
    "guide_quickstart: make demo": DEMO,
    "guide_aws_cloudhsm: - hosts: signers": "it needs a cluster; the targets of the provider are like it",
    "guide_azure_cloud_hsm: - hosts: signers": "it needs a cluster; the targets of the provider are like it",
    "guide_ceremony: make ceremony": CEREMONY,
    "guide_ceremony: ceremony/": "a drawing",
    "guide_ceremony: make offline": "it fetches packages from PyPI",
    "guide_ceremony: sha256sum SHA256SUMS": "it needs what make offline fetches",
    "guide_ceremony: export ANSIBLE_CALLBACKS_ENABLED=cryptoki.hsm.ceremony": CEREMONY,
    (
        "guide_ceremony: ansible-playbook cryptoki.hsm.verify_ceremony"
        " -e report=/srv/reports/20261201T090000Z-ceremony \\"
    ): CEREMONY,
    "guide_ceremony: sha256sum -c SHA256SUMS": CEREMONY,
    "guide_certificates: - name: A web server whose key is on a token": CLIENTS,
    "guide_certificates: ssl_engine pkcs11;": CLIENTS,
    "guide_certificates: openssl_conf = openssl_init": CLIENTS,
    "guide_certificates: $ ansible-playbook -i inventory -e certificate_hosts=web cryptoki.hsm.certificates": CLIENTS,
    "guide_certificates: certificate_reload:": CLIENTS,
    "guide_certificates: $ p11tool --provider /usr/lib/softhsm/libsofthsm2.so --list-all": CLIENTS,
    "guide_certificates: $ cat java.cfg": CLIENTS,
    "guide_key_mgmt_util: Command: genRSAKeyPair -m 2048 -e 65537 -l rsa_mofn -id rsa_mv2 -nex -u 4 -m_value 2": (
        "it needs a cluster; its options are compared by test_flags_of_the_commands"
    ),
    "guide_key_pairs: TASK [Have a key pair for each device] *****************************************": SHOWN,
    "guide_key_pairs: $ tail -F /run/devices.progress": SHOWN,
    "guide_key_pairs: --- before: dev-001 on devices": SHOWN,
    "guide_key_pairs: dev-001: private.decrypt true -> false, public.encrypt true -> false": SHOWN,
    "guide_login: - name: Have the key pair, in this token only": "its checksum is that of another build of SoftHSM",
    "guide_several_hsms: - name: Have the CA's key pair on three HSMs": "it names libraries that do not exist",
    "guide_several_hsms: source                      the task's processes                  replica": "a drawing",
    "guide_testing: python3 -m venv venv": INSTALLS,
    "guide_testing: FROM debian:trixie-slim": CONTAINERS,
    "guide_testing: prerun: false": CONTAINERS,
    "guide_testing: ca:": CONTAINERS,
    "guide_testing: - name: Make the container": CONTAINERS,
    "guide_testing: - name: Destroy the container": CONTAINERS,
    "guide_testing: - name: A token of SoftHSM": CONTAINERS,
    "guide_testing: - name: The playbook under test": CONTAINERS,
    "guide_testing: - name: The keys, seen from outside": CONTAINERS,
    "guide_testing: podman build -t localhost/hsm-test molecule/default": CONTAINERS,
    "guide_testing: cat > containers.conf <<END": CONTAINERS,
}
# Single tasks of a block that is run otherwise.
TASKS_NOT_RUN = {"Send it to the CA": "there is no such CA"}


def taken_by_role(role: str) -> dict[str, t.Any]:
    """The variables of a role."""
    specs = yaml.safe_load((ROOT / f"roles/{role}/meta/argument_specs.yml").read_text(encoding="utf-8"))
    return t.cast("dict[str, t.Any]", specs["argument_specs"]["main"]["options"])


OF_ROLES = {name: row for folder in (ROOT / "roles").iterdir() for name, row in taken_by_role(folder.name).items()}


def named(name: str) -> Block:
    """The block of this name."""
    (block,) = (block for block in BLOCKS if block.name == name)
    return block


def test_each_block_is_run_or_says_why_not() -> None:
    names = [block.name for block in BLOCKS]
    assert len(names) == len(set(names)), "two blocks of a file begin alike"
    unknown, gone = set(names) - RUN - set(NOT_RUN), (RUN | set(NOT_RUN)) - set(names)
    assert not unknown, f"neither run nor listed: {', '.join(sorted(unknown))}"
    assert not gone, f"listed, and not there: {', '.join(sorted(gone))}"
    assert not RUN & set(NOT_RUN)


def wrong_options(options: t.Any, spec: t.Mapping[str, t.Any], path: str) -> t.Iterator[str]:
    """Which options are unknown, and which values no choice; templates are anything."""
    if not isinstance(options, dict):
        return
    rows = {name: row for option, row in spec.items() for name in (option, *row.get("aliases", []))}
    for name, value in options.items():
        row = rows.get(name)
        if row is None:
            yield f"{path} has no option {name}"
            continue
        for one in value if isinstance(value, list) else [value]:
            if row.get("options"):
                yield from wrong_options(one, row["options"], f"{path}.{name}")
            elif row.get("choices") and "{{" not in str(one) and one not in row["choices"]:
                yield f"{path}.{name} is never {one}"


def wrong_in(content: t.Any, patch: pytest.MonkeyPatch) -> t.Iterator[str]:
    """What is wrong with the tasks of this collection, wherever they stand."""
    if isinstance(content, list):
        for entry in content:
            yield from wrong_in(entry, patch)
        return
    if not isinstance(content, dict):
        return
    for name, value in content.items():
        collection, _dot, module = str(name).rpartition(".")
        if collection == "cryptoki.hsm" and name != "group/cryptoki.hsm.hsm":
            if module not in MODULES:
                yield f"there is no module {name}"
            else:
                yield from wrong_options(value, taken_by(module, patch).spec, module)
        elif name == "group/cryptoki.hsm.hsm":
            yield from wrong_options(value, LOGIN.spec, name)
        elif name == "ansible.builtin.import_role" and value["name"].startswith("cryptoki.hsm."):
            role = value["name"].rpartition(".")[2]
            yield from wrong_options(content.get("vars", {}), taken_by_role(role), role)
        elif name in OF_ROLES:
            yield from wrong_options({name: value}, OF_ROLES, "role")
        else:
            yield from wrong_in(value, patch)


@pytest.mark.parametrize(
    "block",
    [block for block in BLOCKS if block.language.startswith("yaml")],
    ids=lambda block: t.cast(Block, block).name,
)
def test_the_options_are_known(block: Block, monkeypatch: pytest.MonkeyPatch) -> None:
    content = yaml.safe_load(block.text)
    spec_of_a_login = block.name in LOGINS
    wrong = list(wrong_options(content, LOGIN.spec, "login") if spec_of_a_login else wrong_in(content, monkeypatch))
    assert not wrong, "; ".join(wrong)


@pytest.fixture
def token(tmp_path: Path) -> SoftToken:
    """A folder with every token that the guides speak of, and the file with their PIN."""
    token = SoftToken(tmp_path, label=TOKENS[0])
    for label in TOKENS[1:]:
        token.initialise(label)
    (tmp_path / "hsm.pin").write_text(f"{PIN}\n", encoding="utf-8")
    (tmp_path / "env").write_text("", encoding="utf-8")
    return token


def play(tasks: list[t.Any], token: SoftToken) -> dict[str, t.Any]:
    """A play of tasks, with the login that the guides put into module_defaults."""
    login = {
        "module_path": library(),
        "library_environment": token.environment,
        "token_label": token.label,
        "pin_file": str(token.folder / "hsm.pin"),
        "lock_folder": str(token.folder),
    }
    return {
        "hosts": "localhost",
        "gather_facts": False,
        "module_defaults": {"group/cryptoki.hsm.hsm": login},
        "tasks": tasks,
        "handlers": [{"name": "Reload the web server", "ansible.builtin.debug": {"msg": "reloaded"}}],
    }


def here(text: str, token: SoftToken) -> t.Any:
    """A block with its paths moved into the folder of a test."""
    # The certificate that a list revokes is the one that is there.
    for path in ("/etc/pki/old/", "/etc/pki/", "/etc/softhsm/", "/run/", "/var/www/"):
        text = text.replace(path, f"{token.folder}/")
    return yaml.safe_load(text.replace(DEBIANS, library()).replace("token_label: ca", "token_label: root"))


def run(command: list[str], token: SoftToken, **variables: str) -> str:
    """The output of a program that ended well, in the folder of the token."""
    environment = {
        **os.environ,
        **token.environment,
        "PATH": os.pathsep.join([str(Path(sys.executable).parent), os.environ["PATH"]]),
        "ANSIBLE_PYTHON_INTERPRETER": sys.executable,
        "ANSIBLE_HOME": str(token.folder / "ansible"),
        "ANSIBLE_LOCALHOST_WARNING": "false",
        "ANSIBLE_INVENTORY_UNPARSED_WARNING": "false",
        **variables,
    }
    done = subprocess.run(command, cwd=token.folder, env=environment, capture_output=True, text=True, check=False)
    assert done.returncode == 0, (
        f"{command[:2]} ended with {done.returncode}:\n{done.stdout[-3000:]}\n{done.stderr[-2000:]}"
    )
    return done.stdout


def have(module: str, **options: t.Any) -> dict[str, t.Any]:
    """A task that a guide takes for granted."""
    return {"name": "What is there", f"cryptoki.hsm.{module}": options, "register": options["label"].replace("-", "_")}


def test_tasks_run(token: SoftToken) -> None:
    """All of them in one play, which finds what the guides take for granted."""
    tasks = [
        have("hsm_ecc_keypair", label="web", curve="P-256", extractable=False),
        have("hsm_ecc_keypair", label="ecc14", curve="P-384", extractable=False),
        have("hsm_ecc_keypair", label="root-ca", curve="P-256", extractable=False, token_label="root"),
        have("hsm_ecc_keypair", label="issuing-ca", curve="P-256", extractable=False, token_label="issuing"),
    ]
    for name in TASKS:
        tasks += [task for task in here(named(name).text, token) if task["name"] not in TASKS_NOT_RUN]
    whole = play(tasks, token)
    whole["vars"] = {"keypairs": [{"type": "ecc", "label": "web", "curve": "P-256"}]}
    (token.folder / "ca.conf").write_text(token.configuration.read_text(encoding="utf-8"), encoding="utf-8")
    (token.folder / "tasks.yml").write_text(yaml.safe_dump([whole], sort_keys=False), encoding="utf-8")
    told = run(["ansible-playbook", "tasks.yml"], token)
    assert "failed=0" in told and "Have the certificate of the web server" in told
    assert "ocsp-2026" in token.objects() and "ecc14" not in token.objects()


def test_playbooks_run(token: SoftToken) -> None:
    """Each play as it stands there, but for the host, the library, the paths and the Python."""
    said = {"hsm_library": library(), "hsm_module_path": library(), "hsm_token": "root", "hsm_token_label": "root"}
    plays = []
    for name in PLAYBOOKS:
        (one,) = here(named(name).text, token)
        variables = {**one.get("vars", {}), **said, "hsm_pin_file": str(token.folder / "hsm.pin")}
        variables.pop("ansible_python_interpreter", None)
        plays.append({**one, "hosts": "localhost", "gather_facts": False, "vars": variables})
    (token.folder / "site.yml").write_text(yaml.safe_dump(plays, sort_keys=False), encoding="utf-8")
    assert "failed=0" in run(["ansible-playbook", "site.yml"], token)
    assert (token.folder / "root-ca-2026.pub.pem").read_text(encoding="utf-8").startswith("-----BEGIN PUBLIC KEY")


def test_the_quick_start_by_hand(tmp_path: Path) -> None:
    """Line by line, but for what it installs: the second run changes nothing, and pkcs11-tool sees the key."""
    folder = SoftToken(tmp_path / "by hand", initialise=False)
    folder.configuration.unlink()
    folder.tokens.rmdir()
    files, playbook, twice, outside = map(named, BY_HAND)
    lines = [
        line
        for line in files.text.splitlines()
        if not line.startswith(("python3 ", ". venv", "pip ", "ansible-galaxy "))
    ]
    assert len(lines) == 3
    text = playbook.text.replace(DEBIANS, library())
    (folder.folder / "quickstart.yml").write_text(text, encoding="utf-8")
    run(["sh", "-euc", "\n".join(lines)], folder)
    # The first run may be one in check mode, where there is no token yet.
    assert "failed=0" in run(["ansible-playbook", "--check", "quickstart.yml"], folder)
    told = run(["sh", "-euc", twice.text], folder)
    assert told.count("failed=0") == 2 and "changed=0" in told.partition("PLAY RECAP")[2].partition("PLAY RECAP")[2]
    seen = run(["sh", "-euc", outside.text.replace(DEBIANS, library())], folder)
    assert "web" in seen


def test_ad_hoc_calls(token: SoftToken) -> None:
    """In the folder that `make demo` leaves: the second call of the same line changes nothing."""
    (token.folder / "build/demo").mkdir(parents=True)
    (token.folder / "build/demo/env").write_text("", encoding="utf-8")
    (token.folder / "playbooks").symlink_to(ROOT / "playbooks")
    variables = {
        "PKCS11_MODULE": library(),
        "HSM_TOKEN_LABEL": "demo",
        "HSM_PIN_FILE": str(token.folder / "hsm.pin"),
        "ANSIBLE_CALLBACK_RESULT_FORMAT": "yaml",
    }
    first, second = (run(["sh", "-euc", named(name).text], token, **variables) for name in AD_HOC)
    assert first.count("CHANGED") == 1 and first.count("SUCCESS") == 1
    assert first.count("\n") <= 2 * SCREEN
    assert "never extractable" in token.objects()
    assert second.count("SUCCESS") == 1 and "failed=0" in second


def test_the_pins_are_no_examples() -> None:
    assert not [block.name for block in BLOCKS if PIN in block.text or SO_PIN in block.text]

#!/usr/bin/env python
# SPDX-FileCopyrightText: The cryptoki.hsm contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Make an execution environment of the artefact with ansible-builder, from what meta/ says that it needs.

    execution_environment.py ARTEFACT          the context of the build, and what ansible-builder reads from meta/
    execution_environment.py ARTEFACT build    the image as well, with podman, and the quick start run in it, twice

The image starts from Debian, as those of the Molecule scenarios do, and has SoftHSM in the place of a vendor's library.
Python's packages are downloaded here, so that the build needs no index, and no registry where the root is made here.
"""

from __future__ import annotations

import shutil
import subprocess
import sys
from pathlib import Path

import containers  # type: ignore[import-not-found]  # beside this file, no package
import yaml

IMAGE = "localhost/cryptoki-hsm-ee:latest"
SUITE = "trixie"
# What ansible-builder itself installs in the stages of a build
BUILDERS = ("ansible-core", "ansible-runner", "bindep", "dumb-init==1.2.5", "packaging", "pip", "pyyaml")
# A token, and the playbook of the quick start that ships; the second run must change nothing.
TRIAL = """
set -eu
cd "$(mktemp -d)"
mkdir tokens
echo "directories.tokendir = $PWD/tokens" >softhsm2.conf
umask 077
echo 12345678 >pin
echo 87654321 >so-pin
export SOFTHSM2_CONF=$PWD/softhsm2.conf PKCS11_MODULE=/usr/lib/softhsm/libsofthsm2.so
export HSM_TOKEN_LABEL=trial HSM_PIN_FILE=$PWD/pin
export ANSIBLE_LOCALHOST_WARNING=false ANSIBLE_INVENTORY_UNPARSED_WARNING=false
python3 -c "import pexpect"
ansible localhost -m cryptoki.hsm.hsm_token -a "token_label=trial so_pin_file=$PWD/so-pin pin_file=$PWD/pin"
ansible-playbook cryptoki.hsm.quickstart
ansible-playbook cryptoki.hsm.quickstart | tee second
grep -q '^localhost .* changed=0 .* failed=0 ' second
"""


def definition(artefact: str, base: str) -> dict:
    """As a user would write it, but for the last lines, which are for a build without an index."""
    return {
        "version": 3,
        "images": {"base_image": {"name": base}},
        "dependencies": {
            "ansible_core": {"package_pip": "ansible-core"},
            "ansible_runner": {"package_pip": "ansible-runner"},
            "galaxy": {"collections": [{"name": f"src/{artefact}", "type": "file"}]},
            "system": ["softhsm2 [platform:dpkg]"],
        },
        # Debian's Python has pip from a package, and no ensurepip.
        "options": {"package_manager_path": "/usr/bin/apt-get", "skip_pip_install": True},
        "additional_build_files": [{"src": artefact, "dest": "src"}, {"src": "wheels", "dest": "wheels"}],
        "additional_build_steps": {
            "prepend_base": [
                "ARG DEBIAN_FRONTEND=noninteractive",
                "RUN apt-get -q update && apt-get -qq -y install python3-pip python3-venv",
                "COPY _build/wheels /opt/wheels",
                "ENV PIP_NO_INDEX=1 PIP_FIND_LINKS=/opt/wheels ANSIBLE_GALAXY_CLI_COLLECTION_OPTS=--offline",
            ]
        },
    }


def create(artefact: Path, base: str) -> Path:
    """The context of a build, beside the artefact."""
    folder = artefact.parent
    (folder / "wheels").mkdir(exist_ok=True)
    text = yaml.safe_dump(definition(artefact.name, base), sort_keys=False)
    (folder / "execution-environment.yml").write_text(f"---\n{text}", encoding="utf-8")
    subprocess.run(["ansible-builder", "create", "-v", "1"], cwd=folder, check=True)
    return folder / "context"


def read_from_meta(artefact: Path) -> dict:
    """What ansible-builder finds in the installed collection, as it will in the image."""
    installed = artefact.parent / "installed"
    command = ["ansible-galaxy", "collection", "install", "--offline", "-p", str(installed), str(artefact)]
    subprocess.run(command, check=True, capture_output=True)
    command = ["ansible-builder", "introspect", str(installed)]
    return yaml.safe_load(subprocess.run(command, check=True, capture_output=True, text=True).stdout)


def requirements(lines: list[str]) -> set[str]:
    """The lines without their comments."""
    return {line.partition("#")[0].strip() for line in lines} - {""}


def build(artefact: Path) -> None:
    containers.need("podman", containers.PODMAN)
    containers.BUILD.mkdir(parents=True, exist_ok=True)
    base = containers.base_of(SUITE)
    containers.make_podman_run(base)
    wheels = artefact.parent / "wheels"
    pip = (sys.executable, "-m", "pip", "download", "--quiet", "--disable-pip-version-check", "--only-binary=:all:")
    python = ("--python-version", containers.SUITES[SUITE][0], "--dest", str(wheels))
    containers.run(*pip, *python, "--requirement", str(containers.REQUIREMENTS), *BUILDERS)
    context = create(artefact, base)
    containers.say(f"building {IMAGE}")
    # With the host's network: bridges are not to be had everywhere.
    containers.run("podman", "build", "--layers=false", "--network", "host", "--tag", IMAGE, str(context), timeout=1800)
    print(containers.run("podman", "run", "--rm", "--network", "none", IMAGE, "bash", "-c", TRIAL))


def main() -> None:
    artefact, *more = sys.argv[1:]
    path = Path(artefact)
    shutil.rmtree(path.parent / "context", ignore_errors=True)
    found = read_from_meta(path)
    lines = containers.REQUIREMENTS.read_text(encoding="utf-8").splitlines()
    if requirements(found["python"]) != requirements(lines):
        raise containers.Failure(f"ansible-builder reads {found['python']} from meta/, and not what it says")
    for group in found["python"], found["system"]:
        print("\n".join(group))
    if more == ["build"]:
        build(path)
    else:
        create(path, f"debian:{SUITE}-slim")


if __name__ == "__main__":
    try:
        main()
    except (containers.Failure, subprocess.CalledProcessError) as failure:
        sys.exit(f"execution environment: {failure}")

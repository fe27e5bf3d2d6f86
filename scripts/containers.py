#!/usr/bin/env python
# SPDX-FileCopyrightText: The cryptoki.hsm contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Find podman and build the images of the Molecule scenarios; what is there already is not built again.

Root gets podman from Debian or Ubuntu; anybody else must have it. Where podman cannot run as it is, settings for it are
tried in build/molecule/containers.conf; the user's own are never changed. An image starts from the usual Debian image,
or, where no registry answers, from a root that mmdebstrap makes.

The images are kept by podman under a name with the digest of what they are made of; those of older digests go when new
ones are built. What the scenarios need to know goes to build/molecule/env.json, as environment variables.
"""

from __future__ import annotations

import hashlib
import json
import os
import shutil
import subprocess
import sys
from pathlib import Path

from testbed import install  # type: ignore[import-not-found]  # beside this file, no package

ROOT = Path(__file__).resolve().parent.parent
BUILD = ROOT / "build/molecule"
CONTAINERFILE = ROOT / "extensions/molecule/default/Containerfile"
REQUIREMENTS = ROOT / "meta/ee-requirements.txt"
IMAGE, BASE = "localhost/cryptoki-hsm-test", "localhost/cryptoki-hsm-base"

PODMAN = ("podman", "runc", "netavark", "iptables", "containernetworking-plugins", "uidmap")
MMDEBSTRAP = ("mmdebstrap", "debian-archive-keyring")

# What the role pkcs11_client installs beside the modules' requirements
FURTHER_WHEELS = ("packaging",)
# What the roles and scenarios install
DOWNLOADED = "p11-kit p11-kit-modules python3-packaging python3-venv softhsm2"
# Vendors' libraries, and what their devices are simulated with
INSTALLED = "libnss3 libnss3-tools"
OF_TRIXIE = (
    "libpkcs11-proxy0 pkcs11-daemon yubihsm-pkcs11"
    " libtpm2-pkcs11-1 libtss2-tcti-swtpm0t64 libtss2-tcti-tabrmd0 swtpm tpm2-abrmd dbus-daemon"
)
# Clients of keys and certificates: OpenSSL's old way to a token and its new one, a web server, Java
CLIENTS = {
    "bookworm": "curl gnutls-bin libengine-pkcs11-openssl nginx",
    "trixie": "gnutls-bin openjdk-21-jre-headless pkcs11-provider",
}
# Debian's suite: (its Python, packages that are installed in its image, packages that are downloaded)
SUITES = {
    "bookworm": ("3.11", f"{INSTALLED} {CLIENTS['bookworm']}", DOWNLOADED),
    "trixie": ("3.13", f"{INSTALLED} {OF_TRIXIE} {CLIENTS['trixie']}", f"{DOWNLOADED} opencryptoki"),
}
# Debian's sid alone has it. A test says 'skipped' where it cannot be had.
FROM_SID = "nethsm-pkcs11"

# podman 4.3 cannot raise limits without CAP_SYS_RESOURCE, and crun refuses hybrid cgroups.
RESTRICTED = """\
[containers]
default_ulimits = ["nofile=1024:1024", "nproc=4096:4096"]
[engine]
runtime = "runc"
"""


class Failure(Exception):
    """The containers cannot be had; the text says why."""


def say(text: str) -> None:
    print(f"containers: {text}", flush=True)


def run(*command: str, timeout: int = 1200) -> str:
    """The output of a command; a failure shows the end of what it said."""
    try:
        done = subprocess.run(
            command, stdin=subprocess.DEVNULL, capture_output=True, text=True, timeout=timeout, check=False
        )
    except (OSError, subprocess.TimeoutExpired) as error:
        raise Failure(f"{' '.join(command[:2])}: {error}") from error
    if done.returncode:
        raise Failure(f"{' '.join(command[:2])} failed:\n{(done.stdout + done.stderr)[-2000:]}")
    return done.stdout


def works(*command: str, timeout: int = 1200) -> bool:
    try:
        run(*command, timeout=timeout)
    except Failure:
        return False
    return True


def can_install(packages: tuple[str, ...]) -> bool:
    return os.geteuid() == 0 and shutil.which("apt-get") is not None and install(list(packages))


def need(program: str, packages: tuple[str, ...]) -> None:
    """Have a program, if need be from Debian's packages."""
    if not shutil.which(program) and not can_install(packages):
        raise Failure(
            f"{program} is not here and cannot be installed; the Molecule scenarios need it"
            f" (Debian: {' '.join(packages)})"
        )


def digest() -> str:
    """Of everything that an image is made of, as far as it lies in this project."""
    packages = repr((SUITES, FROM_SID, FURTHER_WHEELS)).encode()
    parts = (CONTAINERFILE.read_bytes(), REQUIREMENTS.read_bytes(), packages)
    return hashlib.sha256(b"\0".join(parts)).hexdigest()[:12]


def image_of(suite: str) -> str:
    return f"{IMAGE}:{suite}-{digest()}"


def base_of(suite: str) -> str:
    """The usual Debian image, or one that is made here."""
    usual, made = f"debian:{suite}-slim", f"{BASE}:{suite}"
    if works("podman", "image", "exists", made):
        return made
    if works("podman", "pull", "--quiet", usual, timeout=120):
        return usual
    say(f"no registry answered for {usual}; mmdebstrap makes the root")
    need("mmdebstrap", MMDEBSTRAP)
    root = BUILD / f"{suite}.tar"
    run("mmdebstrap", "--quiet", "--variant=minbase", suite, str(root))
    run("podman", "import", "--quiet", str(root), made)
    root.unlink()
    return made


def download_wheels(context: Path) -> None:
    """The modules' Python packages for each suite's Python; pip takes them from where the user's pip does."""
    for python, _installed, _downloaded in SUITES.values():
        pip = (sys.executable, "-m", "pip", "download", "--quiet", "--disable-pip-version-check")
        wheels = ("--only-binary=:all:", "--python-version", python, "--dest", str(context / "wheels"))
        run(*pip, *wheels, "--requirement", str(REQUIREMENTS), *FURTHER_WHEELS)


def build(suite: str) -> None:
    say(f"building the image of {suite}")
    context = BUILD / "context"
    shutil.rmtree(context, ignore_errors=True)
    (context / "wheels").mkdir(parents=True)
    download_wheels(context)
    base = base_of(suite)
    make_podman_run(base)
    _python, installed, downloaded = SUITES[suite]
    values = {"BASE": base, "INSTALLED": installed, "DOWNLOADED": downloaded, "FROM_SID": FROM_SID}
    arguments = [part for name, value in values.items() for part in ("--build-arg", f"{name}={value}")]
    command = ("podman", "build", "--quiet", "--file", str(CONTAINERFILE), "--tag", image_of(suite))
    # With the host's network: bridges are not to be had everywhere.
    run(*command, "--network", "host", *arguments, str(context))


def make_podman_run(image: str) -> None:
    """Find out whether containers start as podman is set up, else with settings of ours, which then stay."""
    probe = ("podman", "run", "--rm", "--network", "none", image, "true")
    if works(*probe):
        return
    need("runc", ("runc",))
    settings = BUILD / "containers.conf"
    settings.write_text(RESTRICTED, encoding="utf-8")
    os.environ["CONTAINERS_CONF"] = str(settings)
    # A podman that somebody installed may lack what Debian only recommends beside it.
    if not works(*probe) and not can_install(PODMAN):
        raise Failure(f"podman is here, but no container starts; it may lack some of {' '.join(PODMAN)}")
    run(*probe)
    say(f"podman runs with {settings.relative_to(ROOT)}")


def ssh_key() -> Path:
    """A key that the containers let in."""
    key = BUILD / "ssh_key"
    if not key.exists():
        need("ssh-keygen", ("openssh-client",))
        run("ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-f", str(key))
    return key


def remove_old_images() -> None:
    """Remove our images of other digests; one that a container is using stays."""
    current = {image_of(suite) for suite in SUITES}
    listing = run("podman", "images", "--format", "{{.Repository}}:{{.Tag}}", "--filter", f"reference={IMAGE}")
    for image in sorted(set(listing.split()) - current):
        if works("podman", "rmi", image):
            say(f"removed {image}, which is out of date")


def main() -> None:
    BUILD.mkdir(parents=True, exist_ok=True)
    need("podman", PODMAN)
    missing = [suite for suite in SUITES if not works("podman", "image", "exists", image_of(suite))]
    for suite in missing:
        build(suite)
    if missing:
        remove_old_images()
    make_podman_run(image_of("trixie"))
    # Two clones of the project are not to share containers.
    clone = hashlib.sha256(str(ROOT).encode()).hexdigest()[:8]
    environment = {f"TEST_IMAGE_{suite.upper()}": image_of(suite) for suite in SUITES}
    environment["TEST_CONTAINER"] = f"cryptoki-hsm-{clone}"
    environment["TEST_SSH_KEY"] = str(ssh_key())
    if "CONTAINERS_CONF" in os.environ:
        environment["CONTAINERS_CONF"] = os.environ["CONTAINERS_CONF"]
    (BUILD / "env.json").write_text(json.dumps(environment, indent=2) + "\n", encoding="utf-8")
    say(f"images are ready: {', '.join(image_of(suite) for suite in SUITES)}")


if __name__ == "__main__":
    try:
        main()
    except Failure as failure:
        sys.exit(f"containers: {failure}")

# SPDX-FileCopyrightText: The cryptoki.hsm contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Sessions that run ansible-test, the changelog's lint, the benchmarks and the documentation.

The rest of the lint comes from antsibull-nox (antsibull-nox.toml). antsibull-nox's own ansible-test sessions need
containers and ansible-core's repository; these need PyPI only.
"""

from __future__ import annotations

import json
import os
import re
import shutil
import subprocess
import sys
import urllib.request
from collections.abc import Callable
from pathlib import Path

import antsibull_nox
import nox
import yaml

ROOT = Path(__file__).resolve().parent
BUILD = ROOT / "build"
sys.path.insert(0, str(ROOT / "scripts"))

from pythons import pythons  # noqa: E402

# The supported versions of ansible-core; for each the Pythons to try, so that together they span what is supported.
CORES = {
    "2.17": ["3.10", "3.11", "3.12"],
    "2.19": ["3.11", "3.12", "3.13"],
    "2.21": ["3.13", "3.14", "3.12"],
}
PYTHONS = pythons()

nox.options.envdir = str(BUILD / "nox")
nox.options.reuse_existing_virtualenvs = True
nox.options.sessions = ["lint"]

# Nobody's HSM, PIN or Ansible configuration may leak into the tests.
for variable in list(os.environ):
    if variable.startswith(("ANSIBLE_", "HSM_", "PKCS11", "SOFTHSM2_")):
        del os.environ[variable]
# ansible-test keeps virtual environments and downloads in the home directory.
TEST_HOME = BUILD / "home"

antsibull_nox.load_antsibull_nox_toml()


def testbed(session: nox.Session) -> dict:
    """Where SoftHSM and the tools are; unpacked ones are put on the search paths."""
    session.run("python", "scripts/testbed.py", "test")
    found = json.loads((BUILD / "testbed.json").read_text(encoding="utf-8"))
    for variable, folders in (("PATH", found["path"]), ("LD_LIBRARY_PATH", found["ld_library_path"])):
        if folders:
            session.env[variable] = os.pathsep.join(filter(None, [folders, os.environ.get(variable)]))
    return found


def stage(folder: str = "ansible_test") -> Path:
    """Copy the collection to where ansible-test wants it: below ansible_collections, in a git work tree of its own."""
    target = BUILD / folder / "ansible_collections/cryptoki/hsm"
    shutil.rmtree(target, ignore_errors=True)
    listing = subprocess.check_output(["git", "ls-files", "-z", "-co", "--exclude-standard"], cwd=ROOT, text=True)
    for name in filter(None, listing.split("\0")):
        source = ROOT / name
        if source.is_file() or source.is_symlink():  # not so if it was deleted and not committed yet
            (target / name).parent.mkdir(parents=True, exist_ok=True)
            shutil.copy2(source, target / name, follow_symlinks=False)
    subprocess.check_call(["git", "init", "-q"], cwd=target)
    subprocess.check_call(["git", "add", "-A"], cwd=target)
    return target


def provide_get_pip(session: nox.Session) -> None:
    """Put a stand-in where ansible-test keeps get-pip.py, if the host that it would ask does not answer."""
    package = Path(
        session.run("python", "-c", "import ansible_test; print(*ansible_test.__path__)", silent=True).strip()
    )
    setup = (package / "_util/target/setup/requirements.py").read_text(encoding="utf-8")
    versions = (package / "_internal/python_requirements.py").read_text(encoding="utf-8")
    address = re.search(r"'(https://[^']*get-pip-%s\.py)'", setup)
    for version in set(re.findall(r"\bpip='([\d.]+)'", versions)):
        cached = TEST_HOME / f".ansible/test/cache/get_pip_{version.replace('.', '_')}.py"
        if cached.exists() or not address:
            continue
        try:
            urllib.request.urlopen(address.group(1) % version, timeout=10).close()
        except OSError as error:
            session.log(f"get-pip.py {version} is out of reach ({error}), scripts/get_pip.py stands in")
            cached.parent.mkdir(parents=True, exist_ok=True)
            shutil.copy(ROOT / "scripts/get_pip.py", cached)


def ansible_test(
    session: nox.Session, core: str, *arguments: str, prepare: Callable[[Path], None] | None = None
) -> None:
    """Install ansible-core and run ansible-test on a fresh copy of the collection."""
    session.install(f"ansible-core~={core}.0")
    provide_get_pip(session)
    target = stage()
    if prepare:
        prepare(target)
    session.chdir(target)
    python = session.run("python", "-c", "import sys; print('%s.%s' % sys.version_info[:2])", silent=True).strip()
    session.run(
        "ansible-test", *arguments, "--local", "--python", python, *session.posargs, env={"HOME": str(TEST_HOME)}
    )


def add_session(function: Callable[[nox.Session, str], None], core: str) -> None:
    """Make a session of the function for one ansible-core, on the first of its Pythons that is found."""
    python = next((PYTHONS[version] for version in CORES[core] if version in PYTHONS), None)

    def run(session: nox.Session) -> None:
        if not python:
            session.skip(f"ansible-core {core} needs one of Python {', '.join(CORES[core])}, none of which was found")
        function(session, core)

    run.__doc__ = f"{function.__doc__} (ansible-core {core})"
    name = f"{function.__name__}-{core}"
    nox.session(name=name, python=python or False, default=False, tags=[function.__name__])(run)


def for_each_core(function: Callable[[nox.Session, str], None]) -> Callable[[nox.Session, str], None]:
    """Make a session of the function for each supported ansible-core."""
    for core in CORES:
        add_session(function, core)
    return function


@for_each_core
def sanity(session: nox.Session, core: str) -> None:
    """ansible-test sanity, no test skipped, nothing ignored"""
    ignored = sorted((ROOT / "tests/sanity").glob("ignore-*.txt"))
    if ignored:
        session.error(f"No sanity test is to be ignored: {', '.join(map(str, ignored))}")
    ansible_test(session, core, "sanity")


@for_each_core
def units(session: nox.Session, core: str) -> None:
    """Unit tests"""
    found = testbed(session)

    def prepare(target: Path) -> None:
        # ansible-test passes no variables on; tests find what they need beside them.
        (target / "build").mkdir()
        (target / "build/testbed.json").write_text(json.dumps(found), encoding="utf-8")

    # pip installs tests/unit/requirements.txt into the session's environment.
    ansible_test(session, core, "units", "--requirements", prepare=prepare)


@nox.session(default=False, python=list(PYTHONS.values())[-1])
def integration(session: nox.Session) -> None:
    """Integration tests against SoftHSM and simulated clusters, on the newest ansible-core; targets may be named"""
    found = testbed(session)
    core = next(core for core in reversed(CORES) if set(CORES[core]) & set(list(PYTHONS)[-1:]))
    session.install(f"ansible-core~={core}.0", "-r", "tests/unit/requirements.txt")
    settings = {key: found[key] for key in ("softhsm_library", "pkcs11_spy", "p11_kit_proxy")}
    settings["testbed_tools"] = found["tools"]
    aliases = (ROOT / "tests/integration/targets").glob("hsm_*/aliases")
    names = session.posargs or sorted(file.parent.name for file in aliases)
    python = session.run("python", "-c", "import sys; print('%s.%s' % sys.version_info[:2])", silent=True).strip()
    # A target keeps one processor busy; so two of them run at once, each in a copy and a home of its own.
    parts = [names[number::2] for number in range(min(2, len(names)))]
    running = []
    for number, part in enumerate(parts):
        target, log, home = (
            stage(f"integration_{number}"),
            BUILD / f"integration_{number}.log",
            BUILD / f"home_{number}",
        )
        file = target / "tests/integration/integration_config.yml"
        file.write_text(yaml.safe_dump(settings), encoding="utf-8")
        home.mkdir(exist_ok=True)
        command = ["ansible-test", "integration", *part, "--local", "--python", python]
        session.log(f"{' '.join(command)} > {log}")
        with log.open("w", encoding="utf-8") as output:
            given = {**os.environ, **session.env, "HOME": str(home)}
            environment = {name: value for name, value in given.items() if value is not None}
            environment["PATH"] = os.pathsep.join([session.bin, environment["PATH"]])
            running.append((log, subprocess.Popen(command, cwd=target, env=environment, stdout=output, stderr=output)))
    failed = [log for log, process in running if process.wait()]
    for log, _process in running:
        print(log.read_text(encoding="utf-8"))
    if failed:
        session.error(f"See {' and '.join(map(str, failed))}.")


@nox.session(default=False, python=list(PYTHONS.values())[-1])
def faults(session: nox.Session) -> None:
    """Tests of what goes wrong: wrong PINs, races, kills, full disks, libraries that misbehave; on SoftHSM"""
    found = testbed(session)
    session.install("ansible-core", "-r", "tests/unit/requirements.txt", "pytest", "pytest-xdist")
    session.chdir(stage())
    session.env["PYTHONPATH"] = str(BUILD / "ansible_test")
    session.env["SOFTHSM_LIBRARY"] = found["softhsm_library"]
    session.env["PKCS11_SPY"] = found["pkcs11_spy"]
    session.env["NSS_SOFTOKN"] = found["nss_softokn"]
    session.env["P11_KIT_PROXY"] = found["p11_kit_proxy"]
    # Each test has a token of its own, and waits for processes more than it works.
    workers = str(os.cpu_count() or 1)
    session.run(
        "python", "-m", "pytest", "-q", "-p", "no:cacheprovider", "-n", workers, "tests/faults", *session.posargs
    )


@nox.session(default=False, python=list(PYTHONS.values())[-1])
def molecule(session: nox.Session) -> None:
    """Molecule scenarios in containers; MOLECULE_SCENARIO names some, separated by blanks"""
    # The PyPI package ansible brings the collection containers.podman.
    session.install("molecule", "ansible")
    session.run("python", "scripts/containers.py")
    stage()
    names = os.environ.get("MOLECULE_SCENARIO", "").split()
    session.run("python", "scripts/molecule.py", *names, *session.posargs)


@nox.session(default=False, python=list(PYTHONS.values())[-1])
def imports(session: nox.Session) -> None:
    """Which room of module_utils imports which (.importlinter)"""
    session.install("import-linter", "ansible-core")
    stage()
    session.env["PYTHONPATH"] = str(BUILD / "ansible_test")
    session.run("lint-imports", str(ROOT / ".importlinter"), "--no-cache")


@nox.session(default=False)
def changelog(session: nox.Session) -> None:
    """Lint of the changelog fragments"""
    session.install("antsibull-changelog", "ansible-core")
    session.run("antsibull-changelog", "lint")


@nox.session(default=False)
def bench(session: nox.Session) -> None:
    """The budgets, measured on SoftHSM"""
    found = testbed(session)
    session.install("ansible-core", "-r", "tests/unit/requirements.txt")
    collections = BUILD / "ansible_test"
    stage()
    session.env["ANSIBLE_COLLECTIONS_PATH"] = str(collections)
    session.env["SOFTHSM_LIBRARY"] = found["softhsm_library"]
    session.run("python", "tests/benchmarks/run.py", *session.posargs)


@nox.session(default=False)
def docs(session: nox.Session) -> None:
    """The documentation as HTML, in build/docs/build/html"""
    session.install("antsibull-docs", "ansible-core", "ansible-pygments", "sphinx", "sphinx-ansible-theme")
    stage()
    site = BUILD / "docs"
    shutil.rmtree(site, ignore_errors=True)
    site.mkdir(parents=True)
    session.env["ANSIBLE_COLLECTIONS_PATH"] = str(BUILD / "ansible_test")
    # Lenient: links into Ansible's own documentation cannot be checked offline. The lint checks all of our own.
    session.run(
        *("antsibull-docs", "sphinx-init", "--use-current", "--squash-hierarchy", "--lenient"),
        *("--project", "cryptoki.hsm", "--title", "cryptoki.hsm", "--dest-dir", str(site), "cryptoki.hsm"),
    )
    session.run("bash", str(site / "build.sh"), external=True)
    session.log(f"see {site}/build/html/index.html")

# SPDX-FileCopyrightText: The cryptoki.hsm contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Sessions that run ansible-test, the changelog's lint, the benchmarks and the documentation.

The rest of the lint comes from antsibull-nox (antsibull-nox.toml). antsibull-nox's own ansible-test sessions need
containers and ansible-core's repository; these need PyPI only.
"""

from __future__ import annotations

import hashlib
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
NEWEST = list(CORES)[-1]
# What lies between them: not part of `make test`, but of what .github/workflows/tests.yml runs each night.
BETWEEN = {"2.18": ["3.12", "3.11", "3.13"], "2.20": ["3.12", "3.13", "3.14"]}
PYTHONS = pythons()
# The version of the package ansible, with community.crypto, for one of them: it says what it makes of our results.
COLLECTIONS = {"2.19": "ansible~=12.0"}
# Sanity tests whose answer depends on the files alone.
SAME_ON_EVERY_CORE = ("changelog", "line-endings", "pep8", "shebang", "symlinks", "yamllint")
# The dearest one, whose rules follow its release; what the oldest and the newest accept, others do, too.
ENDS_ONLY = ("pylint",)
# Unit tests of what calls Ansible or is called by it.
MEET_ANSIBLE = tuple(f"tests/unit/plugins/module_utils/{room}/" for room in ("_options", "_tasks"))
# Unit tests of what the controller loads, which run apart, as with ansible-test: a process that has loaded it tells
# warnings in another way than a module does.
CONTROLLER = tuple(f"tests/unit/plugins/{kind}" for kind in ("action", "callback"))

# Of these folders, one file each is shipped; the rest is laid beside it.
PARTLY_SHIPPED = {"changelogs", "tests"}

nox.options.envdir = str(BUILD / "nox")
nox.options.default_venv_backend = "uv|virtualenv"
nox.options.reuse_existing_virtualenvs = True
nox.options.sessions = ["lint"]

# Nobody's HSM, PIN or Ansible configuration may leak into the tests.
for variable in list(os.environ):
    if variable.startswith(("ANSIBLE_", "HSM_", "PKCS11", "SOFTHSM2_")):
        del os.environ[variable]
# Hundreds of short processes start from environments that nobody compiled: the first keeps the bytecode for the rest.
os.environ.pop("PYTHONDONTWRITEBYTECODE", None)
# uv does not read pip's configuration; where pip takes packages from a mirror, uv shall do so, too.
if "UV_DEFAULT_INDEX" not in os.environ:
    asked = subprocess.run(
        [sys.executable, "-m", "pip", "config", "get", "global.index-url"], capture_output=True, text=True, check=False
    )
    if asked.returncode == 0:
        os.environ["UV_DEFAULT_INDEX"] = asked.stdout.strip()

antsibull_nox.load_antsibull_nox_toml()


def prepare(session: nox.Session, *command: str) -> str:
    """What a program of the session says that the rest needs; `nox --install-only` runs it, too."""
    program, *arguments = command
    return subprocess.check_output([Path(session.bin) / program, *arguments], cwd=ROOT, text=True)


def testbed(session: nox.Session) -> dict:
    """Where SoftHSM and the tools are; unpacked ones are put on the search paths."""
    session.log(prepare(session, "python", "scripts/testbed.py", "test").strip())
    found = json.loads((BUILD / "testbed.json").read_text(encoding="utf-8"))
    for variable, folders in (("PATH", found["path"]), ("LD_LIBRARY_PATH", found["ld_library_path"])):
        if folders:
            session.env[variable] = os.pathsep.join(filter(None, [folders, os.environ.get(variable)]))
    return found


def build(session: nox.Session, folder: Path) -> Path:
    """The artefact, built by the session's ansible-core into a folder without another one."""
    prepare(session, "ansible-galaxy", "collection", "build", "--output-path", str(folder), str(ROOT))
    (artefact,) = folder.glob("*.tar.gz")
    return artefact


def stage(session: nox.Session, folder: str) -> Path:
    """Lay out what ships, and beside it what tests it. The session needs ansible-core, which builds the artefact.

    The answer is the folder of the collection: a git work tree below `ansible_collections`, as ansible-test wants it.
    A module or role file that the artefact lacks is not there, whatever the sources have.
    """
    top = BUILD / "stage" / folder
    target = top / "ansible_collections/cryptoki/hsm"
    shutil.rmtree(top, ignore_errors=True)
    target.mkdir(parents=True)
    shutil.unpack_archive(build(session, top), target)
    shipped = {entry.name for entry in target.iterdir()} - PARTLY_SHIPPED
    listing = subprocess.check_output(["git", "ls-files", "-z", "-co", "--exclude-standard"], cwd=ROOT, text=True)
    for name in filter(None, listing.split("\0")):
        source = ROOT / name
        if name.split("/")[0] not in shipped and source.is_file():  # it is none if it was deleted and not committed yet
            (target / name).parent.mkdir(parents=True, exist_ok=True)
            shutil.copy2(source, target / name)
    subprocess.check_call(["git", "init", "-q"], cwd=target)
    subprocess.check_call(["git", "add", "-A"], cwd=target)
    return target


def home(folder: str) -> Path:
    """A home for one run of ansible-test, which keeps virtual environments and downloads there."""
    path = BUILD / "home" / folder
    path.mkdir(parents=True, exist_ok=True)
    return path


def provide_get_pip(session: nox.Session, home: Path) -> None:
    """Put a stand-in where ansible-test keeps get-pip.py, if the host that it would ask does not answer."""
    package = ansible_test_package(session)
    setup = (package / "_util/target/setup/requirements.py").read_text(encoding="utf-8")
    versions = (package / "_internal/python_requirements.py").read_text(encoding="utf-8")
    address = re.search(r"'(https://[^']*get-pip-%s\.py)'", setup)
    for version in set(re.findall(r"\bpip='([\d.]+)'", versions)):
        cached = home / f".ansible/test/cache/get_pip_{version.replace('.', '_')}.py"
        if cached.exists() or not address:
            continue
        try:
            urllib.request.urlopen(address.group(1) % version, timeout=10).close()
        except OSError as error:
            session.log(f"get-pip.py {version} is out of reach ({error}), scripts/get_pip.py stands in")
            cached.parent.mkdir(parents=True, exist_ok=True)
            shutil.copy(ROOT / "scripts/get_pip.py", cached)


def ansible_test_package(session: nox.Session) -> Path:
    """Where the session's ansible-test is."""
    return Path(prepare(session, "python", "-c", "import ansible_test; print(*ansible_test.__path__)").strip())


def ansible_test(session: nox.Session, target: Path, *arguments: str) -> None:
    """Run ansible-test in a staged collection, in a home of its own."""
    own = home(session.name)
    provide_get_pip(session, own)
    session.chdir(target)
    python = prepare(session, "python", "-c", "import sys; print('%s.%s' % sys.version_info[:2])").strip()
    session.run("ansible-test", *arguments, "--local", "--python", python, *session.posargs, env={"HOME": str(own)})


def add_session(function: Callable[[nox.Session, str], None], core: str) -> None:
    """Make a session of the function for one ansible-core, on the first of its Pythons that is found."""
    versions = {**CORES, **BETWEEN}[core]
    python = next((PYTHONS[version] for version in versions if version in PYTHONS), None)

    def run(session: nox.Session) -> None:
        if not python:
            session.skip(f"ansible-core {core} needs one of Python {', '.join(versions)}, none of which was found")
        function(session, core)

    run.__doc__ = f"{function.__doc__} (ansible-core {core})"
    name = f"{function.__name__}-{core}"
    tags = [function.__name__] if core in CORES else []
    nox.session(name=name, python=python or False, default=False, tags=tags)(run)


def for_each_core(function: Callable[[nox.Session, str], None]) -> Callable[[nox.Session, str], None]:
    """Make a session of the function for each supported ansible-core."""
    for core in (*CORES, *BETWEEN):
        add_session(function, core)
    return function


@for_each_core
def sanity(session: nox.Session, core: str) -> None:
    """ansible-test sanity, nothing ignored; what is alike everywhere or does not ship, once; pylint at both ends"""
    ignored = sorted((ROOT / "tests/sanity").glob("ignore-*.txt"))
    if ignored:
        session.error(f"No sanity test is to be ignored: {', '.join(map(str, ignored))}")
    session.install(f"ansible-core~={core}.0", "pip")  # ansible-test installs into environments of its own by pip
    oldest = next(iter(CORES))
    skipped = () if core == NEWEST else SAME_ON_EVERY_CORE if core == oldest else (*SAME_ON_EVERY_CORE, *ENDS_ONLY)
    skip = [part for name in skipped for part in ("--skip-test", name)]
    exclude = () if core == NEWEST else ("--exclude", "tests/")  # the tests' own code
    ansible_test(session, stage(session, session.name), "sanity", *skip, *exclude)


@for_each_core
def units(session: nox.Session, core: str) -> None:
    """Unit tests; where neither ansible-core nor Python is at an end of what is supported, those that meet Ansible"""
    found = testbed(session)
    collections = [COLLECTIONS[core]] if core in COLLECTIONS else []
    session.install(f"ansible-core~={core}.0", "-r", "tests/unit/requirements.txt", *collections)
    session.install("-r", str(ansible_test_package(session) / "_data/requirements/units.txt"))
    target = stage(session, session.name)
    # ansible-test passes no variables on; tests find what they need beside them.
    (target / "build").mkdir()
    (target / "build/testbed.json").write_text(json.dumps(found), encoding="utf-8")
    if core == NEWEST:
        ansible_test(session, target, "units")
        return
    # ansible-test forks a process for each test, which takes twice the time; once is enough.
    tests = ("tests/unit",) if core == next(iter(CORES)) else MEET_ANSIBLE
    session.chdir(target)
    session.env["PYTHONPATH"] = str(target.parents[2])
    session.env["COMMUNITY_CRYPTO"] = "1" if collections else ""
    apart = ((*(f"--ignore={folder}" for folder in CONTROLLER), *tests), CONTROLLER)
    for arguments in [session.posargs] if session.posargs else apart:
        session.run("python", "-m", "pytest", "-q", "-n", "2", *arguments)


@nox.session(default=False, python=list(PYTHONS.values())[-1])
def integration(session: nox.Session) -> None:
    """Integration tests against SoftHSM and simulated clusters, on the newest ansible-core; targets may be named"""
    found = testbed(session)
    core = next(core for core in reversed(CORES) if set(CORES[core]) & set(list(PYTHONS)[-1:]))
    session.install(f"ansible-core~={core}.0", "-r", "tests/unit/requirements.txt")
    settings = {key: found[key] for key in ("softhsm_library", "pkcs11_spy", "p11_kit_proxy")}
    settings["testbed_tools"] = found["tools"]
    targets = [file.parent for file in (ROOT / "tests/integration/targets").glob("hsm_*/aliases")]
    # The one with the longest playbooks first, so that no lane has it left when the other is done.
    targets.sort(key=lambda target: -sum(file.stat().st_size for file in target.glob("tasks/*.yml")))
    names = session.posargs or [target.name for target in targets]
    # A target keeps one processor busy; so two of them run at once, each in a stage and a home of its own.
    lanes = [f"{session.name}-{number}" for number in range(min(2, len(names)))]
    for lane in lanes:
        file = stage(session, lane) / "tests/integration/integration_config.yml"
        file.write_text(yaml.safe_dump(settings), encoding="utf-8")
    session.run("python", "scripts/integration.py", str(BUILD), ",".join(lanes), *names)


def prepare_faults(session: nox.Session) -> list[str]:
    """Install and lay out what the fault tests need; the answer is how to run them."""
    found = testbed(session)
    session.install("ansible-core", "-r", "tests/unit/requirements.txt", "playwright", "pytest", "pytest-xdist")
    target = stage(session, session.name)
    session.chdir(target)
    session.env["PYTHONPATH"] = str(target.parents[2])
    session.env["SOFTHSM_LIBRARY"] = found["softhsm_library"]
    session.env["PKCS11_SPY"] = found["pkcs11_spy"]
    session.env["NSS_SOFTOKN"] = found["nss_softokn"]
    session.env["P11_KIT_PROXY"] = found["p11_kit_proxy"]
    session.env["SSHD"] = found["tools"].get("sshd", "")
    session.env["CHROMIUM"] = found["tools"].get("chromium", "")
    # Each test has a token of its own, and waits for processes more than it works: a worker more than processors.
    workers = str((os.cpu_count() or 1) + 1)
    return ["python", "-m", "pytest", "-q", "-p", "no:cacheprovider", "-n", workers, "--dist", "worksteal"]


@nox.session(default=False, python=list(PYTHONS.values())[-1])
def faults(session: nox.Session) -> None:
    """Tests of what goes wrong: wrong PINs, races, kills, full disks, libraries that misbehave; on SoftHSM"""
    session.run(*prepare_faults(session), *(session.posargs or ["tests/faults", "tests/simulators"]))


@nox.session(default=False, python=list(PYTHONS.values())[-1])
def campaign(session: nox.Session) -> None:
    """Every act with every lie at each call, which takes an hour; -- --campaign-record writes docs/campaign.md"""
    session.run(*prepare_faults(session), "tests/faults/campaign", "--campaign-all", *session.posargs)
    page = Path("docs/campaign.md")  # of the stage
    if "--campaign-record" in session.posargs:
        shutil.copy(page, ROOT / page)


@nox.session(default=False, python=list(PYTHONS.values())[-1])
def images(session: nox.Session) -> None:
    """The images of the containers for Molecule, if they are not there yet"""
    session.install("pip")  # which fetches wheels for the images' Pythons
    session.run("python", "scripts/containers.py")


@nox.session(default=False, python=list(PYTHONS.values())[-1], requires=["images"])
def molecule(session: nox.Session) -> None:
    """Molecule scenarios in containers; MOLECULE_SCENARIO names some, separated by blanks"""
    session.install("molecule", "ansible-core")
    names = os.environ.get("MOLECULE_SCENARIO", "").split()
    session.run("python", "scripts/molecule.py", str(stage(session, session.name)), *names, *session.posargs)


@nox.session(default=False, python=list(PYTHONS.values())[-1])
def ee(session: nox.Session) -> None:
    """An execution environment as ansible-builder makes it of meta/; `-- build` for the image, which needs podman"""
    session.install("ansible-builder", "ansible-core", "pip")
    folder = BUILD / "ee"
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir(parents=True)
    session.run("python", "scripts/execution_environment.py", str(build(session, folder)), *session.posargs)


@nox.session(default=False, python=list(PYTHONS.values())[-1])
def imports(session: nox.Session) -> None:
    """Which room of module_utils imports which (.importlinter)"""
    session.install("import-linter", "ansible-core")
    session.env["PYTHONPATH"] = str(stage(session, session.name).parents[2])
    session.run("lint-imports", str(ROOT / ".importlinter"), "--no-cache")


@nox.session(default=False, python=list(PYTHONS.values())[-1])
def complexity(session: nox.Session) -> None:
    """Whether each function can be read at once, as radon counts it"""
    session.install("radon")
    session.run("python", "scripts/complexity.py", "plugins", "scripts")


@nox.session(default=False)
def changelog(session: nox.Session) -> None:
    """Lint of the changelog fragments; what follows `--` is asked of antsibull-changelog instead"""
    session.install("antsibull-changelog", "ansible-core")
    session.run("antsibull-changelog", *(session.posargs or ["lint"]))


@nox.session(default=False)
def bench(session: nox.Session) -> None:
    """The budgets, measured on SoftHSM"""
    found = testbed(session)
    session.install("ansible-core", "-r", "tests/unit/requirements.txt")
    session.env["ANSIBLE_COLLECTIONS_PATH"] = str(stage(session, session.name).parents[2])
    session.env["SOFTHSM_LIBRARY"] = found["softhsm_library"]
    session.run("python", "tests/benchmarks/run.py", *session.posargs)


@nox.session(default=False, python=list(PYTHONS.values())[-1])
def mutants(session: nox.Session) -> None:
    """Small random changes of the code, and those that no test notices; see scripts/mutants.py for the options"""
    found = testbed(session)
    session.install("ansible-core", "-r", "tests/unit/requirements.txt", "pytest", "coverage")
    target = stage(session, session.name)
    session.env.update(
        SOFTHSM_LIBRARY=found["softhsm_library"],
        PKCS11_SPY=found["pkcs11_spy"],
        NSS_SOFTOKN=found["nss_softokn"],
        P11_KIT_PROXY=found["p11_kit_proxy"],
    )
    session.run("python", "scripts/mutants.py", str(target), *session.posargs)


@nox.session(default=False)
def fuzz(session: nox.Session) -> None:
    """Random options for all modules; `-- COUNT SEED` for others than 10,000 and 0"""
    session.install("ansible-core", "-r", "tests/unit/requirements.txt")
    session.env["PYTHONPATH"] = str(stage(session, session.name).parents[2])
    session.run("python", "tests/support/option_fuzz.py", *session.posargs)


@nox.session(default=False)
def explore(session: nox.Session) -> None:
    """5,000 new examples for each property that unit tests hold, `-- -k promise` for one of them"""
    session.install("ansible-core", "pytest", "-r", "tests/unit/requirements.txt")
    target = stage(session, session.name)
    session.env.update(PYTHONPATH=str(target.parents[2]), HYPOTHESIS_PROFILE="explore")
    session.chdir(target)
    session.run("python", "-m", "pytest", "-q", "-m", "hypothesis", "tests/unit", *session.posargs)


@nox.session(default=False, python=list(PYTHONS.values())[-1])
def offline(session: nox.Session) -> None:
    """A folder for a machine without a network: wheels, the collection, their sums; for this Python and system"""
    folder = BUILD / "offline"
    shutil.rmtree(folder, ignore_errors=True)
    session.install("pip", "ansible-core")
    session.run("ansible-galaxy", "collection", "build", "--output-path", str(folder), str(ROOT), silent=True)
    wheels = ("--only-binary", ":all:", "--dest", str(folder / "wheels"))
    session.run("pip", "download", "--quiet", *wheels, "ansible-core", "-r", "meta/ee-requirements.txt")
    shutil.copy(ROOT / "scripts/install_offline", folder / "install")
    shutil.copy(ROOT / "docs/docsite/rst/guide_ceremony.rst", folder)
    files = sorted(file for file in folder.rglob("*") if file.is_file())
    sums = [f"{hashlib.sha256(file.read_bytes()).hexdigest()}  {file.relative_to(folder)}\n" for file in files]
    (folder / "SHA256SUMS").write_text("".join(sums), encoding="utf-8")
    session.log(f"carry {folder} to the other machine, and run ./install there")


@nox.session(default=False)
def docs(session: nox.Session) -> None:
    """The documentation as HTML, in build/docs/html"""
    session.install("antsibull-docs", "ansible-core", "ansible-pygments", "sphinx", "sphinx-ansible-theme")
    staged = stage(session, session.name)
    site = BUILD / "docs"
    shutil.rmtree(site, ignore_errors=True)
    (site / "rst").mkdir(parents=True, mode=0o755)  # antsibull-docs wants a folder that nobody else may write
    session.env["ANSIBLE_COLLECTIONS_PATH"] = str(staged.parents[2])
    output = ("--use-current", "--squash-hierarchy", "--dest-dir", str(site / "rst"))
    session.run("antsibull-docs", "collection", *output, "cryptoki.hsm")
    session.run("python", "scripts/start_page.py", str(site / "rst"))
    session.run("sphinx-build", "-q", "-b", "html", "-c", "scripts/docsite", str(site / "rst"), str(site / "html"))
    session.log(f"see {site}/html/index.html")


@nox.session(default=False, python=list(PYTHONS.values())[-1], requires=["docs"])
def documentation(session: nox.Session) -> None:
    """Whether what the guides show runs, and how the pages of `docs` look"""
    run = prepare_faults(session)
    session.install("docutils", "markdown-it-py")
    session.env["DOCS_SITE"] = str(BUILD / "docs/html")
    session.run(*run, *(session.posargs or ["tests/docs"]))

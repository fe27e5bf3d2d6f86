#!/usr/bin/env python
# SPDX-FileCopyrightText: The cryptoki.hsm contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Write the addresses of the project, which galaxy.yml names, into all other files.

    addresses.py            writes
    addresses.py --check    says what it would write

An address of the project is told by its end: /blob/main/…, /issues…, /security/advisories…. Whatever stands before
becomes what galaxy.yml says. The maintainers' mail address and account are those of `authors`. An address that is
neither the project's, nor an example, nor known here is named, and ends the script with 1.
"""

from __future__ import annotations

import re
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

import yaml

ROOT = Path(__file__).resolve().parent.parent
SOURCE = "galaxy.yml"
# Of others, whom the project cites
OTHERS = (
    *(
        "https://docs.ansible.com/",
        "https://forum.ansible.com/",
        "https://www.gnu.org/licenses/",
        "https://semver.org/",
    ),
    *("https://cryptography.io/", "https://pexpect.readthedocs.io/"),
    *("https://github.com/pyauth/python-pkcs11", "github.com/aws-samples/", "github.com/awsdocs/"),
)
# Reserved for examples (RFC 2606), and this host
EXAMPLE = re.compile(r"https?://(?:[\w.-]+@)?(?:[\w.*-]+\.)?(?:example\.(?:org|com|net)|127\.0\.0\.1)\b")
ADDRESS = re.compile(
    r"(?:https?://(?:[\w:-]+@)?[\w-]+\.|(?<![\w./-])(?:github|gitlab|codeberg)\.(?:com|org)/)[^\s\"'<>()\[\]`|,;…]+"
)
TAIL = re.compile(r"/(?:(?:blob|tree|raw)/main/|issues\b|security/advisories\b|discussions\b|releases\b)")
MAIL = re.compile(r"\bmaintainers@[\w-]+(?:\.[\w-]+)+")
# As the sanity tests want it in modules; the second stands for one that nobody has.
ACCOUNT = re.compile(r"\(@[\w-]+\)|\(!UNKNOWN\)")
# The licence's text, and what has addresses to tell which ones are meant
PASSED_OVER = ("LICENSE", "scripts/addresses.py", "tests/unit/docs/test_addresses.py")


class Project(NamedTuple):
    """What galaxy.yml says of the project's addresses."""

    repository: str
    issues: str
    mail: str
    account: str


def project(text: str) -> Project:
    said = yaml.safe_load(text)
    (author,) = said["authors"]
    mail, account = (found.search(author) for found in (MAIL, ACCOUNT))
    if not mail:
        raise ValueError(f"{SOURCE} names no maintainers@… in authors")
    return Project(
        said["repository"].rstrip("/"), said["issues"].rstrip("/"), mail[0], account[0] if account else "(!UNKNOWN)"
    )


def rewritten(text: str, own: Project) -> str:
    """The text with the project's addresses as galaxy.yml has them."""

    def right(match: re.Match[str]) -> str:
        address = match[0]
        tail = None if address.startswith(OTHERS) else TAIL.search(address)
        if not tail:
            return address
        if tail[0] == "/issues":
            return own.issues + address[tail.end() :]
        return own.repository + address[tail.start() :]

    return ACCOUNT.sub(own.account, MAIL.sub(own.mail, ADDRESS.sub(right, text)))


def unknown(text: str, own: Project) -> list[str]:
    """The addresses that are nobody's that is known here."""
    addresses = (match[0].rstrip(".:*") for match in ADDRESS.finditer(text))
    known = (*OTHERS, own.repository, own.issues)
    return [address for address in addresses if not address.startswith(known) and not EXAMPLE.match(address)]


def files() -> Iterator[tuple[str, str]]:
    """The name and text of each file of the project that may have addresses."""
    listing = subprocess.check_output(["git", "ls-files", "-z", "-co", "--exclude-standard"], cwd=ROOT, text=True)
    for name in sorted(filter(None, listing.split("\0"))):
        if not name.startswith(PASSED_OVER) and (ROOT / name).is_file():  # it is none if it was deleted a moment ago
            yield name, (ROOT / name).read_text(encoding="utf-8")


def main() -> int:
    check = "--check" in sys.argv[1:]
    own = project((ROOT / SOURCE).read_text(encoding="utf-8"))
    bad = False
    for name, text in files():
        new = text if name == SOURCE else rewritten(text, own)
        for address in unknown(new, own):
            print(f"addresses: {name} has {address}, which is neither the project's nor known")
            bad = True
        if new != text:
            print(f"addresses: {name} {'has others than' if check else 'now has those of'} {SOURCE}")
            bad = bad or check
            if not check:
                (ROOT / name).write_text(new, encoding="utf-8")
    return 1 if bad else 0


if __name__ == "__main__":
    sys.exit(main())

# SPDX-FileCopyrightText: The cryptoki.hsm contributors
# SPDX-License-Identifier: GPL-3.0-or-later

# Needs make, git, python3 and python3-venv; everything else is fetched into build/.
# PYTHON=/path/to/python3.x chooses the interpreter; otherwise it is the newest that is found.
PYTHON ?= $(shell python3 scripts/pythons.py --newest)
NOX := build/venv/bin/nox

.PHONY: help demo ceremony offline test quick lint format unit sanity integration faults molecule ee bench fuzz explore campaign mutants docs clean

help:  ## what there is to make
	@sed -n 's/^\([a-z]*\):.*## /\1: /p' Makefile

demo:  ## a token in SoftHSM and playbooks/quickstart.yml run on it, twice
	scripts/demo "$(PYTHON)"

ceremony:  ## playbooks/ceremony.yml on two tokens in SoftHSM, its report signed and verified
	scripts/ceremony "$(PYTHON)"

offline: $(NOX)  ## a folder with everything that a machine without a network needs
	$(NOX) -s offline

test: $(NOX)  ## everything that has to pass
	build/venv/bin/python scripts/everything.py $(NOX)

quick: $(NOX)  ## before a commit: the code's lint, the unit tests on the newest ansible-core, one integration target
	CI=true $(NOX) -s lint imports complexity units-2.21
	$(NOX) -s integration -- hsm_ecc_keypair

lint: $(NOX)  ## formatting, code, types, YAML, documentation, licences, changelog, the artefact
	CI=true $(NOX) -s lint imports complexity changelog docs-check license-check extra-checks ansible-lint build-import-check ee

format: $(NOX)  ## formats the code
	$(NOX) -s formatters

unit: $(NOX)  ## unit tests on every supported ansible-core
	$(NOX) -t units

sanity: $(NOX)  ## ansible-test sanity on every supported ansible-core
	$(NOX) -t sanity

integration: $(NOX)  ## integration tests against SoftHSM
	$(NOX) -s integration

faults: $(NOX)  ## what goes wrong: wrong PINs, races, kills, full disks, libraries that misbehave
	$(NOX) -s faults

molecule: $(NOX)  ## roles and modules in containers; MOLECULE_SCENARIO=name for one
	$(NOX) -s molecule

ee: $(NOX)  ## an execution environment, built with podman, and the quick start run in it
	$(NOX) -s ee -- build

bench: $(NOX)  ## the budgets, measured on SoftHSM
	$(NOX) -s bench

fuzz: $(NOX)  ## 10,000 random inputs for all modules: no traceback, and no secret in anything that is shown
	$(NOX) -s fuzz

explore: $(NOX)  ## 5,000 new random examples for each property that unit tests hold, some minutes
	$(NOX) -s explore

campaign: $(NOX)  ## every act of the modules with every lie of a library, at each call
	$(NOX) -s campaign

mutants: $(NOX)  ## small random changes of the code, and those that no unit test notices; SEED=n for others
	$(NOX) -s mutants -- --seed $(or $(SEED),1)

docs: $(NOX)  ## the documentation as HTML, in build/docs/html
	$(NOX) -s docs

clean:  ## removes what was built
	rm -rf build

$(NOX):
	test -n "$(PYTHON)"
	"$(PYTHON)" -m venv --clear build/venv
	build/venv/bin/python -m pip install --quiet --disable-pip-version-check nox antsibull-nox uv

# make lab    set up what is missing and open JupyterLab at the lessons
# make demo   build lesson 01, grade three sample submissions in the sandbox, print the table, write the feedback pages
# make test   the test suite; what takes minutes in turn, a quarter at each commit (.venv/bin/pytest --whole: all of it)
# make quick  the tests that what you changed since main concerns (SINCE=commit for another beginning)
# make site   build the reading site into build/site
PYTHON ?= python3
BIN := .venv/bin
SINCE ?= main

.PHONY: lab demo test quick site lint types lock sandbox browser

lab: .venv/core
	$(BIN)/bonsai lab

demo: .venv/core sandbox
	$(BIN)/bonsai build 01
	$(BIN)/bonsai grade tests/samples/*/01_quantization_math/01_quantization_math.ipynb --feedback build/feedback

test: .venv/dev sandbox browser lint types
	$(BIN)/pytest

quick: .venv/dev sandbox lint
	$(BIN)/pytest --since $(SINCE)

site: .venv/dev
	$(BIN)/python -m autograder.site

lint: .venv/dev
	$(BIN)/ruff check .
	$(BIN)/ruff format --check --exclude solutions --exclude tests/answers .

types: .venv/dev
	$(BIN)/mypy

# uv, as it takes less time than pip; pip where uv cannot be had or does not know pip's settings, a mirror for example.
# Bytecode is written here, as pip does, since nothing else can be sure to: not the sandbox, where .venv is read-only, and
# not a container that sets PYTHONDONTWRITEBYTECODE. Without it each `import torch` takes twice as long, for ever.
comma := ,
WITH = --quiet --constraint requirements.lock --editable '.[$(1)]'
install = VIRTUAL_ENV=.venv $(BIN)/uv pip install --compile-bytecode $(WITH) || $(BIN)/pip install $(WITH)

# The lock is a constraint, so a CPU build of torch that is there already stays.
.venv/core: pyproject.toml requirements.lock
	@$(PYTHON) -c 'import sys; sys.exit(not (3, 11) <= sys.version_info[:2] <= (3, 13))' || \
		{ echo "Bonsai needs Python 3.11 to 3.13; name one: make $(MAKECMDGOALS) PYTHON=python3.12"; exit 2; }
	$(PYTHON) -m venv .venv
	$(BIN)/pip install --quiet --constraint requirements.lock uv || true
	$(call install,deploy)
	@touch $@

.venv/dev: .venv/core
	$(call install,deploy$(comma)text$(comma)llm$(comma)cluster$(comma)site$(comma)dev)
	@touch $@

# System packages, where we may install them; elsewhere the programs that need them say so themselves.
APT = [ "$$(id -u)" = 0 ] && command -v apt-get >/dev/null && apt-get update -qq && apt-get install -y -qq
sandbox:
	@command -v bwrap >/dev/null || { $(APT) bubblewrap >/dev/null; } || true
browser:
	@command -v chromium >/dev/null || { $(APT) chromium >/dev/null; } || true

# Resolve the lock again after a change to pyproject.toml.
lock: .venv/dev
	$(BIN)/uv pip compile pyproject.toml --universal --python-version 3.11 --extra deploy --extra text --extra llm --extra cluster --extra site --extra dev --no-header --output-file requirements.lock

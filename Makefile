# The two commands of the README, and those for contributors. Everything is written to .venv, runs/ and dist/.
#
#   make demo                 install, run the main job on the embedded samples, write the leaderboard site
#   make demo-site            the leaderboard site of all included models on all embedded samples
#   make test                 install with the test tools, run all tests
#   make test-fast            the quick tests: without browser, golden data, kill tests, and tests marked slow
#   make test-unit            one stage of `make test`: everything except the next three
#   make test-golden test-models test-browser         the other stages
#   make vllm-test            vLLM itself: its CPU build in an environment of its own (4 GB), and the tests that need it
#   make golden GOLDEN=DIR    compare with results of the official code; prints the checked cases per folder
#   make check                lint, types, tests: what continuous integration runs, in this order
#   make lint                 ruff check, ruff format --check
#   make types                mypy --strict
#   make site-assets          bundle the site's scripts again, after a change in reports/site/assets (needs npm)
#   make site-assets-check    check their format, types and bundles; part of `make check` if npm is installed
#   make hooks                run lint and types before every commit (pre-commit)
#   make docs                 write the generated pages of docs/ again
#   make docs-site            build the documentation as a site in build/docs-site, which opens from disk
#   make dist                 build wheel and source archive in dist/, check them, run the wheel
#   make wheel-test           install the wheel into a fresh environment outside, run the tutorials with it
#   make clean                remove everything that these commands created
#
# Variables: PYTHON=python3.12                 the interpreter, 3.11 or newer (default: the first one found)
#            TORCH="torch==2.12.1"             a version of torch other than the one in constraints.txt
#            PIP_ARGS="--extra-index-url URL"  options of pip install: another index, a build for your CUDA
#            WORKERS=4                         test processes (default: one per core, at most 8; 0: run in one process)
#            PYTEST_ARGS="-k pope -x"          options of pytest
#            VLLM_VENV=DIR                     the environment of make vllm-test (default: .venv-vllm)
#            DEMO_ARGS="--limit 20"            options of vlmbench run
# After changing PYTHON, TORCH or PIP_ARGS, run make clean first.

SHELL := /bin/sh
.DELETE_ON_ERROR:
STAGES := golden models browser
TOOLS := build hatchling pre-commit ruff twine
.PHONY: help demo demo-site test test-fast test-unit test-golden test-models test-browser golden vllm-test check lint types hooks docs docs-site dist \
        wheel-test constraints clean site-assets site-assets-check

VENV ?= .venv
VLLM_VENV ?= .venv-vllm
PYTHON ?=
PIP_ARGS ?=
TORCH ?=
WORKERS ?= logical
PYTEST_ARGS ?=
DEMO_ARGS ?=
GOLDEN ?=
IN := $(VENV)/bin/python
ASSETS := reports/site/assets
NODE_MODULES := $(ASSETS)/node_modules/.package-lock.json

help:
	@sed -n '/^#/!q; s/^# \{0,1\}//p' Makefile

demo: $(VENV)/.installed
	"$(IN)" examples/demo_site.py runs/demo --tasks pope,gqa $(DEMO_ARGS)
	@echo; echo "The leaderboard is here: $$PWD/runs/demo/site/index.html"

demo-site: $(VENV)/.installed
	"$(IN)" examples/demo_site.py runs/demo-site $(DEMO_ARGS)
	@echo; echo "The leaderboard is here: $$PWD/runs/demo-site/site/index.html"

# worksteal: each worker starts with a run of neighbouring tests, so that most modules set up their fixtures once, and
# takes over half of what another has left when it is done.
PYTEST = "$(IN)" -m pytest -n $(WORKERS) --maxprocesses 8 --dist worksteal

test: $(VENV)/.installed-test
	$(PYTEST) $(PYTEST_ARGS)

test-fast: $(VENV)/.installed-test
	$(PYTEST) --fast $(PYTEST_ARGS)

test-unit: $(VENV)/.installed-test
	$(PYTEST) $(STAGES:%=--ignore=tests/%) $(PYTEST_ARGS)

test-golden test-models test-browser: test-%: $(VENV)/.installed-test
	$(PYTEST) tests/$* $(PYTEST_ARGS)

golden: $(VENV)/.installed-test
	$(PYTEST) tests/golden $(if $(GOLDEN),--golden "$(GOLDEN)") $(PYTEST_ARGS)

vllm-test: $(VLLM_VENV)/.installed-vllm
	"$(VLLM_VENV)/bin/python" -m pytest tests/models/vllm_real $(PYTEST_ARGS)

check: lint types $(if $(shell command -v npm),site-assets-check) test

lint: $(VENV)/.installed-dev
	"$(IN)" -m ruff check .
	"$(IN)" -m ruff format --check .

types: $(VENV)/.installed-test
	"$(IN)" -m mypy

hooks: $(VENV)/.installed-dev
	"$(IN)" -m pre_commit install

site-assets: $(NODE_MODULES)
	npm --prefix $(ASSETS) run --silent build

site-assets-check: $(NODE_MODULES)
	npm --prefix $(ASSETS) run --silent check

$(NODE_MODULES): $(ASSETS)/package.json $(ASSETS)/package-lock.json
	npm --prefix $(ASSETS) ci --ignore-scripts --no-audit --no-fund
	@touch "$@"

docs: $(VENV)/.installed
	"$(IN)" -m docs.printing.print_pages

docs-site: $(VENV)/.installed-docs
	NO_MKDOCS_2_WARNING=1 "$(IN)" -m mkdocs build --strict --quiet
	@echo "The documentation is here: $$PWD/build/docs-site/index.html"

dist: $(VENV)/.installed-dev
	rm -rf dist
	"$(IN)" -m build --no-isolation
	"$(IN)" -m twine check --strict dist/*
	"$(IN)" -m venv dist/.venv
	dist/.venv/bin/python -m pip install $(PIP_ARGS) -c "$(VENV)/constraints.txt" dist/*.whl
	cd dist && .venv/bin/vlmbench run --model tinyllava --tasks pope --limit 12 --output .venv/run
	rm -rf dist/.venv

wheel-test: $(VENV)/.installed-test
	"$(IN)" -m tests.house.pages.from_wheel $(PIP_ARGS)

constraints: $(VENV)/.installed-test
	@"$(IN)" -m pip freeze --all --exclude-editable --exclude pip | sed 's/+.*//'

clean:
	rm -rf "$(VENV)" "$(VLLM_VENV)" $(ASSETS)/node_modules runs/demo runs/demo-site build dist .mypy_cache .pytest_cache .ruff_cache .hypothesis
	find . -name __pycache__ -type d -prune -exec rm -rf {} +

# The installation, in stamped steps: each is skipped while what it depends on has not changed.

ifdef PYTHON
PYTHONS := "$(PYTHON)"
else
PYTHONS := python3 python3.14 python3.13 python3.12 python3.11
endif

$(VENV)/.made:
	@for python in $(PYTHONS); do \
	  if "$$python" -c 'import sys; sys.exit(sys.version_info < (3, 11))' 2>/dev/null; then \
	    echo "Making $(VENV) with $$("$$python" --version)"; \
	    rm -rf "$(VENV)"; \
	    "$$python" -m venv "$(VENV)" && touch "$@" && exit 0; \
	    rm -rf "$(VENV)"; \
	    echo "$$python could not make a virtual environment. On Debian and Ubuntu: apt install python3-venv" >&2; \
	    exit 1; \
	  fi; \
	done; \
	echo "No Python 3.11 or newer among: $(PYTHONS). Install one, or name it: make demo PYTHON=/path/to/python" >&2; exit 1

$(VENV)/constraints.txt: constraints.txt $(VENV)/.made
	@$(if $(TORCH),{ grep -v '^torch==' constraints.txt; echo '$(TORCH)'; },cat constraints.txt) > "$@"

$(VENV)/.installed: pyproject.toml $(VENV)/constraints.txt
	@echo "Installing into $(VENV): some minutes the first time, torch is large"
	"$(IN)" -m pip install $(PIP_ARGS) -c "$(VENV)/constraints.txt" -e .
	@touch "$@"

$(VENV)/.installed-test: $(VENV)/.installed
	"$(IN)" -m pip install $(PIP_ARGS) -c "$(VENV)/constraints.txt" -e ".[test]"
	@touch "$@"

$(VENV)/.installed-docs: $(VENV)/.installed
	"$(IN)" -m pip install $(PIP_ARGS) -c "$(VENV)/constraints.txt" -e ".[docs]"
	@touch "$@"

# vLLM pins its own torch and transformers: nothing here touches $(VENV), whose Python alone is used.
$(VLLM_VENV)/.installed-vllm: tests/models/vllm_real/environment.py pyproject.toml $(VENV)/.made
	"$(IN)" tests/models/vllm_real/environment.py "$(VLLM_VENV)" $(PIP_ARGS)
	@touch "$@"

# What lint, hooks and dist need: small, without vlmbench and torch.
$(VENV)/.installed-dev: pyproject.toml $(VENV)/constraints.txt
	"$(IN)" -m pip install $(PIP_ARGS) -c "$(VENV)/constraints.txt" $(TOOLS)
	@touch "$@"

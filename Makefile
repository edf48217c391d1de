# The two commands of the README, and those of a contributor. Everything lands in .venv and runs/.
#
#   make demo                 install, run the main job on the embedded sample, write the leaderboard site
#   make demo-site            the leaderboard site of everything that ships, on all embedded samples
#   make test                 install with the test tools, run all tests
#   make golden GOLDEN=DIR    compare with what the official codes returned; prints the cases checked per folder
#   make check                lint, types, tests
#   make docs                 write again the pages that print what the code says
#   make clean                remove what these commands made
#
# Variables: PYTHON=python3.12                 the interpreter, 3.11 or newer (default: the first one found)
#            TORCH="torch==2.12.1"             another version of torch than constraints.txt pins
#            PIP_ARGS="--extra-index-url URL"  anything pip install takes: another index, a build for your CUDA
#            PYTEST_ARGS="-k pope -x"          anything pytest takes
#            DEMO_ARGS="--limit 20"            anything vlmbench run takes
# After changing PYTHON, TORCH or PIP_ARGS: make clean first.

SHELL := /bin/sh
.DELETE_ON_ERROR:
.PHONY: help demo demo-site test golden check docs constraints clean

VENV ?= .venv
PYTHON ?=
PIP_ARGS ?=
TORCH ?=
PYTEST_ARGS ?=
DEMO_ARGS ?=
GOLDEN ?=
IN := $(VENV)/bin/python

help:
	@sed -n '/^#/!q; s/^# \{0,1\}//p' Makefile

demo: $(VENV)/.installed
	"$(IN)" examples/demo_site.py runs/demo --tasks pope,gqa $(DEMO_ARGS)
	@echo; echo "The leaderboard is here: $$PWD/runs/demo/site/index.html"

demo-site: $(VENV)/.installed
	"$(IN)" examples/demo_site.py runs/demo-site $(DEMO_ARGS)
	@echo; echo "The leaderboard is here: $$PWD/runs/demo-site/site/index.html"

test: $(VENV)/.installed-test
	"$(IN)" -m pytest $(PYTEST_ARGS)

golden: $(VENV)/.installed-test
	"$(IN)" -m pytest tests/golden $(if $(GOLDEN),--golden "$(GOLDEN)") $(PYTEST_ARGS)

check: $(VENV)/.installed-test
	"$(IN)" -m ruff check .
	"$(IN)" -m ruff format --check .
	"$(IN)" -m mypy
	"$(IN)" -m pytest $(PYTEST_ARGS)

docs: $(VENV)/.installed
	"$(IN)" -m docs.print_pages

constraints: $(VENV)/.installed-test
	@"$(IN)" -m pip freeze --all --exclude-editable --exclude pip | sed 's/+.*//'

clean:
	rm -rf "$(VENV)" runs/demo runs/demo-site build dist .mypy_cache .pytest_cache .ruff_cache .hypothesis
	find . -name __pycache__ -type d -prune -exec rm -rf {} +

# The installation, in three stamped steps: each is skipped while what it depends on has not changed.

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

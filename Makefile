# make help lists what there is.

VENV := .venv
PIP_EXTRAS := test,sample
# An interpreter of your choice: make venv PYTHON=/opt/python3.12/bin/python3
PYTHON ?=
# Arguments handed through: make test ARGS='tests/unit -k reader', make bench ARGS=hello
ARGS ?=
# Processes that share the tests, a module of them at a time; they wait more than they compute. 0: all in one.
TEST_WORKERS ?= 3

# make install
PREFIX ?= /usr/local
DESTDIR ?=
PIP_FLAGS ?=
WHEEL ?=

SHELL := /bin/sh
export PIP_DISABLE_PIP_VERSION_CHECK := 1

# An environment whose interpreter is gone or is not the one that is named, or that was made for another folder, is made
# again: tools/venv.sh looks. For install and uninstall PYTHON means another thing.
ifeq ($(filter install uninstall,$(MAKECMDGOALS)),)
$(shell [ -z '$(PYTHON)' ] && [ -x $(VENV)/bin/python ] && \
    [ "$$(cat $(VENV)/.made 2>/dev/null)" = "$(CURDIR)" ] || rm -f $(VENV)/.made)
endif

.PHONY: help venv run test check bench install uninstall clean

help:
	@echo 'make venv       .venv with everything that the others below use'
	@echo 'make run        the sample site on http://127.0.0.1:5000/, watching its conf and apps; Ctrl-C ends it'
	@echo 'make test       all tests; ARGS are pytest arguments, TEST_WORKERS=0 has them one after the other'
	@echo 'make check      ruff, mypy and the unit tests on every Python 3.11+ of this machine'
	@echo 'make bench      the figures of docs/ measured again; ARGS are handed to benchmarks/run.py'
	@echo 'make install    as root, into PREFIX (/usr/local) and /etc/skitaid; DESTDIR for packaging'
	@echo 'make uninstall  as root, takes it out again; edited conf files, logs and data stay'

venv: $(VENV)/.made
	@:

$(VENV)/.made: setup.cfg pyproject.toml tools/venv.sh
	@tools/venv.sh $(VENV) '$(PYTHON)' $(PIP_EXTRAS)

$(VENV)/.made-dev: $(VENV)/.made
	@$(VENV)/bin/python -m pip install --quiet --editable '.[dev]'
	@touch $@

# Ctrl-C is how it ends, not a failure: the shell must outlive it, and 130 is what it leaves.
run: venv
	@trap : INT; $(VENV)/bin/python bin/skitaid.py --etc etc/skitaid -f sample run $(ARGS) || [ $$? = 130 ]

test:
	@tools/apt.sh
	@$(MAKE) --no-print-directory venv
	@$(VENV)/bin/python -m pytest -n $(TEST_WORKERS) --dist loadfile --no-loadscope-reorder $(ARGS)

check: $(VENV)/.made-dev
	$(VENV)/bin/ruff check .
	$(VENV)/bin/ruff format --check --quiet .
	$(VENV)/bin/mypy
	@for python in $$(tools/pythons.sh --all); do \
	    tools/check-unit.sh $$python || exit 1; \
	done

bench: venv
	@$(VENV)/bin/python benchmarks/run.py $(ARGS)

INSTALLER = $$(tools/pythons.sh --system '$(PYTHON)') tools/install.py --prefix '$(PREFIX)' --destdir '$(DESTDIR)'

install:
	@tools/pythons.sh --system '$(PYTHON)' >/dev/null
	@$(INSTALLER) --wheel '$(WHEEL)' --pip-flags='$(PIP_FLAGS)' install

uninstall:
	@tools/pythons.sh --system '$(PYTHON)' >/dev/null
	@$(INSTALLER) uninstall

clean:
	rm -rf $(VENV) .venv-* build dist *.egg-info .mypy_cache .ruff_cache .pytest_cache

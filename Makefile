# mlstrata: `make up` brings a platform up on this machine, `make test` proves it.
SHELL := /bin/bash
.SHELLFLAGS := -euo pipefail -c
.DEFAULT_GOAL := help
.DELETE_ON_ERROR:
MAKEFLAGS += --jobs=3 --no-print-directory

ENV ?= local
PART ?= tests
export UV_PYTHON_DOWNLOADS := never
# Python 3.11 or 3.12, whichever the machine has; PYTHON=3.12 chooses.
PYTHON ?= $(shell tools/find-python)
# Every environment is built from a hashed lock; nothing is resolved here.
UV := $(shell command -v uv 2>/dev/null || echo .venvs/uv/bin/uv)
MLSTRATA := .venv/bin/mlstrata

.PHONY: help install install-test install-engines up loop down test test-engines test-node lint style types docs format lock bench clean

help: ## Show what can be made
	@awk 'BEGIN {FS = ":.*## "} /^[a-z-]+:.*## / {printf "  make %-13s %s\n", $$1, $$2}' $(MAKEFILE_LIST)

install: .venv/.installed .venvs/.tools ## Install the command, the services and the monitoring programs

up: install ## Bring ENV (local) up, train and release its first system if it has no version yet, show a prediction
	@$(MLSTRATA) up $(ENV) --yes --train

loop: up ## Run the learning loop in ENV (local) and tell each event: traffic, drift, alert, training, gates, canary, release
	@$(MLSTRATA) loop $(ENV)

down: .venv/.installed ## Stop ENV (local) and remove its processes, ports and state
	@$(MLSTRATA) down $(ENV) --yes

install-test: install .venv/.test .venvs/seldon/.installed .venvs/.browser .venvs/.skopeo .venvs/.actionlint

# Pulumi's CLI and Kubernetes provider, and a Kubernetes control plane with operators, built from Go modules into the
# tools cache. It looks each time, in a moment: the cache may have been emptied, and what it lacks is said first.
install-engines: install-test
	@tools/install-go-tools

test: install-test ## Run every test that needs no compiler, or one PART of them
	@.venv/bin/python tools/run_tests.py $(PART)

test-engines: install-engines ## Build the Go tools once into the cache, then run the tests that need them
	@.venv/bin/python tools/run_tests.py engines

test-node: install-test ## Build a Kubernetes node's programs once, then run the tests on a real node (needs root)
	@.venv/bin/python -I tests/support/node/possible.py
	@tools/install-node
	@.venv/bin/python tools/run_tests.py node

lint: style types ## Check style and types

style: .venvs/lint/.installed
	.venvs/lint/bin/ruff check .
	.venvs/lint/bin/ruff format --check .

types: .venv/.installed .venvs/lint/.installed
	@tools/link-packages .links
	MYPYPATH=.links:packages/pulumi-embedded .venvs/lint/bin/mypy --python-executable .venv/bin/python

format: .venvs/lint/.installed ## Rewrite the code in the project's style
	.venvs/lint/bin/ruff check --fix .
	.venvs/lint/bin/ruff format .

lock: $(UV) ## Resolve the dependency groups into locks/
	@tools/lock $(UV)

docs: .venv/.test ## Build the site of docs/ into site/
	.venv/bin/mkdocs build --strict --quiet

bench: install ## Measure start-up, plan and overload as ratios
	@.venv/bin/python -m bench

clean: ## Remove the environments (not the caches, not an environment's data)
	rm -rf .venv .venvs

# uv itself, when the machine has none: from the lock, into a folder of its own.
.venvs/uv/bin/uv: locks/uv.txt
	@[ -n "$(PYTHON)" ] || exit 2
	$(PYTHON) -m venv .venvs/uv
	.venvs/uv/bin/python -m pip install --quiet --disable-pip-version-check --require-hashes --only-binary :all: -r locks/uv.txt

OWN := . packages/pulumi-embedded pipelines/steps

.venv/.installed: locks/mlstrata.txt pyproject.toml setup.py packages/pulumi-embedded/pyproject.toml pipelines/steps/pyproject.toml | $(UV)
	@tools/install-environment $(UV) "$(PYTHON)" .venv locks/mlstrata.txt $(OWN)

# What only tests need comes on top, in the same environment.
.venv/.test: .venv/.installed locks/test.txt
	@tools/install-environment $(UV) "$(PYTHON)" .venv locks/test.txt $(OWN)
	@touch $@

.venvs/seldon/.installed: locks/seldon.txt pyproject.toml setup.py | $(UV)
	@tools/install-environment $(UV) "$(PYTHON)" .venvs/seldon locks/seldon.txt .

.venvs/lint/.installed: locks/lint.txt | $(UV)
	@tools/install-environment $(UV) "$(PYTHON)" .venvs/lint locks/lint.txt

.venvs/.tools: tools/install-monitoring
	@tools/install-monitoring
	@mkdir -p $(@D) && touch $@

.venvs/.actionlint: tools/install-actionlint
	@tools/install-actionlint
	@mkdir -p $(@D) && touch $@

.venvs/.skopeo: tools/install-skopeo tools/debian-packages
	@tools/install-skopeo
	@mkdir -p $(@D) && touch $@

.venvs/.browser: tools/install-browser tools/debian-packages
	@tools/install-browser
	@mkdir -p $(@D) && touch $@

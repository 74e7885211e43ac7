# Everything a newcomer needs: `make demo`, `make test`, `make check`. Only Python with venv is assumed.
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
DEMO := build/demo
SITE := build/docs
BARE := build/bare
INSTALL = $(BIN)/python -m pip install --quiet --disable-pip-version-check --constraint constraints.txt

.PHONY: demo test test-fast check docs docs-check torture format release-check clean help

help: ## show this list
	@grep -hE '^[a-z-]+:.*## ' $(MAKEFILE_LIST) | sed 's/:.*## /: /'

# One stamp an extra: a larger extra contains the smaller ones.
$(VENV)/installed-core: pyproject.toml constraints.txt
	test -x $(BIN)/python || $(PYTHON) -m venv $(VENV)
	$(INSTALL) --editable .
	touch $@

$(VENV)/installed-test: $(VENV)/installed-core
	$(INSTALL) --editable '.[test]'
	touch $@

$(VENV)/installed-dev: $(VENV)/installed-test
	$(INSTALL) --editable '.[dev]'
	touch $@

$(VENV)/installed-release: $(VENV)/installed-core
	$(INSTALL) --editable '.[release]'
	touch $@

$(VENV)/installed-docs: $(VENV)/installed-core
	$(INSTALL) --editable '.[docs]'
	touch $@

demo: $(VENV)/installed-core ## pretrain on the bundled digits, compare with PCA where it gains and where not
	rm -rf $(DEMO) $(DEMO).json $(DEMO)-8.json
	$(BIN)/stackae pretrain digits --layer 256 --layer 32 --random-state 0 --out $(DEMO)
	$(BIN)/stackae evaluate $(DEMO) digits --json $(DEMO).json
	$(BIN)/stackae evaluate digits --width 8 --splits 3 --fast --json $(DEMO)-8.json
	@echo "The model lies in $(DEMO)/model.safetensors, the tables as JSON in $(DEMO).json and $(DEMO)-8.json"

test: $(VENV)/installed-test ## run the whole suite, doctests included
	$(BIN)/python -m pytest --numprocesses logical --dist worksteal

test-fast: $(VENV)/installed-test ## run what takes under a second each, for the inner loop
	$(BIN)/python -m pytest --numprocesses logical --dist worksteal tests -m "not slow"

check: $(VENV)/installed-dev ## format, lint, types and import order
	$(BIN)/ruff format --check .
	$(BIN)/ruff check .
	$(BIN)/mypy
	$(BIN)/lint-imports
	$(BIN)/numpydoc lint $$(find stackae cli -name '*.py')

docs: $(VENV)/installed-docs ## build the site into build/docs, its tutorials and examples run, warnings are errors
	rm -rf docs/auto_examples docs/auto_tutorials docs/reference/generated
	$(BIN)/python -m sphinx --fail-on-warning --keep-going --fresh-env --quiet docs $(SITE)

docs-check: docs $(VENV)/installed-test ## links, an entry for every public name and option, code blocks run
	$(BIN)/python docs/check.py $(SITE)
	$(BIN)/python -m pytest --numprocesses logical tests/test_docs.py tests/test_readme.py

torture: $(VENV)/installed-test ## kill runs anywhere, mutate files by the hundred thousand: up to an hour
	$(BIN)/python benchmarks/torture.py --json benchmarks/results/torture.json
	$(BIN)/python benchmarks/fuzz.py --json benchmarks/results/fuzz.json

format: $(VENV)/installed-dev ## rewrite the tree in the agreed format
	$(BIN)/ruff format .
	$(BIN)/ruff check --fix .

release-check: $(VENV)/installed-release ## build sdist and wheel into dist/, check them, install the wheel bare and use it
	rm -rf dist $(BARE)
	$(BIN)/python -m build
	$(BIN)/twine check --strict dist/*
	$(PYTHON) -m venv $(BARE)
	$(BARE)/bin/python -I -m pip install --quiet --disable-pip-version-check --constraint constraints.txt dist/*.whl
	$(BARE)/bin/python -I tests/smoke.py dist/*.tar.gz

clean: ## remove what the other targets made
	rm -rf $(VENV) build dist *.egg-info

# Commands for people and CI. `make help` lists the targets; text above a target is its help.
SHELL := bash
PYTHON ?= python3
BIN := .venv/bin
# Real data beside the checkout is found by itself; set HCR_DATA to point elsewhere.
ifndef HCR_DATA
ifneq ($(wildcard ../shared/data/mnist),)
export HCR_DATA := $(abspath ../shared/data)
endif
endif

# Without bytecode on disk, every process of a test or a sweep compiles its libraries anew.
unexport PYTHONDONTWRITEBYTECODE

# What `make demo`, the notebooks and the web app need.
EXTRAS := train,lab,documents,serve,cluster,photos,sql
# uv takes a fifth of pip's processor time; pip follows where uv finds no packages, as it does not read pip's configuration.
PIP := $(BIN)/python -m pip install --quiet --disable-pip-version-check --no-compile -c requirements.lock
install = $(BIN)/uv pip install --quiet --python $(BIN)/python -c requirements.lock --no-build-isolation -e ".[$(1)]" || \
	$(PIP) --no-build-isolation -e ".[$(1)]"

.DEFAULT_GOAL := help
# One process per core, but no more than memory is sure to hold; tests/conftest.py puts the files that take longest first.
PARALLEL := -n auto --maxprocesses 4 --dist worksteal

.PHONY: help env env-all demo lab app test test-long test-weekly test-all fuzz chaos test-fast durations docs lint format sweep leaderboard notebooks test-arm64 schemas lock clean

## this list
help:
	@awk '/^## /{text=substr($$0,4)} /^[a-z0-9-]+:/{if(text){split($$1,n,":"); printf "  make %-12s %s\n", n[1], text; text=""}}' Makefile

## make .venv once, with the pinned dependencies of all but the tests, and the Jupyter kernel
env: .venv/.ready

$(BIN)/uv:
	@$(PYTHON) -c 'import sys; v = sys.version_info[:2]; sys.exit(0 if (3, 11) <= v < (3, 14) else f"Python 3.11 to 3.13 is needed, this is {v[0]}.{v[1]}: make env PYTHON=python3.12")'
	@echo "making .venv: about 1 GB to download, 2.9 GB on disk"
	$(PYTHON) -m venv .venv
	$(PIP) uv setuptools

.venv/.ready: requirements.lock pyproject.toml | $(BIN)/uv
	$(call install,$(EXTRAS))
	$(BIN)/python -m ipykernel install --sys-prefix --name python3 --display-name "hcrlib (.venv)" >/dev/null
	@touch $@

## add the dependencies of the tests and the book, and what makes knn and svm faster
env-all: .venv/.complete

.venv/.complete: .venv/.ready
	$(call install,all)
	@touch $@

## the main job: six classifiers on mnist-5k, leaderboard, figures, report; no data files needed
demo: env
	$(BIN)/hcr sweep params/demo.yml

## open JupyterLab on the notebooks
lab: env
	$(BIN)/jupyter lab $(if $(filter 0,$(shell id -u)),--allow-root) notebooks

## the web app: draw, upload or photograph a character, on http://localhost:8000/
app: env
	$(BIN)/hcr serve

## the tests that take up to 3 s each, and the main paths (minutes on 2 cores)
test: .venv/.complete lint
	$(BIN)/python -m pytest $(PARALLEL) -m "not long and not weekly and not faults"

## the longer ones: all notebooks, whole sweeps and searches, every network, all test images
test-long: .venv/.complete
	$(BIN)/python -m pytest $(PARALLEL) -m "long and not weekly and not faults"

## the longest; processes that are killed or cut off, disks that fill (about 15 minutes on 2 cores)
test-weekly: .venv/.complete
	$(BIN)/python -m pytest $(PARALLEL) -m "weekly or faults"

## all tests
test-all: test test-long test-weekly

## a sweep of 200 runs with 40 random faults; rewrites results/chaos.md (about 20 minutes, Linux, root for all faults)
chaos: .venv/.complete
	HCR_CHAOS=200 $(BIN)/python -m pytest tests/faults/test_soak.py

## the tests that take up to 0.2 s each, train no network and start no processes (a minute on 2 cores)
test-fast: .venv/.complete
	$(BIN)/python -m pytest $(PARALLEL) -p no:nbval -p no:faker -m "not slow and not long and not weekly and not faults"

## the test suite once more, to record in tests/durations.json how long each file takes: the longest run first
durations: .venv/.complete
	HCR_DURATIONS=1 $(BIN)/python -m pytest $(PARALLEL)

## 20,000 made-up requests to the page (the test suite makes some hundreds)
fuzz: .venv/.complete
	HCR_FUZZ=4000 $(BIN)/python -m pytest tests/web/test_fuzz.py --timeout 3600

## the book as a website, docs/_build/html/index.html; warnings are errors, and every local link is checked
docs: .venv/.complete
	$(BIN)/python -m sphinx --quiet --fresh-env --fail-on-warning --keep-going -c docs . docs/_build/html
	$(BIN)/python docs/_ext/links.py docs/_build/html

## check style, formatting, types, and which package imports which
lint: .venv/.complete
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/lint-imports --no-logo
	$(BIN)/mypy

## fix style and formatting
format: .venv/.complete
	$(BIN)/ruff check --fix .
	$(BIN)/ruff format .

## run a sweep: make sweep FILE=params/mnist.yml
sweep: env
	$(BIN)/hcr sweep $(or $(FILE),$(error Name a file: make sweep FILE=params/mnist.yml))

## the leaderboard of all runs in results/
leaderboard: env
	$(BIN)/hcr leaderboard

## a bundle, the runtime's tests and the board's benchmark on emulated 64-bit ARM (root, debootstrap, qemu-user-static)
test-arm64: .venv/.complete
	tests/arm64/run.sh | tee tests/arm64/transcript.txt

## re-execute the committed notebooks in place
notebooks: .venv/.complete
	$(BIN)/jupyter nbconvert --to notebook --execute --inplace --ExecutePreprocessor.record_timing=False --ExecutePreprocessor.store_widget_state=False notebooks/*.ipynb notebooks/studies/*.ipynb

## regenerate the JSON schemas of the YAML files: params/schema/
schemas: env
	$(BIN)/python -m hcrlib.cli.schemas params/schema

## compile requirements.lock from pyproject.toml
lock: | $(BIN)/uv
	$(BIN)/uv pip compile pyproject.toml --all-extras --universal --python-version 3.11 --no-emit-index-url --no-header --no-annotate --quiet -o requirements.lock

## remove the environment; results and caches stay
clean:
	rm -rf .venv

PYTHON ?= python3
VENV := .venv
export PATH := $(CURDIR)/$(VENV)/bin:$(PATH)
export DVC_NO_ANALYTICS := 1
export PIP_DISABLE_PIP_VERSION_CHECK := 1

.DEFAULT_GOAL := help
.PHONY: help install demo test test-data test-training lint format docs bench gpu wheels lock clean
GPU_PYTHON ?= $(shell [ -x $(VENV)/bin/python ] && echo $(VENV)/bin/python || echo python3)
GPU_OUT ?= gpu
GPU_WHEELS := msgspec dlib-bin

help:  ## lists these targets
	@awk -F ':.*## ' '/^[a-z-]+:.*## / {printf "make %-9s %s\n", $$1, $$2}' $(MAKEFILE_LIST)

install: $(VENV)/.stamp  ## sets up .venv from the lock; the other targets do it when it is missing or old

$(VENV)/.stamp: pyproject.toml requirements.lock
	@$(PYTHON) -m venv $(VENV) || { echo "python3 cannot make a virtual environment: sudo apt-get install -y python3-venv"; exit 1; }
	$(VENV)/bin/python -m pip install --quiet --require-hashes -r requirements.lock
	$(VENV)/bin/python -m pip install --quiet --no-deps --no-build-isolation -e .
	@touch $@

demo: install  ## runs every stage on a drawn world, in demo/: no network, no GPU needed
	@test -f demo/params.yaml || curate init demo --root demo --quiet
	@test -d demo/.dvc || (cd demo && dvc init --no-scm --quiet)
	cd demo && dvc repro
	@curate stats --root demo
	@echo
	@echo "Report:   demo/processed/report/index.html"
	@echo "Samples:  demo/processed/runs/{cyclegan,ugatit,cagan}/samples/latest.png"
	@echo "Photos:   demo/processed/translated/{cyclegan,ugatit,cagan}/"
	@echo "Look on:  source .venv/bin/activate && cd demo   (README: a tour in five minutes)"
	@echo "Next:     curate init hair   (your own data, in the clone's own folder; the demo's stay in demo/)"

test: install  ## runs the tests of both halves, side by side
	@$(MAKE) --no-print-directory --jobs 2 test-data test-training

test-data: install
	python -m pytest -q tests --ignore tests/train

test-training: install
	python -m pytest -q tests/train

lint: install  ## ruff, ruff format, mypy
	ruff check .
	ruff format --check .
	mypy

format: install  ## lets ruff mend and format the code
	ruff check --fix .
	ruff format .

docs: install  ## writes the pages of docs/reference that follow from the code
	python docs/generate.py

bench: install  ## measures speed and memory; takes long
	python -m pytest -q -m bench tests/bench

# Ray has a lock of its own, over the same versions: one machine does not need it.
LOCK := uv pip compile pyproject.toml --universal --python-version 3.11 --generate-hashes --quiet \
	--custom-compile-command "make lock"
lock:  ## resolves requirements.lock and requirements-ray.lock anew, with uv
	$(LOCK) requirements.in $(foreach extra,dvc video heic tensorboard dev,--extra $(extra)) --output-file requirements.lock
	$(LOCK) --extra ray --constraint requirements.lock --output-file requirements-ray.lock

# Without .venv it takes the machine's python3, which has torch; what that lacks lies in wheels/, brought along.
gpu:  ## tries a GPU: its tests, what steps cost, a training at 256 px; under eight minutes; report in gpu/
	@$(GPU_PYTHON) -c "import msgspec, dlib" || $(GPU_PYTHON) -m pip install --no-index --find-links wheels $(GPU_WHEELS)
	$(GPU_PYTHON) -m tests.gpu.check $(GPU_OUT)

wheels:  ## fetches what `make gpu` needs on a GPU machine that has torch, and Python 3.12, but no network
	$(PYTHON) -m pip download --quiet --no-deps --only-binary :all: --python-version 3.12 --dest wheels $(GPU_WHEELS)

clean:  ## removes .venv and the tools' caches
	rm -rf $(VENV) .pytest_cache .mypy_cache .ruff_cache

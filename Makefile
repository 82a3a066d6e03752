# SPDX-License-Identifier: Apache-2.0
# `make` alone prints the targets. Every target makes .venv first when it is missing or outdated.
#   make test ARGS='-k conv'         arguments for pytest, or for the command of run and bench
#   make test PYTHON=python3.12      another interpreter (3.10 to 3.12); .venv is rebuilt for it
.DEFAULT_GOAL := help
.DELETE_ON_ERROR:

PY := .venv/bin/python
JOBS ?= 2
ARGS ?=
PYTHON ?=
KERNEL ?= gemm_systolic
BOARD ?= pynq-z2
CONFIG ?= z2
BIT ?=
N ?= 300
SEED ?=
CXX_DIRS := hls compiler/hlsc/include tests examples
READY := .venv/.installed

.PHONY: help
help: ## print this list
	@awk -F ':.*## ' '/^[a-z-]+:.*## / { printf "  make %-13s %s\n", $$1, $$2 }' $(MAKEFILE_LIST)

.PHONY: run
run: $(READY) ## convolve a photograph on every kernel and lowering; pictures in build/run
	$(PY) -m convloom run $(ARGS)

.PHONY: test
test: $(READY) ## all tests but the nightly ones
	$(PY) -m pytest -n $(JOBS) $(ARGS)

.PHONY: nightly
nightly: $(READY) ## the long sweeps
	$(PY) -m pytest -n $(JOBS) -m nightly $(ARGS)

.PHONY: csim
csim: $(READY) ## C-simulation of the kernels and their C++ test benches
	$(PY) -m pytest -n $(JOBS) tests/hls $(ARGS)

.PHONY: rtl
rtl: $(READY) ## the compiler's tests and the RTL benches under Verilator
	$(PY) -m pytest -n $(JOBS) tests/compiler tests/rtl_sim $(ARGS)

.PHONY: fuzz-hlsc
fuzz-hlsc: $(READY) ## random C++ natively against its RTL: N=300 [SEED=]; what fails is shrunk into build/fuzz
	PYTHONPATH=tests/compiler $(PY) -m fuzz -n $(N) $(if $(SEED),--seed $(SEED)) --jobs $(JOBS) $(ARGS)

.PHONY: bench
bench: $(READY) ## bytes of the lowerings, speed of C-simulation and of the virtual board
	$(PY) scripts/run_benchmarks.py $(ARGS)

.PHONY: resources
resources: $(READY) ## LUT, FF, DSP, block RAM and logic delay of the kernels at z2, by yosys; ARGS=--strict
	$(PY) scripts/resources.py --jobs $(JOBS) $(ARGS)

.PHONY: deploy
deploy: $(READY) ## one archive for a board: overlay, wheel, test data, notebook: KERNEL= BOARD= [CONFIG=] [BIT=]
	$(PY) scripts/bundle.py $(KERNEL) $(BOARD) --config $(CONFIG) $(if $(BIT),--bit $(BIT))

# Vendor tools: docs/vendor.md. CLOCK_MHZ replaces the board's clock.
TOOL ?= auto
HLS ?= vitis
CLOCK_MHZ ?=
VENDOR = --kernel $(KERNEL) --board $(BOARD) --config $(CONFIG) --tool $(TOOL) --hls $(HLS) \
  $(if $(CLOCK_MHZ),--clock-mhz $(CLOCK_MHZ)) --jobs $(JOBS) $(ARGS)

.PHONY: vendor-csim
vendor-csim: $(READY) ## vendor C-simulation: KERNEL=… BOARD=… CONFIG=… TOOL=auto|vitis|vivado
	$(PY) scripts/vendor.py csim $(VENDOR)

.PHONY: vendor-csynth
vendor-csynth: $(READY) ## vendor C synthesis
	$(PY) scripts/vendor.py csynth $(VENDOR)

.PHONY: vendor-cosim
vendor-cosim: $(READY) ## vendor C synthesis and C/RTL co-simulation
	$(PY) scripts/vendor.py cosim $(VENDOR)

.PHONY: vendor-ip
vendor-ip: $(READY) ## vendor C synthesis and export of the kernel as an IP
	$(PY) scripts/vendor.py ip $(VENDOR)

.PHONY: bit
bit: $(READY) ## bitstream and .hwh with Vivado: KERNEL=… BOARD=… HLS=vitis|hlsc
	$(PY) scripts/vendor.py bit $(VENDOR)

.PHONY: lint
lint: $(READY) ## ruff, mypy and clang-format, changing nothing
	$(PY) -m ruff check
	$(PY) -m ruff format --check
	$(PY) -m mypy
	find $(wildcard $(CXX_DIRS)) -name '*.h' -o -name '*.hpp' -o -name '*.cpp' | \
	  xargs -r .venv/bin/clang-format --dry-run -Werror

.PHONY: format
format: $(READY) ## rewrite sources as `make lint` wants them
	$(PY) -m ruff check --fix-only
	$(PY) -m ruff format
	find $(wildcard $(CXX_DIRS)) -name '*.h' -o -name '*.hpp' -o -name '*.cpp' | \
	  xargs -r .venv/bin/clang-format -i

.PHONY: clean
clean: ## remove everything built, but not .venv
	rm -rf build .pytest_cache .mypy_cache .ruff_cache

# A PYTHON on the command line is looked at on every call: .venv may belong to another version.
$(READY): pyproject.toml scripts/make_venv.sh $(if $(PYTHON),force)
	@PYTHON='$(PYTHON)' sh scripts/make_venv.sh .venv $(READY)

.PHONY: force
force:

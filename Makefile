# Two commands matter: `make scan` and `make test`. Both need only Python >= 3.11, make and a C compiler.
#
#   make scan                    set up .venv with pinned versions, scan this machine, print the report's paths
#   make scan ARGS="--quick"     flags for the scan
#   make test                    lint, types, import directions, all tests
#   make test-trace              also what needs transformers, diffusers and peft (200 MB more)
#   make bench                   timings (start-up, probe, verdict, bandwidth, matmul, evaluator); never part of the tests
#   TORCH=existing make scan     keep the torch of the Python that is active (conda, container, module load)

PYTHON ?= python3
TORCH  ?= pinned
# Each way has an environment of its own, so that going from one to the other is never half done.
VENV   ?= $(if $(filter existing,$(TORCH)),.venv-existing,.venv)
ARGS   ?=
PY     := $(VENV)/bin/python
# The constraints hold for the build back-end's own environment too (PIP_BUILD_CONSTRAINT: pip 25.3 and newer).
PINS    = $(if $(filter existing,$(TORCH)),$(VENV)/constraints.txt,constraints.txt)
PIP     = PIP_CONSTRAINT=$(PINS) PIP_BUILD_CONSTRAINT=constraints.txt $(PY) -m pip --disable-pip-version-check --quiet

.PHONY: scan test test-trace check setup setup-dev bench clean wheel
.DEFAULT_GOAL := scan

scan: $(VENV)/.ready
	@$(VENV)/bin/hwadvisor scan $(ARGS)

test: $(VENV)/.ready-dev check
	@command -v cc >/dev/null || { echo "make test needs a C compiler (it builds a stand-in for the NVIDIA library): apt install gcc" >&2; exit 2; }
	@# Bytecode of what was edited since the set-up, and of the tests with their assertions: where Python may not
	@# write it by itself, every process that a test starts would compile the same files again.
	@$(PY) -m compileall -q advisor
	@PYTHONDONTWRITEBYTECODE= $(PY) -m pytest -n logical --maxprocesses 8 --no-loadscope-reorder

check: $(VENV)/.ready-dev
	@$(VENV)/bin/ruff check .
	@$(VENV)/bin/ruff format --check --quiet .
	@$(VENV)/bin/mypy
	@$(VENV)/bin/lint-imports --no-cache

setup: $(VENV)/.ready
setup-dev: $(VENV)/.ready-dev

# A stamp is written last, so an interrupted set-up starts again.
$(VENV)/.ready: pyproject.toml constraints.txt Makefile
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || \
	  { echo "hwadvisor needs Python 3.11 or newer; $(PYTHON) is $$($(PYTHON) --version 2>&1). Set PYTHON=/path/to/python3.11" >&2; exit 2; }
	@$(PYTHON) -c 'import venv, ensurepip' 2>/dev/null || \
	  { echo "this Python cannot make virtual environments; on Debian: apt install python3-venv" >&2; exit 2; }
ifeq ($(TORCH),existing)
	@$(PYTHON) -c 'import importlib.util as u, sys; sys.exit(u.find_spec("torch") is None)' || \
	  { echo "TORCH=existing, but $(PYTHON) has no torch; set PYTHON=/path/to/its/python, or leave TORCH away" >&2; exit 2; }
	@echo "Setting up $(VENV), keeping the torch of $(PYTHON) …"
	@$(PYTHON) -m venv --system-site-packages $(VENV)
	@# A virtual environment's own packages are not its base Python's: link them when that is where torch is.
	@$(PY) -c 'import importlib.util as u, sys; sys.exit(u.find_spec("torch") is None)' || \
	  $(PYTHON) -c 'import site; print("\n".join(site.getsitepackages()))' \
	  > $$($(PY) -c 'import sysconfig; print(sysconfig.get_path("purelib"))')/existing-torch.pth
	@grep -viE '^(torch|triton|nvidia-(cublas|cuda|cudnn|cufft|cufile|curand|cusolver|cusparse|cusparselt|nccl|nvjitlink|nvshmem|nvtx)[a-z0-9-]*|numpy|pillow|filelock|fsspec|jinja2|markupsafe|mpmath|networkx|sympy|typing_extensions|setuptools)==' constraints.txt > $(VENV)/constraints.txt
	@$(PIP) install -e .
else
	@echo "Setting up $(VENV) with pinned versions (once; torch is the large part) …"
	@$(PYTHON) -m venv $(VENV)
	@$(PIP) install -e '.[torch,hf]'
endif
	@# Bytecode, as pip makes it of what it installs: containers often forbid Python to write it by itself.
	@$(PY) -m compileall -q advisor
	@touch $@

$(VENV)/.ready-dev: $(VENV)/.ready
	@$(PIP) install -e '.[$(if $(filter existing,$(TORCH)),,torch,hf,)dev]'
	@touch $@

# Traces of real modules against the closed forms: transformers, diffusers and peft beside the torch that is there.
test-trace: $(VENV)/.ready-trace
	@$(PY) -m pytest -m hf tests/trial

$(VENV)/.ready-trace: $(VENV)/.ready-dev
	@$(PIP) install -e '.[trace]'
	@touch $@

wheel: $(VENV)/.ready-dev
	@$(PIP) wheel --no-deps --no-build-isolation --wheel-dir dist .

bench: $(VENV)/.ready-dev
	@$(PY) benchmarks/run.py $(ARGS)

clean:
	rm -rf .venv .venv-existing dist build .mypy_cache .ruff_cache .pytest_cache .hypothesis

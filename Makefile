# Needs make and Python 3.11 or newer, nothing else. README.md has the same steps for machines without make.
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
UV_VERSION := 0.13.9
READY := $(VENV)/.ready

.PHONY: report test lint lab validate bench lock clean

report: $(READY)  ## build the demo company, run the suite, leave reports/index.html
	$(BIN)/smarketing run params/suite.yml

# Two processes of one thread each: threads of both would wait for each other on two cores.
test: $(READY)  ## all tests but simulations and benchmarks
	OMP_NUM_THREADS=1 OPENBLAS_NUM_THREADS=1 $(BIN)/python -m pytest -n 2 --dist loadfile

lint: $(READY)  ## ruff, mypy, notebook form, import floors
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/python -m pytest -q tests/form

validate: $(READY)  ## long simulations: coverage and error rates
	$(BIN)/python -m pytest -m validate -n 2 -rP

bench: $(READY)  ## speed and memory, as ratios against a named rival
	$(BIN)/python -m pytest -m bench -rP

lab: $(READY)  ## JupyterLab on the notebooks
	$(BIN)/smarketing lab

# uv installs the locked set in seconds; compiled files keep every notebook's kernel from compiling them again.
$(READY): requirements.lock pyproject.toml
	@$(PYTHON) -c "import sys; sys.exit(0 if sys.version_info >= (3, 11) else 'Python 3.11 or newer is needed, as in: make PYTHON=python3.11')"
	test -x $(BIN)/python || $(PYTHON) -m venv $(VENV)
	$(BIN)/python -m pip install --quiet --disable-pip-version-check uv==$(UV_VERSION)
	$(BIN)/uv pip install --quiet --python $(BIN)/python --compile-bytecode --require-hashes --requirement requirements.lock
	$(BIN)/uv pip install --quiet --python $(BIN)/python --no-deps --no-build-isolation --editable .
	$(BIN)/python -m compileall -q lib
	touch $@

lock:  ## refresh requirements.lock from pyproject.toml
	$(BIN)/python -m pip install --quiet --disable-pip-version-check uv==$(UV_VERSION)
	$(BIN)/uv pip compile --quiet --universal --generate-hashes --python-version 3.11 --all-extras \
	  pyproject.toml --output-file requirements.lock

clean:  ## remove what was built, not what was published
	rm -rf $(VENV) data .mypy_cache .ruff_cache .hypothesis

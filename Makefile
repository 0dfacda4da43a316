# make demo    from bundled photos to a promoted model        make ui      MLflow's page of all runs
# make test    all tests                                      make check   format, lint, types, fast tests
# make venv    only the environment                           make clean   remove caches (no data, no models, no environment)
# A certain Python:  make venv PYTHON=/path/to/python3.12

VENV := .venv
BIN := $(VENV)/bin
STAMP := $(VENV)/.installed
CANDIDATES := python3.13 python3.12 python3.11 python3

.PHONY: demo test check lint ui clean venv
.DELETE_ON_ERROR:

demo: $(STAMP)
	@$(BIN)/refocus run demo

test: $(STAMP)
	$(BIN)/python -m pytest

check: lint
	$(BIN)/python -m pytest -m "not services and not gpu"

lint: $(STAMP)
	$(BIN)/ruff format --check .
	$(BIN)/ruff check .
	$(BIN)/mypy

ui: $(STAMP)
	@$(BIN)/refocus ui

venv: $(STAMP)

clean:
	rm -rf .pytest_cache .mypy_cache .ruff_cache .hypothesis build .dvc/tmp
	find components flows tests benchmarks -name __pycache__ -type d -prune -exec rm -rf {} +

# The stamp is written last: an install that was interrupted is done again.
$(STAMP): pyproject.toml constraints.txt
	@for python in $(if $(PYTHON),"$(PYTHON)",$(CANDIDATES)); do \
		command -v "$$python" >/dev/null 2>&1 || continue; \
		"$$python" -c 'import sys; sys.exit(sys.version_info < (3, 11))' 2>/dev/null || continue; \
		found="$$python"; break; \
	done; \
	if [ -z "$${found:-}" ]; then \
		echo "refocus: error: Python 3.11 or newer is needed and was not found (tried $(if $(PYTHON),$(PYTHON),$(CANDIDATES))); install one, or name it: make PYTHON=/path/to/python3.12" >&2; exit 2; \
	fi; \
	echo "refocus: making $(VENV) with $$found and installing the tested set; this takes some minutes the first time" >&2; \
	"$$found" -m venv $(VENV)
	@$(BIN)/python -m pip install --quiet --disable-pip-version-check -c constraints.txt -e ".[dev]"
	@touch $@

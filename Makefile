# make help lists what there is. A certain Python: make venv PYTHON=/path/to/python3.12

VENV := .venv
BIN := $(VENV)/bin
STAMP := $(VENV)/.installed
CANDIDATES := python3.13 python3.12 python3.11 python3
# Tests run in two processes, shared out as tests/conftest.py says; MORE=words for pytest.
WORKERS := 2
TESTS = $(BIN)/python -m pytest -n $(WORKERS) $(MORE)

TEAM = .refocus/team
PORTS = usual

.PHONY: help demo test test-team check lint ui gpu team team-stop team-env venv clean
.DELETE_ON_ERROR:
.DEFAULT_GOAL := demo

demo: $(STAMP)   ## from ten bundled photos to a promoted model, the environment first
	@$(BIN)/refocus run demo

test: $(STAMP)   ## all tests but a team's, in two processes (WORKERS=4 for four)
	$(TESTS) -m "not team"

test-team: $(STAMP) ## the tests that start a whole team's servers: minutes
	$(TESTS) -m team

check: lint      ## format, lint, strict types, the tests that start no server
	$(TESTS) -m "not services and not gpu and not team"

lint: $(STAMP)   ## format, lint, strict types
	$(BIN)/ruff format --check .
	$(BIN)/ruff check .
	$(BIN)/mypy

ui: $(STAMP)     ## MLflow's page of all runs and versions
	@$(BIN)/refocus ui

team: $(STAMP)   ## the whole stack of a team on this machine, until Ctrl-C (PORTS=free, TEAM=folder)
	@exec $(BIN)/python -m infra.team start --folder "$(TEAM)" --ports $(PORTS)

team-stop: $(STAMP)  ## end it; data and credentials are kept
	@$(BIN)/python -m infra.team stop --folder "$(TEAM)"

team-env: $(STAMP)  ## what a shell needs to use it: eval "$(make -s team-env)"
	@$(BIN)/python -m infra.team env --folder "$(TEAM)"

gpu: $(STAMP)    ## on a machine with an NVIDIA GPU: the tests for it and its figures, 6 minutes
	$(BIN)/python benchmarks/gpu.py --out gpu

venv: $(STAMP)   ## only the environment (.venv), brought up to date when the tested set changes

clean:           ## remove caches; no data, no models, no environment
	rm -rf .pytest_cache .mypy_cache .ruff_cache .hypothesis build .dvc/tmp
	find components flows tests benchmarks infra -name __pycache__ -type d -prune -exec rm -rf {} +

help:            ## this list
	@sed -n 's/^\([a-z-]*\):.*## \(.*\)/make \1\t\2/p' Makefile | expand -t 14

# The stamp is written last: an install that was interrupted is done again.
$(STAMP): pyproject.toml constraints.txt
	@for python in $(if $(PYTHON),"$(PYTHON)",$(CANDIDATES)); do \
		command -v "$$python" >/dev/null 2>&1 || continue; \
		"$$python" -c 'import sys; sys.exit(sys.version_info < (3, 11))' 2>/dev/null || continue; \
		exec "$$python" infra/environment.py $(VENV); \
	done; \
	echo "refocus: error: Python 3.11 or newer is needed and was not found (tried $(if $(PYTHON),$(PYTHON),$(CANDIDATES))); install one, or name it: make PYTHON=/path/to/python3.12" >&2; exit 2
	@touch $@

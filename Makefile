# The two commands of the README: `make demo` and `make test`. Everything else is for builders.

PYTHON ?= python3
VENV ?= .venv
BIN = $(VENV)/bin

.PHONY: demo test check bench slow fuzz clean

$(VENV)/installed: pyproject.toml setup.py constraints.txt
	$(PYTHON) -m venv $(VENV)
	$(BIN)/python -m pip install --quiet --disable-pip-version-check -c constraints.txt -e '.[test]'
	touch $@

demo: $(VENV)/installed
	$(BIN)/bench prepare shapes13 --size demo
	$(BIN)/bench run --baseline mean --dataset shapes13-demo --split test
	$(BIN)/bench run --baseline kato --dataset shapes13-demo --split test
	$(BIN)/bench report --dataset shapes13-demo --metric iou
	$(BIN)/bench report --dataset shapes13-demo --metric chamfer
	@echo "to go on: source $(BIN)/activate && bench list"

test: $(VENV)/installed
	$(BIN)/pytest -q

check: $(VENV)/installed
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	# mypy does not follow the mapping of an editable install: give it the tree as installed.
	rm -rf build/types && mkdir -p build/types
	cp -r benchbench build/types/
	cp -r cuda_ops datasets baselines leaderboards build/types/benchbench/
	cd build/types && $(abspath $(BIN))/mypy --config-file ../../pyproject.toml -p benchbench

slow: $(VENV)/installed
	$(BIN)/pytest -q -m slow

# Changed files for every reader, 2,000 each; `$(BIN)/python tests/fuzz/run.py --help` for some.
fuzz: $(VENV)/installed
	$(BIN)/pytest -q -m slow tests/fuzz

bench: $(VENV)/installed
	$(BIN)/python -m pip install --quiet --disable-pip-version-check -c constraints.txt -e '.[peers]'
	$(BIN)/pytest -q tests/benchmarks -o python_files='bench_*.py' --benchmark-only

clean:
	rm -rf $(VENV) build cuda_ops/_lib

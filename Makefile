# The two commands: `make book` builds the site (_build/html/index.html), `make test` proves it; `make test-release`
# adds the slow proofs.
# `make PYTHON=python3.12 ...` names an interpreter; UV_TORCH_BACKEND=cpu installs a torch without CUDA.

BIN := .venv/bin
PYTHON ?= $(shell for python in python3.12 python3.13 python3.11 python3.14 python3 python; do \
	$$python -c 'import ensurepip, sys; sys.exit(sys.version_info < (3, 11))' 2>/dev/null && echo $$python && break; done)

.PHONY: setup book notebooks lab exercises test test-release check update lighthouse bench full claims constraints clean

setup: .venv/installed  ## everything into .venv, once

.venv/installed: pyproject.toml constraints.txt
	@python="$(PYTHON)"; test -n "$$python" || { echo "gmlib needs Python 3.11 or newer with venv, and found none: install it, or name it with make PYTHON=/path/to/python3." >&2; exit 1; }; \
	"$$python" -c 'import sys; sys.exit(sys.version_info < (3, 11))' || { echo "gmlib needs Python 3.11 or newer; $$python is older or does not run." >&2; exit 1; }; \
	echo "setup: making .venv; the first time about 3 GB of packages are downloaded, a few minutes over a fast line"; \
	"$$python" -m venv .venv
	$(BIN)/python -m pip install --disable-pip-version-check -c constraints.txt uv
	@# a terminal gets uv's own bars, a log a line every ten seconds for as long as this shell lives
	@test -t 2 || { seconds=0; while sleep 10 >&- 2>&- && kill -0 $$$$ 2>&-; do seconds=$$((seconds + 10)); \
		echo "setup: downloading and unpacking, $$seconds s so far"; done; } & beat=$$!; \
	$(BIN)/uv pip install --python $(BIN)/python -c constraints.txt -b constraints.txt -e '.[book,test]'; \
	status=$$?; kill $$beat 2>&-; exit $$status
	@touch $@

book: setup  ## run every chapter, render the site
	$(BIN)/python book/build.py execute
	$(BIN)/python book/build.py render

notebooks: setup  ## the chapters as plain notebooks, for Colab, VS Code and JupyterLab: _build/notebooks
	$(BIN)/python book/build.py notebooks

lab: setup  ## your own copies of the chapters, in lab, in JupyterLab
	$(BIN)/python book/build.py lab
	$(BIN)/jupyter lab lab

exercises: setup  ## students' copies of the chapters, without solutions, and a zip file of them all: _build/exercises
	$(BIN)/python book/build.py exercises

test: setup  ## pytest, then every chapter's outputs against the stored ones
	OMP_NUM_THREADS=1 $(BIN)/python -m pytest -n 2 --dist loadfile --no-loadscope-reorder --durations=15 tests
	OMP_NUM_THREADS=1 $(BIN)/python -m pytest -n 2 --dist loadfile --no-loadscope-reorder --nbval-lax --nbval-current-env --nbval-cell-timeout 600 --nbval-sanitize-with tests/nbval.cfg book

test-release: setup  ## the slow proofs: the site in a browser, two processes, Ctrl-C, the wheel, every shipped metric
	$(BIN)/python -m tests.site.rendered
	OMP_NUM_THREADS=1 $(BIN)/python -m pytest -n 2 --dist loadgroup --no-loadscope-reorder --durations=15 tests/site tests/release

check: setup  ## code, types, docstrings, words, chapters
	$(BIN)/ruff check . && $(BIN)/ruff format --check .
	$(BIN)/mypy && $(BIN)/pydoclint gmlib book/build.py book/exercises.py book/twins.py book/make_quizzes.py book/lighthouse.py audit benchmarks tools
	$(BIN)/python -m tools.words
	$(BIN)/python book/build.py hygiene

update: setup  ## run the chapters and store their outputs in the committed ones
	$(BIN)/python book/build.py execute
	$(BIN)/python book/build.py freeze

lighthouse: setup  ## Lighthouse on the five largest pages; needs Node and a Chromium
	$(BIN)/python book/lighthouse.py

bench: setup  ## speed: one table, and benchmarks/results.json; a quarter of an hour on an idle machine
	$(BIN)/python -m benchmarks

full: setup  ## train everything on all of MNIST; prints the expected time first, and resumes if interrupted
	$(BIN)/python -m tools.retrain

claims: setup  ## test the report's claims over seeds, on all of MNIST
	$(BIN)/python -m audit

constraints: setup  ## renew the pinned versions
	echo uv | $(BIN)/uv pip compile --quiet --universal --python-version 3.11 --extra bench --extra book --extra test --upgrade --no-annotate --no-header --no-emit-index-url --no-emit-find-links pyproject.toml - -o constraints.txt

clean:  ## what can be made again, but not .venv and runs
	rm -rf _build build dist .pytest_cache .mypy_cache .ruff_cache
	find . -name .venv -prune -o -name __pycache__ -prune -exec rm -rf {} +

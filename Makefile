PYTHON ?= python3
TASK ?= segmentation
# onedl, or openmmlab for the original packages, which compile mmcv.
STACK ?= onedl
VENV ?= $(if $(filter openmmlab,$(STACK)),.venv-openmmlab,.venv)
INSTALLED := $(VENV)/installed
RUN := $(VENV)/bin/python

export MMCV_WITH_OPS := $(if $(filter openmmlab,$(STACK)),1,0)

.PHONY: demo test check soak stages bench record-runs results lint docs links install

demo: $(INSTALLED)
	$(RUN) tools/demo.py --task $(TASK)

test: lint
	$(RUN) -m pytest --numprocesses 2

# Tests of the built package and the site, as users get them, and other long ones.
check: $(VENV)/docs
	$(RUN) -m pytest -m check

# Trainings killed fifty times each; -s shows the results.
soak: $(INSTALLED)
	$(RUN) -m pytest -m soak -s

# The table in docs/stages.md.
stages: $(INSTALLED)
	PYTHONPATH=. $(RUN) tests/helpers/backbones.py

# The numbers in docs/performance.md, also saved to work_dirs/bench; under ten minutes.
bench: $(INSTALLED)
	$(RUN) -m benchmarks

# Trainings from recorded teachers for docs/results.md: STUDY=float16 DATA=DIR TEACHER=CKPT,
# and OPTIONS="--pair PAIR --amp".
record-runs: $(INSTALLED)
	$(RUN) -m benchmarks.record_runs $(STUDY) --data-root $(DATA) --teacher $(TEACHER) $(OPTIONS)

# The tables in docs/results.md and the README, from the lines in docs/results.
results: $(INSTALLED)
	$(RUN) tools/results.py

lint: $(INSTALLED)
	$(RUN) -m ruff check .
	$(RUN) -m mypy

# Build the site in build/docs from Markdown and docstrings; warnings are errors.
docs: $(VENV)/docs
	$(RUN) -m sphinx -E -a -W --keep-going -q -c docs/site . build/docs

# Check that the external links of the site still work.
links: $(VENV)/docs
	$(RUN) -m sphinx -b linkcheck -q -c docs/site . build/links

$(VENV)/docs: requirements/docs.txt $(INSTALLED)
	$(RUN) -m pip install -r requirements/docs.txt
	touch $@

install: $(INSTALLED)

# The packages that mmcv is compiled against, and mmcv itself.
BEFORE = grep -hE '^(torch|torchvision|setuptools)==' requirements/common.txt requirements/$(STACK).txt
MMCV = grep '^mmcv==' requirements/$(STACK).txt

$(INSTALLED): pyproject.toml $(wildcard requirements/*.txt)
	$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 10) and "mmkd needs Python 3.10 to 3.12: make PYTHON=python3.11")'
	$(PYTHON) -m venv $(VENV)
ifeq ($(STACK),openmmlab)
	$(RUN) -m pip install $$($(BEFORE)) wheel ninja
	$(RUN) -m pip install --no-build-isolation $$($(MMCV))
endif
	$(RUN) -m pip install -r requirements/$(STACK).txt -r requirements/tests.txt
	$(RUN) -m pip install --no-deps --no-build-isolation -e .
	touch $@

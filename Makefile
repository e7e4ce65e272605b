# `make demo` and `make test` do all of their own set-up: see setup/set-up.
checks := ruff types imports manifest
.PHONY: demo test set-up lint $(checks)

demo: .venv/.ready-demo
	@setup/run-demo $(ARGS)

# In two processes, each with one thread for its numbers. The slow ones, too: make test MARKS=
# ARGS goes on to pytest: make test ARGS="-k wells -x"
MARKS := not slow
test: .venv/.ready-test
	@OMP_NUM_THREADS=1 .venv/bin/python -m pytest -n 2 --dist loadfile -m "$(MARKS)" $(ARGS)

set-up: .venv/.ready-lint

lint: $(checks)

$(checks): .venv/.ready-lint

ruff:
	.venv/bin/ruff check .
	.venv/bin/ruff format --check .

types:
	.venv/bin/mypy

imports:
	.venv/bin/lint-imports

manifest:
	.venv/bin/npe2 validate --imports napari.yaml

# An editable install carries copies of napari.yaml and sample_data, stale until it is installed again.
copied := napari.yaml $(shell find sample_data -type f -not -path '*/__pycache__/*' 2>/dev/null)

# A virtual environment knows its path: one that was moved here, or whose Python is gone, is made anew.
ifneq ($(shell cat .venv/.made-in 2>/dev/null || pwd -P)$(wildcard .venv/bin/python),$(CURDIR).venv/bin/python)
again := again
.PHONY: again
endif

.venv/.ready-%: pyproject.toml constraints.txt setup/set-up $(copied) $(again)
	@setup/set-up $*

# `make demo` and `make test` do all of their own set-up: see setup/set-up.
checks := ruff types imports manifest
.PHONY: demo test set-up lint $(checks)

demo: .venv/.ready-demo
	@setup/run-demo $(ARGS)

# ARGS goes on to pytest: make test ARGS="-k wells -x"
test: .venv/.ready-test
	@.venv/bin/python -m pytest $(ARGS)

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

# napari.yaml is among these because an editable install carries a copy of it, stale until it is installed again.
.venv/.ready-%: pyproject.toml constraints.txt napari.yaml setup/set-up
	@setup/set-up $*

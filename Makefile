# `make` lists what there is.
PYTHON ?= python3
BIN := .venv/bin

.DEFAULT_GOAL := help
.PHONY: help check test format demo serve

help: ## list the targets
	@awk -F ':.*## ' '/^[a-z]+:.*## / { printf "  make %-8s %s\n", $$1, $$2 }' $(MAKEFILE_LIST)

check: ## format, lint, types, contracts and all tests, as CI does
	$(BIN)/ruff format .
	.ci/run

test: ## the tests alone; ARGS="tests/unit -k folder" picks some
	$(BIN)/python -m pytest $(ARGS)

format: ## format, and mend what the linter can
	$(BIN)/ruff check --fix .
	$(BIN)/ruff format .

demo: ## show a registry and a repository at work
	$(PYTHON) start.py demo $(ARGS)

serve: ## start every service on this machine
	$(PYTHON) start.py portolan serve $(ARGS)

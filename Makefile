# Every target sets up what it needs; the second time that takes less than a second.
#
#   PYTHON     the interpreter to build .venv with (3.11 or newer)
#   PIP_ARGS   more arguments for pip, such as --index-url of CPU-only wheels of torch
#   ARGS       arguments of the target: make test ARGS="-k merge", make bench ARGS=wire
#   HUB_PORT, HUB_BIND, DATA_DIR and the rest: see README.md

.DEFAULT_GOAL := help
.PHONY: help setup setup-tests demo up down test check bench screenshots

RUN := .venv/bin/python
export PYTHON PIP_ARGS

help: ## Show the targets
	@sed -n 's/^\([a-z-]*\):.*## /  make \1\t/p' $(MAKEFILE_LIST) | expand -t 24

setup: ## Install what the hub needs
	@deploy/setup runtime

setup-tests: ## Install what the tests need too
	@deploy/setup tests

demo: setup ## Start a hub and play the whole story in it
	@$(RUN) -m demo $(ARGS)

up: setup ## Start the hub in the foreground
	@$(RUN) -m hub.supervisor up

down: ## Stop the hub that runs on DATA_DIR
	@test ! -x $(RUN) || $(RUN) -m hub.supervisor down

test: setup-tests ## Run all tests
	@$(RUN) -m pytest -n 2 $(ARGS)

check: setup-tests ## Format, lint, types, import contracts, migrations, translations
	@$(RUN) deploy/check.py

bench: setup-tests ## Measure beside the peers, into bench.json
	@$(RUN) -m bench $(ARGS)

screenshots: setup-tests ## Every page as a picture, into screenshots/
	@$(RUN) -m tools.screenshots $(ARGS)

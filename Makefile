# `make demo` and `make test` do all of their set-up themselves on a fresh machine.
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
NEWEST := .venv-newest-beam
FUZZING := .venv-fuzz
PROFILING := .venv-profile

# No target is a file.
.PHONY: $(shell sed -nE 's/^([a-z][a-z-]*):.*/\1/p' $(MAKEFILE_LIST))

help: ## List the targets
	@grep -hE '^[a-z_-]+:.*## ' $(MAKEFILE_LIST) | sed -E 's/:.*## /\t/' | expand -t 14

setup: $(VENV)/.installed ## Create .venv with everything that tests and checks need

# The lock files pin every version, and pip compares the hash of every file, so a fresh machine gets
# what was tested. The project itself has no hash and is built by a locked setuptools. Nothing is compiled
# beforehand: Python compiles what it imports, and that is a fifth of what is installed.
ENVIRONMENT = $(BIN)/python -m pip --version > /dev/null 2>&1 || { \
	$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11) and "Python 3.11 or newer is needed: make PYTHON=python3.11")' \
	&& $(PYTHON) -m venv $(VENV); }
PIP = $(BIN)/python -m pip install --quiet --disable-pip-version-check --no-compile
LOCKED = $(PIP) --require-hashes --requirement
PROJECT = $(PIP) --no-deps --no-build-isolation --editable .

$(VENV)/.base: pyproject.toml requirements.lock
	@echo "Installing Sluice and what it needs into $(VENV) (0.7 GB, a minute or more)"
	@$(ENVIRONMENT)
	$(LOCKED) requirements.lock
	$(PROJECT)
	@touch $@

$(VENV)/.installed: pyproject.toml requirements.lock requirements-test.lock
	@echo "Installing Sluice and what its tests need into $(VENV) (1.2 GB, some minutes)"
	@$(ENVIRONMENT)
	$(LOCKED) requirements-test.lock
	$(PROJECT)
	@touch $(VENV)/.base $@

demo: $(VENV)/.base ## Generate events, ingest them into SQLite, show the dead letters
	@rm -rf demo && mkdir demo
	$(BIN)/python -m examples.events --records 50000 --files 4 --duplicates 0.02 --broken 0.0005 demo/events
	$(BIN)/sluice ingest --runner DirectRunner --source './demo/events/*.jsonl' \
		--sink sqlite:///demo/ingest.db --table events --key event_id --schema demo/events/schema.json
	$(BIN)/sluice dead-letters list --sink sqlite:///demo/ingest.db
	$(BIN)/sluice audit --sink sqlite:///demo/ingest.db

# Three processes for two cores, as most tests of a service wait for it; without services, two.

# Each process reads the code that another has compiled, whatever the environment says: without that,
# compiling is half of what their start costs.
test test-fast: export PYTHONDONTWRITEBYTECODE :=

test: setup ## Run all tests, those with real services included
	$(BIN)/python -m pytest -n 3 -m "not alone"
	$(BIN)/python -m pytest -m alone $(shell grep -lr --include='test_*.py' 'mark.alone' tests)

test-fast: setup ## Run the tests that need no service and take no seconds
	$(BIN)/python -m pytest -n 2 -m "not integration and not slow and not alone"

# Everything else that pyproject.toml names has the version of requirements-test.lock, so that a failure
# comes from Beam or from what Beam brings.
test-newest-beam: ## Try the newest Beam, whatever pyproject.toml says, in a fresh .venv-newest-beam
	$(PYTHON) -m venv --clear $(NEWEST)
	$(NEWEST)/bin/python -m tests.newest_beam > $(NEWEST)/requirements.txt
	$(NEWEST)/bin/python -m pip install --quiet --disable-pip-version-check --requirement $(NEWEST)/requirements.txt
	$(NEWEST)/bin/python -m pip install --quiet --disable-pip-version-check --no-deps --editable .
	$(NEWEST)/bin/python -c 'import apache_beam; print("Beam", apache_beam.__version__)'
	$(NEWEST)/bin/python -m pytest -m "not integration"
	$(NEWEST)/bin/python -m pytest tests/runners tests/pipelines/test_ingest.py

oracle: setup ## Compare 2,000 made-up tables and streams a database with one record at a time
	ORACLE_EXAMPLES=2000 $(BIN)/python -m pytest --override-ini timeout=3600 tests/io/sinks/table/test_one_by_one.py tests/io/sinks/table/postgres/refused/test_refused_alike.py
	ORACLE_EXAMPLES=2000 $(BIN)/python -m pytest --override-ini timeout=3600 -k one_at_a_time tests/io/sinks/table/duckdb/test_writer.py

recipes-flink: setup ## Run every recipe on a Flink cluster, three by file and three by command
	ALL_RECIPES=1 $(BIN)/python -m pytest tests/test_recipes.py -k flink

suites: setup ## Compare every Parquet file in the folder SUITES with pyarrow
	PARQUET_SUITES=$(abspath $(SUITES)) $(BIN)/python -m pytest --override-ini timeout=3600 tests/io/sources/files/parquet/test_fuzz.py -k suite

scale-laws: setup ## Try the laws of the scale model on a hundred made-up clusters each
	SCALE_EXAMPLES=100 $(BIN)/python -m pytest --override-ini timeout=3600 tests/benchmarks/scale

fuzz-parquet: setup ## Read 1,000 made-up Parquet files from every place where reading may begin
	PARQUET_EXAMPLES=1000 $(BIN)/python -m pytest --override-ini timeout=7200 tests/io/sources/files/parquet/test_fuzz.py -k wherever

# Each subject is tests/fuzz/test_SUBJECT.py: make fuzz SUBJECTS=json FUZZ_EXAMPLES=50000
SUBJECTS ?= $(patsubst tests/fuzz/test_%.py,%,$(wildcard tests/fuzz/test_*.py))
FUZZ_EXAMPLES ?= 5000

fuzz: setup ## Compare made-up files of each format with another reader of it
	FUZZ_EXAMPLES=$(FUZZ_EXAMPLES) $(BIN)/python -m pytest --override-ini timeout=7200 $(SUBJECTS:%=tests/fuzz/test_%.py)

fuzz-console: setup ## Send made-up requests to every operation of the console's API (docs/console.md)
	$(PYTHON) -m venv --clear $(FUZZING)
	$(FUZZING)/bin/python -m pip install --quiet --disable-pip-version-check --require-hashes --requirement benchmarks/console/requirements.txt
	$(BIN)/python -m benchmarks.console.fuzz $(FUZZING)/bin/schemathesis $(OPTIONS)

docs: setup ## Build the documentation as a site: site/index.html
	$(BIN)/python -m tests.site .site
	$(BIN)/python -m zensical build --strict --clean

pictures: setup ## Take the pictures of docs/console.md; somebody has to look at them
	SLUICE_PICTURES=docs/console $(BIN)/python -m pytest tests/pipelines/console/browser/test_pictures.py

first-hour: setup ## Play the first hour on a fresh clone and print the minutes (docs/install.md)
	$(BIN)/python -m benchmarks.first_hour.play $(OPTIONS)

recording: setup ## Record the terminal of README: a run that is killed and goes on (docs/kill.svg); look at it
	$(BIN)/python -m benchmarks.recording.record

console-replay: setup ## Replay 100,000 dead letters in a browser, and watch the progress
	CONSOLE_SHARE=0.1 $(BIN)/python -m pytest tests/pipelines/console/browser/test_repairs.py -k many

coverage: setup ## Run them all and show which lines none has run
	$(BIN)/python -m pytest --cov --cov-report=term:skip-covered

lint: setup lint-deploy lint-forge lint-ops ## Check style and types
	$(BIN)/ruff format --check .
	$(BIN)/ruff check .
	$(BIN)/codespell README.md CONTRIBUTING.md CHANGELOG.md SECURITY.md CODE_OF_CONDUCT.md .github docs deploy examples io pipelines runners sluice transforms
	$(BIN)/mypy

lint-deploy: setup ## Check the image, compose file and manifests of deploy/
	$(BIN)/yamllint --strict deploy
	$(BIN)/hadolint deploy/Dockerfile
	$(BIN)/check-jsonschema --builtin-schema vendor.compose-spec deploy/compose.yaml

lint-forge: setup ## Check the forms of .github/ against GitHub's schemas
	$(BIN)/yamllint --strict .github
	$(BIN)/check-jsonschema --builtin-schema vendor.github-issue-config .github/ISSUE_TEMPLATE/config.yml
	$(BIN)/check-jsonschema --builtin-schema vendor.github-issue-forms $(filter-out %/config.yml,$(wildcard .github/ISSUE_TEMPLATE/*.yml))

# Prometheus' own tools check its files; without them, tests/test_ops.py still checks the rest.
lint-ops: setup ## Check the alerts, their tests, dashboards and settings of ops/
	$(BIN)/yamllint --strict ops
	@if command -v promtool > /dev/null; then cd ops/prometheus && set -x && \
		promtool check config prometheus.yml && promtool test rules rules-test.yaml; \
	else echo "PROMTOOL IS MISSING, ops/prometheus IS NOT CHECKED: apt-get install prometheus" >&2; fi
	@if command -v amtool > /dev/null; then set -x; amtool check-config ops/alertmanager/alertmanager.yml; \
	else echo "AMTOOL IS MISSING, ops/alertmanager IS NOT CHECKED: apt-get install prometheus-alertmanager" >&2; fi

digests: ## Write the digest of each image of others into deploy/ (needs Docker, and the registries)
	deploy/pin-images.sh

format: setup ## Format the code and fix what can be fixed
	$(BIN)/ruff format .
	$(BIN)/ruff check --fix .

check: lint test ## What CI runs

bench: setup ## Measure against a plain loader, in turns (minutes; docs/performance.md)
	$(BIN)/python -m benchmarks.peers --peers plain,sluice --rounds 5

bench-peers: setup ## The same with all peers, files and Kafka: make bench-peers OPTIONS='--records 10M --write'
	$(BIN)/python -m benchmarks.peers $(OPTIONS)

kills: setup ## Kill the process ten times at random and check the outcome (docs/performance.md)
	$(BIN)/python -m benchmarks.files.kills

kills-workers: setup ## The same with four worker processes, of which every other kill hits one (docs/workers.md)
	$(BIN)/python -m benchmarks.files.kills --workers 4

long-run: setup ## Load 100 million records that are made meanwhile: flat rate, flat memory (docs/performance.md)
	$(BIN)/python -m benchmarks.files.long_run

bench-workers: setup ## Load a million records with 1, 2 and 4 worker processes, in turns (docs/workers.md)
	$(BIN)/python -m benchmarks.files.workers

kills-mariadb: setup ## The same in MariaDB (docs/targets.md)
	$(BIN)/python -m benchmarks.mariadb.kills

profile: setup ## Show where the time of an ingest into Postgres goes (OPTIONS='--holding --format parquet': of the lock, of another format)
	$(PYTHON) -m venv --clear $(PROFILING)
	$(PROFILING)/bin/python -m pip install --quiet --disable-pip-version-check --require-hashes --requirement benchmarks/profiling/requirements.txt
	$(BIN)/python -m benchmarks.profiling.run $(PROFILING)/bin/py-spy $(OPTIONS)

bench-formats: setup ## Measure an ingest of JSON lines, Parquet, CSV and Avro, in turns (OPTIONS='--beside CHECKOUT')
	$(BIN)/python -m benchmarks.profiling.costs $(OPTIONS)

bench-sqlite: setup ## Load a million records into SQLite by a plain loader and by Sluice, in turns
	$(BIN)/python -m benchmarks.files.sqlite $(OPTIONS)

bench-mariadb: setup ## Load a million records into MariaDB by a plain loader and by Sluice, in turns
	$(BIN)/python -m benchmarks.mariadb.rate

test-mariadb: setup ## The tests of all databases against MariaDB: types, jobs, ledger, order
	DATABASES=mariadb $(BIN)/python -m pytest -n 2 -k mariadb tests/io/sinks \
		--ignore tests/io/sinks/database/migrations  # of versions that MariaDB never had

kills-duckdb: setup ## Kill runs into DuckDB, and compare with a clean one
	$(BIN)/python -m benchmarks.duckdb.kills

bench-duckdb: setup ## Load a million records into Postgres and into DuckDB, in turns
	$(BIN)/python -m benchmarks.duckdb.rate

test-duckdb: setup ## The tests of all databases against DuckDB: types, jobs, ledger, order
	DATABASES=duckdb $(BIN)/python -m pytest -n 2 -k duckdb tests/io/sinks \
		--ignore tests/io/sinks/database/migrations  # of versions that DuckDB never had

interleavings: setup ## 2,000 random interleavings of changes, deletes, retries and replays (docs/change-events.md)
	INTERLEAVINGS=2000 $(BIN)/python -m pytest -q --timeout 7200 tests/io/sinks/order/test_interleavings.py -k "postgres or stories"

kills-changes: setup ## Kill runs over 200,000 change events, repeat them, and compare with the source
	$(BIN)/python -m benchmarks.changes.kills

kills-changes-flink: setup ## The same on Flink with killed TaskManagers, while the table gets new columns
	$(BIN)/python -m benchmarks.changes.flink

kills-flight: setup ## Kill runs with several commits in flight, and compare with one commit at a time
	$(BIN)/python -m benchmarks.flight.kills

kills-evolve: setup ## Kill two runs that meet twenty new fields of one table at once, and one into SQLite (docs/schema-evolution.md)
	$(BIN)/python -m benchmarks.evolve.kills

bench-kafka: setup ## Measure a topic into Postgres against a plain loop, in turns
	$(BIN)/python -m benchmarks.peers --peers plain-loop,sluice-kafka --rounds 5

kills-kafka: setup ## Kill a streaming run five times while records keep coming
	$(BIN)/python -m benchmarks.kafka.kills

control-kafka: setup ## Pause, drain, resume and kill a stream at random, twenty times (docs/control.md)
	$(BIN)/python -m benchmarks.kafka.control

rate: setup ## Read files and topics under limits for a minute each, by one process and by three (docs/control.md)
	$(BIN)/python -m benchmarks.kafka.rate

bench-registry: setup ## A million messages of Avro and of Protobuf beside the same as JSON, in turns (docs/registry.md)
	$(BIN)/python -m benchmarks.registry.rate

interop-registry: setup ## Read the interoperability files of work trees: AVRO=… of Apache Avro, PROTOBUF=… of Protobuf (docs/registry.md)
	$(BIN)/python -m benchmarks.registry.interop --avro "$(AVRO)" --protobuf "$(PROTOBUF)"

outage-registry: setup ## Let a schema registry be away for half a minute in the middle of a stream (docs/registry.md)
	$(BIN)/python -m benchmarks.registry.outage

fair: setup ## Let a tenant with 1 % of a topic take turns with one that has 99 %, and kill it (docs/control.md)
	$(BIN)/python -m benchmarks.kafka.fair

control-flink: setup ## Pause a stream of 16 splits on Flink six times, and let dead letters pause it (docs/control.md)
	$(BIN)/python -m benchmarks.flink.pauses

kills-control: setup ## Kill a stream twice at each step of a pause, a drain, a resume and a rewind (docs/control.md)
	$(BIN)/python -m benchmarks.steering.kills

rewinds: setup ## Rewind 100,000 records in each conflict mode, stopped, live on Flink, from a savepoint (docs/rewind.md)
	$(BIN)/python -m benchmarks.steering.rewinds

faults-kafka: setup ## Add partitions, and take the broker away, in mid-stream
	$(BIN)/python -m benchmarks.kafka.faults

faults: setup ## Stream for 15 minutes under random faults, and count from outside (docs/guarantees.md)
	$(BIN)/python -m benchmarks.stream.faults

latency: setup ## Measure the time from produce to committed row
	$(BIN)/python -m benchmarks.kafka.latency

bench-steps: setup ## Steps that call a service: calls at once, a service that is gone or silent, kills
	$(BIN)/python -m benchmarks.steps.calls

backpressure-steps: setup ## Let the service of a step become slower, and draw how a run follows (docs/steps.svg)
	$(BIN)/python -m benchmarks.steps.backpressure docs/steps.svg

failing-steps: setup ## Let the service of a step fail, and draw what becomes of the retries (docs/retries.svg)
	$(BIN)/python -m benchmarks.steps.failing docs/retries.svg

steps-flink: setup ## The same on Flink (docs/steps-flink.svg), and then a service that answers nobody for a minute
	$(BIN)/python -m benchmarks.steps.flink docs/steps-flink.svg

backpressure: setup ## Slow the database in mid-stream and draw the consequences (docs/backpressure.svg)
	$(BIN)/python -m benchmarks.kafka.backpressure

soak: setup ## Stream for half an hour and measure memory (docs/kafka.md)
	$(BIN)/python -m benchmarks.kafka.soak --minutes 30 --rate 2000

observe: setup ## Let every alert fire and end, on a real Prometheus (docs/metrics.md)
	$(BIN)/python -m benchmarks.observed.observe

exporter-cost: setup ## Measure the exporter's reading of a million jobs (docs/metrics.md)
	$(BIN)/python -m benchmarks.observed.cost

readers: setup ## Call every reader and page of the console on a million dead letters, 300 ms at most
	$(BIN)/python -m benchmarks.console.readers

flink-up: setup ## Start a Flink cluster and Beam's job server on this machine (docs/flink.md)
	$(BIN)/python -m runners.flink.local up

flink-down: setup ## Stop that cluster
	$(BIN)/python -m runners.flink.local down

reference: setup ## Write the pages of docs/ that are made from the code: options, tables, exit codes, Python API
	$(BIN)/python -m tests.reference

# uv writes the hashes of all files of each version that .venv has. It is needed for nothing else. Extras
# are kept: pip takes the newest version of what is asked for with an extra and pinned without it.
HASHED = .venv-lock/bin/uv pip compile --quiet pyproject.toml --constraint .venv-lock/versions.txt \
	--generate-hashes --no-annotate --no-header --no-emit-index-url --no-strip-extras \
	--python-version 3.11

lock: setup ## Pin the versions that .venv has now, with hashes
	$(PYTHON) -m venv --clear .venv-lock
	.venv-lock/bin/python -m pip install --quiet --disable-pip-version-check uv
	$(BIN)/python -m pip freeze --all --exclude pip --exclude-editable > .venv-lock/versions.txt
	sed -n '/^#/p' requirements.lock > .venv-lock/run.txt
	sed -n '/^#/p' requirements-test.lock > .venv-lock/test.txt
	echo setuptools | $(HASHED) - >> .venv-lock/run.txt
	$(HASHED) --extra test >> .venv-lock/test.txt
	mv .venv-lock/run.txt requirements.lock
	mv .venv-lock/test.txt requirements-test.lock
	rm -r .venv-lock

outage: setup ## Stop Postgres for a minute, and cut 200 connections, in mid-run
	$(BIN)/python -m benchmarks.jobs.outage

retries: setup ## Refuse records for a while, kill the process, run two processes at once
	$(BIN)/python -m benchmarks.jobs.retries

replay: setup ## Measure a replay of dead letters against fresh ingestion
	$(BIN)/python -m benchmarks.jobs.replay

bench-dead-letters: setup ## Measure how fast whole runs make dead letters, by what refuses the records
	$(BIN)/python -m benchmarks.jobs.dead_letters

refusals: setup ## Measure what rows cost that Postgres refuses, by what refuses them
	$(BIN)/python -m benchmarks.jobs.refusals

kills-flink: setup ## Kill TaskManagers and the JobManager of a real cluster at full speed
	$(BIN)/python -m benchmarks.flink.kills

bench-flink: setup ## Measure how soon and how fast a topic is read on Flink with 1 and 2 subtasks, beside DirectRunner
	$(BIN)/python -m benchmarks.flink.rate

idle-flink: setup ## Measure the cost of an idle stream on Flink, and the growth of its state
	$(BIN)/python -m benchmarks.flink.idle --minutes 15

bench-routes: setup ## Measure ten tables against one, and Parquet on S3 against Postgres, interleaved
	$(BIN)/python -m benchmarks.routes.rates

kills-routes: setup ## Kill runs into ten tables and Parquet on S3, and compare with what must be there
	$(BIN)/python -m benchmarks.routes.kills

kills-routes-flink: setup ## The same on Flink with two subtasks, where a TaskManager is killed
	$(BIN)/python -m benchmarks.routes.flink

faults-routes: setup ## Suspend a writer of objects, kill compactions, take MinIO away
	$(BIN)/python -m benchmarks.routes.faults

deadlock-routes: setup ## Let two processes commit overlapping routes for ten minutes
	$(BIN)/python -m benchmarks.routes.deadlock

scale: setup ## Find where the database becomes the limit, by a model on measured costs (docs/scaling.md)
	$(BIN)/python -m benchmarks.scale.scale

clean: ## Remove what the other targets created
	rm -rf $(VENV) $(NEWEST) $(FUZZING) .venv-lock demo build dist .mypy_cache .ruff_cache .pytest_cache .coverage *.egg-info

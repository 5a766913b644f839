# Every target sets up what it needs; all may be run again at any time.

VENV := .venv
BIN := $(VENV)/bin
READY := $(VENV)/.ready
FRONTEND := src/tocsin/desk/frontend
DESK := src/tocsin/desk/static/desk.js
LOCALES := src/tocsin/desk/locales
CATALOGUES := $(patsubst %.po,%.mo,$(wildcard $(LOCALES)/*/LC_MESSAGES/desk.po))

.PHONY: run test lint docs translations bench bench-store bench-watch bench-desk screenshots torture fuzz lock examples clean

# Start the service with the reference rule on, send the bundled telemetry in, show the alerts, go on serving.
PORT := 9200
run: $(READY) $(DESK) $(CATALOGUES)
	$(BIN)/tocsin serve --demo --data out/demo --port $(PORT) --log-format text --log-level warning

# Run every test.
test: $(READY) $(DESK) $(CATALOGUES)
	sh scripts/postgresql.sh
	sh scripts/chromium.sh
	$(BIN)/pytest -n auto --dist worksteal

lint: $(READY) $(DESK)
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/lint-imports
	npm run check --silent --prefix $(FRONTEND)

# Measure against peers; results go to docs/benchmarks.md by hand, with the machine they were taken on.
# RULES names a folder of Elastic's rules.
bench: $(READY)
	$(BIN)/pip install --quiet --disable-pip-version-check --require-hashes -r requirements-bench.lock
	$(BIN)/python -m benchmarks.run

# Measure the event store: 10 minutes of ingest, and searches over 50 million events. Takes 40 minutes and 25 GB.
bench-store: $(READY)
	$(BIN)/pip install --quiet --disable-pip-version-check --require-hashes -r requirements-bench.lock
	$(BIN)/python -m benchmarks.ingest
	$(BIN)/python -m benchmarks.search

# Measure the watch: 14 minutes of ingest with RULES enabled, then a round of all of them. Takes 20 minutes and 15 GB.
bench-watch: $(READY)
	$(BIN)/python -m benchmarks.watch

# Measure every page of the desk over 10 million events and 100,000 alerts. Takes 5 minutes and 5 GB.
bench-desk: $(READY)
	$(BIN)/python -m benchmarks.desk
	$(BIN)/python -m benchmarks.desk --rate 2000

# Take the pictures of docs/screenshots anew: every page, and each step of the triage in docs/desk.md.
screenshots: $(READY) $(DESK) $(CATALOGUES)
	sh scripts/screenshots.sh $(BIN)

# Kill the service, damage files between kill and start, and set its clock; look whether an event or an alert is missing,
# or there twice.
torture: $(READY)
	sh scripts/postgresql.sh
	sh scripts/chromium.sh
	$(BIN)/python -m tests.torture --kills 100
	$(BIN)/python -m tests.torture --kills 20 --postgresql --tls

# Send 20,000 hostile requests to every route: none may be answered with 5xx. SEED and FIRST repeat some.
SEED := 1
FIRST := 0
fuzz: $(READY)
	$(BIN)/python -m tests.fuzz --requests 20000 --seed $(SEED) --first $(FIRST)

# Pin the newest versions that pyproject.toml allows: for work on tocsin, for an image of the service, for `make bench`.
lock: $(READY)
	$(BIN)/pip install --quiet uv
	$(BIN)/uv pip compile pyproject.toml --extra dev --universal --python-version 3.11 --generate-hashes \
		--no-header --no-emit-index-url --upgrade --quiet -o requirements.lock
	$(BIN)/uv pip compile pyproject.toml --extra postgresql --constraint requirements.lock --universal \
		--python-version 3.11 --generate-hashes --no-header --no-emit-index-url --quiet -o requirements-serve.lock
	printf 'babel\nhatchling\n' | $(BIN)/uv pip compile - --constraint requirements.lock --universal \
		--python-version 3.11 --generate-hashes --no-header --no-emit-index-url --quiet -o requirements-build.lock
	$(BIN)/uv pip compile pyproject.toml --extra bench --constraint requirements.lock --universal \
		--python-version 3.11 --generate-hashes --no-header --no-emit-index-url --quiet -o requirements-bench.lock

# Write the pages of docs/ that follow from the code anew.
docs: $(READY)
	$(BIN)/python -m tests.documentation

# Bring the desk's texts into the catalogues of its languages, where what is new waits for its translation.
translations: $(READY)
	@mkdir -p out
	$(BIN)/pybabel --quiet extract --mapping babel.cfg --keyword N_ --no-location --sort-output \
		--project tocsin --copyright-holder "the authors of tocsin" \
		--output out/desk.pot src/tocsin/desk src/tocsin/investigation src/tocsin/response
	$(BIN)/pybabel --quiet update --domain desk --input-file out/desk.pot --output-dir $(LOCALES) \
		--no-fuzzy-matching --ignore-obsolete --ignore-pot-creation-date
	$(BIN)/pybabel --quiet compile --domain desk --directory $(LOCALES)

# Write the telemetry in examples/ anew.
examples: $(READY)
	$(BIN)/python -m tests.scenario

$(DESK): $(wildcard $(FRONTEND)/*.ts $(FRONTEND)/*.css $(FRONTEND)/*.json $(FRONTEND)/styles/*.css)
	sh scripts/desk.sh

$(LOCALES)/%.mo: $(LOCALES)/%.po $(READY)
	$(BIN)/pybabel --quiet compile --domain desk --directory $(LOCALES)

$(READY): requirements.lock pyproject.toml scripts/setup.sh | $(DESK)
	sh scripts/setup.sh $(VENV)
	@mkdir -p out
	@touch $@

clean:
	rm -rf $(VENV) out

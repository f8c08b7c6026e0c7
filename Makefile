# What this project is checked with. `make` lists the targets; CONTRIBUTING.md says when to use which.
# .ci/run goes through the same targets, so that what passes here passes there.

SHELL := bash
.SHELLFLAGS := -euo pipefail -c
.DEFAULT_GOAL := help
.DELETE_ON_ERROR:
MAKEFLAGS += --no-print-directory

# The modules are built and tested together, by go.work, whatever the environment says.
export GOWORK := auto

BIN := $(CURDIR)/.bin
LINT := $(BIN)/golangci-lint
BENCHSTAT := $(BIN)/benchstat
# The newer of the two supported versions of Go; the older one is in go.mod. The workflows have both.
NEXTGO := go1.27.3

# How long each fuzz target runs, and how many there must be at least: a caller's ids, references and keys, canonical query,
# verification of webhooks and of payin notifications, decoding of errors, envelopes, events and payins, JSON that can be read in two
# ways, amounts, Retry-After, redaction; in the fake, signed times and JSON; in the command, dumps of requests and batches.
FUZZTIME ?= 10m
FUZZSMOKETIME ?= 3s
FUZZTARGETS := 16

# The least of the root package's and of each internal package's statements that tests cover, in percent.
# It goes up, never down.
COVERFLOOR := 90
COVERPROFILE ?= $(CURDIR)/coverage.out
MODULE := github.com/intram/intram-go
# What a test covers counts wherever the code is: the SDK's tests are what exercises the fake, and the
# other way round.
COVERFLAGS := -covermode=atomic -coverpkg=$(MODULE),$(MODULE)/internal/...,$(MODULE)/intramtest/... -coverprofile=$(COVERPROFILE)

# How often each benchmark runs, so that benchstat can tell a difference from noise.
BENCHCOUNT ?= 6
BENCH ?= .

.PHONY: help
help: ## list the targets
	@awk 'BEGIN { FS = ":.*## " } /^[a-z][a-z-]*:.*## / { printf "  %-16s %s\n", $$1, $$2 }' Makefile

.PHONY: test
test: ## run the root module's tests, as the README says
	go test -race ./...

.PHONY: test-modules
test-modules: ## run the tests of every other module
	scripts/each-module.sh --own go test -race ./...

# What no-secrets.sh searches besides the output of the root module's tests.
.PHONY: spans-check
spans-check: ## look for secrets and people in each span and metric of a payout, a payment, a refund and their failures
	log=$$(mktemp); trap 'rm -f "$$log"' EXIT; test=TestSpansAndMetricsShowNobody; \
	go -C otelintram/internal/pipeline test -race -count=1 -v -run "^$$test$$" . >"$$log" 2>&1 || { tail -n 50 "$$log"; exit 1; }; \
	scripts/no-secrets.sh "$$log" "$$test"

.PHONY: fmt
fmt: ## format every Go file
	scripts/gofmt.sh --write

.PHONY: fmt-check
fmt-check: ## fail on a Go file that is not formatted
	scripts/gofmt.sh

.PHONY: vet
vet: ## go vet, in every module
	scripts/each-module.sh go vet ./...

.PHONY: tidy
tidy: ## go mod tidy, in every module, with the others as they are here
	scripts/tidy.sh --write

.PHONY: tidy-check
tidy-check: ## fail on a go.mod or go.sum that is not tidy
	scripts/tidy.sh

.PHONY: lint
lint: tools ## golangci-lint, in every module (.golangci.yml)
	scripts/each-module.sh $(LINT) run --config $(CURDIR)/.golangci.yml ./...

.PHONY: tools
tools: ## build the pinned tools into .bin
	GOBIN=$(BIN) go -C tools install tool

.PHONY: prose-check
prose-check: ## fail on words and widths of comments, error texts and documents that are to be written otherwise
	go -C tools run ./prose -root $(CURDIR)

.PHONY: spell
spell: ## fail on words of documents and doc comments that neither hunspell nor tools/spell has; ADD=en puts them on its list
	go -C tools run ./spell -root $(CURDIR) -add '$(ADD)'

.PHONY: docs
docs: ## write the part of docs/errors.md that is made of the SDK's own words
	UPDATE_DOCS=1 go test -count=1 -run '^TestTheErrorsPageIsWhatTheSDKSays$$' .

.PHONY: french-check
french-check: ## fail where README.fr.md or docs/fr do not follow the English: headings, code, links, tables, names, typography
	go test -count 1 -run 'French' .

.PHONY: api
api: ## write the exported surface of every package to api/
	go -C tools run ./api -root $(CURDIR)

.PHONY: api-check
api-check: ## fail when the surface changed without api/ and the changelog
	go -C tools run ./api -root $(CURDIR) -check

.PHONY: check-deps
check-deps: ## fail when the SDK would bring in more than it may
	scripts/check-deps.sh

.PHONY: notice
notice: ## write NOTICE.md: what is linked into each module and the command, and its licences
	go -C tools run ./notice -root $(CURDIR)

.PHONY: notice-check
notice-check: ## fail when NOTICE.md is behind, or a licence is not allowed
	go -C tools run ./notice -root $(CURDIR) -check

# The reports that vulncheck-offline reads: as of the day in the version.
VULNDB := v0.0.0-20261105234957-e22db6528018

.PHONY: vulncheck
vulncheck: tools ## look for known vulnerabilities in every module; fails too where the database is out of reach
	scripts/vulncheck.sh

.PHONY: vulncheck-offline
vulncheck-offline: tools ## the same, with the reports of VULNDB from the module proxy
	scripts/vulncheck.sh $(VULNDB)

.PHONY: workflows-check
workflows-check: ## check what runs on GitHub: workflows by actionlint, their targets, and that dependabot sees every module
	go -C tools/workflows run github.com/rhysd/actionlint/cmd/actionlint $(CURDIR)/.github/workflows/*.yml
	go -C tools/workflows run . -root $(CURDIR)

.PHONY: machine
machine: ## install what the tests need besides Go (apt)
	scripts/machine.sh

.PHONY: platforms
platforms: ## build and vet for other systems, run the tests in 32 bits, and the quickstart in strict FIPS mode
	scripts/platforms.sh

.PHONY: next-go
next-go: ## vet every module and test the root package with the next Go
	scripts/next-go.sh $(NEXTGO)

.PHONY: vectors
vectors: ## compute testdata/vectors again with openssl, and compare
	scripts/vectors.sh

.PHONY: cover
cover: ## run the tests once, and fail when too little is covered
	GOFLAGS="$${GOFLAGS-} $(COVERFLAGS)" go test -race ./...
	$(MAKE) cover-check

# Packages named …test are tests that several modules share, and the simulation is one itself: they are what covers, not
# what is covered.
.PHONY: cover-check
cover-check: ## check the profile of the last run of cover, or of .ci/run
	packages=$$(go list . ./internal/... | grep -Ev '(test|/simulation)$$'); \
	go -C tools run ./coverfloor -profile $(COVERPROFILE) -floor $(COVERFLOOR) $$packages

.PHONY: cover-flags
cover-flags: # what .ci/run adds to GOFLAGS
	@echo "$(COVERFLAGS)"

# The tests that count memory, which pass over a run of the race detector: it allocates on its own account.
.PHONY: alloc-gates
alloc-gates: ## count what calls, signing, pages and waits allocate, without the race detector
	go test -count=1 -run 'Allocate|ACallIsOneRequest|CallersShareConnections|PendingWaitsAreSmall|TenThousandWaits' . ./internal/poll

.PHONY: fuzz
fuzz: ## fuzz each target for FUZZTIME (10m)
	scripts/fuzz.sh $(FUZZTIME) $(FUZZTARGETS)

.PHONY: fuzz-smoke
fuzz-smoke: ## fuzz each target for some seconds
	scripts/fuzz.sh $(FUZZSMOKETIME) $(FUZZTARGETS)

# How many seeds of the simulation `make simulate` runs, and from which on: 50 payouts a seed, about
# 500 payouts a second on a core, so 25 million payouts are a night of two cores. CI runs
# SIMULATECISEEDS of them, two to three minutes of two cores, without the race detector;
# `go test -race ./...` runs 200 with it.
SIMULATESEEDS ?= 500000
SIMULATEFROM ?= 1
SIMULATECISEEDS := 3000

# Packages of npm in their pinned versions. The lock files name no registry: npm asks the one that it is configured for.
NPMCI := npm ci --ignore-scripts --no-audit --no-fund --prefix

.PHONY: axe
axe: ## bring axe-core for the browser test of the dashboard
	$(NPMCI) cmd/intram/internal/serve/browser/testdata/axe

.PHONY: foreign-packages
foreign-packages: ## bring what the foreign clients are made with: Express and TypeScript
	$(NPMCI) internal/mockapi/testdata/clients

.PHONY: site-packages
site-packages: ## bring vitepress, which makes the site
	$(NPMCI) site

.PHONY: site
site: ## build docs/ as a site of static pages into site/.vitepress/dist (after site-packages)
	test -d site/node_modules || $(MAKE) site-packages
	go -C site run .
	cd site && node_modules/.bin/vitepress build .

.PHONY: site-look
site-look: site ## take pictures of the site into docs/images, with chromium
	INTRAM_SCREENSHOTS=$(CURDIR)/docs/images go -C site test -count=1 -run TestThePicturesOfTheSite .

.PHONY: screenshots
screenshots: ## take the pictures of docs/serve.md again, with chromium
	dir=$$(mktemp -d); trap 'rm -rf "$$dir"' EXIT; \
	INTRAM_SCREENSHOTS=$$dir go -C cmd/intram/internal/serve/browser test -count=1 -run 'TestThePagesLook|TestTheDashboardIsDark' .; \
	for picture in docs/images/*.png; do cp "$$dir/$$(basename "$$picture")" docs/images/; done

.PHONY: simulate
simulate: ## run the simulation for SIMULATESEEDS (500000) seeds, a night's work, from SIMULATEFROM (1) on
	go test ./internal/simulation -run '^TestSimulation$$' -count=1 -timeout=0 -v -seeds=$(SIMULATESEEDS) -from=$(SIMULATEFROM)

.PHONY: simulate-ci
simulate-ci: ## run the simulation for 3000 seeds, as CI does
	go test ./internal/simulation -run '^TestSimulation$$' -count=1 -timeout=30m -seeds=$(SIMULATECISEEDS)

.PHONY: fleet
fleet: ## intramriver's fleet at full size: 5000 payouts, 1000 payment requests, 500 refunds (10 minutes); HOURS=1 goes on for an hour
	INTRAMRIVER_FLEET=$${INTRAMRIVER_FLEET:-5000/1000/500} INTRAMRIVER_FLEET_HOURS=$(HOURS) go -C intramriver test -count=1 -run '^TestFleet$$' -v -timeout 0 .

.PHONY: fleet-bench
fleet-bench: ## intramriver beside what bounds it: River's no-op jobs, and one INSERT a webhook
	go -C intramriver test -run '^$$' -bench 'Pay|Receive' -benchtime 2000x .

.PHONY: mutations
mutations: ## plant each bug of mutations/ in a copy of the tree, and fail when a test lets it live
	go -C tools run ./mutate -root $(CURDIR) $(CURDIR)/mutations/*.txt

.PHONY: mutations-check
mutations-check: ## fail when the old text of a planted bug is no longer there once
	go -C tools run ./mutate -check -root $(CURDIR) $(CURDIR)/mutations/*.txt

# What the operators of a sweep propose: all of it takes a night, SWEEP narrows it by folder, SWEEPFLAGS by commit or number.
SWEEP ?=
SWEEPFLAGS ?=

.PHONY: mutation-sweep
mutation-sweep: ## change each comparison, number and statement of mutations/sweep/targets.txt, and fail below 90 % killed
	go -C tools run ./mutate sweep -root $(CURDIR) -only '$(SWEEP)' $(SWEEPFLAGS) \
		-survivors $(CURDIR)/mutations/sweep/survivors.txt $(CURDIR)/mutations/sweep/targets.txt

# What CI sweeps: a few changes of the files that the last commits touched. A sample says little, so it must only not be bad; the
# 90 % are asked of `make mutation-sweep`, a night's work. The root's package is left to the night: finding out which of its tests
# run which lines takes four minutes.
SWEEPSINCE ?= HEAD~20
SWEEPMOST ?= 8

.PHONY: mutation-sweep-changed
mutation-sweep-changed: ## sweep SWEEPMOST (8) changes of the files that differ from SWEEPSINCE (HEAD~20)
	if git rev-parse -q --verify '$(SWEEPSINCE)^{commit}' >/dev/null; then \
		grep -v -- ' -short$$' mutations/sweep/targets.txt > $(BIN)/sweep-targets.txt; \
		go -C tools run ./mutate sweep -root $(CURDIR) -changed '$(SWEEPSINCE)' -most $(SWEEPMOST) -floor 25 \
			-survivors $(CURDIR)/mutations/sweep/survivors.txt $(BIN)/sweep-targets.txt; \
	else echo "there is no $(SWEEPSINCE) here, so nothing is known to have changed: a shallow clone"; fi

.PHONY: nightly
nightly: mutations mutation-sweep fuzz simulate fleet vulncheck ## everything that takes hours

.PHONY: bench
bench: tools ## run the benchmarks matching BENCH, BENCHCOUNT times each
	go test -run '^$$' -bench '$(BENCH)' -benchmem -count $(BENCHCOUNT) ./... | tee $(BIN)/bench.txt
	$(BENCHSTAT) $(BIN)/bench.txt

.PHONY: bench-peers
bench-peers: ## measure the SDK against its peers, and write the tables of bench/README.md (ten minutes)
	cd bench && go run ./cmd/peers -write README.md

.PHONY: importer-cost
importer-cost: ## what a program gets that imports the SDK: modules, packages, bytes and build time
	scripts/importer-cost.sh

.PHONY: importer-check
importer-check: ## fail when an importer would get more modules or bytes than was promised
	scripts/importer-cost.sh --check

.PHONY: foreign-clients
foreign-clients: ## run the clients that share no code with the SDK (after foreign-packages)
	scripts/foreign-clients.sh

.PHONY: quickstart
quickstart: ## run the quickstart against the bundled fake server
	env -u INTRAM_PUBLIC_KEY -u INTRAM_SECRET_KEY -u INTRAM_BASE_URL go run ./examples/quickstart

.PHONY: man
man: ## write the man pages and the golden files of the intram command anew
	go -C cmd/intram test ./internal/cli -count=1 -update

# The version to release, or to check with; the check takes the next one if there is none.
VERSION ?=

.PHONY: release-check
release-check: ## install every module of this tree as users do, from a proxy in a temporary folder, and print a table
	go -C tools run ./release check -root $(CURDIR) -version '$(VERSION)'

.PHONY: release
release: ## what a release of VERSION=v0.2.0 would be; with YES=1 its commit and tags are made, and nothing is pushed
	go -C tools run ./release cut -root $(CURDIR) -version '$(VERSION)' $(if $(filter 1,$(YES)),-yes)

# goreleaser takes two to three minutes to compile the first time, and its hundreds of dependencies stay out of tools/go.mod. Without
# -trimpath, the SBOMs would name a tool that has this machine's paths in it.
.PHONY: packaging-tools
packaging-tools: ## build goreleaser and cyclonedx-gomod into .bin
	GOBIN=$(BIN) go -C tools/packaging install -trimpath tool

.PHONY: packages
packages: packaging-tools ## build the command for every platform, with its packages, into dist/: a snapshot
	PATH="$(BIN):$$PATH" scripts/packages.sh

.PHONY: packages-check
packages-check: packaging-tools ## build the packages twice, compare them, look into each, and install the .deb
	PATH="$(BIN):$$PATH" scripts/packages-check.sh

.PHONY: publish
publish: packaging-tools ## release the tag at HEAD on GitHub, with its packages (GITHUB_TOKEN)
	PATH="$(BIN):$$PATH" scripts/packages.sh --publish

.PHONY: ci
ci: ## everything, as CI runs it
	bash .ci/run

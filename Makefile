# make check is what CI runs. It is made of lint and test, so that .ci/run can run each once.
.DEFAULT_GOAL := help
SHELL := /bin/bash
.SHELLFLAGS := -euo pipefail -c

GO ?= go
TESTFLAGS ?=

.PHONY: help check lint fmt-check tidy-check vet golangci fmt test race examples short bench arrows generate size build clean

help: ## show this list
	@grep -hE '^[a-z-]+:.*## ' $(MAKEFILE_LIST) | sed -E 's/^([a-z-]+):.*## /\1\t/' | expand -t 13

check: lint test ## everything: format, vet, lint, tests

lint: fmt-check tidy-check vet golangci ## everything but the tests

fmt-check: ## fail when a file is not formatted
	@unformatted=$$(gofmt -l .); \
	if [ -n "$$unformatted" ]; then echo "not formatted (make fmt):"; echo "$$unformatted"; exit 1; fi

tidy-check: ## fail when go.mod or go.sum is not tidy
	$(GO) mod tidy -diff

vet: ## go vet
	$(GO) vet ./...
	$(GO) -C tools vet ./...

golangci: ## golangci-lint with .golangci.yml; built into ./bin when it is not there
	@scripts/install-tools.sh lint
	bin/golangci-lint config verify
	bin/golangci-lint run --allow-serial-runners ./...
	cd tools && ../bin/golangci-lint run --allow-serial-runners -c ../.golangci.yml ./...

fmt: ## format every file
	@scripts/install-tools.sh lint
	bin/golangci-lint fmt ./...

test: race examples ## all tests: race, then examples

race: ## every Go test, with the race detector
	@scripts/install-tools.sh test
	$(GO) test -race $(TESTFLAGS) ./...

# Each builds the server, runs it, and is a client of it: the seed pages' own requests, clients that share no code with the
# server, the example apps with their test suites, and the guide as it is printed.
examples: ## scripts that use a running server as its users do
	@scripts/install-tools.sh test
	scripts/seed-examples.sh
	scripts/independent-clients.sh
	scripts/examples.sh
	scripts/guide.sh

short: ## the fast tests, without the race detector
	$(GO) test -short $(TESTFLAGS) ./...

bench: ## benchmarks
	$(GO) test -run '^$$' -bench . -benchmem $(TESTFLAGS) ./...

arrows: ## copy the import arrows of internal/arch into .golangci.yml
	$(GO) test ./internal/arch -run TestLinterKnowsTheArrows -count 1 -update

generate: arrows ## write everything that is made from something else: arrows, README table, docs/ledger.md
	$(GO) test ./cmd/mocksrv -count 1 -update

size: ## lengths of functions and files, and the outliers
	@$(GO) -C tools run ./size ..

build: ## the binary, into ./bin
	CGO_ENABLED=0 $(GO) build -trimpath -ldflags '-s -w' -o bin/mocksrv ./cmd/mocksrv

clean: ## remove what was built
	rm -rf bin dist

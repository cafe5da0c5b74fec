# make check is what CI runs. It is made of lint and test, so that .ci/run can run each once.
.DEFAULT_GOAL := help
SHELL := /bin/bash
.SHELLFLAGS := -euo pipefail -c

GO ?= go
TESTFLAGS ?=
MODULES := tools examples/compose contrib/testcontainers # beside the one here

.PHONY: help check lint fmt-check tidy-check vet golangci manifests fmt test race examples short bench arrows generate size build container clean

help: ## show this list
	@grep -hE '^[a-z-]+:.*## ' $(MAKEFILE_LIST) | sed -E 's/^([a-z-]+):.*## /\1\t/' | expand -t 13

check: lint test ## everything: format, vet, lint, tests

lint: fmt-check tidy-check vet golangci manifests ## everything but the tests

fmt-check: ## fail when a file is not formatted
	@unformatted=$$(gofmt -l .); \
	if [ -n "$$unformatted" ]; then echo "not formatted (make fmt):"; echo "$$unformatted"; exit 1; fi

tidy-check: ## fail when go.mod or go.sum is not tidy
	for module in . $(MODULES); do $(GO) -C $$module mod tidy -diff; done

vet: ## go vet
	for module in . $(MODULES); do $(GO) -C $$module vet ./...; done

golangci: ## golangci-lint with .golangci.yml; built into ./bin when it is not there
	@scripts/install-tools.sh lint
	bin/golangci-lint config verify
	bin/golangci-lint run --allow-serial-runners ./...
	cd tools && ../bin/golangci-lint run --allow-serial-runners -c ../.golangci.yml ./...
	cd contrib/testcontainers && ../../bin/golangci-lint run --allow-serial-runners -c ../../.golangci.yml ./...

manifests: ## workflows and Kubernetes objects are what their readers accept
	$(GO) -C tools run ./manifests ..

fmt: ## format every file
	@scripts/install-tools.sh lint
	bin/golangci-lint fmt ./...

test: race examples ## all tests: race, then examples

race: ## every Go test, with the race detector
	@scripts/install-tools.sh test
	$(GO) test -race $(TESTFLAGS) ./...
	for module in tools examples/compose; do $(GO) -C $$module test $(TESTFLAGS) ./...; done

# Each builds the server, runs it, and is a client of it: the seed pages' own requests, clients that share no code with the
# server, the example apps with their test suites, the guides as they are printed, and the commands for scenarios.
examples: ## scripts that use a running server as its users do
	@scripts/install-tools.sh test
	scripts/seed-examples.sh
	scripts/independent-clients.sh
	scripts/examples.sh
	scripts/guide.sh
	scripts/guide.sh docs/guide-tls.md
	scripts/guide.sh docs/guide-scenarios.md
	scripts/scenarios.sh
	scripts/tls-matrix.sh

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

container: ## build the image and try it on a Docker daemon: alone, in compose, by Testcontainers
	scripts/container.sh

clean: ## remove what was built
	rm -rf bin dist

# Every target says what it does behind two hashes; make help lists them.
.DEFAULT_GOAL := help
.PHONY: help run build test race fuzz bench lint fmt ci

help: ## what can be made
	@awk -F ':.*## ' '/^[a-z]+:.*## / { printf "%-8s %s\n", $$1, $$2 }' $(MAKEFILE_LIST)

run: ## start the gateway here, with settings from .env where there is one
	go run ./cmd/walkergate

build: ## build bin/walkergate, static
	CGO_ENABLED=0 go build -trimpath -ldflags='-s -w' -o bin/walkergate ./cmd/walkergate

test: ## run the tests
	go test ./...

race: ## run the tests under the race detector, shuffled; a skip fails
	.ci/run race

fuzz: ## fuzz every target for half a minute, or for FUZZTIME
	.ci/run fuzz

bench: ## measure beside a floor and peers, half an hour; docs/PERFORMANCE.md tells how to read it
	cd bench && go run ./cmd/bench

lint: ## check format, vet on all systems and the linters
	.ci/run tools format vet cross lint

fmt: ## format the Go files
	gofmt -w .

ci: ## run all that CI runs
	.ci/run

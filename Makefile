# Thin: each target calls one command. What a command does stands in ci/*.sh or in the binary itself.
SHELL := /bin/bash
.SHELLFLAGS := -euo pipefail -c
.DEFAULT_GOAL := help

# One profile for building, testing and end-to-end runs; a folder outside the checkout keeps both clean.
export CARGO_TARGET_DIR ?= $(if $(XDG_CACHE_HOME),$(XDG_CACHE_HOME),$(HOME)/.cache)/farquorum/target
CARGO := ci/cargo.sh
BIN := bin/farquorum
INPUT ?=
# What `make build` builds. cargo gives a dependency the features that the selection needs, and tests need more: who
# runs them anyway builds all of it at once, and each dependency one time instead of two.
SELECTION ?= --package farquorum
test test-all: SELECTION := --workspace --all-targets

.PHONY: help deps build test test-all vm-test nix-test gate figures stores-test systemd-test microvm-up microvm-down microvm-test terraform-test \
	compose-up compose-down compose-test lint fmt bench demo lab-examples sim-up sim-down mutants clean

help: ## list the targets
	@grep -hE '^[a-z-]+:.*## ' $(MAKEFILE_LIST) | awk -F':.*## ' '{printf "  make %-12s %s\n", $$1, $$2}'

deps: ## install what is missing to build (apt, as root) or name it
	@ci/deps.sh

build: deps ## build bin/farquorum
	@$(CARGO) build --locked $(SELECTION)
	@. ci/static.sh && mkdir -p bin && ln -sfn "$$CARGO_TARGET_DIR/$$CARGO_BUILD_TARGET/debug/farquorum" $(BIN)

test: lint build ## lint, and every test that needs no Docker and no virtual machine
	@ci/test.sh

test-all: test nix-test stores-test gate figures lab-examples vm-test microvm-test systemd-test compose-test ## those, and what needs Docker or virtual machines

vm-test: deps ## both backends of the WAN side by side, in a virtual machine whose kernel has netem
	@ci/vm.sh

nix-test: build ## the NixOS modules: parsed, evaluated, compared, judged by systemd (no cache, nothing built by Nix)
	@ci/nix.sh
	@ci/markers.sh

systemd-test: build ## the unit of the NixOS module under a real systemd, in a virtual machine (as root)
	@ci/systemd-vm.sh

microvm-up: build ## start the simulation with its nodes in virtual machines (docs/microvm.md)
	@ci/microvm.sh up

microvm-down: ## stop it; nothing is left behind
	@ci/microvm.sh down

microvm-test: build ## start them, lose one, take it back, stop them
	@ci/microvm.sh test

stores-test: build ## the clients of the clouds' own object stores, Azure's against Azurite (npm fetches it)
	@ci/stores.sh

gate: build ## measure simulations, and compare them with ci/baselines
	@ci/gate.sh

terraform-test: build ## Terraform's modules and roots against the providers' schemas, without an account
	@ci/terraform.sh

figures: build ## the figures of the emulated WAN and the error rates of the gate, each against its bound
	@ci/figures.sh

lint: deps ## formatting, clippy, shell scripts, licences and sources of crates
	@ci/lint.sh

fmt: ## format the Rust code
	@cargo fmt --all

bench: build ## print the figures of the README
	@$(BIN) bench

demo: build ## a real job across three emulated clouds that loses its leader half way
	@ci/demo.sh $(INPUT)

lab-examples: build ## the examples of docs/lab.md, each run and checked
	@ci/lab-examples.sh

sim-up: build ## start the simulation and wait until it is ready
	@$(BIN) sim up

sim-down: ## stop it; nothing is left behind but its data folder
	@$(BIN) sim down

compose-up: build ## the cluster in nine containers (needs Docker), with certificates of its own
	@ci/compose.sh up

compose-down: ## stop them; their volumes stay
	@ci/compose.sh down

compose-test: build ## the containers on a real engine: round trips, no way around the gateway, leader killed, a job, restart
	@ci/compose.sh test

mutants: build ## sabotage the code patch by patch: each must be noticed by its test
	@ci/mutants.sh

clean: ## delete what was built
	@rm -rf bin && cargo clean

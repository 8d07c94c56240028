# Every target installs what it needs and is missing here (scripts/setup); nothing else has to be done by hand.
SHELL := bash
.SHELLFLAGS := -euo pipefail -c
.DELETE_ON_ERROR:
MAKEFLAGS += --no-print-directory

# What scripts/setup found and installed: the PATH and the Rust toolchain. Without make's own flags, because cargo would
# look for a jobserver in them that make keeps to itself.
ENV := unset MAKEFLAGS MFLAGS; . .tools/env;
WASM := -p app --target wasm32-unknown-unknown --no-default-features -F hydrate
FRONT_SOURCES := $(shell find app crates/domain crates/view crates/ui crates/front style public -type f) \
    Cargo.toml Cargo.lock package-lock.json .cargo/config.toml scripts/front.mjs

.PHONY: help demo test torture dev lint bench build front server clean
help:
	@echo "make demo    build, roll a good and a bad release out to nine local hosts, leave the console running"
	@echo "             (ARGS=\"--json --exit\" prints the report as JSON and ends)"
	@echo "make test    every test: Rust, Ansible, browser   (ARGS=\"rust\" runs that suite alone)"
	@echo "make torture half an hour of killing the console and its supervisors; says what ran twice, was lost or came late"
	@echo "make dev     the console with a lab, rebuilt at every change"
	@echo "make lint    formatting, clippy, licences, JavaScript"
	@echo "make bench   speed, as ratios of one run"

demo:
	@scripts/setup demo
	@$(MAKE) build
	@$(ENV) target/e2e/slipway-lab demo $(ARGS)

test:
	@scripts/setup test
	@$(ENV) scripts/test $(ARGS)

# Over 3,000 kills: at any moment, at the system calls that store or start something, and over playbooks by SSH.
torture:
	@scripts/setup test
	@$(MAKE) server
	@$(ENV) target/e2e/slipway-lab torture --kills 2500 $(ARGS)
	@$(ENV) target/e2e/slipway-lab torture --kills 400 --boundaries $(ARGS)
	@$(ENV) target/e2e/slipway-lab torture --kills 200 --real $(ARGS)

dev:
	@scripts/setup dev
	@$(ENV) scripts/dev

lint:
	@scripts/setup lint
	@$(ENV) cargo fmt --all --check
	@$(ENV) cargo clippy --workspace --all-targets -- -D warnings
	@$(ENV) cargo clippy $(WASM) -- -D warnings
	@$(ENV) cargo deny --log-level error check bans licenses sources
	@$(ENV) scripts/check-browser-crates cargo tree $(WASM)
	@$(ENV) biome ci --error-on-warnings $(if $(MAKE_TERMOUT),,--colors=off)

# What people run is measured, so this compiles with every optimisation and takes a while the first time.
bench:
	@scripts/setup bench
	@$(MAKE) front
	@$(ENV) cargo build --release -p server -p lab --bins
	@$(ENV) target/release/slipway-lab bench $(ARGS)

# The browser's half and the server's half share no artefact, so the two compile side by side.
build:
	@scripts/setup build
	@$(MAKE) -j2 front server

front: target/site/pkg/current

# Written last, so this file tells that the site is complete.
target/site/pkg/current: $(FRONT_SOURCES)
	@$(ENV) cargo build $(WASM) --lib --profile wasm-release --target-dir target/front
	@$(ENV) cargo build -p front --profile e2e --target-dir target/front
	@$(ENV) scripts/front.mjs

server:
	@$(ENV) cargo build --profile e2e -p server -p lab --bins

clean:
	rm -rf target .demo .bench .torture

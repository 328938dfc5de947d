# Everything is installed by the targets that need it; a second run installs nothing.
# Needed by hand: make, gcc, python3 and Rust (rustup).

.DEFAULT_GOAL := help
.PHONY: help wasm envoy test soak chaos fuzz amplification providers coverage mutants lint msrv audit cli demo servers bench image push matrix release

SHELL := bash
DIST = dist
IMAGE_VERSION ?= $(shell sed -n 's/^version = "\(.*\)"/\1/p' Cargo.toml)
# The soak tests measure the load that our own code stands, so they need only one version of Envoy.
SUITES ?= $(filter-out %soak,$(basename $(notdir $(wildcard tests/e2e_*.rs))))

help: ## Shows this list
	@awk -F ':.*## ' '/^[a-z-]+:.*## / {printf "make %-13s %s\n", $$1, $$2}' Makefile

wasm: ## Builds dist/tollgate.wasm
	@scripts/wasm

envoy: ## Installs the pinned Envoy under target/ and prints its path (ENVOY_BIN wins over it)
	@scripts/install/envoy

test: wasm ## Runs every test, the end-to-end ones in a real Envoy
	@scripts/test

servers: wasm ## Runs hostile requests to a dozen real servers with every option of Envoy for paths and hosts (half an hour)
	@scripts/install/servers && binary=$$(scripts/install/envoy) && ENVOY_BIN=$$binary TOLLGATE_SERVERS=all \
		cargo test --features cli --test e2e_real_servers

soak: wasm ## Runs the limits and one VM under long load (about 45 minutes): see scripts/soak
	@scripts/soak

chaos: wasm ## Runs a storm of faults and hostile traffic for DURATION seconds (1800): docs/proof.md
	@DURATION='$(DURATION)' scripts/chaos

fuzz: ## Runs each fuzz target for DURATION seconds (60), or those of TARGETS: see scripts/fuzz
	@scripts/fuzz

amplification: wasm ## Measures what each family of attacks costs beside a cheap request: docs/proof.md
	@binary=$$(scripts/install/envoy) && ENVOY_BIN=$$binary cargo bench --bench amplification

providers: wasm ## Judges new tokens of sixteen JWT libraries and two key servers: docs/proof.md
	@scripts/install/providers python node go java rust keycloak
	@binary=$$(scripts/install/envoy) && ENVOY_BIN=$$binary cargo test --features cli \
		--test providers --test e2e_key_servers -- --include-ignored --nocapture

coverage: ## Lines of the core that the native tests run: target/coverage.txt
	@scripts/coverage

mutants: ## Changes the core in a thousand ways and lists what no test notices: docs/proof.md
	@scripts/mutants

lint: ## Checks the format, and clippy on the native and the wasm target
	@scripts/lint

cli: ## Builds target/release/tollgate: checks configurations, explains verdicts (docs/cli.md)
	@CARGO_PROFILE_RELEASE_LTO=off CARGO_PROFILE_RELEASE_CODEGEN_UNITS=16 \
		cargo build --release --features cli --bin tollgate

msrv: ## Compiles what is published with the oldest Rust that Cargo.toml states
	@scripts/msrv

audit: ## Checks licences, advisories and sources of every dependency by deny.toml
	@scripts/audit

demo: wasm ## Shows the filter at work in a real Envoy; KEEP=1 leaves it running to try by hand
	@binary=$$(scripts/install/envoy) && ENVOY_BIN=$$binary KEEP=$(KEEP) cargo run --quiet --example demo

bench: wasm ## Measures the cost per request against Envoy's own filters
	@binary=$$(scripts/install/envoy) && ENVOY_BIN=$$binary cargo bench --bench proxy

image: wasm ## Puts the module into OCI images under dist/image, and writes its bill of materials
	@cargo xtask image $(DIST)

# PLAIN_HTTP=1 for a registry without TLS.
push: image ## Copies the images to a registry: make push REGISTRY=ghcr.io/you
	@[[ -n "$(REGISTRY)" ]] || { echo "error: no registry: make push REGISTRY=ghcr.io/you" >&2; exit 1; }
	@command -v skopeo >/dev/null || scripts/install/apt skopeo
	@for image in compat artifact; do \
		tag=$(REGISTRY:/=)/tollgate:$(IMAGE_VERSION); [[ $$image == compat ]] || tag+=-$$image; \
		printf 'oci://%s@' $$tag; \
		skopeo copy --quiet --preserve-digests --digestfile /dev/stdout \
			$(if $(PLAIN_HTTP),--dest-tls-verify=false) oci:$(DIST)/image:$$image docker://$$tag; \
		echo; \
	done

matrix: wasm ## Runs the end-to-end suites on each supported Envoy, or on VERSIONS (30 min): target/matrix.md
	@scripts/install/servers
	@source scripts/install/versions; \
		SUITES='$(SUITES)' cargo xtask matrix $(or $(VERSIONS),$$ENVOY_VERSIONS)

release: wasm ## Collects the files of a release under dist/release: docs/release.md
	@cargo xtask release $(DIST)

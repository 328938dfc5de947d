# Each target installs what it needs; a second run installs nothing.
# Needed beforehand: make, bash, gcc, python3 and Rust (rustup).

SHELL := bash
.SHELLFLAGS := -euo pipefail -c
.DEFAULT_GOAL := help
.SILENT:
.PHONY: help wasm envoy cli demo test mesh monitor mlflow azure-files pages-az servers sdk models providers matrix soak chaos fuzz bench bench-bodies \
	instructions amplification lint audit msrv coverage mutants image push release toolchain

DIST = dist
WASM_TARGET = wasm32-wasip1
BUILT = $(or $(CARGO_TARGET_DIR),target)
OLDEST_RUST = $(shell sed -n 's/^rust-version = "\(.*\)"/\1/p' Cargo.toml)
IMAGE_VERSION ?= $(shell sed -n 's/^version = "\(.*\)"/\1/p' Cargo.toml)
# The soak tests measure the load that our own code stands, so they need only one version of Envoy.
E2E_SUITES = $(filter-out %soak,$(basename $(notdir $(wildcard tests/e2e_* tests/grpc/e2e_*))))
# Runs the command that follows with the path of an Envoy.
WITH_ENVOY = binary=$$(scripts/install/envoy) && ENVOY_BIN=$$binary
# $(call need,NAME): fails if cargo has no command of that name.
need = cargo $(1) --version >/dev/null 2>&1 || \
	{ echo "cargo-$(1) is absent: cargo install --locked cargo-$(1)" >&2; exit 1; }

help: ## Shows this list
	awk -F ':.*## ' '/^[a-z-]+:.*## / {printf "make %-13s %s\n", $$1, $$2}' Makefile

# rustup does this by itself unless RUSTUP_AUTO_INSTALL is 0; see rust-toolchain.toml.
toolchain:
	! command -v rustup >/dev/null || \
		scripts/steady 'adding $(WASM_TARGET) to Rust' rustup --quiet target add $(WASM_TARGET)

# The module contains no path of this machine, so that its bytes are the same wherever it is built. A path
# may contain spaces, so the flags are separated by another character.
# Functions of up to 105 units of cost are inlined, not of 225: the module is 56 KiB smaller. A remembered token takes
# 0.3 % more instructions (`make instructions`) than with 120.
INLINING = -Cllvm-args=-inline-threshold=105
wasm: toolchain ## Builds dist/tollgate.wasm, and dist/tollgate-host.wasm without a verifier: docs/image.md
	flags="--remap-path-prefix=$${CARGO_HOME:-$$HOME/.cargo}=/cargo"$$'\x1f'"--remap-path-prefix=$$PWD=/tollgate"; \
		flags+=$$'\x1f'$(INLINING); \
		for flag in $${CARGO_TARGET_WASM32_WASIP1_RUSTFLAGS:-}; do flags+=$$'\x1f'$$flag; done; \
		export CARGO_ENCODED_RUSTFLAGS=$$flags; \
		cargo build --quiet --profile host --no-default-features --lib --target $(WASM_TARGET) & host=$$!; \
		scripts/steady 'compiling the modules, of which the last crate takes longest' \
		cargo build --release --lib --target $(WASM_TARGET); \
		wait $$host
	for module in release/tollgate.wasm:tollgate.wasm host/tollgate.wasm:tollgate-host.wasm; do \
		scripts/steady 'compiling the tool that prunes the modules' cargo run --package xtask --no-default-features -- \
			prune $(BUILT)/$(WASM_TARGET)/$${module%:*} $(DIST)/$${module#*:}; \
	done

envoy: ## Installs the pinned Envoy under target/ and prints its path (ENVOY_BIN takes precedence)
	scripts/install/envoy

# The profile of the tests builds it in less than a minute, and it checks a configuration in milliseconds.
cli: ## Builds dist/tollgate, which checks configurations and explains verdicts: docs/cli.md
	echo "Compiling the tool: the first time about 60 s on 2 idle cores" >&2
	scripts/steady 'compiling the tool' cargo build --features cli --bin tollgate
	mkdir -p $(DIST)
	cp -f $(BUILT)/debug/tollgate $(DIST)/tollgate

demo: ## Shows the filter at work in a real Envoy; KEEP=1 leaves it running
	echo "[1/4] Compiling and pruning the module: the first time about 60 s on 2 idle cores"
	$(MAKE) --no-print-directory wasm
	echo "[2/4] Installing Envoy: the first time a download of 60 MB and 20 s"
	scripts/install/envoy
	echo "[3/4] Compiling the demo: the first time about 20 s on 2 idle cores"
	scripts/steady 'compiling the demo' cargo build --package demo
	echo "[4/4] Starting Envoy with envoy/envoy.yaml and the module"
	$(WITH_ENVOY) KEEP=$(KEEP) $(BUILT)/debug/demo

# Not $(MAKE), which would run the line under `make -n` too.
test: ## Runs all tests, with a real Envoy, and lists the skipped ones
	scripts/install/servers & servers=$$!; make --no-print-directory wasm; wait $$servers
	scripts/install/python tests/data/sdk/sample/requirements.txt target/sdk/sample >/dev/null || \
		echo "continuing without the SDKs" >&2
	rm -rf target/skipped.txt target/e2e
	cargo build --package ratelimit || echo "continuing without the rate limit service" >&2
	status=0; $(WITH_ENVOY) cargo xtask test --workspace --exclude ratelimit --exclude mesh \
		--features tollgate/cli || \
		status=$$?; \
		[[ ! -s target/skipped.txt ]] || { echo "Skipped:"; sort -u target/skipped.txt; }; exit $$status

# On Debian or Ubuntu as root; elsewhere it names what is absent.
mesh: wasm ## Runs SUITES with a real Kubernetes API, Istio and Envoy Gateway: docs/control-planes.md
	scripts/install/apt iproute2 iptables docker-registry skopeo openssl curl jq
	$(WITH_ENVOY) cargo xtask mesh $(SUITES)

monitor: wasm ## Sends audit lines through a real collector and Microsoft's clients: docs/azure-monitor.md
	scripts/install/collector
	scripts/install/python tests/data/monitor/requirements.txt target/monitor
	$(WITH_ENVOY) cargo test --workspace --exclude ratelimit --features tollgate/cli \
		--test e2e_audit -- --ignored monitor::

mlflow: wasm ## Exports audit lines into a real tracking server (2 min, 850 MB): docs/mlflow.md
	scripts/install/python tests/data/mlflow/requirements.txt target/mlflow
	$(WITH_ENVOY) cargo test --workspace --exclude ratelimit --features tollgate/cli \
		--test e2e_audit -- --ignored mlflow::

azure-files: ## Compares examples/azure/network with Microsoft's own classes: docs/azure-from-zero.md
	scripts/install/python tests/data/azure/requirements.txt target/azure
	cargo test --workspace --exclude ratelimit --features tollgate/cli --test network -- --ignored

pages-az: wasm ## Compares the az commands of the pages with the Azure CLI of PyPI (700 MB)
	source scripts/install/versions && mkdir -p target && \
		echo "azure-cli==$$AZURE_CLI_VERSION" >target/az.txt
	az=$$(dirname "$$(scripts/install/python target/az.txt target/az)")/az; $(WITH_ENVOY) PAGES_AZ=$$az \
		cargo test --features cli --test pages -- every_command

servers: wasm ## Sends hostile requests to a dozen real servers with all path options of Envoy (30 min)
	scripts/install/servers
	$(WITH_ENVOY) TOLLGATE_SERVERS=all cargo test --features cli --test e2e_real_servers

providers: wasm ## Verifies new tokens of sixteen JWT libraries and two key servers: docs/proof.md
	scripts/install/providers python node go java rust keycloak
	$(WITH_ENVOY) cargo test --features cli \
		--test providers --test e2e_key_servers -- --include-ignored --nocapture

sdk: wasm ## Refuses real SDKs, and logs MCP clients in at a Keycloak (5 min, 1.5 GB): docs/clients.md
	scripts/install/sdk
	scripts/install/providers keycloak
	$(WITH_ENVOY) cargo test --workspace --exclude ratelimit --features tollgate/cli --test sdk -- \
		--ignored --nocapture --test-threads 1

models: wasm ## Compares budgets with what real SDKs show of a real model server (1 min, 400 MB): docs/llm-gateway.md
	scripts/install/models
	$(WITH_ENVOY) cargo test --workspace --exclude ratelimit --features tollgate/cli --test models -- --ignored --nocapture

matrix: wasm ## Runs the end-to-end suites on each supported Envoy, or on VERSIONS (30 min): target/matrix.md
	scripts/install/servers
	source scripts/install/versions; \
		SUITES='$(or $(SUITES),$(E2E_SUITES))' cargo xtask matrix $(or $(VERSIONS),$$ENVOY_VERSIONS)

soak: export TOLLGATE_IDENTITIES ?= 10000000
soak: export TOLLGATE_REQUESTS ?= 10000000
soak: export TOLLGATE_SOAK ?= 60
soak: export TOLLGATE_LIVE_IDENTITIES ?= 1000000
soak: export TOLLGATE_PUSHES ?= 1000
soak: wasm ## Runs the limits and one VM under long load (45 min): docs/limits.md
	$(WITH_ENVOY) cargo test --profile bench --test limit_soak --test e2e_soak -- --nocapture
	$(WITH_ENVOY) cargo test --features cli --test e2e_limit_soak -- --nocapture
	$(WITH_ENVOY) cargo test --features cli --test e2e_limit -- --nocapture fresh_identities
	$(WITH_ENVOY) cargo test --features cli --test e2e_limit -- --nocapture pushes_under_load

chaos: wasm ## Runs a storm of faults and hostile traffic for DURATION seconds (1800): docs/proof.md
	$(WITH_ENVOY) TOLLGATE_CHAOS=$(or $(DURATION),1800) \
		cargo test --features cli --test e2e_chaos -- --nocapture

fuzz: ## Runs each fuzz target, or TARGETS, for DURATION seconds (60): scripts/fuzz
	scripts/fuzz

bench: wasm ## Measures the cost per request beside Envoy's own filters
	$(WITH_ENVOY) cargo bench --profile dev --workspace --exclude ratelimit --features tollgate/cli --bench proxy

bench-bodies: toolchain ## Measures how long bodies take to read, in the V8 of Node.js: docs/performance.md
	CARGO_ENCODED_RUSTFLAGS=$(INLINING) scripts/steady 'compiling the measurement' \
		cargo build --release --package benches --bin bodies --target $(WASM_TARGET)
	node --no-warnings benches/bodies/run.mjs $(BUILT)/$(WASM_TARGET)/release/bodies.wasm "$(BENCH_ONLY)"

hot: wasm ## Orders the functions of the module anew, as requests call them: xtask/src/order.rs
	python=$$(scripts/install/python scripts/instructions/requirements.txt target/instructions) && \
		cargo xtask trace $(BUILT)/$(WASM_TARGET)/release/tollgate.wasm target/traced.wasm >target/traced.txt && \
		$$python scripts/instructions/hot.py target/traced.wasm target/traced.txt >target/hot.txt
	mv target/hot.txt xtask/src/hot.txt
	$(MAKE) --no-print-directory wasm

instructions: wasm ## Counts the instructions of a request, with short and long lists: docs/performance.md
	python=$$(scripts/install/python scripts/instructions/requirements.txt target/instructions) && \
		$$python scripts/instructions '$(TEXT)'

amplification: wasm ## Measures the cost of each kind of attack beside a cheap request: docs/proof.md
	$(WITH_ENVOY) cargo bench --package benches --bench amplification

lint: toolchain ## Checks the format, and runs clippy for the native and the wasm target
	cargo fmt --all -- --check
	cargo clippy --workspace --exclude ratelimit --all-targets --features tollgate/cli -- -D warnings
	cargo clippy --lib --target $(WASM_TARGET) -- -D warnings
	cargo clippy --lib --target $(WASM_TARGET) --no-default-features -- -D warnings

# The bans bind what is shipped; the other checks also bind tools, tests and fuzz targets.
audit: ## Checks licences, advisories and sources of all dependencies against deny.toml
	$(call need,deny)
	cargo deny --locked check bans
	for manifest in Cargo.toml fuzz/Cargo.toml; do \
		cargo deny --locked --workspace --manifest-path $$manifest --config deny.toml \
			check advisories licenses sources; \
	done

# Tests and tools may need a newer Rust.
msrv: ## Checks the module and the command line tool with the oldest supported Rust
	rustup toolchain install $(OLDEST_RUST) --profile minimal --target $(WASM_TARGET) >&2
	export CARGO_TARGET_DIR=$(BUILT)/msrv; \
		cargo +$(OLDEST_RUST) check --locked --lib --target $(WASM_TARGET); \
		cargo +$(OLDEST_RUST) check --locked --features cli --bin tollgate

# Code that only a proxy reaches (much of the shell) is covered by the end-to-end tests, which are not counted.
coverage: ## Measures the lines of the core that native tests run: target/coverage.txt
	$(call need,llvm-cov)
	cargo llvm-cov $(addprefix --package=,tollgate vectors) --lib $(addprefix --test=,attacks vectors config gate limit_properties json_suite fuzz_smoke \
		routing differential) --summary-only \
		--ignore-filename-regex '(tests?|fake_host)\.rs|/tests/|src/bin' | tee target/coverage.txt

mutants: ## Lists changes of the core that no test detects (hours): scripts/mutants, docs/proof.md
	scripts/mutants

image: wasm ## Puts the module into OCI images under dist/image, and writes its bill of materials
	cargo xtask image $(DIST)

# PLAIN_HTTP=1 for a registry without TLS.
push: image ## Copies the images to a registry: make push REGISTRY=ghcr.io/you
	[[ -n "$(REGISTRY)" ]] || { echo "error: no registry: make push REGISTRY=ghcr.io/you" >&2; exit 1; }
	command -v skopeo >/dev/null || scripts/install/apt skopeo
	for image in compat artifact host-compat host-artifact; do \
		tag=$(REGISTRY:/=)/tollgate:$(IMAGE_VERSION)-$$image; tag=$${tag%-compat}; \
		printf 'oci://%s@' $$tag; \
		skopeo copy --quiet --preserve-digests --digestfile /dev/stdout \
			$(if $(PLAIN_HTTP),--dest-tls-verify=false) oci:$(DIST)/image:$$image docker://$$tag; \
		echo; \
	done

release: wasm ## Collects the files of a release under dist/release: docs/release.md
	cargo xtask release $(DIST)

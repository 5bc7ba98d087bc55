# The commands of shopapi. `make help` lists them.

SHOPCTL = cargo run --locked -p shopctl --

.DEFAULT_GOAL := help
.PHONY: help browser doctor demo dev dev-reset test model-long fuzz chaos lint fmt audit bench sql smoke up down logs ps images-local k8s-up k8s-down smoke-k8s

help: ## this list
	@awk -F ':.*## ' '/^[a-z][a-z-]*:.*## / { printf "  make %-10s %s\n", $$1, $$2 }' $(MAKEFILE_LIST)

doctor: ## names what this machine lacks
	@scripts/doctor.sh

demo: doctor ## an own stack, four orders on their way, and the audit of the books; ends by itself (STAY=1: stays, with its traces and actors)
	$(SHOPCTL) demo $(if $(STAY),--stay)

dev: doctor ## the same stack, stays up and restarts what dies (PORT_BASE=20000 for other ports, REPLICAS=3)
	$(SHOPCTL) dev $(if $(PORT_BASE),--port-base $(PORT_BASE)) $(if $(REPLICAS),--replicas $(REPLICAS))

dev-reset: doctor ## wipes what `make dev` keeps
	$(SHOPCTL) dev-reset

test: doctor ## every test, ring by ring
	scripts/test.sh

browser: doctor ## the telemetry page in chromium: finds an order, kills a service, sees it heal
	scripts/browser.sh

model-long: doctor ## the model check in larger configurations, about a quarter of an hour
	cargo test --locked -p order-saga --test model larger -- --ignored --nocapture

fuzz: doctor ## what reads bytes from outside, fed by libFuzzer (SECONDS=60 for each target); scripts/fuzz.sh --help says what it needs
	scripts/fuzz.sh $(if $(SECONDS),--seconds $(SECONDS))

lint: doctor ## format, clippy, licences and bans, shell scripts, generated SQL, what deploy/ says
	scripts/lint.sh

fmt: ## formats the code
	cargo fmt --all

chaos: doctor ## replicas killed and frozen, servers restarted and wiped, under load (SEED=1 DURATION=60), then the audit
	$(SHOPCTL) chaos $(if $(SEED),--seed $(SEED)) $(if $(DURATION),--duration $(DURATION))

audit: doctor ## the books of the running `make dev`, over all databases
	$(SHOPCTL) audit

bench: doctor ## orders/s, latency and CPU per order on an own release stack
	$(SHOPCTL) bench

sql: doctor ## regenerates the typed SQL from queries and migrations
	PATH="$$(scripts/tools.sh):$$PATH" $(SHOPCTL) sql generate

smoke: ## checks the running stack, of `make up` or of `make dev`: orders, events, refusals, counters, traces, books
	scripts/smoke.sh

up: ## the whole stack in containers (SCALE=2 for replicas, PROFILE=core without telemetry and UIs)
	scripts/up.sh

down: ## stops it; the data stays (WIPE=1 removes it)
	scripts/compose.sh --profile '*' down --remove-orphans $(if $(WIPE),--volumes)

logs: ## what the containers say (S=orders for one service)
	scripts/compose.sh logs --follow --tail 100 $(S)

ps: ## the containers and how they are
	scripts/compose.sh ps --all

images-local: ## the images of the stack from Debian, PyPI and crates.io, where none can be pulled; `make up` then uses them
	scripts/images-local.sh

k8s-up: ## installs the chart on a kind cluster (K8S=existing: on that of KUBECONFIG; TLS=certManager)
	scripts/k8s-up.sh

smoke-k8s: ## checks the release on Kubernetes, from outside and from inside
	scripts/smoke-k8s.sh

k8s-down: ## deletes the kind cluster (K8S=existing: uninstalls; the volumes stay, WIPE=1 removes them)
	scripts/k8s-down.sh

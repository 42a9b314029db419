# edgeadapt: every check that CI runs is a target here. `make help` lists them.
SHELL := /bin/bash
GO    ?= go
DEMO  ?= demo
# Tests build with the invariants tag: double frees and leaks of device memory then fail.
TEST_FLAGS ?= -tags invariants
# A package's limit: the software Vulkan driver and the emulator are slow on a busy machine.
TIMEOUT   ?= 30m

PLATFORMS := linux/amd64 linux/arm64 linux/arm darwin/arm64 windows/amd64
QEMU      := qemu-aarch64-static -cpu

.DEFAULT_GOAL := help
.PHONY: help deps build test cross arm64 race race-long fuzz bench bench-runtime cover lint shaders shaders-check shader-stats shader-stats-update shader-stats-edge backbone demo-data examples plugins demo clean

help: ## list the targets
	@grep -hE '^[a-z0-9-]+:.*##' $(MAKEFILE_LIST) | sed -E 's/:.*##/\t/' | expand -t 16

deps: ## install Mesa's software driver, the validation layers, the shader tools and QEMU where they are missing
	@.ci/deps

build: ## build the command line program
	$(GO) build -o bin/edgeadapt ./cmd/edgeadapt

test: deps ## run every test, Vulkan included
	$(GO) test -timeout $(TIMEOUT) $(TEST_FLAGS) ./...

cross: ## compile for every platform without cgo
	@for p in $(PLATFORMS); do echo "$$p"; CGO_ENABLED=0 GOOS=$${p%/*} GOARCH=$${p#*/} $(GO) build ./... || exit 1; done

arm64: deps ## vet the arm64 assembly and test it under QEMU, where that is installed: processors with and without int8 products
	CGO_ENABLED=0 GOARCH=arm64 $(GO) vet ./sdk/internal/backend/cpu/...
	@if ! command -v $(firstword $(QEMU)) >/dev/null; then \
	  echo "skipped: $(firstword $(QEMU)) (package qemu-user-static) is not installed" >&2; test -z "$$EDGEADAPT_REQUIRE_ARM64"; exit; fi; \
	CGO_ENABLED=0 GOARCH=arm64 $(GO) test -timeout $(TIMEOUT) -exec '$(QEMU) max' ./sdk/internal/backend/cpu/... && \
	CGO_ENABLED=0 GOARCH=arm64 $(GO) test -timeout $(TIMEOUT) -exec '$(QEMU) cortex-a72' ./sdk/internal/backend/cpu/simd

race: ## run the packages that share things between goroutines under the race detector
	$(GO) test -race -timeout $(TIMEOUT) $(TEST_FLAGS) ./cmd/... ./sdk ./sdk/data ./sdk/plugin ./sdk/tune ./sdk/internal/nn ./sdk/internal/backend/host ./sdk/internal/backend/cpu ./vulkan

fuzz: ## run every fuzz target for a short time
	@for p in $$($(GO) list ./...); do for f in $$($(GO) test -list '^Fuzz' $$p | grep ^Fuzz); do \
	  echo "$$p $$f"; $(GO) test -run '^$$' -fuzz "^$$f$$" -fuzztime $${FUZZTIME:-5s} -fuzzminimizetime 0x $$p || exit 1; done; done

bench: ## run the benchmarks of the kernels
	$(GO) test -run '^$$' -bench . ./sdk/internal/backend/...

bench-runtime: ## compare ways to use many adapters on the built-in backbone (BENCH_CLOCK=cpu: processor time, for busy machines)
	$(GO) test ./sdk -run '^$$' -bench 'Switch|Load|Mix|PredictAll|Scheduler' -benchtime 9x

race-long: ## predict, reload and close adapters from 34 goroutines for a minute under the race detector
	RACE_SECONDS=60 $(GO) test -race $(TEST_FLAGS) ./sdk -run ConcurrentReloads -timeout 10m

cover: ## test coverage by package
	$(GO) test -cover $(TEST_FLAGS) ./...

lint: ## formatting, vet, staticcheck and the layering rules
	@unformatted=$$(gofmt -l cmd examples quant sdk shaders vulkan); test -z "$$unformatted" || { echo "gofmt: $$unformatted" >&2; exit 1; }
	$(GO) vet ./...
	$(GO) tool staticcheck ./...
	$(GO) test ./sdk/internal/lint

shaders: ## compile the shaders and their descriptions
	$(GO) run ./shaders/internal/gen

shaders-check: ## check that the committed shaders are valid and up to date
	$(GO) run ./shaders/internal/gen -check

# The package with the Vulkan headers is needed to build the tool.
bin/shaderstats: shaders/internal/stats/shaderstats/shaderstats.c
	@mkdir -p bin
	gcc -O2 -Wall -o $@ $< -ldl

shader-stats: deps bin/shaderstats ## compile the shaders for GPUs that are not there and compare registers, spills and instructions
	$(GO) run ./shaders/internal/stats -tool bin/shaderstats

shader-stats-update: deps bin/shaderstats ## write the baseline that shader-stats compares with
	$(GO) run ./shaders/internal/stats -tool bin/shaderstats -update

# Not in CI: about 300 MB of drivers from Debian, unpacked into a folder, and minutes to hours of compiling.
EDGE_GPUS ?= all
shader-stats-edge: export MESA_SHIM_DIR ?= $(CURDIR)/bin/edge
shader-stats-edge: ## compile what each edge GPU gets by newer Mesa drivers and write edge.tsv (EDGE_GPUS=vangogh,v3d-71: only these)
	@mkdir -p $(MESA_SHIM_DIR)
	@test -x $(MESA_SHIM_DIR)/shaderstats || shaders/internal/stats/edge.sh setup
	@test -x $(MESA_SHIM_DIR)/shaderstats-arm64 || shaders/internal/stats/edge.sh setup-arm64
	$(GO) run ./shaders/internal/stats -edge $(EDGE_GPUS)

backbone: ## rebuild the embedded backbone from CHECKPOINT, a folder with the original weights
	$(GO) run ./cmd/edgeadapt quantize $(CHECKPOINT) --scheme q8c -o sdk/backbones/vits14/vit-s14.q8c.safetensors
	cd sdk/backbones/vits14 && sha256sum -c vit-s14.q8c.safetensors.sha256

examples: ## run the example programs
	$(GO) test ./examples/...

CLANG   ?= clang
CFLAGS_WASM = --target=wasm32 -O2 -Wall -ffreestanding -nostdlib -Wl,--no-entry -Wl,-z,stack-size=4096 -Wl,--strip-all

plugins: ## rebuild the committed plug-ins: Go 1.26; clang and wasm-ld 14 for C; wabt 1.0.32 for the tests' modules in text
	cd examples/plugins/threshold && GOOS=wasip1 GOARCH=wasm $(GO) build -buildmode=c-shared -trimpath -buildvcs=false \
	  -ldflags='-s -w -buildid=' -o ../threshold.wasm .
	$(CLANG) $(CFLAGS_WASM) -o examples/plugins/trim.wasm examples/plugins/trim/trim.c
	for w in sdk/plugin/testdata/*.wat; do wat2wasm $$w -o $${w%.wat}.wasm || exit 1; done

demo: build ## tune, switch and predict on two small real tasks; pictures and adapters go to ./demo (BACKBONE=FILE: another backbone)
	@examples/demo.sh bin/edgeadapt $(DEMO) $(BACKBONE)

clean: ## remove what the targets made
	rm -rf bin $(DEMO)

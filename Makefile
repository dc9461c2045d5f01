# make run    set up, build, and run the first scenario
# make test   set up, and run all tests
# make test-long  then all on a stock Debian, and what else takes long: up to an hour and a half
# make uninstall undoes the set-up. Every target works as root or through sudo.

# Lazily, as a set-up must be able to say that there is no Go.
GO      = $(shell cmd/setup/setup.sh --go)
VERSION = $(shell git describe --tags --always --dirty 2>/dev/null || sed -n 's/^\#\# \([^ ]*\).*/\1/p;/^\#\# /q' CHANGELOG.md)
# With -count=1, as what is tested is the machine too; with -p 1, as packages
# would otherwise test it at the same time and see each other.
TESTFLAGS ?= -count=1 -p 1 -timeout 40m
BENCHTIME ?= 1s
# Where the command is built.
BUILD ?= .

# What must be root, and finds what its caller found. Under "sudo make" Go's
# caches are root's own, so that none of the user's gets files of root's.
ROOT =
ifneq ($(shell id -u),0)
ROOT = sudo -E env "PATH=$$PATH"
else ifdef SUDO_UID
export HOME := $(shell getent passwd 0 | cut -d: -f6)
endif

ifndef LANES
.NOTPARALLEL:
endif
.PHONY: run test test-apart test-machine test-long bench chaos parity lint build generate setup setup-tests setup-long full-kernel uninstall clean

run: setup build
	$(ROOT) ./lab run startup

# At the end nothing may be left of it on this machine.
test: setup-tests build
	$(ROOT) ./lab doctor --save before.out
	+$(MAKE) --no-print-directory -j2 LANES=2 test-apart test-machine
	$(ROOT) ./lab doctor --since before.out

# Two lanes, as there are two processors or more: what boots guests and starts engines,
# each in a testbed of its own that sees no other, and with a copy of the cache, as what a
# guest of the other lane has mapped can't be driven out of memory; and what the machine's
# lock and what is left on it are about.
TESTBEDS = ./vm ./container ./chroot ./bench/engines/...
CACHE = $(shell cmd/setup/setup.sh --cache)
test-apart: export LAB_CACHE = $(CURDIR)/.cache.out
test-apart:
	@$(ROOT) rm -rf .cache.out
	@mkdir .cache.out && $(ROOT) cp -r $(addprefix $(CACHE)/,CACHEDIR.TAG kernel) $(wildcard $(CACHE)/libvirt-capabilities $(CACHE)/acceleration.json) .cache.out
	@s=0; APART="$(CURDIR)/.ci/apart" ./.ci/gotest "$(GO)" $(TESTFLAGS) $(TESTBEDS) && \
	./.ci/guest "$(GO)" $(ROOT) ./.ci/apart ./lab || s=1; $(ROOT) rm -rf .cache.out; exit $$s
test-machine:
	./.ci/gotest "$(GO)" $(TESTFLAGS) $$("$(GO)" list ./... | grep -vxFe "$$("$(GO)" list $(TESTBEDS))")

# What takes minutes here; then a stock Debian with systemd and KVM is built, booted by
# emulation, and tested in.
# What of arm64 an emulator of its user mode shows: it is built, and starts programs. A
# testbed can't be made in it.
ARM64 = ./bench/histogram ./bench/cgroup ./bench/results ./bench/launch
test-long: setup-long generate build
	@s=0; \
	./.ci/gotest ./.ci/stock "$(GO)" $(ROOT) || s=1; \
	LAB_LONG=1 ./.ci/gotest "$(GO)" $(TESTFLAGS) -run 'TestCellRatios|TestScripts/^realapps$$' ./cmd/lab || s=1; \
	LAB_LONG=1 ./.ci/gotest "$(GO)" -count=1 -timeout 40m -run TestFleet ./cmd/lab || s=1; \
	CGO_ENABLED=0 GOARCH=arm64 ./.ci/gotest "$(GO)" -count=1 -exec qemu-aarch64 -skip TestExecError $(ARM64) || s=1; \
	{ cmd/setup/setup.sh --distro && cmd/setup/setup.sh --xen && \
	LAB_LONG=1 ./.ci/gotest "$(GO)" $(TESTFLAGS) -run 'TestClock|TestDistro|TestXen|TestOverlay|TestPodman|TestScripts/^(distro|xen)$$' ./vm/... ./bench/engines/podman ./cmd/lab; } || s=1; \
	exit $$s

bench: setup generate
	./.ci/gotest "$(GO)" -run '^$$' -bench . -benchtime $(BENCHTIME) -p 1 -timeout 30m ./...

# A thousand kills at random points of a lab's life, of anybody in it, and with an engine at work; each system call by which it makes
# something failing in each way; ten thousand starts.
chaos: setup
	LAB_KILLS=1000 ./.ci/gotest "$(GO)" -count=1 -timeout 120m -run 'TestKilledAtAnyPoint|TestAnyoneKilled|TestKilledWithEngine' ./cmd/lab
	for of in all vm; do LAB_FAILPOINTS=$$of ./.ci/gotest "$(GO)" -count=1 -timeout 120m -run TestFailpoints ./cmd/lab || exit; done
	LAB_STARTS=10000 ./.ci/gotest "$(GO)" -count=1 -timeout 30m -run TestManyStarts ./container

# Our probes beside the programs that papers use, with the same settings, in one
# run: fio, iperf3, sysbench and hyperfine (apt-get install fio iperf3 sysbench hyperfine). What isn't
# there is skipped, and named. make parity ROUNDS=40 narrows the intervals.
ROUNDS ?= 15
parity: setup
	TELL=yes LAB_PARITY=$(ROUNDS) ./.ci/gotest "$(GO)" -count=1 -p 1 -timeout 60m -run TestParity ./bench ./cmd/lab

lint:
	@unformatted=$$("$$(dirname "$(GO)")/gofmt" -l .); \
	if [ -n "$$unformatted" ]; then echo "gofmt -w $$unformatted" | tr '\n' ' ' && exit 1; fi
	"$(GO)" vet ./...
	GOARCH=arm64 "$(GO)" vet ./...
	@if command -v shellcheck >/dev/null; then shellcheck -x cmd/setup/*.sh .ci/run .ci/gotest .ci/apart .ci/guest .ci/stock .ci/stock-guest; \
	else echo "skipped: shellcheck (apt-get install shellcheck)"; fi

# Without cgo and without paths: the same source gives the same file, and runs
# on any Linux. -buildvcs=false: git refuses to look into another user's folder.
# Two programs: lab, which starts fast, and lab-full, which it hands most of its
# commands to (cmd/start says why).
build: GOBUILD = CGO_ENABLED=0 "$(GO)" build -trimpath -buildvcs=false -ldflags '-s -w -E lab/cmd/cli.entry -X lab/cmd/cli.version=$(VERSION)'
build: generate
	$(GOBUILD) -o $(BUILD)/lab-full ./cmd/lab
	$(GOBUILD) -o $(BUILD)/lab ./cmd/start
	@if [ -n "$$SUDO_UID" ]; then chown "$$SUDO_UID:$$SUDO_GID" "$(BUILD)/lab" "$(BUILD)/lab-full"; fi

# The guest's init and the probe are embedded into the lab. The rest of the
# project builds without them, too.
generate:
	@PATH="$$(dirname "$(GO)"):$$PATH" "$(GO)" generate ./vm/guest ./bench/probe/built
	@if [ -n "$$SUDO_UID" ]; then chown "$$SUDO_UID:$$SUDO_GID" vm/guest/init/init-* bench/probe/built/bin/probe-*; fi

setup:
	@cmd/setup/setup.sh

setup-tests:
	@cmd/setup/setup.sh --tests

setup-long:
	@cmd/setup/setup.sh --long

# The guest kernel that has the drivers of emulated cards (nic=e1000).
full-kernel:
	@cmd/setup/setup.sh --full-kernel

uninstall:
	@cmd/setup/setup.sh --uninstall

clean:
	rm -rf lab lab-full bench.out before.out coverage.out .cache.out

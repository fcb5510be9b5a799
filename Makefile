# voxring: one non-recursive Makefile. `make help` lists the targets.
#
# A folder is a module: its .c files become one archive, and a program or a
# test links the archives of the modules it may use, so the layering that
# `make lint` checks in #include lines is also what the linker sees.

VARIANT ?= release
V ?= 0
Q = $(if $(filter 1,$(V)),,@)
B := build$(if $(filter-out release,$(VARIANT)),/$(VARIANT))
O := $(B)/obj

PREFIX ?= /usr/local
DESTDIR ?=
VERSION := 0.1.0
VECTORS ?= ../shared/vectors

.DEFAULT_GOAL := all
.DELETE_ON_ERROR:
.SECONDARY:
MAKEFLAGS += --no-builtin-rules

# ---- variants -------------------------------------------------------------

flags_release := -O2
flags_debug := -O0
flags_asan := -O1 -fsanitize=address,undefined -fno-sanitize-recover=undefined \
	-fno-omit-frame-pointer
flags_tsan := -O1 -fsanitize=thread -fno-omit-frame-pointer -DVR_TSAN=1
# Only for tests/death: the ring's steps call the test, which kills there.
flags_steps := -O2 -DVR_STEPS=1
ifeq ($(flags_$(VARIANT)),)
$(error VARIANT=$(VARIANT) is unknown; use release, debug, asan or tsan)
endif

CC ?= gcc
ifeq ($(origin CC),default)
CC := gcc
endif
AR := ar
CLANG ?= clang-14
WARNINGS := -Wall -Wextra -Werror -Wshadow -Wstrict-prototypes \
	-Wmissing-prototypes -Wold-style-definition -Wpointer-arith \
	-Wwrite-strings -Wvla -Wundef -Wformat=2 -Wimplicit-fallthrough \
	-Wredundant-decls -Wcast-align
CPPFLAGS_ALL := -I. -D_GNU_SOURCE -DVOXRING_VERSION='"$(VERSION)"'
CFLAGS_ALL := -std=c11 -g -fPIC -fvisibility=hidden -pthread $(WARNINGS) \
	$(flags_$(VARIANT)) $(CFLAGS)
LDFLAGS_ALL := -pthread -Wl,--as-needed $(filter -fsanitize=%,$(flags_$(VARIANT))) $(LDFLAGS)

# ---- modules --------------------------------------------------------------

# module: folder. `base` is what every station of the gateway may use.
dir_ipc := ipc
dir_cli := ipc/cli
dir_base := gateway
dir_capture := gateway/capture
dir_bedrock := gateway/bedrock
dir_sonic := gateway/sonic
dir_session := gateway/session
dir_playback := gateway/playback
dir_events := gateway/events
dir_control := gateway/control
dir_toolbroker := gateway/toolbroker
dir_local := gateway/local
dir_toolhost := tools/toolhost
dir_mcp := tools/mcp
dir_plugin := tools/plugins/shared
MODULES := ipc cli base capture bedrock sonic session playback events control \
	toolbroker local toolhost mcp plugin

# module: the archives it links, itself first.
STATIONS := capture playback bedrock sonic events control toolbroker
use_ipc := ipc
use_cli := cli ipc
use_base := base ipc
use_capture := capture base ipc
use_playback := playback base ipc
use_bedrock := bedrock base ipc
use_sonic := sonic base ipc
use_events := events base ipc
use_control := control base ipc
use_toolbroker := toolbroker base ipc
use_session := session $(STATIONS) base ipc
use_local := local
use_toolhost := toolhost mcp ipc
use_mcp := mcp toolhost ipc
use_plugin := plugin
use_tools := toolhost mcp plugin ipc

# module: the libraries that come with its archive.
lib_ipc := -lzmq -lcjson -lpthread
lib_cli := -lzmq -lcjson -lspeexdsp -lm
lib_base := -luv -lcjson -lzmq -lspeexdsp -lm
lib_capture := -lspeexdsp -lm
lib_playback := -lspeexdsp -lm
lib_plugin := -lcurl -lzmq -lcjson -lm
lib_bedrock := -lcurl -lnghttp2 -lssl -lcrypto
lib_events := -lzmq
lib_control := -lzmq
lib_toolbroker := -lzmq
lib_local := -lnghttp2 -lssl -lcrypto -luv -lcjson -lm
lib_toolhost := -lltdl -lzmq -lcjson
lib_mcp := -lcurl -luv -lzmq -lcjson

# Speech for the local endpoint is built in where its libraries are.
ifeq ($(shell pkg-config --exists espeak-ng 2>/dev/null && echo 1),1)
CPPFLAGS_ALL += -DVR_HAVE_ESPEAK=1
lib_local += -lespeak-ng
else
CPPFLAGS_ALL += -DVR_HAVE_ESPEAK=0
endif
ifeq ($(shell pkg-config --exists pocketsphinx 2>/dev/null && echo 1),1)
CPPFLAGS_ALL += -DVR_HAVE_POCKETSPHINX=1
lib_local += -lpocketsphinx -lsphinxbase
$(O)/gateway/local/%.o: CPPFLAGS_ALL += \
	$(patsubst -I%,-isystem %,$(shell pkg-config --cflags-only-I pocketsphinx 2>/dev/null))
else
CPPFLAGS_ALL += -DVR_HAVE_POCKETSPHINX=0
endif

srcs = $(filter-out %/main.c,$(wildcard $(dir_$1)/*.c))
objs = $(patsubst %.c,$(O)/%.o,$(call srcs,$1))
archives = $(patsubst %,$(O)/lib%.a,$(use_$1))
libs = $(foreach m,$(use_$1),$(lib_$m))

# ---- products -------------------------------------------------------------

# tools/plugins/NAME.c is one plugin, and so is the folder tools/plugins/NAME;
# what several need is in tools/plugins/shared.
PLUGIN_NAMES := $(basename $(notdir $(wildcard tools/plugins/*.c))) \
	$(filter-out shared,$(notdir $(patsubst %/,%,$(dir $(wildcard tools/plugins/*/*.c)))))
PLUGINS := $(patsubst %,$(B)/plugins/%.so,$(sort $(PLUGIN_NAMES)))
plugin_srcs = $(wildcard tools/plugins/$1.c tools/plugins/$1/*.c)
PROGRAMS := $(B)/voxringd $(B)/voxring $(B)/voxring-toolhost $(B)/voxring-local
LIBRARIES := $(B)/libvoxring.so $(B)/libvoxring.a
PRODUCTS := $(PROGRAMS) $(LIBRARIES) $(PLUGINS)

# What is spoken to a model that takes no text, so that it speaks first.
READY_CLIP := $(B)/share/voxring/ready.wav
ifneq ($(shell command -v espeak-ng 2>/dev/null),)
PRODUCTS += $(READY_CLIP)
endif

# tests/MODULE/test_NAME.c is one program; other .c files there are helpers
# that every test of the module links, like those in the folder that it shares
# with other modules (share_MODULE).
TEST_SRCS := $(filter-out tests/death/%,$(wildcard tests/*/test_*.c))
TESTS := $(patsubst tests/%.c,$(B)/tests/%,$(TEST_SRCS))
TEST_PEERS := $(patsubst tests/%.c,$(B)/tests/%,$(wildcard tests/*/peer_*.c))
DEATH_TESTS := $(patsubst tests/%.c,build/steps/tests/%,$(wildcard tests/death/test_*.c))
BENCHES := $(patsubst bench/%.c,$(B)/bench/%,$(wildcard bench/bench_*.c))
FUZZERS := $(patsubst tests/fuzz/%.c,build/fuzz/%,$(wildcard tests/fuzz/fuzz_*.c))

all: $(PRODUCTS) ## build every product into build/ (VARIANT=release|debug|asan|tsan)

help: ## this list
	@echo 'voxring $(VERSION). Targets:'
	@sed -n 's/^\([a-z-]*\):.*## \(.*\)/\1\t\2/p' Makefile | sort | \
		awk -F'\t' '{printf "  %-12s %s\n", $$1, $$2}'
	@echo 'Variables: VARIANT=release|debug|asan|tsan, V=1 (show commands),'
	@echo '  VECTORS=DIR (AWS test vectors), PREFIX, DESTDIR, TESTS_ONLY=PATTERN'

$(O)/%.o: %.c Makefile
	@mkdir -p $(@D)
	@echo '  CC    $@'
	$(Q)$(CC) $(CPPFLAGS_ALL) $(CFLAGS_ALL) -MT $@ -MMD -MP -MF $@.d -c -o $@ $<

define module_rule
$(O)/lib$1.a: $$(call objs,$1)
	@mkdir -p $$(@D)
	@echo '  AR    $$@'
	$$(Q)rm -f $$@ && $$(AR) rcs $$@ $$^
endef
$(foreach m,$(MODULES),$(eval $(call module_rule,$m)))

link = @mkdir -p $(@D); echo '  LINK  $@'
program = $(Q)$(CC) $(LDFLAGS_ALL) -o $@ $(filter %.o,$^) \
	-Wl,--start-group $(filter %.a,$^) -Wl,--end-group

$(B)/voxringd: $(O)/gateway/main.o $(call archives,session)
	$(link)
	$(program) $(call libs,session)

$(B)/voxring: $(O)/ipc/cli/main.o $(call archives,cli)
	$(link)
	$(program) $(call libs,cli)

$(B)/voxring-toolhost: $(O)/tools/toolhost/main.o $(call archives,toolhost)
	$(link)
	$(program) $(call libs,toolhost)

$(B)/voxring-local: $(O)/gateway/local/main.o $(call archives,local)
	$(link)
	$(program) $(call libs,local)

$(B)/libvoxring.a: $(call objs,ipc)
	@mkdir -p $(@D); echo '  AR    $@'
	$(Q)rm -f $@ && $(AR) rcs $@ $^

$(B)/libvoxring.so: $(call objs,ipc)
	$(link)
	$(Q)$(CC) $(LDFLAGS_ALL) -shared -Wl,-soname,libvoxring.so -o $@ $^ \
		-Wl,--as-needed $(lib_ipc)

define plugin_rule
$(B)/plugins/$1.so: $(patsubst %.c,$(O)/%.o,$(call plugin_srcs,$1)) $(O)/libplugin.a
	$$(link)
	$$(Q)$$(CC) $$(LDFLAGS_ALL) -shared -o $$@ $$(filter %.o,$$^) \
		$(O)/libplugin.a -Wl,--as-needed $(lib_plugin)
endef
$(foreach p,$(sort $(PLUGIN_NAMES)),$(eval $(call plugin_rule,$p)))

$(READY_CLIP): Makefile
	@mkdir -p $(@D); echo '  CLIP  $@'
	$(Q)espeak-ng -v en-us -s 140 -w $@ ready

# ---- tests ----------------------------------------------------------------

share_bedrock := tests/shared
share_session := tests/shared
test_helpers = $(patsubst %.c,$(O)/%.o,$(filter-out tests/$1/test_% tests/$1/peer_%,$(wildcard tests/$1/*.c $(addsuffix /*.c,$(share_$1)))))

define test_rule
$(B)/tests/$1/test_%: $(O)/tests/$1/test_%.o $(call test_helpers,$1) $(call archives,$1)
	$$(link)
	$$(program) $(call libs,$1) -lcmocka -lcjson $(testlib_$1)
$(B)/tests/$1/peer_%: $(O)/tests/$1/peer_%.o $(call test_helpers,$1) $(call archives,$1)
	$$(link)
	$$(program) $(call libs,$1) -lcmocka -lcjson
endef
testlib_ipc := -lm
use_death := ipc
$(foreach m,death ipc cli base capture bedrock sonic session playback events control \
	toolbroker local mcp tools,$(eval $(call test_rule,$m)))

# peer_ring of other ages: tests/ages/AGE/ipc/ring_layout.h comes before the
# ring's own, whose sources are compiled with it, or the few that AGE has itself.
AGES := first next far
AGE_PEERS := $(patsubst %,$(B)/tests/ages/%/peer_ring,$(AGES))
ring_srcs := $(filter-out ipc/worker% ipc/standard_fds.c,$(wildcard ipc/*.c))
age_srcs = $(or $(wildcard tests/ages/$1/*.c tests/ages/$1/ipc/*.c), \
	$(ring_srcs) tests/ipc/harness.c tests/ipc/peer_ring.c)
define age_rule
$(O)/ages/$1/%.o: %.c Makefile
	@mkdir -p $$(@D)
	@echo '  CC    $$@'
	$$(Q)$$(CC) -Itests/ages/$1 $$(CPPFLAGS_ALL) $$(CFLAGS_ALL) -MT $$@ -MMD -MP -MF $$@.d -c -o $$@ $$<
$(B)/tests/ages/$1/peer_ring: $$(patsubst %.c,$(O)/ages/$1/%.o,$$(call age_srcs,$1)) \
		$$(if $$(wildcard tests/ages/$1/*.c),$$(call archives,ipc))
	$$(link)
	$$(program) $$(call libs,ipc) -lcmocka
endef
$(foreach a,$(AGES),$(eval $(call age_rule,$a)))
$(B)/tests/ipc/test_ring_ages: | $(AGE_PEERS)

tests: $(TESTS) $(TEST_PEERS) $(AGE_PEERS)
death: $(DEATH_TESTS)

export VECTORS
check: deps ## build and run all tests (installs what is missing first)
	$(Q)$(MAKE) --no-print-directory all tests
	$(Q)$(MAKE) --no-print-directory VARIANT=release build/libvoxring.so
	$(Q)$(MAKE) --no-print-directory VARIANT=steps death
	$(Q)B=$(B) tests/run $(TESTS_ONLY)

soak: deps ## a conversation of 24 hours with random faults, in SOAK_SECONDS (1800)
	$(Q)$(MAKE) --no-print-directory all
	$(Q)VOXRING_BUILD=$(CURDIR)/$(B) SOAK_SECONDS=$(or $(SOAK_SECONDS),1800) \
		tests/scenarios/test_soak.py

check-all: deps ## check, and again under AddressSanitizer+UBSan and ThreadSanitizer, and the fuzzers
	$(Q)$(MAKE) --no-print-directory check
	$(Q)$(MAKE) --no-print-directory check VARIANT=asan
	$(Q)$(MAKE) --no-print-directory check VARIANT=tsan TESTS_ONLY='ipc/'
	$(Q)$(MAKE) --no-print-directory fuzz

build/fuzz/%: tests/fuzz/%.c $(wildcard gateway/*/*.c ipc/*.c gateway/*.c \
		tools/*/*.c tools/plugins/*/*.c)
	@mkdir -p $(@D)
	@echo '  FUZZ  $@'
	$(Q)m=$$(sed -n 's,^.*fuzz-module: *,,p' $<); \
	$(CLANG) $(CPPFLAGS_ALL) -std=c11 -g -O1 -pthread \
		-fsanitize=fuzzer,address,undefined \
		-fno-sanitize-recover=undefined -o $@ $< \
		$$(for d in $$m; do case $$d in *.c) echo $$d;; \
			*) ls $$d/*.c | grep -v /main.c;; esac; done | sort -u) \
		-lcjson -lcrypto -lssl -lnghttp2 -lcurl -luv -lzmq -lspeexdsp -lm

fuzzers: $(FUZZERS)
fuzz: ## run each fuzz target for FUZZ_SECONDS (20) with clang's libFuzzer
	$(Q)EXTRA_PACKAGES='clang-14 libclang-rt-14-dev' tests/install-deps
	$(Q)$(MAKE) --no-print-directory fuzzers
	$(Q)tests/fuzz/run $(or $(FUZZ_SECONDS),20) $(FUZZERS)

model: ## check the ring's algorithm exhaustively with spin (three minutes, 6 GB)
	$(Q)EXTRA_PACKAGES=spin tests/install-deps
	$(Q)MODEL_QUICK=$(MODEL_QUICK) tests/model/run build/model

check-arm: ## the ring tests for aarch64, under qemu-user (Debian's cross compiler)
	$(Q)tests/arm/run build/arm

deps: ## install missing Debian/Ubuntu packages (or list them)
	$(Q)tests/install-deps

demo: deps ## a spoken conversation with no AWS account
	$(Q)$(MAKE) --no-print-directory all
	$(Q)B=$(B) tests/demo/run

interop: deps ## conversations with the official AWS SDK and Smithy codec (npm)
	$(Q)$(MAKE) --no-print-directory all
	$(Q)B=$(B) tests/interop/run

lint: ## format, layering, headers, banned calls, thread tags
	$(Q)EXTRA_PACKAGES=clang-format-14 tests/install-deps
	$(Q)tests/lint/run

$(B)/bench/%: $(O)/bench/%.o $(call archives,session)
	$(link)
	$(program) $(call libs,session) -lm

benches: $(BENCHES)
bench: deps ## the README's figures, each beside the machine's floor
	$(Q)$(MAKE) --no-print-directory all benches
	$(Q)B=$(B) bench/run

install: all ## install below PREFIX (DESTDIR honoured)
	install -d $(DESTDIR)$(PREFIX)/bin $(DESTDIR)$(PREFIX)/include \
		$(DESTDIR)$(PREFIX)/lib/voxring/plugins \
		$(DESTDIR)$(PREFIX)/share/voxring/examples
	install -m 755 $(PROGRAMS) $(DESTDIR)$(PREFIX)/bin
	install -m 644 ipc/voxring.h ipc/voxring_worker.h \
		tools/voxring_tool.h $(DESTDIR)$(PREFIX)/include
	install -m 644 $(LIBRARIES) $(DESTDIR)$(PREFIX)/lib
	install -m 644 $(PLUGINS) $(DESTDIR)$(PREFIX)/lib/voxring/plugins
	install -m 644 gateway/voxring.example.jsonc ipc/voxring.py \
		$(DESTDIR)$(PREFIX)/share/voxring
	install -m 644 $(wildcard tools/examples/*) \
		$(DESTDIR)$(PREFIX)/share/voxring/examples
	for clip in $(filter $(READY_CLIP),$(PRODUCTS)); do \
		install -m 644 $$clip $(DESTDIR)$(PREFIX)/share/voxring; done
	sed 's,PREFIX,$(PREFIX),' gateway/voxringd.service \
		> $(DESTDIR)$(PREFIX)/share/voxring/voxringd.service

clean: ## remove build/
	rm -rf build

.PHONY: all help tests death check soak check-all fuzzers fuzz model check-arm deps demo interop lint \
	benches bench install clean

-include $(shell find $(O) -name '*.d' 2>/dev/null)

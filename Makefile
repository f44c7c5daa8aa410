# SPDX-License-Identifier: Apache-2.0
# Builds Sluice. `make help` lists what can be asked for.
#
# Every room of userspace/ becomes one archive, and a room's unit tests are linked with the archives of
# its own tier and of the tiers below, so that a dependency upward does not even link.

PREFIX  ?= /usr/local
DESTDIR ?=
VERSION := 0.1.0

# VARIANT: release, asan (AddressSanitizer and UBSan) or tsan (ThreadSanitizer).
VARIANT ?= release
BUILD   ?= build
OUT     := $(BUILD)/$(VARIANT)

CC        ?= gcc
CLANG     ?= clang
BPFTOOL   ?= $(firstword $(wildcard /usr/sbin/bpftool) bpftool)
PKGCONFIG ?= pkg-config

# --- Rooms, lower tiers first (scripts/check-layers knows the tiers) ----------
TIER0 := core
TIER1 := io config metrics
TIER2 := fastpath net
TIER3 := tls
TIER4 := route balance
TIER5 := upstream
TIER6 := proxy
TIER7 := admin ctl
ROOMS := $(TIER0) $(TIER1) $(TIER2) $(TIER3) $(TIER4) $(TIER5) $(TIER6) $(TIER7)

upto0 := $(TIER0)
upto1 := $(TIER1) $(upto0)
upto2 := $(TIER2) $(upto1)
upto3 := $(TIER3) $(upto2)
upto4 := $(TIER4) $(upto3)
upto5 := $(TIER5) $(upto4)
upto6 := $(TIER6) $(upto5)
upto7 := $(TIER7) $(upto6)
# below(room): the room itself and every room of a lower tier.
below = $(1) $(foreach n,1 2 3 4 5 6 7,$(if $(filter $(1),$(TIER$(n))),$(upto$(shell expr $(n) - 1))))

# --- Flags --------------------------------------------------------------------
PACKAGES := libbpf libelf libnl-3.0 libnl-route-3.0 libssl libcrypto liburing yaml-0.1 libcares \
            jansson libsystemd
DEP_CFLAGS := $(shell $(PKGCONFIG) --cflags $(PACKAGES) 2>/dev/null)
DEP_LIBS   := $(shell $(PKGCONFIG) --libs $(PACKAGES) 2>/dev/null)

WARNINGS := -Wall -Wextra -Wshadow -Wconversion -Wstrict-prototypes -Wmissing-prototypes -Wvla \
            -Wpointer-arith -Wwrite-strings -Wundef
ifneq ($(CI)$(WERROR),)
WARNINGS += -Werror
endif

FLAGS_release := -O2 -g -D_FORTIFY_SOURCE=2 -fstack-protector-strong -fPIE
FLAGS_asan    := -O1 -g -fsanitize=address,undefined -fno-sanitize-recover=all -fno-omit-frame-pointer
FLAGS_tsan    := -O1 -g -fsanitize=thread -fno-omit-frame-pointer
LINK_release  := -pie -Wl,-z,relro,-z,now
LINK_asan     := -fsanitize=address,undefined
LINK_tsan     := -fsanitize=thread

CPPFLAGS_ALL := -Iinclude -Iuserspace -I$(BUILD)/gen -D_GNU_SOURCE -DSLUICE_VERSION='"$(VERSION)"' \
                $(DEP_CFLAGS) $(CPPFLAGS)
CFLAGS_ALL   := -std=gnu11 $(WARNINGS) $(FLAGS_$(VARIANT)) $(CFLAGS)
LDFLAGS_ALL  := $(LINK_$(VARIANT)) $(LDFLAGS)
LIBS_ALL     := $(DEP_LIBS) -lpthread $(LIBS)

# --- Products -----------------------------------------------------------------
sources   = $(wildcard userspace/$(1)/*.c)
objects   = $(patsubst userspace/%.c,$(OUT)/%.o,$(call sources,$(1)))
archives  = $(foreach r,$(1),$(OUT)/$(r).a)
BPF_SRC  := $(wildcard bpf/*.bpf.c)
SKELETONS := $(patsubst bpf/%.bpf.c,$(BUILD)/gen/%.skel.h,$(BPF_SRC))
UNIT_SRC := $(wildcard tests/unit/*/test_*.c)
UNIT_BIN := $(patsubst tests/unit/%.c,$(OUT)/unit/%,$(UNIT_SRC))
FUZZ_SRC := $(wildcard tests/fuzz/fuzz_*.c)
FUZZ_BIN := $(patsubst tests/fuzz/%.c,$(BUILD)/fuzz/%,$(FUZZ_SRC))

.DEFAULT_GOAL := all
.DELETE_ON_ERROR:
.SECONDARY:
MAKEFLAGS += --no-builtin-rules

.PHONY: all
all: $(OUT)/sluiced $(OUT)/sluicectl ## build the daemon and its control program

$(OUT)/sluiced: $(OUT)/main.o $(call archives,$(filter-out ctl,$(upto7)))
	@echo "  LINK    $@"
	@$(CC) $(LDFLAGS_ALL) -o $@ $< -Wl,--start-group $(filter %.a,$^) -Wl,--end-group $(LIBS_ALL)

$(OUT)/sluicectl: $(call archives,ctl core)
	@echo "  LINK    $@"
	@$(CC) $(LDFLAGS_ALL) -o $@ -Wl,--whole-archive $(OUT)/ctl.a -Wl,--no-whole-archive \
		$(OUT)/core.a $(LIBS_ALL)

define archive_rule
$(OUT)/$(1).a: $(call objects,$(1))
	@rm -f $$@ && ar rcs $$@ $$^
endef
$(foreach r,$(ROOMS),$(eval $(call archive_rule,$(r))))

# Changed flags rebuild everything: this file changes only when they do.
$(OUT)/flags: FORCE
	@mkdir -p $(@D)
	@echo '$(subst ','\'',$(CC) $(CPPFLAGS_ALL) $(CFLAGS_ALL) $(LDFLAGS_ALL))' | cmp -s - $@ || \
		echo '$(subst ','\'',$(CC) $(CPPFLAGS_ALL) $(CFLAGS_ALL) $(LDFLAGS_ALL))' > $@
FORCE:

$(OUT)/%.o: userspace/%.c $(OUT)/flags | $(SKELETONS)
	@echo "  CC      $@"
	@mkdir -p $(@D)
	@$(CC) $(CPPFLAGS_ALL) $(CFLAGS_ALL) -MMD -MP -c -o $@ $<

# --- Kernel side --------------------------------------------------------------
BPF_CFLAGS := -O2 -g -target bpf -mcpu=v3 -Wall -Wextra -Werror -Iinclude -Ibpf \
              -I/usr/include/$(shell $(CC) -print-multiarch 2>/dev/null)

$(BUILD)/bpf/%.bpf.o: bpf/%.bpf.c
	@echo "  BPF     $@"
	@mkdir -p $(@D)
	@$(CLANG) $(BPF_CFLAGS) -MMD -MP -c -o $@ $<

$(BUILD)/gen/%.skel.h: $(BUILD)/bpf/%.bpf.o
	@echo "  SKEL    $@"
	@mkdir -p $(@D)
	@$(BPFTOOL) gen skeleton $< name $* > $@

# --- Tests --------------------------------------------------------------------
# A test that replaces functions of the C library names them: WRAP_<test> := connect send
wrap_flags = $(foreach f,$(WRAP_$(1)),-Wl,--wrap=$(f))
room_of    = $(firstword $(subst /, ,$(1)))

.SECONDEXPANSION:
$(OUT)/unit/%: tests/unit/%.c $(OUT)/flags $$(call archives,$$(call below,$$(call room_of,$$*)))
	@echo "  TEST    $@"
	@mkdir -p $(@D)
	@$(CC) $(CPPFLAGS_ALL) -Itests $(CFLAGS_ALL) -Wno-missing-prototypes $(LDFLAGS_ALL) -MMD -MP -MF $@.d \
		$(call wrap_flags,$(notdir $*)) -o $@ $< -Wl,--start-group $(filter %.a,$^) -Wl,--end-group \
		-lcmocka $(LIBS_ALL)

.PHONY: unit-build unit
unit-build: $(UNIT_BIN)

# TEST=room or TEST=room/test_module narrows it down.
unit: $(if $(TEST),$(filter $(OUT)/unit/$(TEST) $(OUT)/unit/$(TEST)/%,$(UNIT_BIN)),$(UNIT_BIN)) ## run the unit tests (TEST=room/test_module)
	@set -e; for t in $^; do $$t; done

-include $(shell find $(OUT) $(BUILD)/bpf $(BUILD)/fuzz -name '*.d' 2>/dev/null)

.PHONY: clean
clean: ## remove what was built
	rm -rf $(BUILD)

.PHONY: help
help: ## this list
	@awk -F':.*## ' '/^[a-z][a-z-]*:.*## /{printf "  make %-14s %s\n", $$1, $$2}' $(MAKEFILE_LIST)

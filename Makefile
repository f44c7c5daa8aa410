# SPDX-License-Identifier: Apache-2.0
# Builds Sluice. `make help` lists what can be asked for.
#
# Every room of userspace/ becomes one archive, and a room's unit tests are linked with the archives of
# its own tier and of the tiers below, so that a dependency upward does not even link.

PREFIX  ?= /usr/local
DESTDIR ?=
VERSION := 0.1.0

# VARIANT: release, asan (AddressSanitizer and UBSan), tsan (ThreadSanitizer) or fuzz (libFuzzer).
VARIANT ?= release
BUILD   ?= build
OUT     := $(BUILD)/$(VARIANT)

ifeq ($(origin CC),default)
CC        := gcc
endif
CLANG     ?= clang
BPFTOOL   ?= $(firstword $(wildcard /usr/sbin/bpftool) bpftool)
PKGCONFIG ?= pkg-config
PYTHON    ?= /usr/bin/python3
ifeq ($(VARIANT),fuzz)
override CC := $(CLANG)
endif

# --- Rooms, lower tiers first (scripts/check-layers knows the tiers) ----------
TIER0 := core
TIER1 := io config metrics guard balance
TIER2 := fastpath net
TIER3 := tls http geo
TIER4 := route files
TIER5 := filter upstream
TIER6 := proxy
TIER7 := admin ctl demo process
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
PACKAGES := libbpf libelf libnl-3.0 libnl-route-3.0 libnl-genl-3.0 libssl libcrypto liburing yaml-0.1 libcares \
            jansson libsystemd zlib libbrotlienc libzstd libcrypt libpcre2-8 \
            libmaxminddb
DEP_CFLAGS := $(shell $(PKGCONFIG) --cflags $(PACKAGES) 2>/dev/null)
DEP_LIBS   := $(shell $(PKGCONFIG) --libs $(PACKAGES) 2>/dev/null)

# These do without packages, or install them first.
BARE_GOALS := run check check-kernels bench clean help
ifeq ($(DEP_LIBS)$(filter $(BARE_GOALS),$(MAKECMDGOALS)),)
$(error packages are missing; "scripts/setup" as root installs them)
endif

WARNINGS := -Wall -Wextra -Wshadow -Wconversion -Wstrict-prototypes -Wmissing-prototypes -Wvla \
            -Wpointer-arith -Wwrite-strings -Wundef
# The compiler that the fuzzers need warns of other things; those are clang-tidy's to judge.
ifneq ($(if $(filter fuzz,$(VARIANT)),,$(CI)$(WERROR)),)
WARNINGS += -Werror
endif

FLAGS_release := -O2 -g -D_FORTIFY_SOURCE=2 -fstack-protector-strong -fPIE
FLAGS_asan    := -O1 -g -fsanitize=address,undefined -fno-sanitize-recover=all -fno-omit-frame-pointer
FLAGS_tsan    := -O1 -g -fsanitize=thread -fno-omit-frame-pointer
FLAGS_fuzz    := -O1 -g -fsanitize=fuzzer-no-link,address,undefined -fno-sanitize-recover=all
LINK_release  := -pie -Wl,-z,relro,-z,now
LINK_asan     := -fsanitize=address,undefined
LINK_tsan     := -fsanitize=thread
LINK_fuzz     := -fsanitize=fuzzer,address,undefined

CPPFLAGS_ALL := -Iinclude -Iuserspace -isystem $(BUILD)/gen -D_GNU_SOURCE -DSLUICE_VERSION='"$(VERSION)"' \
                $(DEP_CFLAGS) $(CPPFLAGS)
CFLAGS_ALL   := -std=gnu11 $(WARNINGS) $(FLAGS_$(VARIANT)) $(CFLAGS)
LDFLAGS_ALL  := $(LINK_$(VARIANT)) $(LDFLAGS)
LIBS_ALL     := $(DEP_LIBS) -lpthread -lm $(LIBS)

# As the kernel: headers are looked at as words too, when they are summed up.
BPF_CFLAGS := -O2 -g -fno-strict-aliasing -target bpf -mcpu=v3 -Wall -Wextra -Werror -Iinclude -Ibpf \
              -I/usr/include/$(shell $(CC) -print-multiarch 2>/dev/null)

# --- Products -----------------------------------------------------------------
sources   = $(wildcard userspace/$(1)/*.c)
objects   = $(patsubst userspace/%.c,$(OUT)/%.o,$(call sources,$(1)))
archives  = $(foreach r,$(1),$(OUT)/$(r).a)
BPF_SRC  := $(wildcard bpf/*.bpf.c)
SKELETONS := $(patsubst bpf/%.bpf.c,$(BUILD)/gen/%.skel.h,$(BPF_SRC))
UNIT_SRC := $(wildcard tests/unit/*/test_*.c)
UNIT_BIN := $(patsubst tests/unit/%.c,$(OUT)/unit/%,$(UNIT_SRC))
BPF_TEST_SRC := $(wildcard tests/bpf/test_*.c)
BPF_TEST_BIN := $(patsubst tests/bpf/%.c,$(OUT)/bpf/%,$(BPF_TEST_SRC))
FUZZ_SRC := $(wildcard tests/fuzz/fuzz_*.c)
FUZZ_BIN := $(patsubst tests/fuzz/%.c,$(BUILD)/fuzz/targets/%,$(FUZZ_SRC))

.DEFAULT_GOAL := all
.DELETE_ON_ERROR:
.SECONDARY:
MAKEFLAGS += --no-builtin-rules

.PHONY: all
all: $(OUT)/sluiced $(OUT)/sluicectl ## build the daemon and its control program
	@:

$(OUT)/sluiced: $(OUT)/main.o $(call archives,$(filter-out ctl,$(upto7)))
	@echo "  LINK    $@"
	@$(CC) $(LDFLAGS_ALL) -o $@ $< -Wl,--start-group $(filter %.a,$^) -Wl,--end-group $(LIBS_ALL)

$(OUT)/sluicectl: $(call archives,ctl fastpath tls io core)
	@echo "  LINK    $@"
	@$(CC) $(LDFLAGS_ALL) -o $@ -Wl,--whole-archive $(OUT)/ctl.a -Wl,--no-whole-archive \
		-Wl,--start-group $(filter-out %/ctl.a,$^) -Wl,--end-group $(LIBS_ALL)

define archive_rule
$(OUT)/$(1).a: $(call objects,$(1)) $(OUT)/$(1).members
	@rm -f $$@ && ar rcs $$@ $$(filter %.o,$$^)
endef
$(foreach r,$(ROOMS),$(eval $(call archive_rule,$(r))))

# Files that change only when what they record does, so that what depends on them is rebuilt then:
# flags rebuild everything, a source that goes takes its object out of the archive. They are written
# while this file is read, for a rule that always runs would leave `make -q` nothing to say.
same   = $(and $(findstring <$(1)>,<$(2)>),$(findstring <$(2)>,<$(1)>))
record = $(if $(call same,$(strip $(file <$(1))),$(strip $(2))),,$(shell mkdir -p $(dir $(1)))$(file >$(1),$(2)))

ifeq ($(filter $(BARE_GOALS),$(MAKECMDGOALS)),)
$(call record,$(OUT)/flags,$(CC) $(CPPFLAGS_ALL) $(CFLAGS_ALL) $(LDFLAGS_ALL) $(LIBS_ALL))
$(call record,$(BUILD)/bpf/flags,$(CLANG) $(BPF_CFLAGS) $(BPFTOOL))
$(foreach r,$(ROOMS),$(call record,$(OUT)/$(r).members,sources: $(call sources,$(r))))
endif

$(OUT)/%.o: userspace/%.c $(OUT)/flags | $(SKELETONS)
	@echo "  CC      $@"
	@mkdir -p $(@D)
	@$(CC) $(CPPFLAGS_ALL) $(CFLAGS_ALL) -MD -MP -c -o $@ $<

# --- Kernel side --------------------------------------------------------------
$(BUILD)/bpf/%.bpf.o: bpf/%.bpf.c $(BUILD)/bpf/flags
	@echo "  BPF     $@"
	@mkdir -p $(@D)
	@$(CLANG) $(BPF_CFLAGS) -MMD -MP -c -o $@ $<

$(BUILD)/gen/%.skel.h: $(BUILD)/bpf/%.bpf.o
	@echo "  SKEL    $@"
	@mkdir -p $(@D)
	@{ echo '/* NOLINTBEGIN: generated */' && $(BPFTOOL) gen skeleton $< name $*_bpf && \
		echo '/* NOLINTEND */'; } > $@

# --- Tests --------------------------------------------------------------------
# A test that replaces functions of the C library names them: WRAP_<test> := connect send
WRAP_test_http_route := http_cookie_next http_query_next
WRAP_test_reload_scarce := calloc malloc realloc strdup strndup
WRAP_test_replay := clock_monotonic_ms
WRAP_test_dispatch_undo := bpf_map_create bpf_map_update_elem dispatch_map_put
WRAP_test_area_walk := area_questions_answer area_questions_cut area_questions_want geo_walk
WRAP_test_dispatch_asks := raw_send
WRAP_test_events := io_watch_start io_watch_stop ring_buffer__consume ring_buffer__epoll_fd ring_buffer__free ring_buffer__new
WRAP_test_map_journal := bpf_map_delete_elem bpf_map_lookup_elem bpf_map_update_elem
WRAP_test_list6 := guard_table_networks6
WRAP_test_health := io_loop_now_ms io_timer_start io_timer_stop probe_cancel probe_start
WRAP_test_probe := SSL_do_handshake io_buf_new malloc
WRAP_test_resolver := io_timer_start
WRAP_test_upstream := resolver_new
WRAP_test_pool_view := io_loop_now_ms io_loop_post io_timer_start io_timer_stop
WRAP_test_sites := io_loop_now_ms io_loop_post io_timer_start io_timer_stop
WRAP_test_geo_cache := geo_record_read
WRAP_test_balance := calloc
WRAP_test_allocations := calloc malloc realloc
WRAP_test_compression := malloc
WRAP_test_headers := calloc malloc realloc
WRAP_test_request_allocations := aligned_alloc calloc malloc realloc strdup strndup
WRAP_test_pacer := clock_monotonic_ns io_loop_defer_long io_loop_submit io_loop_has_news io_loop_delivered_us io_loop_now_us
WRAP_test_scarce := calloc malloc realloc strdup strndup
WRAP_test_memory := SSL_do_handshake malloc realloc
WRAP_test_staples := clock_monotonic_ms ocsp_fetch ocsp_judge
WRAP_test_kernel_tx := getsockopt ioctl sendmsg setsockopt
WRAP_test_ticket_keys := clock_monotonic_ms
WRAP_test_log := clock_monotonic_ms clock_wall_us
WRAP_test_sink := open
WRAP_test_sockmap := getsockopt
WRAP_test_guard := guard_map_lists_done guard_map_lists_make guard_maps_ban guard_maps_buckets guard_maps_counts \
                   guard_maps_make_sources guard_maps_set guard_maps_set_services guard_maps_use_lists
WRAP_test_handoff := io_timer_start splice_is_watched splice_join splice_observe splice_pair_close \
                     splice_pair_rung splice_pair_set_relayed
WRAP_test_sockmap_rung := sockmap_is_drained sockmap_join sockmap_open sockmap_pair_close sockmap_pass \
                          sockmap_passed sockmap_traffic
wrap_flags = $(foreach f,$(WRAP_$(1)),-Wl,--wrap=$(f))
room_of    = $(firstword $(subst /, ,$(1)))

# link_test(libraries): a program from one source and the archives among its prerequisites.
define link_test
@echo "  TEST    $@"
@mkdir -p $(@D)
@$(CC) $(CPPFLAGS_ALL) -Itests $(CFLAGS_ALL) -Wno-missing-prototypes $(LDFLAGS_ALL) -MD -MP -MF $@.d -MT $@ \
	$(call wrap_flags,$(@F)) -o $@ $< -Wl,--start-group $(filter %.a,$^) -Wl,--end-group $(1) $(LIBS_ALL)
endef

.SECONDEXPANSION:
$(OUT)/unit/%: tests/unit/%.c $(OUT)/flags $$(call archives,$$(call below,$$(call room_of,$$*)))
	$(call link_test,-lcmocka)

$(OUT)/bpf/%: tests/bpf/%.c $(OUT)/flags $(call archives,$(call below,fastpath))
	$(call link_test,-lcmocka)

# Databases of places are made, not kept.
GEO_DATA   := $(BUILD)/gen/geo
GEO_TESTS  := $(filter $(addprefix $(OUT)/unit/,geo/test_geo geo/test_geo_cache geo/test_walk proxy/test_places \
              proxy/test_areas proxy/test_dispatch_plan proxy/test_server admin/test_admin),$(UNIT_BIN))
$(GEO_TESTS): CPPFLAGS_ALL += -DGEO_DATA='"$(GEO_DATA)"'
$(GEO_TESTS): | $(GEO_DATA)/asn.mmdb
$(GEO_DATA)/asn.mmdb: tests/e2e/lib/mmdb.py
	@echo "  GEN     $(GEO_DATA)"
	@$(PYTHON) $< $(@D)

# Fuzz targets may reach every room but ctl, which has a main() of its own.
$(BUILD)/fuzz/targets/%: tests/fuzz/%.c $(OUT)/flags $(call archives,$(filter-out ctl,$(upto7)))
	$(call link_test)

# TEST=room or TEST=room/test_module narrows it down.
chosen = $(if $(TEST),$(filter $(1)/$(TEST) $(1)/$(TEST)/% $(1)/$(notdir $(TEST)),$(2)),$(2))

.PHONY: unit-build unit bpf-test-build bpf-test fuzz-build fuzz e2e soak check
unit-build: $(call chosen,$(OUT)/unit,$(UNIT_BIN))
unit: unit-build ## run the unit tests (TEST=room/test_module narrows down, VARIANT=asan)
	@set -e; for t in $(call chosen,$(OUT)/unit,$(UNIT_BIN)); do $$t; done

bpf-test-build: $(BPF_TEST_BIN)
bpf-test: bpf-test-build ## run the tests of the kernel side (as root)
	@set -e; for t in $(BPF_TEST_BIN); do $$t; done

.PHONY: model
model: ## check the model of the hand-over with spin (TEST=name narrows down)
	@tests/model/run $(TEST)

fuzz-build: $(FUZZ_BIN)
fuzz: ## run every fuzzer (FUZZ_SECONDS=60; TEST=name for one)
	@$(MAKE) --no-print-directory VARIANT=fuzz fuzz-build
	@scripts/fuzz $(TEST)

e2e: all ## end-to-end tests against this build (TEST=pytest expression; as root)
	@SLUICE_BUILD=$(abspath $(OUT)) $(PYTHON) -m pytest tests/e2e $(if $(TEST),-k '$(TEST)')

soak: all ## 20,000 spliced connections of all kinds through bad lines (as root)
	@E2E_SCALE=20 SLUICE_BUILD=$(abspath $(OUT)) $(PYTHON) -m pytest -s tests/e2e/test_splice_soak.py

testssl: all ## everything that testssl.sh checks of a listener, some minutes (as root)
	@SLUICE_BUILD=$(abspath $(OUT)) $(PYTHON) -m pytest tests/e2e/testssl.py

check: ## install what is missing and run every test (STEPS="unit e2e" narrows it down)
	@scripts/setup test
	@$(if $(CI),WERROR=1) PYTHON=$(PYTHON) scripts/check $(STEPS)

check-kernels: ## the kernel side and hand-overs under Debian's 6.1 and 6.12 in QEMU (as root; long)
	@scripts/setup kernels
	@$(MAKE) --no-print-directory all bpf-test-build
	@PYTHON=$(PYTHON) scripts/check-kernels

.PHONY: run bench check-kernels
run: ## install what is missing, build, and start a demonstration
	@scripts/setup build
	@$(MAKE) --no-print-directory all
	@exec $(OUT)/sluiced --demo -c configs/quickstart.yaml

bench: ## measure Sluice beside its peers (as root; an hour)
	@scripts/setup bench
	@$(MAKE) --no-print-directory all
	@tests/bench/run
	@tests/bench/run --suite http
	@tests/bench/run --suite https
	@tests/bench/run --suite dispatch

# --- Lint ---------------------------------------------------------------------
C_FILES   := $(sort $(shell find bpf include userspace tests -name '*.[ch]' 2>/dev/null))
TIDY      := $(patsubst userspace/%.c,$(BUILD)/lint/%.tidy,$(wildcard userspace/*.c userspace/*/*.c))

.PHONY: lint tidy cppcheck format format-check compile_commands
lint: tidy cppcheck format-check ## static analysis and layout
	@scripts/check-layers

# The object stands for the headers that the source includes: it is newer when one of them changed.
tidy: $(TIDY)
$(BUILD)/lint/%.tidy: userspace/%.c $(OUT)/%.o .clang-tidy
	@echo "  TIDY    $<"
	@mkdir -p $(@D)
	@clang-tidy --quiet --warnings-as-errors='*' $< -- $(CPPFLAGS_ALL) -std=gnu11 2>$@.log >&2 || { cat $@.log; exit 1; }
	@touch $@

cppcheck: $(SKELETONS)
	@mkdir -p $(BUILD)/cppcheck
	@cppcheck --quiet -j2 --std=c11 --enable=warning,performance,portability --inline-suppr \
		--error-exitcode=1 --cppcheck-build-dir=$(BUILD)/cppcheck -Iinclude -Iuserspace \
		-D_GNU_SOURCE -D'__attribute__(x)=' \
		-D'json_array_foreach(a, i, v)=for (i = 0; (v = json_array_get(a, i)); i++)' \
		-D'json_object_foreach(o, k, v)=for (k = ""; (v = json_object_get(o, k));)' -DSLUICE_VERSION='"$(VERSION)"' userspace

format-check:
	@clang-format --dry-run -Werror $(C_FILES)
format: ## lay out every C file
	@clang-format -i $(C_FILES)

compile_commands: compile_commands.json ## for clangd and other tools
compile_commands.json: $(OUT)/flags $(wildcard userspace/*/*.c tests/*/*/*.c)
	@CC='$(CC)' FLAGS='$(subst ','\'',$(CPPFLAGS_ALL) $(CFLAGS_ALL))' $(PYTHON) scripts/compile-commands > $@

# --- Installation -------------------------------------------------------------
SBIN    = $(DESTDIR)$(PREFIX)/sbin
BIN     = $(DESTDIR)$(PREFIX)/bin
MANDIR  = $(DESTDIR)$(PREFIX)/share/man
# Where the packages of a distribution want them; under PREFIX they would not be looked for.
ETC     = $(DESTDIR)$(if $(filter /usr,$(PREFIX)),/etc,$(PREFIX)/etc)/sluice
UNITS   = $(DESTDIR)$(PREFIX)/lib/systemd/system
SYSUSERS = $(DESTDIR)$(PREFIX)/lib/sysusers.d
MAN_PAGES := $(wildcard docs/man/*.[158])
substitute = sed -e 's|@sbindir@|$(PREFIX)/sbin|g' -e 's|@bindir@|$(PREFIX)/bin|g' \
	-e 's|@sysconfdir@|$(patsubst $(DESTDIR)%,%,$(ETC))|g'

.PHONY: install uninstall
install: all ## copy into place (DESTDIR, PREFIX)
	install -D -m 755 $(OUT)/sluiced $(SBIN)/sluiced
	install -D -m 755 $(OUT)/sluicectl $(BIN)/sluicectl
	for page in $(MAN_PAGES); do \
		install -D -m 644 -t $(MANDIR)/man$${page##*.} $$page || exit; done
	install -D -m 644 scripts/completions/sluicectl.bash $(DESTDIR)$(PREFIX)/share/bash-completion/completions/sluicectl
	ln -sf sluicectl $(DESTDIR)$(PREFIX)/share/bash-completion/completions/sluiced
	install -D -m 644 scripts/completions/_sluicectl $(DESTDIR)$(PREFIX)/share/zsh/site-functions/_sluicectl
	install -D -m 644 configs/tcp.yaml $(ETC)/sluice.yaml.sample
	install -d $(UNITS) $(SYSUSERS)
	$(substitute) scripts/systemd/sluice.service.in > $(UNITS)/sluice.service
	install -m 644 scripts/systemd/sluice.sysusers $(SYSUSERS)/sluice.conf

uninstall: ## remove what install copied; configuration stays
	rm -f $(SBIN)/sluiced $(BIN)/sluicectl $(UNITS)/sluice.service $(SYSUSERS)/sluice.conf \
		$(DESTDIR)$(PREFIX)/share/bash-completion/completions/sluicectl \
		$(DESTDIR)$(PREFIX)/share/bash-completion/completions/sluiced \
		$(DESTDIR)$(PREFIX)/share/zsh/site-functions/_sluicectl $(ETC)/sluice.yaml.sample
	for page in $(notdir $(MAN_PAGES)); do rm -f $(MANDIR)/man$${page##*.}/$$page; done

.PHONY: clean help
clean: ## remove what was built
	rm -rf $(BUILD)

help: ## this list
	@awk -F':.*## ' '/^[a-z0-9_-]+:.*## /{printf "  make %-17s %s\n", $$1, $$2}' $(firstword $(MAKEFILE_LIST))

-include $(shell find $(OUT) $(BUILD)/bpf $(BUILD)/fuzz -name '*.d' 2>/dev/null)

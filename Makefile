# Reeve: one non-recursive Makefile. Everything built goes to $(BUILD).
#
#   make            build every program            make demo     the invoice demo, start to end
#   make check      all tests                      make install  programs, man pages, unit file
#   make deps       install what the build needs   make help     this list and more

VERSION := 0.1.0
BUILD   ?= .build
PREFIX  ?= /usr/local
DESTDIR ?=
CC      ?= cc
AR      ?= ar

# ---- what the build needs (pkg-config name:Debian package) ---------------------------------------
LIBS_NEEDED := libseccomp:libseccomp-dev libcap-ng:libcap-ng-dev sqlite3:libsqlite3-dev \
  libcurl:libcurl4-openssl-dev libmicrohttpd:libmicrohttpd-dev libfyaml:libfyaml-dev \
  libcrypto:libssl-dev libzstd:libzstd-dev cmocka:libcmocka-dev
# jsmn is a header without a pkg-config file; the rest are tools that the build, demo and tests use.
TOOLS_NEEDED := gcc make pkg-config libc6-dev musl-tools libjsmn-dev perl procps curl jq sqlite3

# ---- flags ---------------------------------------------------------------------------------------
comma := ,
cc_ok  = $(shell printf 'int main(void){return 0;}' | $(CC) -Werror $(1) -x c - -o /dev/null 2>/dev/null && echo '$(1)')

WARN := -Wall -Wextra -Wformat=2 -Wshadow -Wconversion -Wstrict-prototypes -Wmissing-prototypes \
  -Wvla -Wundef -Wpointer-arith -Wcast-qual -Wwrite-strings -Wold-style-definition \
  -Wimplicit-fallthrough -Wnull-dereference
ifndef FLAGS_PROBED
HARDEN := $(call cc_ok,-fstack-protector-strong) $(call cc_ok,-fstack-clash-protection) \
  $(call cc_ok,-fcf-protection=full) $(call cc_ok,-ftrivial-auto-var-init=zero)
ifeq ($(strip $(findstring init=zero,$(HARDEN))),)
HARDEN += $(call cc_ok,-ftrivial-auto-var-init=zero -enable-trivial-auto-var-init-zero-knowing-it-will-be-removed-from-clang)
endif
LINK_HARDEN := $(call cc_ok,-Wl$(comma)-z$(comma)relro$(comma)-z$(comma)now) -pie
export HARDEN LINK_HARDEN
export FLAGS_PROBED := 1
endif
ifdef SAN
OPT      := -O1 -g -fno-omit-frame-pointer -fsanitize=address,undefined -fno-sanitize-recover=all
LINK_OPT := -fsanitize=address,undefined
else
OPT      := -O2 -g -D_FORTIFY_SOURCE=2
endif
ifdef WERROR
WARN += -Werror
endif

pkg_names := $(foreach p,$(LIBS_NEEDED),$(firstword $(subst :, ,$(p))))
pkg_debs  := $(foreach p,$(LIBS_NEEDED),$(lastword $(subst :, ,$(p))))
CPPFLAGS_ALL := -D_GNU_SOURCE -DREEVE_VERSION='"$(VERSION)"' -DREEVE_PREFIX='"$(PREFIX)"' -I. $(CPPFLAGS)
CFLAGS_ALL   := -std=c17 -fPIE $(OPT) $(WARN) $(HARDEN) $(CFLAGS)
LDFLAGS_ALL  := $(LINK_OPT) $(LINK_HARDEN) $(LDFLAGS)

# ---- the house: one archive a folder, all of its .c files but main.c ------------------------------
PARTS := text os cedar policy sandbox spawn worker store egress control supervisor ctl
dir_text := policy/text
dir_os := sandbox/os
dir_cedar := policy/cedar
dir_policy := policy
dir_sandbox := sandbox
dir_spawn := sandbox/spawn
dir_worker := worker
dir_store := supervisor/store
dir_egress := supervisor/egress
dir_control := supervisor/control
dir_supervisor := supervisor
dir_ctl := supervisor/ctl

# ---- programs: main file, parts (the audit list of its address space), libraries ------------------
PROGRAMS := reeved reeve-spawn reeve-worker reeve-egress reeve-control reeve
main_reeved        := supervisor/main.c
parts_reeved       := supervisor store policy cedar sandbox os text
libs_reeved        := sqlite3 libzstd libfyaml libcrypto libseccomp libcap-ng
main_reeve-spawn   := sandbox/spawn/main.c
parts_reeve-spawn  := spawn sandbox os text
libs_reeve-spawn   := libseccomp libcrypto
main_reeve-worker  := worker/main.c
parts_reeve-worker := worker sandbox os text
# One static file: a strict worker's root is empty, it is executed by descriptor (see strict_link).
libs_reeve-worker  := libcrypto
ifndef SAN
strict_reeve-worker := yes
# Static as well: a small address space is cloned faster, and it is its own self-test, in strict too.
link_reeve-spawn   := -static-pie
endif
main_reeve-egress  := supervisor/egress/main.c
parts_reeve-egress := egress sandbox os text
libs_reeve-egress  := libcurl libseccomp libcap-ng libcrypto
main_reeve-control := supervisor/control/main.c
parts_reeve-control := control store sandbox os text
libs_reeve-control := libmicrohttpd sqlite3 libzstd libseccomp libcap-ng libcrypto
main_reeve         := supervisor/ctl/main.c
parts_reeve        := ctl policy cedar sandbox os text
libs_reeve         := libcurl libfyaml libseccomp libcap-ng libcrypto

# Demo and example programs: contrib/DIR/NAME.c, each one file, on the worker client or the floors.
EXTRAS := contrib/demo/reeve-demo-model contrib/demo/reeve-demo-ledger \
  contrib/example/count_worker contrib/example/clerk_worker
libs_extras := sqlite3 libmicrohttpd libseccomp libcap-ng libcrypto

objects = $(patsubst %.c,$(BUILD)/obj/%.o,$(filter-out %/main.c,$(wildcard $(dir_$(1))/*.c)))
archive = $(BUILD)/lib/$(1).a

# Hashing, TLS and the like come from libcrypto; nothing is vendored.
have_pkg = $(shell pkg-config --exists $(1) && echo yes)
libflags = $(shell pkg-config --libs $(1) 2>/dev/null)

all: $(addprefix $(BUILD)/,$(PROGRAMS)) $(BUILD)/json_check $(BUILD)/cedar_conform extras

# ---- check that the libraries are here: a missing one is named with its Debian package ------------
$(BUILD)/deps.ok: Makefile
	@missing=; for p in $(LIBS_NEEDED); do pkg-config --exists $${p%%:*} || missing="$$missing $${p##*:}"; done; \
	 printf '#include <jsmn.h>\n' | $(CC) -E - >/dev/null 2>&1 || missing="$$missing libjsmn-dev"; \
	 command -v $(MUSL_CC) >/dev/null || missing="$$missing musl-tools"; \
	 if [ -n "$$missing" ]; then echo "reeve: missing Debian packages:$$missing"; \
	   echo "reeve: install them with: make deps"; exit 1; fi
	@mkdir -p $(BUILD) && touch $@

deps:
	@contrib/deps.sh $(TOOLS_NEEDED) $(pkg_debs)

deps-test:
	@contrib/deps.sh $(TOOLS_NEEDED) $(pkg_debs) clang libclang-rt-14-dev cppcheck clang-tidy bubblewrap

$(BUILD)/obj/%.o: %.c | $(BUILD)/deps.ok
	@mkdir -p $(@D)
	@echo "  CC    $<"
	@$(CC) $(CPPFLAGS_ALL) $(CFLAGS_ALL) -MMD -MP -c $< -o $@

define archive_rule
$(BUILD)/lib/$(1).a: $(call objects,$(1))
	@mkdir -p $$(@D)
	@rm -f $$@ && $$(AR) rcsD $$@ $$^
endef
$(foreach p,$(PARTS),$(eval $(call archive_rule,$(p))))

# ---- strict workers: on musl, statically -----------------------------------------------------------
# The C library's start is a third of what a cold start would cost with glibc: no CPU is asked what it can do
# (each CPUID leaves a virtual machine), and a tenth of the relocations. They need no library at all, hence
# no digests. Sanitizers cannot be linked so: no strict runs there.
MUSL_CC   := musl-gcc
MUSL_DIR  := /usr/lib/$(subst -gnu,-musl,$(shell gcc -print-multiarch))
musl_with := -idirafter /usr/include -idirafter /usr/include/$(shell gcc -print-multiarch)
# Its macros convert freely, it has no checked functions to fortify with, and it is gcc whatever CC is.
musl_flags = $(filter-out -D_FORTIFY_SOURCE=2 -Wconversion -enable-trivial%,$(CFLAGS_ALL)) -Wno-sign-conversion
musl_skip := policy/text/digest.c sandbox/seccomp.c sandbox/os/proc.c
musl_objs  = $(patsubst %.c,$(BUILD)/musl/%.o,$(filter-out %/main.c $(musl_skip),$(wildcard $(foreach p,$(1),$(dir_$(p))/*.c))))
strict_parts := worker sandbox os text
$(BUILD)/musl/%.o: %.c | $(BUILD)/deps.ok
	@mkdir -p $(@D)
	@echo "  MUSL  $<"
	@$(MUSL_CC) $(CPPFLAGS_ALL) $(musl_with) $(musl_flags) -MMD -MP -c $< -o $@
$(BUILD)/musl/strict.a: $(call musl_objs,$(strict_parts))
	@rm -f $@ && $(AR) rcsD $@ $^
strict_link = $(MUSL_CC) $(musl_flags) -static -nostartfiles -Wl,-pie,--no-dynamic-linker,-z,text,-z,relro,-z,now \
  -o $@ $(MUSL_DIR)/rcrt1.o $(MUSL_DIR)/crti.o $^ $(MUSL_DIR)/crtn.o

define program_rule
ifdef strict_$(1)
$(BUILD)/$(1): $(BUILD)/musl/$(main_$(1):.c=.o) $(BUILD)/musl/strict.a
	@echo "  LINK  $(1)"
	@$$(strict_link)
else
$(BUILD)/$(1): $(BUILD)/obj/$(main_$(1):.c=.o) $(foreach p,$(parts_$(1)),$(call archive,$(p)))
	@echo "  LINK  $(1)"
	@$$(CC) $$(CFLAGS_ALL) $$(if $(link_$(1)),$$(filter-out -pie,$$(LDFLAGS_ALL)) $(link_$(1)),$$(LDFLAGS_ALL)) -o $$@ $$^ $$(call libflags,$(libs_$(1)))
endif
endef
$(foreach p,$(PROGRAMS),$(eval $(call program_rule,$(p))))

extras: $(patsubst %,$(BUILD)/%,$(foreach e,$(EXTRAS),$(if $(wildcard $(e).c),$(notdir $(e)))))
define extra_rule
$(BUILD)/$(notdir $(1)): $(BUILD)/obj/$(1).o $(foreach p,worker sandbox os text,$(call archive,$(p)))
	@echo "  LINK  $(notdir $(1))"
	@$$(CC) $$(CFLAGS_ALL) $$(LDFLAGS_ALL) -o $$@ $$^ $$(call libflags,$(libs_extras))
endef
$(foreach e,$(EXTRAS),$(eval $(call extra_rule,$(e))))

# ---- tests: a .c file under these folders is one test program, linked with every part --------------
TEST_PARTS := ctl supervisor control egress spawn worker store policy cedar sandbox os text
TEST_LIBS  := cmocka libcurl libmicrohttpd sqlite3 libzstd libfyaml libseccomp libcap-ng libcrypto
test_sources := $(sort $(shell find tests/unit tests/fault -name '*.c' 2>/dev/null))
test_bins    := $(patsubst %.c,$(BUILD)/%,$(test_sources))
fuzz_sources := $(sort $(wildcard tests/fuzz/fuzz_*.c))
fuzz_bins    := $(patsubst %.c,$(BUILD)/%,$(fuzz_sources))
tool_sources := $(filter-out tests/escape/inside/% tests/bench/inside/%,$(sort $(shell find tests/sys tests/escape tests/crash tests/lint tests/bench -name '*.c' 2>/dev/null)))
tool_bins    := $(patsubst %.c,$(BUILD)/%,$(tool_sources))
test_archives := $(foreach p,$(TEST_PARTS),$(call archive,$(p)))
lib_objects  := $(patsubst %.c,$(BUILD)/obj/%.o,$(wildcard tests/lib/*.c))
link_test = $(CC) $(CFLAGS_ALL) $(LDFLAGS_ALL) -o $@ $(1) -Wl,--start-group $(test_archives) -Wl,--end-group $(call libflags,$(TEST_LIBS)) -ldl

$(test_bins) $(tool_bins): $(BUILD)/tests/%: $(BUILD)/obj/tests/%.o $(lib_objects) $(test_archives)
	@mkdir -p $(@D)
	@echo "  LINK  $(@F)"
	@$(call link_test,$< $(lib_objects))

# Programs of tests/fault reach malloc and its kin through tests/lib/oom.c, which makes call N fail.
$(filter $(BUILD)/tests/fault/%,$(test_bins)): LDFLAGS_ALL += -Wl,--wrap=malloc,--wrap=calloc,--wrap=realloc,--wrap=reallocarray,--wrap=free

# A fuzz target replays its corpus in every test run; `make fuzz T=fuzz_json` runs libFuzzer on it.
$(fuzz_bins): $(BUILD)/tests/fuzz/%: $(BUILD)/obj/tests/fuzz/%.o $(BUILD)/obj/tests/fuzz/replay.o $(test_archives)
	@mkdir -p $(@D)
	@echo "  LINK  $(@F)"
	@$(call link_test,$< $(BUILD)/obj/tests/fuzz/replay.o)

# What attacks from inside: one static file, so that it is a strict worker as well.
escape_inside := $(if $(SAN),,$(BUILD)/tests/escape-inside)
$(BUILD)/tests/escape-inside: $(patsubst %.c,$(BUILD)/musl/%.o,$(wildcard tests/escape/inside/*.c)) $(BUILD)/musl/strict.a
	@mkdir -p $(@D)
	@echo "  LINK  $(@F)"
	@$(strict_link)

# The other side of reeved in benchmarks: worker, tool server, model.
bench_inside := $(if $(SAN),,$(BUILD)/tests/bench-inside)
$(BUILD)/tests/bench-inside: $(BUILD)/obj/tests/bench/inside/bench_inside.o $(foreach p,worker sandbox os text,$(call archive,$(p)))
	@mkdir -p $(@D)
	@echo "  LINK  $(@F)"
	@$(CC) $(CFLAGS_ALL) $(filter-out -pie,$(LDFLAGS_ALL)) -static-pie -o $@ $^ $(call libflags,libcrypto)

$(BUILD)/json_check: $(BUILD)/obj/tests/json_check.o $(call archive,os) $(call archive,text)
	@echo "  LINK  $(@F)"
	@$(CC) $(CFLAGS_ALL) $(LDFLAGS_ALL) -o $@ $^ $(call libflags,libcrypto)
$(BUILD)/cedar_conform: $(BUILD)/obj/tests/cedar_conform.o $(call archive,cedar) $(call archive,os) $(call archive,text)
	@echo "  LINK  $(@F)"
	@$(CC) $(CFLAGS_ALL) $(LDFLAGS_ALL) -o $@ $^ $(call libflags,libcrypto)

# Versions of reeved with one fault each (tests/crash/mutate): the crash harness must find it.
mutant_early := supervisor/outbox.c
mutant_answered := supervisor/outbox.c
mutant_again := supervisor/recover.c
crash_mutants := $(foreach m,early answered again,$(BUILD)/tests/crash/mutant-$(m))
define mutant_rules
$(BUILD)/mutant/$(1).c: $(mutant_$(1)) tests/crash/mutate
	@mkdir -p $$(@D)
	@sh tests/crash/mutate $(1) $$< >$$@ || { rm -f $$@; false; }
$(BUILD)/tests/crash/mutant-$(1): $(BUILD)/mutant/$(1).c $(BUILD)/obj/$(main_reeved:.c=.o) $(foreach p,$(parts_reeved),$(call archive,$(p)))
	@mkdir -p $$(@D)
	@echo "  LINK  $$(@F)"
	@$$(CC) $$(CPPFLAGS_ALL) $$(CFLAGS_ALL) $$(LDFLAGS_ALL) -o $$@ $$^ $$(call libflags,$$(libs_reeved))
endef
$(foreach m,early answered again,$(eval $(call mutant_rules,$(m))))

tests-build: all $(test_bins) $(fuzz_bins) $(tool_bins) $(crash_mutants) $(escape_inside) $(bench_inside)

# Every kind of test, in one report that ends with `N passed, N failed, N skipped`.
check: deps-test
	@$(MAKE) --no-print-directory -j$$(nproc) FLAGS_PROBED= tests-build
	@BUILD=$(BUILD) tests/run $(T)
# Every system call that writes, of every process: half an hour. tests/crash/crash.sh says how to do it in parts.
crash: tests-build
	@REEVE_CRASH_FULL=1 BUILD=$(BUILD) tests/crash/crash.sh
	@tests/crash/summary $${CRASH_DIR:-$(BUILD)/crash}
check-pure: $(test_bins) $(fuzz_bins) $(BUILD)/json_check $(BUILD)/cedar_conform
	@BUILD=$(BUILD) tests/run unit fault fuzz

# Every benchmark, each with ratios to a floor or a peer measured in the same run.
bench: deps
	@$(MAKE) --no-print-directory -j$$(nproc) FLAGS_PROBED= all $(bench_inside) $(filter $(BUILD)/tests/bench/%,$(tool_bins))
	@BUILD=$(BUILD) tests/bench/run $(B)

fuzz: export CC := clang
fuzz:
	@tests/fuzz/run $(T)

# Packages first (a compiler may be among them), then the build, then the demo itself.
demo: deps
	@$(MAKE) --no-print-directory -j$$(nproc) FLAGS_PROBED= all
	@BUILD=$(BUILD) contrib/demo/demo $(DEMO_ARGS)

install: all
	@DESTDIR=$(DESTDIR) PREFIX=$(PREFIX) BUILD=$(BUILD) contrib/install.sh

clean:
	rm -rf $(BUILD)

help:
	@sed -n '3,6p' Makefile; echo '  make check T="unit fuzz"   some kinds only   SAN=1 BUILD=.build/san   with sanitizers'; echo '  make crash       kill at every system call that writes, of every process (half an hour; CRASH_STRIDE=9: a ninth)'

-include $(shell find $(BUILD)/obj $(BUILD)/musl -name '*.d' 2>/dev/null)
.PHONY: all deps deps-test extras tests-build check crash check-pure bench fuzz demo install clean help
.SECONDARY:

#!/bin/bash
# Goal: the lints of this folder can fail: each is run on a small tree that breaks one rule.
set -u
here=$(realpath -- "$(dirname -- "$0")")
tmp=$(mktemp -d) && trap 'rm -rf "$tmp"' EXIT
points=0

# breaks LINT FILE CONTENT WHAT: LINT, run on a tree with this one file more, fails the point WHAT.
breaks() {
    points=$((points + 1))
    rm -rf "$tmp/tree" && mkdir -p "$tmp/tree/$(dirname -- "$2")" "$tmp/tree/policy/text" "$tmp/tree/sandbox/os"
    printf '/*\n * base.h: a header.\n */\n#ifndef REEVE_X_H\n#define REEVE_X_H\n#endif\n' |
        tee "$tmp/tree/policy/text/base.h" >"$tmp/tree/sandbox/os/fd.h"
    mkdir -p "$tmp/tree/supervisor/store" "$tmp/tree/supervisor/control"
    cp "$tmp/tree/policy/text/base.h" "$tmp/tree/supervisor/store/store.h"
    cp "$tmp/tree/policy/text/base.h" "$tmp/tree/supervisor/control/http.h"
    cp "$tmp/tree/policy/text/base.h" "$tmp/tree/supervisor/run.h"
    printf '%b' "$3" >"$tmp/tree/$2"
    if REEVE_ROOT=$tmp/tree BUILD=$tmp/tree/.build GIT_DIR=/nowhere "$here/$1.sh" 2>&1 |
        grep -q "^not ok [0-9]* - .*$4"; then
        echo "ok $points - $1: $2: $4"
    else
        echo "not ok $points - $1 does not see: $3"
    fi
}

head='/* x.c: a file. */\n'
breaks floors policy/text/x.c "$head"'#include "sandbox/os/fd.h"\n' "up the house"
breaks floors sandbox/os/x.c "$head"'#include "supervisor/store/store.h"\n' "up the house"
breaks floors supervisor/egress/x.c "$head"'#include "supervisor/control/http.h"\n' "up the house"
breaks floors supervisor/control/x.c "$head"'#include "supervisor/run.h"\n' "up the house"
breaks floors supervisor/egress/x.c "$head"'#include "supervisor/store/store.h"\n' "sees no store"
breaks floors policy/text/x.c "$head"'#include "base.h"\n' "path from the root"
breaks floors policy/cedar/x.c "$head"'#include <unistd.h>\n' "no header of the system"
breaks banned policy/text/x.c "$head"'void f(char *p) { strcpy(p, "x"); }\n' "without a bound"
breaks banned worker/x.c "$head"'int f(void) { return atoi("1"); }\n' "hides its errors"
breaks banned sandbox/x.c "$head"'void f(void) { system ("ls"); }\n' "no shell"
breaks banned sandbox/x.c "$head"'int f(void) { return -errno; }\n' "errno"
breaks banned policy/x.c "$head"'void f(void) { exit(1); }\n' "never end"
breaks banned policy/text/x.c "$head"'void f(void) { printf("x"); }\n' "only a main prints"
breaks banned supervisor/x.c "$head"'void f(void) { sqlite3_open(0, 0); }\n' "SQL"
breaks tree notes/x.md 'x\n' "top level"
breaks tree policy/x.c "$head"'/* TO''DO: later */\n' "left for later"
breaks tree policy/x.c "$head"'/* see /ho''me/me/x */\n' "machine"
breaks tree policy/x.c "$head"'\tint x;\n' "no tab"
breaks tree policy/x.c "$head"'int x;' "line break"
breaks tree policy/x.c 'int x;\n' "a head"
breaks tree policy/x.h "$head" "guards"
breaks tree tests/sys/01_x.sh '#!/bin/sh\n' "executed"
breaks invariants README.md 'INV-01\n' "INV-02 is in the README"
breaks invariants policy/x.c "$head"'/* INV-''13 */\n' "design does not know"

points=$((points + 1))
rm -rf "$tmp/tree" && mkdir -p "$tmp/tree/.build/lib" && cd "$tmp/tree" || exit 1
printf 'int open(const char *, int, ...); int text_f(void); int text_f(void) { return open("x", 0); }\n' >x.c
"${CC:-cc}" -c x.c -o x.o && ar rcs .build/lib/text.a x.o
if REEVE_ROOT=$tmp/tree BUILD=$tmp/tree/.build "$here/purity.sh" | grep -q '^#   open$'; then
    echo "ok $points - purity: a call of open()"
else
    echo "not ok $points - purity does not see a call of open()"
fi

cd / || exit 1

# What only looks like it is let pass.
points=$((points + 1))
rm -rf "$tmp/tree" && mkdir -p "$tmp/tree/policy"
printf '%b' "$head"'/* strcpy(a, b) and exit(1) in words */\nconst char *s = "system(x) /* ";\nvoid on_exit_(int x);\n' \
    >"$tmp/tree/policy/x.c"
if REEVE_ROOT=$tmp/tree BUILD=$tmp/tree/.build GIT_DIR=/nowhere "$here/banned.sh" | grep -q '^not ok'; then
    echo "not ok $points - words and strings are no calls"
else
    echo "ok $points - words and strings are no calls"
fi
echo "1..$points"

#!/bin/bash
# Goal: tests/run counts what it should, on programs that pass, fail, die, hang, skip and plan wrongly.
set -u
root=${REEVE_ROOT:-$PWD}
tmp=$(mktemp -d) && trap 'rm -rf "$tmp"' EXIT
points=0

# check WHAT SCRIPT LAST_LINE EXIT: runs tests/run on a tree that holds this one script.
check() {
    local what=$1 script=$2 want=$3 want_status=$4 got status=0
    points=$((points + 1))
    rm -rf "$tmp/tree" && mkdir -p "$tmp/tree/tests/golden"
    [ -z "$script" ] || printf '%s\n' "$script" >"$tmp/tree/tests/golden/one.sh"
    REEVE_ROOT=$tmp/tree BUILD=$tmp/tree/.build TEST_TIMEOUT=${limit:-20} "$root/tests/run" golden unit \
        >"$tmp/log" 2>&1 || status=$?
    got=$(tail -n 1 "$tmp/log")
    if [ "$got" = "$want" ] && [ "$status" -eq "$want_status" ]; then
        echo "ok $points - $what"
    else
        echo "not ok $points - $what"
        echo "# wanted: $want (exit $want_status)"
        echo "# got:    $got (exit $status)"
        sed 's/^/# /' "$tmp/log"
    fi
}

check "all pass" 'echo 1..2; echo ok 1 - a; echo ok 2 - b' "2 passed, 0 failed, 0 skipped" 0
check "one fails" 'echo 1..2; echo ok 1; echo not ok 2 - b; exit 1' "1 passed, 1 failed, 0 skipped" 1
check "fails but exits 0" 'echo 1..1; echo not ok 1' "0 passed, 1 failed, 0 skipped" 1
check "skips one" 'echo 1..2; echo ok 1; echo "ok 2 - b # SKIP no root"' "1 passed, 0 failed, 1 skipped" 0
check "skips all" 'echo "1..0 # SKIP nothing here"' "0 passed, 0 failed, 1 skipped" 0
check "expected to fail" 'echo 1..1; echo "not ok 1 - b # TO''DO later"' "0 passed, 0 failed, 1 skipped" 0
check "dies after passing" 'echo 1..1; echo ok 1; exit 3' "1 passed, 1 failed, 0 skipped" 1
check "dies of a signal" 'echo 1..1; echo ok 1; kill -SEGV $$' "1 passed, 1 failed, 0 skipped" 1
check "plans more" 'echo 1..3; echo ok 1; echo ok 2' "2 passed, 1 failed, 0 skipped" 1
check "plans less" 'echo 1..1; echo ok 1; echo ok 2' "2 passed, 1 failed, 0 skipped" 1
check "plans nothing" 'echo ok 1' "1 passed, 1 failed, 0 skipped" 1
check "says nothing" ':' "0 passed, 1 failed, 0 skipped" 1
check "plan last" 'echo ok 1; echo 1..1' "1 passed, 0 failed, 0 skipped" 0
check "two groups" 'echo 1..1; echo ok 1; echo 1..2; echo ok 1; echo ok 2' "3 passed, 0 failed, 0 skipped" 0
check "bails out" 'echo 1..9; echo ok 1; echo "Bail out! no"; exit 1' "1 passed, 1 failed, 0 skipped" 1
check "noise is no test" 'echo 1..1; echo okay then; echo "  ok 1"; echo ok 1' "1 passed, 0 failed, 0 skipped" 0
limit=1 check "hangs" 'echo 1..1; echo ok 1; while :; do read -r -t 60 <> <(:); done' \
    "1 passed, 1 failed, 0 skipped" 1
check "nothing to run" '' "0 passed, 0 failed, 0 skipped" 1

points=$((points + 1))
mkdir -p "$tmp/tree/tests/unit/a" && : >"$tmp/tree/tests/unit/a/b.c"
if REEVE_ROOT=$tmp/tree BUILD=$tmp/tree/.build "$root/tests/run" unit 2>&1 | grep -q '^0 passed, 1 failed'; then
    echo "ok $points - a test that is not built fails"
else
    echo "not ok $points - a test that is not built fails"
fi

points=$((points + 1))
REEVE_ROOT=$tmp/tree "$root/tests/run" nonsense >/dev/null 2>&1
if [ $? -eq 2 ]; then
    echo "ok $points - an unknown kind is refused"
else
    echo "not ok $points - an unknown kind is refused"
fi
echo "1..$points"

#!/bin/bash
# Goal: json_check prints `FILE: ok` or `FILE:line:col: what` and exits as it says.
set -u
cd "${REEVE_ROOT:-$(dirname -- "$0")/../..}" || exit 2
program=${BUILD:-$PWD/.build}/json_check
tmp=$(mktemp -d) && trap 'rm -rf "$tmp"' EXIT
points=0

[ -x "$program" ] || { echo "1..0 # SKIP json_check is not built"; exit 0; }
cd "$tmp" || exit 2
printf '{"a": [1, 2]}\n' >good.json
printf '{\n  "a": tru\n}\n' >bad.json
printf '{"a":1,\n "b":2, "\\u0061":3}' >twice.json
printf '["\xc3\x28"]' >bytes.json
: >empty.json

# run WHAT STATUS EXPECTED [ARGUMENT]...: standard output must be EXPECTED (printf's escapes).
run() {
    local what=$1 want_status=$2 want got status=0
    want=$(printf '%b' "$3")
    shift 3
    points=$((points + 1))
    got=$("$program" "$@" 2>err.txt) || status=$?
    if [ "$got" = "$want" ] && [ "$status" -eq "$want_status" ]; then
        echo "ok $points - $what"
    else
        echo "not ok $points - $what"
        printf '%s\n' "exit $status, wanted $want_status" "$got" "wanted" "$want" | sed 's/^/# /'
    fi
}

run "good" 0 'good.json: ok' good.json
run "bad, with its place" 1 'bad.json:2:8: expected a value, found `t`' bad.json
run "all are checked" 1 'bad.json:2:8: expected a value, found `t`\ngood.json: ok' bad.json good.json
run "a name twice" 1 'twice.json:2:9: duplicate name "a"' twice.json
run "not UTF-8" 1 'bytes.json:1:3: not UTF-8 (byte 0xc3)' bytes.json
run "nothing" 1 'empty.json:1:1: expected a value, found the end' empty.json
run "missing" 1 'none.json: cannot open: No such file or directory' none.json
run "a directory" 1 '.: cannot read: Input/output error' .
run "standard input" 0 '-: ok' - <good.json
run "standard input without arguments" 1 '-:1:1: expected a value, found the end' </dev/null
run "an unknown option" 2 '' --nonsense
run "a file that looks like an option" 1 '--nonsense: cannot open: No such file or directory' -- --nonsense
head -c 17000000 /dev/zero | tr '\0' ' ' >long.json
run "too long" 1 'long.json:1:16777217: longer than 16777216 bytes' long.json
head -c 65 /dev/zero | tr '\0' '[' >deep.json
run "too deep" 1 'deep.json:1:65: nested deeper than 64' deep.json
points=$((points + 1))
if "$program" --help | grep -q '^usage: json_check'; then echo "ok $points - help"; else echo "not ok $points - help"; fi
echo "1..$points"

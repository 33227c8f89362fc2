#!/bin/bash
# Cedar: every case of our own, and of the shared conformance data where it is, gives what Cedar's engine gave.
set -u
cd "$(dirname -- "$0")/../.." || exit 1
conform=${BUILD:-.build}/cedar_conform
own=tests/golden/cedar
shared=${REEVE_SHARED:-../shared}/data/cedar
n=0

# point NAME KIND ARGUMENTS...: one test point; at least one case must have run.
point() {
    local name=$1 out last
    shift
    n=$((n + 1))
    if out=$("$conform" "$@" 2>&1); then
        last=${out##*$'\n'}
        case $last in
        "0 passed"*) echo "not ok $n - $name: no case in it" ;;
        *) echo "ok $n - $name: $last" ;;
        esac
    else
        echo "not ok $n - $name"
        printf '%s\n' "$out" | head -n 20 | cut -c1-600 | sed 's/^/# /'
    fi
}

# shared_point FILE KIND ARGUMENTS...: the same, skipped where the file is not.
shared_point() {
    local file=$shared/$1
    shift
    if [ -f "$file" ]; then
        point "shared ${file##*/}" "$@" "$file"
    else
        n=$((n + 1))
        echo "ok $n - shared ${file##*/} # SKIP the conformance data is not here"
    fi
}

point "own decisions" corpus $own/decisions.jsonl
point "own expressions" exprs --world $own/world.json $own/exprs.jsonl
point "own syntax" syntax $own/syntax.jsonl
point "own JSON policies" est $own/est.jsonl
for name in corpus gen handwritten invoice; do
    shared_point $name.jsonl corpus
done
shared_point exprs.jsonl exprs --world "$shared/exprs-world.json"
shared_point syntax.jsonl syntax
shared_point est.jsonl est

# The program itself must be able to fail: a case with a wrong expectation, a broken line, no such file.
wrong=$(mktemp) || exit 1
trap 'rm -f "$wrong"' EXIT
printf '{"expr":"1 == 1","expect":"false"}\n' >"$wrong"
n=$((n + 1))
if "$conform" exprs --world $own/world.json "$wrong" >/dev/null 2>&1; then
    echo "not ok $n - a wrong expectation fails"
else
    echo "ok $n - a wrong expectation fails"
fi
n=$((n + 1))
if "$conform" corpus /nonexistent.jsonl >/dev/null 2>&1 || "$conform" nonsense "$wrong" >/dev/null 2>&1; then
    echo "not ok $n - misuse fails"
else
    echo "ok $n - misuse fails"
fi
n=$((n + 1))
if "$conform" --help | grep -q '^usage: cedar_conform'; then
    echo "ok $n - --help"
else
    echo "not ok $n - --help"
fi
echo "1..$n"

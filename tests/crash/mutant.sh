#!/bin/bash
# Goal: the crash harness can fail. Three versions of reeved with one fault each (tests/crash/mutate, nothing else
# differs) are killed at places that they make themselves: before the last write of a commit, or after an effect and before
# its answer. Each fault is found. INV-04 INV-06
. "$(dirname "$0")/lib.bash"
[ -x "$build/tests/crash/mutant-early" ] || skip_all "tests/crash/mutant-* are not built"
"$build/tests/crash/kill_at" --at 0 -- /bin/true 2>/dev/null || skip_all "this kernel lets nobody be traced here"
start_model
before_commits() { awk -v role="$1" '$1 == role && $3 == "fdatasync" && /reeve.db-wal/ { print role, $2 - 1 }' "$dir/points"; }
after_effects() { awk '$1 == "effects" && $3 == "fdatasync" { print $1, $2 + 1 }' "$dir/points"; }
find_fault() { # find_fault NAME MUTANT WANTED PLACES...: WANTED among the faults of at most 40 kills
    local tried=0 wanted=$3 place
    reeved_program=$build/tests/crash/$2
    counts --list "$dir/points" >/dev/null
    : >"$faults"
    while read -ra place <&3; do
        try "${place[@]}" && tried=$((tried + 1))
        grep -qE "$wanted" "$faults" && break
    done 3< <("${@:4}" | shuf --random-source=<(yes) | head -n 40)
    sort -u "$faults" | head -n 5 | sed 's/^/# /'
    ok "$1 is found, after $tried kills" grep -qE "$wanted" "$faults"
}
plan 4
find_fault "sending before commit" mutant-early '^(lost|doubled)' before_commits mutant-early
find_fault "acknowledging an event before it is on disk" mutant-answered '^lost: (acknowledged event|[0-2] runs)' before_commits mutant-answered
find_fault "acknowledging an approval before it is on disk" mutant-answered '^lost: (approval|asked again)' before_commits mutant-answered
find_fault "making an effect again that may have happened" mutant-again '^doubled: (pay|wire)' after_effects

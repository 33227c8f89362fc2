#!/bin/bash
# Goal: the crash harness can fail. A reeved whose messages leave before the commit that they rest on, and are
# committed with the next pass (tests/crash/mutate, nothing else differs), is killed at some points: faults are found.
. "$(dirname "$0")/lib.bash"
reeved_program=$build/tests/crash/mutant-reeved
[ -x "$reeved_program" ] || skip_all "tests/crash/mutant-reeved is not built"
"$build/tests/crash/kill_at" --at 0 -- /bin/true 2>/dev/null || skip_all "this kernel lets nobody be traced here"
plan 1
start_model
tried=0
for place in 400 500 600 700 800 900 1000 1100 1200; do
    try mutant-reeved $place && tried=$((tried + 1))
    [ -s "$faults" ] && break
done
sed 's/^/# /' "$faults" | head -n 10
echo "# the mutant: $(summary "$tried")"
ok "sending before commit is found, after $tried kills" test -s "$faults"

#!/bin/bash
# Goal: reeved, workers, tool servers, the helpers, reeve-spawn and all at once are killed at system calls that write,
# sync, send, rename or truncate. Nothing that was acknowledged is lost, nothing is done twice, nothing hangs.
# INV-04 INV-05 INV-06 INV-07
#
# REEVE_CRASH_FULL=1 (`make crash`): every call of every process; else some of each. CRASH_JOBS: trials at a time (2).
# CRASH_STRIDE=N: every N-th point of the whole, from CRASH_FROM (1). KEEP_FAULTY=DIR keeps the state of trials with faults.
. "$(dirname "$0")/lib.bash"
jobs=${CRASH_JOBS:-2}
[ -x "$build/tests/crash/kill_at" ] || skip_all "tests/crash/kill_at is not built"
"$build/tests/crash/kill_at" --at 0 -- /bin/true 2>/dev/null || skip_all "this kernel lets nobody be traced here"
start_model
counts >"$dir/counts" 2>/dev/null
if [ "$(grep -c . "$dir/counts")" -lt 8 ]; then
    plan 1
    ok "the workload runs under a tracer: $(tail -n 1 "$dir/reeved.log")" false
    exit
fi

every() { # every ROLE FROM STEP OPTION...
    local i last
    last=$(awk -v role="$1" '$1 == role { print $2 }' "$dir/counts")
    for ((i = $2; i <= ${last:-0}; i += $3)); do echo "$1 $i ${*:4}"; done
}
some() { # some ROLE N OPTION...: N points, spread
    local last i
    last=$(awk -v role="$1" '$1 == role { print $2 }' "$dir/counts")
    for ((i = 1; i <= $2; i++)); do echo "$1 $(((2 * i - 1) * ${last:-0} / (2 * $2) + 1)) ${*:3}"; done
}
declare -A groups=(
    [reeved]="reeved" [workers]="steps reeve-worker" [tool servers]="effects reeve-demo-ledger" [reeve-egress]="reeve-egress"
    [reeve-spawn]="reeve-spawn reeve-probe" [reeve-control]="reeve-control" [all at once]="any"
)
declare -A few=([reeved]=9 [steps]=3 [reeve-worker]=1 [effects]=3 [reeve-demo-ledger]=1 [reeve-egress]=1 [reeve-spawn]=2
    [reeve-probe]=1 [reeve-control]=1 [any]=4)
for role in "${!few[@]}"; do
    option=
    [ "$role" != any ] || option=--all
    if [ -n "${REEVE_CRASH_FULL:-}" ]; then every "$role" "${CRASH_FROM:-1}" "${CRASH_STRIDE:-1}" $option; else some "$role" "${few[$role]}" $option; fi
done >"$dir/unordered"
# Twice: somewhere in the run, then in the start after it.
last=$(awk '$1 == "reeved" { print $2 }' "$dir/counts")
step=$((last / 3))
[ -z "${REEVE_CRASH_FULL:-}" ] || step=$((last * ${CRASH_STRIDE:-1} / 200 + 1))
for ((i = step; i <= last; i += step)); do echo "reeved $i --then $((i * 7 % 300 + 1))"; done >>"$dir/unordered"
shuf --random-source=<(yes) <"$dir/unordered" >"$dir/list"

: >"$dir/out"
for ((i = 0; i < jobs; i++)); do bash "$crash/part.bash" "$dir/list" "$dir/out" "$i" "$jobs" 2>>"$dir/part.log" & done
wait $(jobs -p | grep -v "^$model_pid$") 2>/dev/null

plan $((${#groups[@]} + 4))
for group in reeved workers "tool servers" reeve-egress reeve-spawn reeve-control "all at once"; do
    tried=0
    for role in ${groups[$group]}; do tried=$((tried + $(grep -c "^tried $role " "$dir/out"))); done
    ok "kills of $group: $tried points" test "$tried" -gt 0
done
tried=$(grep -c '^tried .*--then' "$dir/out")
ok "kills of reeved, and again while it starts: $tried points" test "$tried" -gt 0
for kind in lost doubled stuck; do
    grep "^$kind" "$dir/out" | sort | uniq -c | head -n 40 | sed 's/^/# /'
    is "nothing is $kind" "$(grep -c "^$kind" "$dir/out")" 0
done
cp "$dir/out" "$faults"
echo "# $(summary "$(grep -c '^tried' "$dir/out")")"

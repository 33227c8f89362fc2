#!/bin/bash
# Goal: reeved, workers, tool servers, the helpers, reeve-spawn and all at once are killed at system calls that write,
# sync, send, rename or truncate. Nothing that was acknowledged is lost, nothing is done twice, nothing hangs.
# INV-04 INV-05 INV-06 INV-07
#
# REEVE_CRASH_FULL=1 (`make crash`): every call of every process; else some of each.
#   CRASH_JOBS       trials at a time (twice the processors; in the short form as many as there are)
#   CRASH_STRIDE=N   every N-th point of each process, from CRASH_FROM (1): N runs, from 1 to N, are the whole
#   CRASH_DIR        the results (BUILD/crash): what such runs tried, what is wrong with it, the state of trials with faults
#   CRASH_RESUME=1   goes on with a run that was ended: what CRASH_DIR has as tried is not tried again
#
# How often a process makes such calls differs a little from run to run: the workload runs three times first, and the
# points go beyond the most calls that were seen, by a 16th. A point that a trial did not come to does not count.
# tests/crash/point ROLE N ... repeats one; tests/crash/summary DIR... adds up.
. "$(dirname "$0")/lib.bash"
full=${REEVE_CRASH_FULL:-} from=${CRASH_FROM:-1} stride=${CRASH_STRIDE:-1}
results=${CRASH_DIR:-$build/crash}
[ -x "$build/tests/crash/kill_at" ] || skip_all "tests/crash/kill_at is not built"
"$build/tests/crash/kill_at" --at 0 -- /bin/true 2>/dev/null || skip_all "this kernel lets nobody be traced here"
if [ -n "$full" ]; then
    jobs=${CRASH_JOBS:-$((2 * $(nproc)))}
else
    jobs=${CRASH_JOBS:-$(nproc)} results=$dir/results
fi
out=$results/out.$from-$stride
export KEEP_FAULTY=$results/faulty

# ---- the points ------------------------------------------------------------------------------------------------------
start_model
if [ -n "${CRASH_RESUME:-}" ] && [ -s "$out.list" ]; then
    cp "$out.counts" "$dir/counts"
else
    for n in 1 2 3; do
        [ "$n" -gt 1 ] && [ -z "$full" ] || counts
    done | awk '$2 > n[$1] { n[$1] = $2 } END { for (role in n) print role, n[role] }' >"$dir/counts" 2>/dev/null
fi
if [ "$(grep -c . "$dir/counts")" -lt 8 ]; then
    plan 1
    ok "the workload runs under a tracer: $(tail -n 1 "$dir/reeved.log")" false
    exit
fi
calls() { awk -v role="$1" '$1 == role { print $2; found = 1 } END { if (!found) print 0 }' "$dir/counts"; }
every() { # every ROLE OPTION...
    local i last
    last=$(calls "$1")
    for ((i = from; i <= last + last / 16 + 4; i += stride)); do echo "$1 $i ${*:2}"; done
}
some() { # some ROLE N OPTION...: N points, spread
    local i last
    last=$(calls "$1")
    for ((i = 1; i <= $2; i++)); do echo "$1 $(((2 * i - 1) * last / (2 * $2) + 1)) ${*:3}"; done
}
twice() { # twice N: somewhere in the run of reeved, then in the start after it; some N of them
    local i n last step
    last=$(calls reeved)
    step=$((last / $1 + 1))
    for ((i = step, n = 1; i <= last; i += step, n++)); do
        [ $(((n - from) % stride)) -ne 0 ] || echo "reeved $i --then $((i * 7 % 300 + 1))"
    done
}
declare -A few=([reeved]=9 [steps]=3 [reeve-worker]=1 [effects]=3 [reeve-demo-ledger]=1 [reeve-egress]=1 [reeve-spawn]=2
    [reeve-probe]=1 [reeve-control]=1 [any]=4)
points() {
    local role option
    for role in "${!few[@]}"; do
        option=
        [ "$role" != any ] || option=--all
        if [ -n "$full" ]; then every "$role" $option; else some "$role" "${few[$role]}" $option; fi
    done
    if [ -n "$full" ]; then twice 300; else twice 2; fi
}
if [ -z "${CRASH_RESUME:-}" ] || [ ! -s "$out.list" ]; then
    [ "$from" != 1 ] || [ "$stride" != 1 ] || rm -rf "$results"
    mkdir -p "$results"
    points | sed 's/ *$//' | shuf --random-source=<(yes) >"$out.list"
    cp "$dir/counts" "$out.counts"
    echo "build $(sha256sum <"$build/reeved" | cut -c 1-12)" >"$out"
fi
sed -nE 's/^(tried|none) //p' "$out" | sort | comm -13 - <(sort "$out.list") | shuf --random-source=<(yes) >"$dir/list"

# ---- trials ------------------------------------------------------------------------------------------------------------
count_of() { grep -c "$@" "$out"; }
progress() { # one line now and then, for who watches a long run
    local began=$SECONDS all before done left
    all=$(grep -c . "$out.list") before=$(count_of -E '^(tried|none) ')
    while sleep 15; do
        done=$(count_of -E '^(tried|none) ')
        left='?'
        [ "$done" -eq "$before" ] || left=$(((SECONDS - began) * (all - done) / (done - before) / 60))
        echo "crash: $done of $all points, $(count_of -E '^(lost|doubled|stuck)') faults, $left minutes left" >&2
    done
}
progress_pid=
if [ -n "$full" ]; then
    progress &
    progress_pid=$!
fi
exec 8<"$dir/list"
parts=()
for ((i = 0; i < jobs; i++)); do
    bash "$crash/part.bash" "$out" "$dir/turn" 2>>"$results/part.log" &
    parts+=($!)
done
wait "${parts[@]}"
[ -z "$progress_pid" ] || kill "$progress_pid"

# ---- the report ----------------------------------------------------------------------------------------------------------
bash "$crash/summary" --groups "$out" >"$dir/groups"
plan $(($(grep -c . "$dir/groups") + 3))
while IFS=$'\t' read -r group tried none; do
    ok "kills of $group: $tried points" test "$tried" -gt 0
done <"$dir/groups"
for kind in lost doubled stuck; do
    grep "^$kind" "$out" | sed -E 's/\[(.*)\]$/-- tests\/crash\/point \1/' | sort | head -n 60 | sed 's/^/# /'
    is "nothing is $kind" "$(count_of "^$kind")" 0
done
bash "$crash/summary" "$out" | sed 's/^/# /'

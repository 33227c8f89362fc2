#!/bin/bash
# Goal: workers that say anything at all on the broker socket, to a real supervisor: it does not crash, it does not leak,
# and no other run is disturbed. INV-11
#
#   FUZZ_RUNS   how many hostile runs (200)
. "$(dirname "$0")/lib.bash"
. "$(dirname "$0")/life.bash"
[ -x "$build/tests/sys/fuzz_worker" ] || skip_all "not built"
plan 14
runs=${FUZZ_RUNS:-200}
for name in one many fuzz; do workflow "$name" 'limits: {wall_time: 2s, attempts: 1, park_after: 100ms, children: 3, depth: 1}' 'children: [fuzz, one]' 'emits: [fuzz.x]' 'tools: [ledger/*]'; done
workflow aside 'limits: {park_after: 1h, steps: 5000}'
sed -i "s#tests/sys/life_worker#tests/sys/fuzz_worker#; s#env: {[^}]*}#env: {MESSAGES: \"120\"}#" "$dir/policy/life.yaml"
sed -i '/name: aside$/,$ s#env: {[^}]*}#env: {}#' "$dir/policy/life.yaml"
ledger_server ledger '{lookup_vendor: {class: read, retry: read-only}, pay: {class: irreversible}}'
may_read
ok "reeved starts" start_reeved --workers 24
first=$reeved_pid
send_hostile() { local i; for ((i = 0; i < $1; i++)); do go one '[]'; done >>"$dir/hostile"; }
over() { "$reeve" runs --state live --limit 500 --json | jq -e '[.runs[] | select(.workflow != "aside" and .state != "waiting")] | length == 0'; }
no_fuzzer() { [ -z "$(pgrep -P "$(spawn_of "$reeved_pid")" -f fuzz_worker)" ]; }
open_files() { ls "/proc/$reeved_pid/fd" | wc -l; }
resident() { awk '/VmRSS/ {print $2}' "/proc/$reeved_pid/status"; }
steps_aside() { life=$((life + 1)); jq -n --arg id "aside-$life-$RANDOM" --argjson n "$1" '{specversion:"1.0", id:$id, source:"/test", type:"test.aside", data:{steps:$n}}' | "$reeve" event send - --json | jq -r .run; }

# What it costs when all is quiet
aside=$(steps_aside 500)
await "the bystander's end" is_final "$aside"
quiet=$(result "$aside")
like "a bystander's steps, when all is quiet" "$quiet" '"p50":[0-9]+'

# Warmed up: what is kept for good is kept by now
: >"$dir/hostile"
send_hostile 60
await "their end" over
await "no worker" no_fuzzer
before=$(resident) files=$(open_files)

aside=$(steps_aside 2000)
send_hostile "$runs" &
sender=$!
await "the hostile runs are under way" has_steps "$aside" 5
for try in 1 2 3 4 5; do await "all of them" sh -c "! kill -0 $sender" && break; done
wait "$sender"
for try in 1 2 3; do await "their end" over && break; done
ok "they all end, or wait for something with a name" over
is "none is lost" "$("$reeve" runs --workflow one --all --json | jq -s '[.[].runs[]?] | length')" "$(grep -c . "$dir/hostile")"
is "the supervisor is the same process" "$(kill -0 "$first" && echo "$reeved_pid")" "$first"
for try in 1 2 3; do await "the bystander's end" is_final "$aside" && break; done
is "the bystander's run succeeded" "$(run_state "$aside") $("$reeve" run show "$aside" --json | jq .attempt)" "succeeded 1"
loud=$(result "$aside")
echo "# a bystander's step, microseconds: quiet $quiet, beside $runs hostile runs $loud"
ok "and no step of it took a second" test "$(jq .max <<<"$loud")" -lt 1000000
ok "most of them hardly longer than before" test "$(jq .p50 <<<"$loud")" -lt $((20 * $(jq .p50 <<<"$quiet") + 20000))
await "no worker" no_fuzzer
files_are_back() { [ "$(open_files)" -le "$files" ]; }
await "its descriptors" files_are_back
ok "no descriptor is left" files_are_back
after=$(resident)
echo "# reeved resident: $before KiB before, $after KiB after"
if [ -n "$before" ] && [ -n "$after" ]; then
    # The store's cache grows to its 8 MiB, however many runs: FUZZ_RUNS=2000 shows it.
    ok "nor more memory than the store's cache takes" test "$after" -lt $((before + 10240))
else
    skip "nor more memory than the store's cache takes" "this user may not look"
fi
ends=$("$reeve" runs --workflow one --all --json | jq -rs '[.[].runs[]? | .state] | group_by(.) | map("\(.[0]) \(length)") | join(", ")')
echo "# how they ended: $ends"
like "some were refused, some went their way" "$ends" 'failed.*succeeded|dead.*succeeded|failed'
is "reeved logged no fault of its own" "$(grep -cE 'level=error.*(internal|invariant|illegal)' "$dir/reeved.log")" 0
ok "it still serves" "$reeve" status
stop_reeved
is "and what is on disk is sound" "$(sqlite3 "$dir/state/reeve.db" 'PRAGMA integrity_check')" ok

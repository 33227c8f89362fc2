#!/bin/bash
# Goal: several supervisors on one host, with the same range of user ids and servers of the same names, start at once and
# do not meet; a second one on the same state is told. INV-02
. "$(dirname "$0")/lib.bash"
. "$(dirname "$0")/life.bash"
plan 8
count=6
cat >>"$dir/policy/life.yaml" <<Y
---
server:
  name: ledger
  tenant: acme
  command: ["$build/reeve-demo-ledger", --db, "\${ledger}/ledger.db"]
  files: [{path: "\${ledger}", write: true}]
  tools: {lookup_vendor: {class: read, retry: read-only}}
Y
may_read
workflow one 'tools: [ledger/*]'
pids=()
for ((i = 0; i < count; i++)); do
    mkdir -p "$dir/l$i"
    "$build/reeved" --policy "$dir/policy" --state "$dir/state$i" --socket "$dir/s$i" --libexec "$build" --set "ledger=$dir/l$i" >"$dir/log$i" 2>&1 &
    pids+=($!)
    disown
done
all_pids() { local p s; for p in "${pids[@]}"; do s=$(spawn_of "$p"); echo "$p" $s $([ -n "$s" ] && pgrep -P "$s"); done; }
trap 'kill -KILL $(all_pids) 2>/dev/null; cleanup' EXIT
on() { local i=$1; shift; REEVE_SOCKET=$dir/s$i "$reeve" "$@"; }
for ((i = 0; i < count; i++)); do await "number $i" on "$i" status; done
answers=0 tested=0
for ((i = 0; i < count; i++)); do
    on "$i" status >/dev/null 2>&1 && answers=$((answers + 1))
    [ "$(on "$i" doctor --json | jq -c '[.. | .selfTests? // empty | .[] | .good] | all')" = true ] && tested=$((tested + 1))
done
is "all of them answer" "$answers" "$count"
is "all sets of walls of each passed their test" "$tested" "$count"
runs=()
for ((i = 0; i < count; i++)); do
    runs+=("$(REEVE_SOCKET=$dir/s$i go one '[{"call":"tools/call","params":{"name":"ledger.lookup_vendor","arguments":{"name":"Fjordlys AS"}}},{"step":"a","value":1}]')")
done
ended() { on "$1" run show "${runs[$1]}" --json | jq -e '.state | IN("succeeded", "failed", "dead", "cancelled")'; }
good=0
for ((i = 0; i < count; i++)); do
    await "its end" ended "$i"
    [ "$(on "$i" run show "${runs[$i]}" --json | jq -r .state)" = succeeded ] && good=$((good + 1))
done
is "a run with a tool call succeeds on each" "$good" "$count"
is "none of them refused to start anything" "$(cat "$dir"/log? | grep -c 'self-test')" 0
timeout 60 "$build/reeved" --policy "$dir/policy" --state "$dir/state0" --socket "$dir/other" --libexec "$build" --set "ledger=$dir/l0" >"$dir/second" 2>&1
is "a second one on the same state does not start" $? 1
like "and says who is in the way" "$(cat "$dir/second")" 'another reeved runs on .*state0'
ok "the first is not disturbed" on 0 status
kill -KILL $(all_pids | head -n 1)
await "its end" sh -c "! kill -0 ${pids[0]} 2>/dev/null"
still=0
for ((i = 1; i < count; i++)); do on "$i" status >/dev/null 2>&1 && still=$((still + 1)); done
is "one that is killed takes none of the others along" "$still" "$((count - 1))"

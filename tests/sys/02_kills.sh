#!/bin/bash
# Goal: the worker, a tool server, the helpers, and all of Reeve are killed in the middle; nothing is lost or
# done twice. INV-04 INV-05 INV-06
. "$(dirname "$0")/lib.bash"
plan 13
start_model --delay-ms 60
ok "reeved starts" start_reeved
run=$(send k1)
await "the first steps" has_steps "$run" 3
before=$(steps "$run" | grep -c committed)
kill -KILL $(worker_pids) 2>/dev/null
await "the gate after the worker's death" has_open "$run"
ok "the steps before are still there" test "$(steps "$run" | grep -c committed)" -ge "$before"
is "no step of the journal stands twice" "$(steps "$run" | cut -f2- | sort | uniq -d | grep -v model | wc -l)" 0
kill_reeve
ok "reeved starts again" start_reeved
ok "the approval is still open" has_open "$run"
"$reeve" approve "$(open_approval "$run")" >/dev/null
kill_reeve
start_reeved
await "the end" is_final "$run"
is "the run succeeds" "$(run_state "$run")" succeeded
is "one payment" "$(payments)" 1

run=$(send k2)
await "another run's first steps" has_steps "$run" 2
kill -KILL "$(server_pids)" 2>/dev/null
kill -KILL "$(helper_pid egress)" 2>/dev/null
kill -KILL "$(helper_pid control)" 2>/dev/null
await "its gate" has_open "$run"
ok "tool server and helpers came back" has_open "$run"
kill -KILL "$(spawn_of "$reeved_pid")"
ok "without reeve-spawn reeved ends: it could confine nobody" await "reeved's end" bash -c "! kill -0 $reeved_pid"
like "and says why" "$(tail -n 3 "$dir/reeved.log")" 'reeve-spawn ended'
start_reeved
ok "the approval is still open" has_open "$run"
"$reeve" reject "$(open_approval "$run")" --comment 'not this one' >/dev/null
await "its end" is_final "$run"
like "the rejection reached the model" "$("$reeve" run steps "$run" --json | jq -r '.steps[] | select(.key == "ledger/pay") | .state + " " + .reason')" 'denied rejected by .*not this one'
is "still one payment" "$(payments)" 1

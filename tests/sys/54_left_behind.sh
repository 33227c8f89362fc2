#!/bin/bash
# Goal: what a killed Reeve leaves dying costs the next one nothing but time: where the self-test of a set of walls had
# no room (a process of its user id still lives), it is made again, and runs start as soon as it has passed. INV-02
. "$(dirname "$0")/lib.bash"
[ "$(id -u)" = 0 ] || skip_all "user ids of its own are root's to give"
plan 7
uid_base=$((1000000000 + $$ % 40000 * 70000))
extra_args=(--uid-base "$uid_base")
# The ids that the strict set's self-test may have: reeve-spawn picks one of 64 (sandbox/spawn/test.c).
leftovers=()
for ((n = 0; n < 128; n++)); do
    setpriv --reuid $((uid_base + 57344 + 8192 - 1 - n / 2 * 8)) --clear-groups sleep 3600 &
    leftovers+=($!)
    disown $!
done
trap 'kill -KILL "${leftovers[@]}" 2>/dev/null; cleanup' EXIT
strict() { "$reeve" doctor --json | jq -r '[.. | .selfTests? // empty | .[] | select(.set == "strict") | .good][0]'; }
reason_is() { run_reason "$1" | grep -q -- "$2"; }
they_live() { [ "$(pgrep -c -u "$(seq -s, $((uid_base + 57344 + 8192 - 1 - 63 * 8)) 8 $((uid_base + 57344 + 8192 - 1)))" sleep)" = 128 ]; }
await "what was left behind" they_live
start_model
ok "reeved starts" start_reeved
is "no walls stood for strict workers" "$(strict)" false
run=$(send l1)
ok "a run waits, and says why" await "a reason" reason_is "$run" 'self-test of its walls (strict)'
like "it has not ended" "$(run_state "$run")" '^(waiting|starting)$'
kill -KILL "${leftovers[@]}"
ok "once there is room it starts by itself" await "the gate" has_open "$run"
is "the walls stood" "$(strict)" true
"$reeve" approve "$(open_approval "$run")" >/dev/null
await "the end" is_final "$run"
is "it succeeds" "$(run_state "$run")" succeeded

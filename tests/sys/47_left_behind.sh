#!/bin/bash
# Goal: what a killed Reeve leaves dying costs the next one nothing but time: where the self-test of a set of walls had
# no room (a process of its user id still lives), it is made again, and runs start as soon as it has passed. INV-02
. "$(dirname "$0")/lib.bash"
[ "$(id -u)" = 0 ] || skip_all "user ids of its own are root's to give"
plan 7
uid_base=$((1000000000 + $$ % 40000 * 70000))
extra_args=(--uid-base "$uid_base")
# The id of the strict set's self-test: the last of reeve-spawn's own (sandbox/start.h).
leftovers=()
for n in 1 2; do
    setpriv --reuid $((uid_base + 57344 + 8192 - 1)) --clear-groups sleep 3600 &
    leftovers+=($!)
    disown $!
done
trap 'kill -KILL "${leftovers[@]}" 2>/dev/null; cleanup' EXIT
strict() { "$reeve" doctor --json | jq -r '[.. | .selfTests? // empty | .[] | select(.set == "strict") | .good][0]'; }
reason_is() { run_reason "$1" | grep -q -- "$2"; }
they_live() { [ "$(pgrep -c -u $((uid_base + 57344 + 8192 - 1)) sleep)" = 2 ]; }
await "what was left behind" they_live
start_model
ok "reeved starts" start_reeved
is "no walls stood for strict workers" "$(strict)" false
run=$(send l1)
ok "a run waits, and says why" await "a reason" reason_is "$run" 'self-test of its walls (strict)'
is "it has not ended" "$(run_state "$run")" waiting
kill -KILL "${leftovers[@]}"
ok "once there is room it starts by itself" await "the gate" has_open "$run"
is "the walls stood" "$(strict)" true
"$reeve" approve "$(open_approval "$run")" >/dev/null
await "the end" is_final "$run"
is "it succeeds" "$(run_state "$run")" succeeded

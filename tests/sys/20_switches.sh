#!/bin/bash
# Goal: a workflow, a tenant, everything is stopped, held over kill -9, and let go; a kill ends what is there and keeps
# what comes later; each is in the audit record; who may what. INV-05 INV-07
. "$(dirname "$0")/order.bash"
plan 34
echo 'tenant: {name: beta}' >"$dir/policy/order.yaml"
{
    hold_workflow hold acme 'limits: {park_after: 1h}'
    hold_workflow other beta 'limits: {park_after: 1h}'
    hold_workflow parked acme 'limits: {park_after: 0s}'
} >>"$dir/policy/order.yaml"
me=$(id -un)
ok "reeved starts" start_reeved
a=$(begin hold 1)
o=$(begin other 101)
await "a" holds "$a"
await "o" holds "$o"

# a workflow
ok "the workflow is stopped" "$reeve" stop --workflow hold --reason "vendor data"
is "its run lines up again" "$(run_state "$a")" queued
like "and says what holds it" "$(run_reason "$a")" "^workflow hold is paused by .*: vendor data$"
b=$(begin hold 2)
is "a new run is taken, and waits" "$(run_state "$b")" queued
like "with the same reason" "$("$reeve" runs --workflow hold)" "paused by"
is "another workflow goes on" "$(run_state "$o")" running
like "status shows it" "$("$reeve" status)" "stopped +workflow hold is paused by"
like "so does the queue" "$("$reeve" queue)" "hold .*workflow hold is paused"
kill_reeve
ok "all of it is killed and comes again" start_reeved
await "o again" state_is "$o" running
is "the stop is still there" "$("$reeve" switches --json | jq -r '.switches[] | [.scope, .name, .state, .why] | @tsv')" $'workflow\thold\tpaused\tvendor data'
is "the run waits" "$(run_state "$a")$(run_state "$b")" queuedqueued
ok "go" "$reeve" go --workflow hold
await "a" holds "$a"
await "b" holds "$b"
release 1 2
await "a's end" is_final "$a"
await "b's end" is_final "$b"
is "both end well" "$(run_state "$a") $(run_state "$b")" "succeeded succeeded"
is "no step was done twice" "$(steps "$a" | grep -c began)" 1
is "nothing is stopped" "$("$reeve" switches)" "nothing is stopped"

# a kill
a=$(begin hold 3)
p=$(begin parked 4)
await "a" holds "$a"
await "parking" state_is "$p" waiting
ok "the tenant is killed" "$reeve" stop --tenant acme --kill --reason leak
await "the sweep" is_final "$p"
is "running and waiting runs are cancelled" "$(run_state "$a") $(run_state "$p")" "cancelled cancelled"
like "with the reason" "$(run_reason "$p")" "^tenant acme is killed by .*: leak$"
n=$(begin parked 5)
is "a later event is kept, and its run waits" "$(run_state "$n")" queued
is "another tenant goes on" "$(run_state "$o")" running
kill_reeve
start_reeved
is "still so after kill -9" "$(run_state "$n")" queued
ok "go" "$reeve" go --tenant acme
await "the later run" state_is "$n" waiting
release 5
await "its end" is_final "$n"
is "which ends well" "$(run_state "$n")" succeeded

# everything, and single runs
"$reeve" stop --all >/dev/null
await "the hold" state_is "$o" queued
is "all stands still" "$(worker_pids | wc -l)" 0
"$reeve" run pause "$o" >/dev/null
like "a paused run is in the list too" "$("$reeve" switches)" "run +$o +paused"
"$reeve" run resume "$o" >/dev/null
is "and gone from it when it goes" "$("$reeve" switches --json | jq -r '[.switches[].scope] | join(",")')" all
"$reeve" go --all >/dev/null
await "o" state_is "$o" running
is "each stop and go is in the audit record" "$("$reeve" audit --all --json | jq -r '.records[] | select(.action | startswith("switch.")) | .action + " " + .subject' | paste -sd' ')" \
    "switch.stop workflow/hold switch.go workflow/hold switch.stop tenant/acme switch.go tenant/acme switch.stop all switch.go all"

# what is wrong, and who may not
"$reeve" stop >"$dir/out" 2>&1
is "a stop says of what" $? 2
"$reeve" stop --workflow hodl >"$dir/out" 2>&1
is "a name that is not there is said" $? 3
"$reeve" go --tenant acme >"$dir/out" 2>&1
is "so is a go without a stop" $? 3
stop_reeved
sed -i 's/role: admin/role: operator/' "$dir"/policy/*.yaml
start_reeved
"$reeve" stop --tenant acme >"$dir/out" 2>&1
is "an operator does not stop a tenant" "$? $(grep -c 'needs the role admin' "$dir/out")" "4 1"
"$reeve" stop --all >"$dir/out" 2>&1
is "nor everything" $? 4
ok "but a workflow" "$reeve" stop --workflow hold

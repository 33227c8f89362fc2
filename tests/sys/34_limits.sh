#!/bin/bash
# Goal: every limit of a run ends what goes over it, is named in the reason, and harms nobody else. INV-11
. "$(dirname "$0")/lib.bash"
. "$(dirname "$0")/life.bash"
plan 17
ledger_server ledger '{lookup_vendor: {class: read, retry: read-only}}'
may_read
workflow steps 'limits: {steps: 5}'
workflow wall 'limits: {wall_time: 1s}'
workflow result 'limits: {result: 1K}'
workflow message 'limits: {message: 64K, attempts: 2}'
workflow calls 'budget: {calls: 2}' 'tools: [ledger/lookup_vendor]'
workflow start 'limits: {start_time: 1s, attempts: 2}'
sed -i '/name: start$/,$ s/program: "[^"]*"/program: "\/bin\/sleep", args: ["60"]/' "$dir/policy/life.yaml"
ok "reeved starts" start_reeved
other=$(go result '[{"call":"event/wait","params":{"type":"test.end"}}]')

ends() { # ends WORKFLOW OPS STATE REASON: a run that goes over
    run=$(go "$1" "$2")
    await "its end" is_final "$run"
    is "$1: it ends" "$(run_state "$run")" "$3"
    like "$1: the limit is named" "$(run_reason "$run")" "$4"
}
ends steps '[{"repeat":9,"step":"s"}]' failed 'limits\.steps'
is "steps: those within it were done, once, and no other is on record" "$("$reeve" run show "$run" --json | jq .steps) $(done_times s-5) $(steps "$run" | grep -c s-6)" "5 1 0"
ends wall '[{"step":"w","value":1},{"hang":true}]' failed 'limits\.wall_time'
ends result '[{"big":2000}]' failed 'limits\.result'
run=$(go result '[{"big":1000}]')
await "its end" is_final "$run"
is "result: one that fits is kept" "$(run_state "$run") $(result "$run" | jq '.[0] | length')" "succeeded 1000"
ends message '[{"big":70000}]' failed 'limits\.message'
run=$(go calls "$(jq -cn '[range(3) | {call:"tools/call", params:{name:"ledger.lookup_vendor", arguments:{name:("Fjordlys AS" + (" " * .))}}}]')")
await "its end" is_final "$run"
is "calls: those within the budget are made, the next is denied" "$(result "$run" | jq -c 'map(._meta["io.reeve/denied"].reason // "made")')" '["made","made","the run'"'"'s budget of calls is used up (budget.calls)"]'
ends start '[]' dead 'limits\.start'
await "no worker is left" no_worker
is "no worker is left" "$(workers | wc -l)" 0
tell test.end >/dev/null
await "the other run's end" is_final "$other"
is "another run was not harmed" "$(run_state "$other")" succeeded
"$reeve" run redrive "$(go steps '[{"step":"one","value":1}]')" >"$dir/r" 2>&1
like "what is not over is not driven again" "$(cat "$dir/r")" 'cannot be told to redrive'

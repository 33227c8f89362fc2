#!/bin/bash
# Goal: child runs: fan-out and join, failure, cancellation that reaches children of children, limits in depth and
# number, over a kill of everything. INV-05 INV-10
. "$(dirname "$0")/lib.bash"
. "$(dirname "$0")/life.bash"
plan 21
workflow many 'children: [child, many, deaf]' 'limits: {park_after: 300ms, depth: 2, children: 6}'
workflow child 'limits: {park_after: 300ms}'
workflow deaf 'limits: {park_after: 300ms}'
cat >>"$dir/policy/life.cedar" <<'C'
@id("not-deaf") forbid (principal, action == Action::"delegate", resource == Workflow::"deaf");
C
child() { jq -cn --arg w "$1" --argjson do "$2" '{call:"run/child", params:{workflow:$w, data:{do:$do}}}'; }
ok "reeved starts" start_reeved

wait='{"call":"event/wait","params":{"type":"test.go"}}'
one="$(child child "[{\"step\":\"c1\",\"value\":1},$wait]")"
two="$(child child "[{\"step\":\"c2\",\"value\":2},$wait,{\"step\":\"c2\",\"value\":2}]")"
three="$(child child '[{"fail":"cannot"}]')"
run=$(go many "[{\"all\":[$one,$two,$three]},{\"step\":\"joined\",\"value\":1}]")
await "parking" waits_for "$run" child
is "a parent starts its children at once" "$("$reeve" run show "$run" --json | jq -c '.children | length')" 3
await "the children's parking" waits_for "$(child_of "$run" 0)" event
await "no process" no_worker
is "all that wait hold no process" "$(workers | wc -l)" 0
is "a child says whose it is, and goes as deep" "$("$reeve" run show "$(child_of "$run" 0)" --json | jq -c '[.parent.run, .depth]')" "[$run,1]"
kill_reeve
start_reeved
await "the other child's parking" waits_for "$(child_of "$run" 1)" event
tell test.go >/dev/null
await "the end" is_final "$run"
is "the parent joins them after a kill" "$(run_state "$run") $(done_times joined)" "succeeded 1"
is "with their results and failures in its own order" "$(result "$run" | jq -c '.[:3] | map(if .result then (.result | length) else .error end)')" '[2,3,1006]'
is "no child was started twice" "$("$reeve" run show "$run" --json | jq '.children | length') $(done_times c1) $(done_times c2)" "3 1 2"
like "why one failed stands with its step" "$("$reeve" run steps "$run" --json | jq -r '.steps[] | select(.state == "failed") | .reason')" 'failed: cannot'
like "the trace shows them inside" "$("$reeve" run trace "$run")" 'c1'

# ---- cancellation
grand="$(child child "[$wait]")"
run=$(go many "[$(child many "[$grand]")]")
await "parking" waits_for "$run" child
await "the child" test -n "$(child_of "$run")"
middle=$(child_of "$run")
await "the child's parking" waits_for "$middle" child
leaf=$(child_of "$middle")
await "the grandchild's parking" waits_for "$leaf" event
"$reeve" run cancel "$run" --reason stop >/dev/null
is "cancelling a run cancels those below it" "$(run_state "$run") $(run_state "$middle") $(run_state "$leaf")" "cancelled cancelled cancelled"
like "which say why" "$(run_reason "$leaf")" 'the run that started it ended'
run=$(go many "[$(child child '[{"hang":true}]')]")
await "parking" waits_for "$run" child
await "a worker that hangs" some_worker
"$reeve" run cancel "$run" >/dev/null
await "its end" no_worker
is "a child at work loses its worker" "$(run_state "$(child_of "$run")")" cancelled
run=$(go many "[$(child child "[$wait]")]")
await "parking" waits_for "$run" child
"$reeve" run cancel "$(child_of "$run")" --reason 'not this one' >/dev/null
await "the end" is_final "$run"
is "a child that is cancelled is a failure to its parent, which goes on" "$(run_state "$run") $(result "$run" | jq -c '.[0].error')" "succeeded 1006"
like "and is told why" "$("$reeve" run steps "$run" --json | jq -r '.steps[0].reason')" 'cancelled: .*not this one'

# ---- refused
run=$(go many "[$(child one '[]'),$(child deaf '[]'),$(child nobody '[]'),{\"call\":\"run/child\",\"params\":{}}]")
await "the end" is_final "$run"
is "what is not listed, not permitted, not there is refused" "$(result "$run" | jq -c 'map(.error)')" '[1002,1002,1002,-32602]'
is "and nothing was started" "$("$reeve" run show "$run" --json | jq -c .children)" '[]'
deep="$(child many "[$(child many "[$(child child '[]')]")]")"
run=$(go many "[$deep]")
await "the end" is_final "$run"
is "limits.depth holds" "$(run_state "$run") $(result "$run" | jq -c '.. | objects | select(.error?) | .error')" "succeeded 1002"
like "and is named" "$("$reeve" run trace "$run" --json | jq -r '.. | objects | select(.state? == "denied") | .reason')" 'limits.depth'
few=$(child child '[]')
run=$(go many "[$few,$few,$few,$few,$few,$few,$few]")
await "the end" is_final "$run"
is "limits.children holds" "$(result "$run" | jq -c 'map(has("error") | not) | [(map(select(.)) | length), length]')" '[6,7]'
like "and is named, too" "$("$reeve" run steps "$run" --json | jq -r '.steps[] | select(.state == "denied") | .reason')" 'limits.children'
run=$(go child '[{"call":"run/child","params":{"workflow":"child","data":null}}]')
await "the end" is_final "$run"
is "a workflow without children starts none" "$(result "$run" | jq -c 'map(.error)')" '[1002]'

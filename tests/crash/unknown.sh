#!/bin/bash
# Goal: an effect whose outcome was lost is put to a person, and stays so: a run that is cancelled and driven again asks
# anew instead of telling its worker that nothing happened; what the person says is carried out once, over a kill of
# everything right after the word. INV-05 INV-06 INV-07
. "$(dirname "$0")/lib.bash"
[ -x "$build/tests/crash/kill_at" ] || skip_all "tests/crash/kill_at is not built"
"$build/tests/crash/kill_at" --at 0 -- /bin/true 2>/dev/null || skip_all "this kernel lets nobody be traced here"
plan 12
trial=unknown restarted='' former=() then_at='' model_port=9
unknown() { "$reeve" approvals --state open --json | jq "[.approvals[] | select(.kind == \"unknown-effect\")] | $1"; }
has_two() { [ "$(unknown length)" = 2 ]; }
answer_unknown() {
    unknown '.[] | [.approval, .kind, .run, .step, .arguments.id] | @tsv' | jq -r . | while IFS=$'\t' read -r id kind run seq arg; do answer "$id" "$kind" "$run" "$seq" "$arg"; done
}
approve_all() { # and what the kill has made unknown once more is answered by the record
    answer_unknown
    "$reeve" approvals --state open --json | jq '.approvals[] | select(.kind != "unknown-effect") | .approval' | while read -r id; do "$reeve" approve "$id" >/dev/null; done
    is_final 1
}
fresh
# The server's first three answers are of the handshake (the first call opens the record); the seventh call is the answer to the first tool call.
launch --role effects --at 7
send_until_acked "$(start_event 1)"
send_until_acked "$(go_event 1)"
ok "two calls that may not be repeated are unknown" await "two gates" has_two
is "one of them is on record" "$(grep -c '^pay' "$record")" 1
await "parking" state_is 1 waiting
is "the run waits for that" "$("$reeve" run show 1 --json | jq -r .wait)" unknown
ok "it is cancelled" "$reeve" run cancel 1
is "its gates close" "$(unknown length)" 0
ok "it is driven again" "$reeve" run redrive 1
ok "and asks again" await "two gates" has_two
is "nothing was told to have been denied" "$("$reeve" run steps 1 --json | jq '[.steps[] | select(.state == "denied")] | length')" 0
answer_unknown
end_reeve
launch
ok "reeved starts again, right after the words" await "reeved" "$reeve" status
ok "the run comes to its end" await "the end" approve_all
is "it succeeded" "$(run_state 1)" succeeded
is "each payment is there once" "$(awk '$1 == "pay" { print $3 }' "$record" | sort | uniq -c | awk '{ print $1 }' | sort | uniq -c | tr -s ' ')" " 4 1"

#!/bin/bash
# Goal: what waits for people: questions of a worker's own, gates that expire, effects whose outcome was lost and a
# person's word on them. INV-06 INV-08
. "$(dirname "$0")/lib.bash"
. "$(dirname "$0")/life.bash"
plan 37
ledger_server ledger '{lookup_vendor: {class: read, retry: read-only}, pay: {class: irreversible}}' --record "$dir/ledger/effects.log"
ledger_server mortal '{pay: {class: irreversible}}' --die-in pay:middle
workflow one 'limits: {park_after: 300ms}' 'tools: ["ledger/*", "mortal/*"]'
cat >>"$dir/policy/life.cedar" <<'C'
@id("small") permit (principal, action == Action::"call:ledger/pay", resource) when { context.input.amountCents <= 100 };
@id("read") permit (principal, action in Action::"read", resource);
@id("mortal") permit (principal, action == Action::"call:mortal/pay", resource);
@id("ask") @approvers("leads") @expires("2s") permit (principal, action == Action::"propose:ledger/pay", resource);
@id("big") permit (principal, action == Action::"call:ledger/pay", resource) when { context has approval };
C
ask() { jq -cn --argjson p "$1" '{call:"approval/request", params:$p}'; }
iban=NO0000000000000
pay() { jq -cn --arg iban "$iban" --arg s "$1" --argjson c "$2" '{call:"tools/call", params:{name:($s + ".pay"), arguments:{vendorId:"V-1001", invoiceNumber:"F-1", amountCents:$c, currency:"EUR", iban:$iban}}}'; }
approval_state() { "$reeve" approval "$1" --json | jq -r .state; }
ok "reeved starts" start_reeved

# ---- questions
run=$(go one "[$(ask '{"question":"Shall we?","data":{"n":1},"approvers":["leads"]}'),{\"step\":\"asked\",\"value\":1}]")
await "the question" has_open "$run"
await "parking" waits_for "$run" approval
id=$(open_approval "$run")
is "people see the question as it is" "$("$reeve" approval "$id" --json | jq -c '[.kind, .what, .arguments.data]')" '["question","Shall we?",{"n":1}]'
kill_reeve
start_reeved
ok "it is still there after a kill" "$reeve" approve "$id" --comment 'go ahead'
await "the end" is_final "$run"
is "a yes" "$(result "$run" | jq -c '.[0] | [.approved, .by]')" "[true,[\"$(id -un)\"]]"
run=$(go one "[$(ask '{"question":"And this?"}')]")
await "the question" has_open "$run"
"$reeve" reject "$(open_approval "$run")" --comment 'rather not' >/dev/null
await "the end" is_final "$run"
is "a no" "$(result "$run" | jq -c '.[0].approved')" false
like "with its comment" "$(result "$run" | jq -r '.[0].comment')" 'rather not'
run=$(go one "[$(ask '{"question":"Quickly?","expiresMs":1000}')]")
await "the question" has_open "$run"
id=$(open_approval "$run")
await "the end" is_final "$run"
is "nobody answers in time" "$(result "$run" | jq -c '.[0].approved') $(approval_state "$id")" "false expired"
"$reeve" approve "$id" >"$dir/late" 2>&1
like "who comes too late is told so" "$(cat "$dir/late")" 'expired already'
run=$(go one "[$(ask '{"question":"Who?","approvers":["nobody"]}')]")
await "the question" has_open "$run"
"$reeve" approve "$(open_approval "$run")" >"$dir/no" 2>&1
like "who is in none of the groups may not answer" "$(cat "$dir/no")" 'none of the groups'
"$reeve" run cancel "$run" >/dev/null
is "a cancelled run leaves no open question" "$("$reeve" approvals --json | jq '[.approvals[] | select(.state == "open")] | length')" 0
run=$(go one "[$(ask '{"question":"Two?","quorum":2}')]")
await "the question" has_open "$run"
id=$(open_approval "$run")
"$reeve" approve "$id" >/dev/null
is "one of two is not enough" "$(approval_state "$id")" open
"$reeve" approve "$id" >"$dir/twice" 2>&1
like "and nobody votes twice" "$(cat "$dir/twice")" 'voted on'
"$reeve" run cancel "$run" >/dev/null
run=$(go one "[$(ask '{"question":"x","quorum":0}'),$(ask '{"question":"x","expiresMs":1}'),$(ask '{"question":""}'),$(ask '{"question":"x","approvers":"leads"}')]")
await "the end" is_final "$run"
is "a question that is none is refused" "$(result "$run" | jq -c 'map(.error)')" '[-32602,-32602,-32602,-32602]'

# ---- a gate that expires
run=$(go one "[$(pay ledger 50000),{\"step\":\"paid\",\"value\":1}]")
await "the gate" has_open "$run"
id=$(open_approval "$run")
await "the end" is_final "$run"
is "a gate expires by policy's own time" "$(run_state "$run") $(approval_state "$id")" "succeeded expired"
like "which the worker is told" "$(result "$run" | jq -r '.[0]._meta["io.reeve/denied"].reason')" 'nobody decided in time'
is "nothing was paid" "$(ls "$dir/ledger/effects.log" 2>/dev/null | wc -l)" 0
run=$(go one "[$(pay ledger 50001)]")
await "the gate" has_open "$run"
id=$(open_approval "$run")
kill_reeve
sleep_till_expired() { [ "$(date +%s)" -ge "$(("$expires" + 1))" ]; }
expires=$(date +%s -d '+2 seconds')
await "its time to be over" sleep_till_expired
start_reeved
await "the end" is_final "$run"
is "also while nobody was there" "$(approval_state "$id") $(ls "$dir/ledger/effects.log" 2>/dev/null | wc -l)" "expired 0"

# ---- an effect whose outcome is lost
run=$(go one '[{"call":"tools/call","params":{"name":"ledger.lookup_vendor","arguments":{"name":"Fjordlys AS"}}}]')
await "the ledger" is_final "$run"
iban=$(ledger "SELECT iban FROM vendors WHERE id='V-1001'")
ledger "INSERT INTO invoices(vendor, number, purchase_order, cents, currency) VALUES('V-1001', 'F-1', '', 100, 'EUR')"
lost() { # lost: a payment whose server dies in the middle; waits for its gate
    ledger 'DELETE FROM deaths'
    run=$(go one "[$(pay mortal 100),{\"step\":\"later\",\"value\":1}]")
    await "the question what became of it" has_open "$run"
    await "parking" waits_for "$run" unknown
    id=$(open_approval "$run")
}
lost
n=$(payments)
is "it is unknown, and not tried again" "$(steps "$run" | cut -f3,4) $("$reeve" approval "$id" --json | jq -r .kind)" $'mortal/pay\tunknown unknown-effect'
"$reeve" approve "$id" >"$dir/bare" 2>&1
like "a plain yes is no answer" "$(cat "$dir/bare")" 'say that it happened'
kill_reeve
start_reeved
is "nobody has guessed after a kill" "$(wait_of "$run") $(payments)" "unknown $n"
echo '{"content":[{"type":"text","text":"paid by hand"}]}' >"$dir/result.json"
ok "it happened, says a person" "$reeve" approve "$id" --happened "$dir/result.json" --comment 'seen at the bank'
await "the end" is_final "$run"
is "the worker gets that result" "$(run_state "$run") $(result "$run" | jq -r '.[0].content[0].text')" "succeeded paid by hand"
is "and nothing was paid" "$(payments)" "$n"
lost
ledger 'DELETE FROM deaths'
ok "it did not happen, says a person" "$reeve" approve "$id" --not-happened
await "another question: its server died again" waits_for "$run" unknown
await "the second one" test -n "$(open_approval "$run")"
is "it was tried again, once" "$("$reeve" run steps "$run" --json | jq '.steps[0].tries')" 2
is "with a gate of its own" "$([ "$(open_approval "$run")" != "$id" ] && echo other)" other
ok "stop it, says a person" "$reeve" reject "$(open_approval "$run")" --comment stop
is "the run is over" "$(run_state "$run")" failed
like "with the reason" "$(run_reason "$run")" 'stopped by a person'
is "and went no further" "$(done_times later)" 1
lost
"$reeve" run fork "$run" --from 2 >"$dir/fork" 2>&1
like "there is no fork behind it" "$(cat "$dir/fork")" 'step 1 of run [0-9]+ is unknown'
fork=$("$reeve" run fork "$run" --from 1 --dry --json | jq .run)
await "a dry fork's end" is_final "$fork"
is "a dry fork does not do it either" "$(payments) $(result "$fork" | jq -r '.[0].isError')" "$n true"
like "and says so" "$(result "$fork" | jq -r '.[0].content[0].text')" 'a dry run lets nothing leave'
ok "a replay stops there" "$reeve" run replay "$run"
is "and did not do it" "$(payments)" "$n"
"$reeve" run cancel "$run" >/dev/null
is "cancelled, its question is closed" "$(approval_state "$id")" cancelled
run=$(go one "[$(pay ledger 100),$(pay ledger 100)]")
await "the end" is_final "$run"
is "the same call twice is two calls" "$(run_state "$run") $(($(payments) - n))" "succeeded 2"

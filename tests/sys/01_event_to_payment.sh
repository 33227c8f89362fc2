#!/bin/bash
# Goal: an event starts a run, policy denies what it forbids, a person approves, one payment is made.
# INV-03 INV-08 INV-10 INV-12
. "$(dirname "$0")/lib.bash"
plan 12
start_model
ok "reeved starts" start_reeved
run=$(send e1)
is "the event starts run 1" "$run" 1
is "the same event again is the same run" "$(send e1)" 1
await "the gate" has_open 1
await "parking" state_is 1 waiting
is "a run that waits holds no process" "$(worker_pids | wc -l)" 0
is "nothing was paid yet" "$(payments)" 0
like "the forbidden call names its policy" "$("$reeve" run steps 1 --json | jq -r '.steps[] | select(.key == "ledger/change_iban") | .state + " " + .reason')" 'denied .*vendors-are-not-changed'
ok "the approval is taken" "$reeve" approve "$(open_approval 1)" --comment fine
await "the end" is_final 1
is "the run succeeds" "$(run_state 1)" succeeded
is "one payment" "$(payments)" 1
is "one invoice" "$(ledger 'SELECT count(*) FROM invoices')" 1
like "the trace says who approved" "$("$reeve" run trace 1)" 'approved by .*fine'
"$reeve" approve 1 >"$dir/again" 2>&1
like "an approval is used once" "$(cat "$dir/again")" 'used already'

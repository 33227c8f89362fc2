#!/bin/bash
# Goal: why was it decided so, and what would another set decide: explain by the set of then, backtest, a set on
# trial. INV-12
. "$(dirname "$0")/lib.bash"
plan 14
start_model
start_reeved
run=$(send p1)
await "the gate" has_open "$run"
denied=$("$reeve" run steps "$run" --json | jq '.steps[] | select(.key == "ledger/change_iban") | .seq')
why=$("$reeve" explain "$run" "$denied" 2>&1)
like "explain names the policy that decided" "$why" 'vendors-are-not-changed'
like "and the one that came near" "$why" 'tenant-wall|post-small|look-up'

# Another set: changing an IBAN is allowed, paying is not even proposed.
cp -r "$dir/policy" "$dir/next"
sed -i '/vendors-are-not-changed/,/resource);/d; /@id("pay-propose")/,/2000000 };/d' "$dir/next/invoice.cedar"
cat >>"$dir/next/invoice.cedar" <<'C'
@id("iban-by-model") permit (principal in Team::"ap-triage", action == Action::"call:ledger/change_iban", resource);
C
set_args=(--set "bin=$build" --set "ledger=$dir/ledger" --set "operator=$(id -un)" --set "approver=$(id -un)")
tested=$("$reeve" policy backtest "$dir/next" "${set_args[@]}" --since 1h 2>&1)
is "a backtest that finds changes exits with 1" "$?" 1
like "it lists the call that would be allowed" "$tested" 'call:ledger/change_iban.*deny.*vendors-are-not.*allow.*iban-by'
like "and the proposal that would not be" "$tested" 'propose:ledger/pay.*allow.*deny'
json=$("$reeve" policy backtest "$dir/next" "${set_args[@]}" --json)
is "as JSON: two changes" "$(jq '.changes | length' <<<"$json")" 2
"$reeve" policy backtest "$dir/policy" "${set_args[@]}" >"$dir/same" 2>&1
is "the same set changes nothing" "$?" 0

is "no set is on trial" "$("$reeve" status --json | jq .shadow)" null
ok "a set is put on trial" "$reeve" policy load --audit "$dir/next"
stop_reeved
start_reeved
is "it is still on trial after a restart" "$("$reeve" status --json | jq .shadow.policies)" 9
second=$(send p2)
await "the gate of the second run" has_open "$second"
is "it decides nothing: the forbidden call stays denied" "$("$reeve" run steps "$second" --json | jq -r '.steps[] | select(.key == "ledger/change_iban") | .state')" denied
like "it reports what it would have decided" "$("$reeve" policy audit)" 'call:ledger/change_iban.*deny.*allow'
"$reeve" policy load --no-audit >/dev/null
is "it is dropped" "$("$reeve" status --json | jq .shadow)" null

# A directory that others may write grants to others: refused, also while running.
chmod o+w "$dir/policy"
like "a policy directory that others may write is refused" "$("$reeve" policy load "$dir/policy" 2>&1)" 'writ'

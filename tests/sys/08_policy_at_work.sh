#!/bin/bash
# Goal: history counters hold against parallel calls, masks hide, notices are kept, an erring forbid denies, no policy
# is a deny, SIGHUP loads. INV-03 INV-12
. "$(dirname "$0")/lib.bash"
plan 14
start_model

# ---- two lookups in parallel, one allowed
sed -i 's|^  history:|  history:\n    looked: {of: calls, tools: [ledger/lookup_vendor, ledger/match_purchase_order], per: run}|' "$dir/policy/demo.yaml"
sed -i 's|resource in Server::"ledger");|resource in Server::"ledger") when { context.history.looked <= 1 };|' "$dir/policy/invoice.cedar"
cat >>"$dir/policy/invoice.cedar" <<'C'
@id("tell-security") @notify("security@example.com")
permit (principal, action == Action::"oblige:ledger/pay", resource);
C
start_reeved
run=$(send h1)
await "both lookups" has_steps "$run" 4
lookups=$("$reeve" run steps "$run" --json | jq -r '.steps[] | select(.key | test("lookup_vendor|match_purchase")) | .state' | sort | uniq -c | tr -s ' \n' ' ')
is "of two parallel calls exactly one is within the limit" "$lookups" ' 1 committed 1 denied '
"$reeve" run cancel "$run" >/dev/null

# ---- SIGHUP, masks, notices
sed -i 's|context.history.looked <= 1|context.history.looked <= 2|' "$dir/policy/invoice.cedar"
before=$("$reeve" status --json | jq -r .policy.digest)
kill -HUP "$reeved_pid"
changed() { [ "$("$reeve" status --json | jq -r .policy.digest)" != "$before" ]; }
ok "SIGHUP loads the set anew" await "another digest" changed
run=$(send h2)
await "the gate" has_open "$run"
is "with it both are" "$("$reeve" run steps "$run" --json | jq -r '[.steps[] | select(.key | test("lookup_vendor|match_purchase")) | .state] | unique | join(",")')" committed
like "the approval shows what would be done, masked" "$("$reeve" approval "$(open_approval "$run")" --json | jq -c .arguments)" '"iban":"\*\*\*"'
like "the journal keeps it masked too" "$("$reeve" run step "$run" 9 --whole --json 2>/dev/null | jq -c '.key, .request'; "$reeve" run step "$run" 10 --whole --json | jq -c '.key, .request')" 'ledger/pay|\*\*\*'
is "nowhere in the shown step is the number itself" "$("$reeve" run step "$run" 10 --whole --json | jq -c .request | grep -c NO93)" 0
like "the notice is in the run's log" "$("$reeve" run trace "$run")" 'notify security@example.com: ledger/pay'
like "each decision names its set" "$("$reeve" explain "$run" 10 --json | jq -r '.decisions[0].policy')" '^[0-9a-f]{64}$'
"$reeve" approve "$(open_approval "$run")" >/dev/null
await "the end" is_final "$run"
is "what was sent is whole: the ledger has the number" "$(ledger 'SELECT iban FROM payments')" NO9386011117947

# ---- a forbid that errs fails closed
cat >>"$dir/policy/invoice.cedar" <<'C'
@id("broken-guard") forbid (principal, action == Action::"call:ledger/post_invoice", resource) when { context.input.nothing.here == 1 };
C
ok "a set with a policy that errs when asked can be loaded" "$reeve" policy load "$dir/policy"
run=$(send h3)
await "the post" has_steps "$run" 6
posted=$("$reeve" run steps "$run" --json | jq -r '.steps[] | select(.key == "ledger/post_invoice") | .state + " " + .reason')
like "a forbid that errs denies" "$posted" '^denied'
like "and is named" "$posted" 'broken-guard'
"$reeve" run cancel "$run" >/dev/null 2>&1

# ---- no policy at all
: >"$dir/policy/invoice.cedar"
ok "a set without policies can be loaded" "$reeve" policy load "$dir/policy"
like "and permits nothing" "$(event h4 | "$reeve" event send - 2>&1)" 'no policy permits'

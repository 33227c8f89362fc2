#!/bin/bash
# Goal: an effect whose outcome was lost, of a tool that another tool can vouch for: it is asked whether it happened;
# its word counts as a person's would, and where it has none, people are asked. INV-06
. "$(dirname "$0")/lib.bash"
server=$build/tests/sys/verify_server
[ -x "$server" ] || skip_all "not built"
plan 8
cat >"$dir/policy/demo.yaml" <<Y
tenant: {name: acme}
---
team: {name: t, tenant: acme}
---
team: {name: ap-leads, tenant: acme}
---
server:
  name: bank
  tenant: acme
  command: ["$server", "$dir/ledger", "\${how}"]
  files:
    - {path: "$dir/ledger", write: true}
  tools:
    pay: {class: irreversible, retry: verify, verify: was_paid}
    was_paid: {class: read, retry: read-only}
---
workflow:
  name: payer
  tenant: acme
  team: t
  worker: {program: "$build/tests/sys/verify_worker", profile: program}
  tools: [bank/pay]
  trigger:
    - event: com.example.pay
Y
cat >"$dir/policy/invoice.cedar" <<'C'
@id("start") permit (principal is Source, action == Action::"start", resource);
@id("pay") permit (principal in Team::"t", action == Action::"call:bank/pay", resource);
@id("look") permit (principal in Team::"t", action == Action::"call:bank/was_paid", resource);
@id("approve") permit (principal in Team::"ap-leads", action == Action::"approve", resource);
C
chmod go-w "$dir/policy"/*
runs=0
go() { # go HOW: a run with a fresh server
    [ -n "$reeved_pid" ] && stop_reeved
    rm -f "$dir/ledger/effects" "$dir/ledger/died"
    extra_args=(--set "how=$1")
    start_reeved
    runs=$((runs + 1))
    run=$(jq -nc --arg id "$runs" '{specversion: "1.0", id: $id, source: "/t", type: "com.example.pay"}' |
        "$reeve" event send - --json | jq -r .run)
}
paid() { wc -l <"$dir/ledger/effects"; }
go after
await "the end" is_final "$run"
is "died after the effect: it is found to have happened" "$(run_state "$run")" succeeded
is "and is not done again" "$(paid)" 1
go before
await "the end" is_final "$run"
is "died before the effect: it is found not to have" "$(run_state "$run")" succeeded
is "and is done" "$(paid)" 1
go silent
await "a person's gate" has_open "$run"
await "the try" bash -c "'$reeve' run trace $run | grep -q 'does not tell'"
ok "a tool that has no word leaves it to people" has_open "$run"
ok "who decide" "$reeve" approve "$(open_approval "$run")" --not-happened
await "the end" is_final "$run"
is "and the run goes on" "$(run_state "$run")" succeeded
sed -i '/"look"/d' "$dir/policy/invoice.cedar"
go after
await "a person's gate" has_open "$run"
await "the refusal" bash -c "'$reeve' run trace $run --json | grep -q 'no policy permits'"
is "without a policy that permits the question, people are asked too" "$(paid)" 1

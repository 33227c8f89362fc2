#!/bin/bash
# Goal: a worker that floods the supervisor with large calls ends its own run, and disturbs nobody. INV-11
. "$(dirname "$0")/lib.bash"
server=$build/tests/sys/verify_server
[ -x "$server" ] || skip_all "not built"
plan 3
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
  worker: {program: "$build/tests/sys/flood_worker", profile: program}
  tools: ["bank/*"]
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
extra_args=(--set how=silent)
start_reeved
run=$(jq -nc '{specversion: "1.0", id: "flood", source: "/t", type: "com.example.pay"}' | "$reeve" event send - --json | jq -r .run)
await "its end" is_final "$run"
is "the flood ends its run" "$(run_state "$run")" failed
like "and says why" "$(run_reason "$run")" 'calls of over [0-9]+ bytes'
ok "the supervisor goes on" "$reeve" status

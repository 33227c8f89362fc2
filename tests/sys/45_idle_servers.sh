#!/bin/bash
# Goal: a tool server that nobody uses is stopped after its idle time and started again when it is wanted; one that is
# used, or has a call in flight, stays.
. "$(dirname "$0")/lib.bash"
. "$(dirname "$0")/life.bash"
plan 15
cat >>"$dir/policy/life.yaml" <<Y
---
server:
  name: ledger
  tenant: acme
  idle: 1s
  command: ["$build/reeve-demo-ledger", --db, "$dir/ledger/ledger.db"]
  files: [{path: "$dir/ledger", write: true}]
  tools: {lookup_vendor: {class: read, retry: read-only}}
---
server:
  name: slow
  tenant: acme
  idle: 1s
  timeout: 30s
  command: ["$build/tests/sys/slow_server", "3000"]
  tools: {nap: {class: read, retry: read-only}}
Y
may_read
workflow one 'tools: [ledger/*, slow/*]' 'limits: {park_after: 1h}'
ok "reeved starts" start_reeved
ledgers() { pgrep -P "$(spawn_of "$reeved_pid")" -f reeve-demo-ledger; }
naps() { pgrep -P "$(spawn_of "$reeved_pid")" -f slow_server; }
none() { [ -z "$(ledgers)$(naps)" ]; }
server() { "$reeve" status --json | jq -c ".servers[] | select(.name == \"$1\") | [.state, .starts, .error]"; }
look='{"call":"tools/call","params":{"name":"ledger.lookup_vendor","arguments":{"name":"Fjordlys AS"}}}'
nap='{"call":"tools/call","params":{"name":"slow.nap","arguments":{}}}'
ok "no server runs before it is wanted" none
run=$(go one "[$look]")
await "its end" is_final "$run"
is "it is started for a call" "$(run_state "$run") $(ledgers | wc -l)" "succeeded 1"
await "its stop" none
ok "and stopped when it was idle" none
is "which is no failure" "$(server ledger)" '["down",1,null]'
like "and is said" "$(cat "$dir/reeved.log")" 'tool server ledger is idle: stopped until it is wanted'
run=$(go one "[$look]")
await "its end" is_final "$run"
is "the next call starts it again, at once" "$(run_state "$run") $(result "$run" | jq '.[0].isError // false') $(server ledger)" 'succeeded false ["ready",2,null]'
# Kept while it is used: calls come more often than it is idle
run=$(go one "[$(for i in 1 2 3 4 5 6; do printf '%s,{"call":"sleep","params":{"ms":400}},' "${look/Fjordlys AS/v$i}"; done)$look]")
await "its end" is_final "$run"
is "one that is used is not stopped" "$(run_state "$run") $(server ledger)" 'succeeded ["ready",2,null]'
# A call of three seconds, idle after one
run=$(go one "[$nap]")
await "its call" sh -c "[ -n \"\$($reeve run steps $run --json | jq -r '.steps[] | select(.state == \"intent\") | .seq')\" ]"
await "the other's stop" sh -c "[ -z \"\$(pgrep -P $(spawn_of "$reeved_pid") -f reeve-demo-ledger)\" ]"
is "one with a call in flight stays, longer than it may be idle" "$(naps | wc -l)" 1
await "its end" is_final "$run"
is "and answers" "$(run_state "$run") $(result "$run" | jq -r '.[0].content[0].text') $(server slow)" 'succeeded slept ["ready",1,null]'
await "their stop" none
is "then it is stopped, too" "$(server slow)" '["down",1,null]'
# Both at once, and a list of tools brings up what it needs
run=$(go one "[{\"call\":\"tools/list\"},$look]")
await "its end" is_final "$run"
is "a list of tools starts both" "$(result "$run" | jq -c '[.[0].tools[].name] | sort')" '["ledger.lookup_vendor","slow.nap"]'
await "their stop" none
kill_reeve
ok "after kill -9 they are not there until they are wanted" start_reeved
ok "none" none
run=$(go one "[$look]")
await "its end" is_final "$run"
is "and then they are" "$(run_state "$run")" succeeded

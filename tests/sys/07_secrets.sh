#!/bin/bash
# Goal: a model key and a tool server's secret are where they are used and nowhere else, also when a gateway sends
# the key back. INV-09 INV-01
. "$(dirname "$0")/lib.bash"
plan 9
printf 'sk-canary-7f3a9b2c4d\n' >"$dir/key"
printf 'ledger-canary-55aa77cc\n' >"$dir/token"
chmod 600 "$dir/key" "$dir/token"
sed -i -E "s|^  name: ledger\$|  name: ledger\n  secrets: {LEDGER_TOKEN: $dir/token}|" "$dir/policy/demo.yaml"
extra_args=(--set "key_file=$dir/key")
start_model --key-file "$dir/key" --delay-ms 300
start_reeved --log-level debug
run=$(send s1)
await "a worker" bash -c "pgrep -P $(spawn_of "$reeved_pid") -f '^reeve-worker'"
worker=$(worker_pids | head -n 1)
await "the server" server_pids
is "the worker's environment is empty" "$(tr '\0' '\n' <"/proc/$worker/environ" 2>/dev/null | grep -c canary)" 0
like "the tool server has its secret" "$(tr '\0' '\n' <"/proc/$(server_pids)/environ" 2>/dev/null)" 'LEDGER_TOKEN=ledger-canary'
is "and not the model's" "$(tr '\0' '\n' <"/proc/$(server_pids)/environ" | grep -c sk-canary)" 0
is "no secret is on a command line" "$(ps -eo args | grep -c '[c]anary')" 0
await "the gate" has_open "$run"
is "the model took the key" "$("$reeve" run steps "$run" --json | jq -r '[.steps[] | select(.kind == "model")][0].state')" committed
"$reeve" approve "$(open_approval "$run")" >/dev/null
await "the end" is_final "$run"
is "the run succeeds" "$(run_state "$run")" succeeded
stop_reeved
sqlite3 "$dir/state/reeve.db" .dump >"$dir/dump.sql" 2>/dev/null
is "neither is in the store" "$(cat "$dir"/state/* "$dir/dump.sql" 2>/dev/null | grep -ac canary)" 0
is "nor in the log" "$(grep -c canary "$dir/reeved.log")" 0
start_reeved
is "reeved itself has neither" "$(grep -ac canary "/proc/$reeved_pid/environ")" 0

#!/bin/bash
# Goal: of calls that a worker makes side by side, one that failed without having left is made again in the next attempt,
# although others beside it were done; those are not. A failure that the worker went on from stays what it was. INV-05
. "$(dirname "$0")/lib.bash"
. "$(dirname "$0")/life.bash"
plan 7
mkdir "$dir/srv"
lookup='{lookup_vendor: {class: read, retry: read-only}}'
ledger_program=$dir/srv/late ledger_server late "$lookup"
ledger_server ledger "$lookup"
may_read
workflow many 'tools: [ledger/*, late/*]' 'limits: {park_after: 1h, attempts: 200}' 'emits: [test.beside]'
ok "reeved starts" start_reeved
call() { echo '{"call":"tools/call","params":{"name":"'"$1"'.lookup_vendor","arguments":{"name":"Fjordlys AS"}}}'; }
state_of() { "$reeve" run steps "$1" --json | jq -r --arg k "$2/lookup_vendor" '[.steps[] | select(.key == $k) | .state] | join(" ")'; }
late_is() { [ "$(state_of "$1" late)" = "$2" ]; }
tried_twice() { [ "$(attempts "$1")" -ge 3 ]; }
run=$(go many "[{\"all\":[$(call late),$(call ledger)]},{\"twist\":[{\"step\":\"fin\",\"value\":1}],\"else\":[{\"fail\":\"not yet\",\"retryable\":true}]}]")
await "tries" tried_twice "$run"
is "one call is done, one is not" "$(state_of "$run" ledger)" committed
cp "$build/reeve-demo-ledger" "$dir/srv/late"
chmod 755 "$dir/srv" "$dir/srv/late"
await "the late one" late_is "$run" committed
is "the one that had failed is made again once it can be" "$(state_of "$run" late)" committed
touch "$dir/out/twist"
await "its end" is_final "$run"
is "and the run ends well, each call there once" "$(run_state "$run") $(state_of "$run" late) $(state_of "$run" ledger)" "succeeded committed committed"
is "both answers are the worker's" "$(result "$run" | jq -c 'map(if type == "object" then .isError // false else . end)')" '[false,false,1]'
# The worker saw the failure and went on: that is its way, whatever comes later.
rm -f "$dir/srv/late" "$dir/out/twist"
kill_reeve
start_reeved
run=$(go many "[$(call late),{\"step\":\"after\",\"value\":1},{\"twist\":[{\"step\":\"fin\",\"value\":1}],\"else\":[{\"fail\":\"not yet\",\"retryable\":true}]}]")
await "tries" tried_twice "$run"
cp "$build/reeve-demo-ledger" "$dir/srv/late"
touch "$dir/out/twist"
await "its end" is_final "$run"
is "a failure that the worker went on from is replayed" "$(run_state "$run") $(state_of "$run" late)" "succeeded failed"
is "with what was done after it done once" "$(done_times after)" 1

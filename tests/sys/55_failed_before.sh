#!/bin/bash
# Goal: a call that failed because its tool server did not start is made again with the next attempt, also when others that
# the worker sent right behind it went well; a failure that the worker knew of when it went on stays as it is. INV-05
. "$(dirname "$0")/lib.bash"
. "$(dirname "$0")/life.bash"
plan 6
lookup='{lookup_vendor: {class: read, retry: read-only}}'
ledger_program=/bin/false ledger_server shaky "$lookup"
ledger_server ledger "$lookup"
may_read
workflow many 'tools: [ledger/*, shaky/*]' 'limits: {attempts: 4}'
chmod 777 "$dir/ledger"
ok "reeved starts" start_reeved
look() { printf '{"call":"tools/call","params":{"name":"%s.lookup_vendor","arguments":{"name":"%s"}}}' "$1" "$2"; }
failing='{"fail":"shaky failed","retryable":true,"attempts":1}'
# Whether the call of shaky ended after all others: in the second attempt, not in the first.
made_again() { "$reeve" run steps "$1" --all --json | jq '[.steps[] | select(.kind == "tool")] | (map(select(.key | startswith("shaky")))[0].endedAt) > (map(select(.key | startswith("ledger")).endedAt) | max)'; }

run=$(go many "[$(look shaky a),{\"all\":[$(look ledger b),$(look ledger c)]},$failing]")
await "its end" is_final "$run"
is "calls at once: the second attempt succeeds" "$(run_state "$run") $(attempts "$run")" "succeeded 2"
is "one failed, two went well" "$(steps "$run" | awk '$2 == "tool" { print $4 }' | sort | uniq -c | xargs)" "2 committed 1 failed"
is "the failed one was made again" "$(made_again "$run")" true

run=$(go many "[$(look shaky a),$(look ledger b),$failing]")
await "its end" is_final "$run"
is "one after the other: the second attempt succeeds" "$(run_state "$run") $(attempts "$run")" "succeeded 2"
is "the failure that the worker knew of stays" "$(made_again "$run")" false

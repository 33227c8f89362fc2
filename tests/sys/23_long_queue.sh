#!/bin/bash
# Goal: 50,000 queued runs cost a start and another tenant nothing to speak of; a kill ends them all, also when everything
# is killed in the middle of it.
. "$(dirname "$0")/order.bash"
plan 9
{
    echo 'tenant: {name: beta}'
    hold_workflow hold acme 'concurrency: 2' 'queue: 1000000' 'limits: {park_after: 0s}'
    hold_workflow other beta 'limits: {park_after: 0s}'
} >"$dir/policy/order.yaml"
ok "reeved starts" start_reeved
"$reeve" stop --workflow hold >/dev/null
b=$(begin hold 2)
stop_reeved
columns=$(sqlite3 "$dir/state/reeve.db" "SELECT group_concat(name) FROM pragma_table_info('run') WHERE name <> 'id'")
sqlite3 "$dir/state/reeve.db" "WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i+1 FROM n WHERE i<50000)
    INSERT INTO run($columns) SELECT $columns FROM run,n WHERE run.id=$b"
ok "it starts with 50,000 more in the queue" start_reeved
is "which is counted" "$("$reeve" queue --json | jq '.queue[0].queued')" 50001
o=$(begin other 3)
await "another tenant's run" state_is "$o" waiting
is "another tenant's run goes at once" "$(run_state "$o")" waiting
is "the last of the queue says what holds it" "$("$reeve" runs --workflow hold --limit 1 --json | jq -r '.runs[0].reason')" "workflow hold is paused by $("$reeve" switches --json | jq -r '.switches[0].who')"
ok "all of them are killed" "$reeve" stop --workflow hold --kill
"$reeve" go --workflow hold >"$dir/out" 2>&1
like "they do not go again before they are ended" "$(cat "$dir/out")" "still being ended"
kill_reeve
start_reeved
swept() { "$reeve" switches --json | jq -e '.switches[0].ending | not'; }
await "the sweep" swept || await "the sweep, on a slow machine" swept
is "all are ended, over a kill -9 in the middle" "$("$reeve" status --json | jq -c '[.runs.queued, .runs.cancelled]')" "[0,50001]"
ok "then it may go" "$reeve" go --workflow hold

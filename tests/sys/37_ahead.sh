#!/bin/bash
# Goal: steps that a worker does not wait for are recorded before anything that comes after them, over deaths of the
# worker and of all; and what a hostile worker makes of step/record ends with itself. INV-05
. "$(dirname "$0")/lib.bash"
. "$(dirname "$0")/life.bash"
plan 21
workflow one 'limits: {park_after: 300ms, attempts: 9, steps: 100000}'
workflow few 'limits: {steps: 20}'
ok "reeved starts" start_reeved
keys() { # keys RUN: how many committed named steps, how many different keys
    sqlite3 "file:$dir/state/reeve.db?mode=ro" "SELECT count(*)||' '||count(DISTINCT key) FROM step WHERE run=$1 AND kind=2 AND state=2"
}
has_many() { [ "$(keys "$1" | cut -d' ' -f1)" -ge "$2" ]; }
again() { sort "$dir/out/done" | grep "^$1-" | uniq -d | wc -l; } # done more than once

run=$(go one '[{"repeat":200,"step":"a","ahead":true},{"call":"event/wait","params":{"type":"test.go"}},{"repeat":300,"step":"a","ahead":true}]')
await "parking" waits_for "$run" event
is "what was ahead of a wait is recorded when it waits" "$(keys "$run")" "200 200"
tell test.go >/dev/null
await "its end" is_final "$run"
is "another worker goes on behind it" "$(run_state "$run") $(keys "$run") $(again a)" "succeeded 300 300 0"
is "the request is in the journal" "$("$reeve" run step "$run" 7 --json | jq -c '[.key, .request, .state]')" '["a-7",{"key":"a-7"},"committed"]'
is "and the outcome" "$("$reeve" run step "$run" 7 --json | jq -c .outcome)" '{"done":true,"value":7}'

run=$(go one '[{"repeat":30000,"step":"b","ahead":true}]')
await "many steps" has_many "$run" 300
kill -KILL $(workers) 2>/dev/null
await "its end" is_final "$run"
is "a worker's death in the middle: all are there, each once" "$(run_state "$run") $(keys "$run")" "succeeded 30000 30000"
ok "and no more were done again than may be ahead" test "$(again b)" -le 320

run=$(go one '[{"repeat":30000,"step":"c","ahead":true}]')
await "many steps" has_many "$run" 300
kill_reeve
start_reeved
await "its end" is_final "$run"
is "the death of all: likewise" "$(run_state "$run") $(keys "$run")" "succeeded 30000 30000"
ok "and no more were done again than may be ahead" test "$(again c)" -le 320

run=$(go one '[{"repeat":500,"step":"d","ahead":true,"save":100},{"die":1},{"repeat":600,"step":"d","ahead":true,"save":100}]')
await "its end" is_final "$run"
is "a checkpoint covers those ahead of it" "$(run_state "$run") $(keys "$run") $(again d)" "succeeded 600 600 0"

run=$(go few '[{"repeat":30,"step":"e","ahead":true}]')
await "its end" is_final "$run"
is "limits.steps holds" "$(run_state "$run") $(keys "$run")" "failed 20 20"
like "and is named" "$(run_reason "$run")" 'limits.steps'

# ---- by hand
record() { jq -nc --argjson n "$1" '[{call:"step/record",params:{steps:[range($n) | {begin:{key:"h-\(.)"},value:.}]}}]'; }
run=$(go one "$(record 257)")
await "its end" is_final "$run"
is "a message holds at most 256; more are not recorded, nor anything after" "$(run_state "$run") $(keys "$run")" "failed 0 0"
like "and the reason says so" "$(run_reason "$run")" 'step/record: at most 256 steps'
run=$(go one '[{"call":"step/record","params":{"steps":[]}}]')
await "its end" is_final "$run"
is "it may be empty" "$(run_state "$run") $(result "$run")" "succeeded [{}]"
# A client that does not look at answers: its later steps are not recorded as if those had been.
after='{"jsonrpc":"2.0","id":902,"method":"step/record","params":{"steps":[{"begin":{"key":"after"},"value":2}]}},{"jsonrpc":"2.0","id":903,"method":"run/end","params":{"result":"cheated"}}'
for params in '{"steps":{"a":1}}' '{}' "{\"steps\":$(jq -nc '[range(257)|{begin:{key:"k\(.)"},value:1}]')}"; do
    run=$(go one '[{"say":[{"jsonrpc":"2.0","id":901,"method":"step/record","params":'"$params"'},'"$after"']},{"hang":true}]')
    await "its end" is_final "$run"
    echo "$(run_state "$run") $(keys "$run") $(run_reason "$run" | grep -o 'step/record')"
done >"$dir/out.txt"
run=$(go one '[{"say":[{"jsonrpc":"2.0","method":"step/record","params":{"steps":[{"begin":{"key":"k"},"value":1}]}},'"$after"']},{"hang":true}]')
await "its end" is_final "$run"
echo "$(run_state "$run") $(keys "$run") $(run_reason "$run" | grep -o 'step/record')" >>"$dir/out.txt"
run=$(go one '[{"attempt":1,"then":[{"step":"x","value":1},{"step":"y","value":1},{"die":1}]},{"say":[{"jsonrpc":"2.0","id":901,"method":"step/record","params":{"steps":[{"begin":{"key":"x"},"value":7}]}},'"$after"']},{"hang":true}]')
await "its end" is_final "$run"
echo "$(run_state "$run") $(keys "$run" | sed 's/2 2/0 0/') $(run_reason "$run" | grep -o 'step/record')" >>"$dir/out.txt"
is "whoever passes a refusal over is ended before it says more" "$(sort "$dir/out.txt" | uniq -c | tr -s ' ')" " 5 failed 0 0 step/record"
for step in '7' '{"value":1}' '{"begin":[],"value":1}' '{"begin":{"key":""},"value":1}' '{"begin":{"key":"k"}}'; do
    run=$(go one '[{"call":"step/record","params":{"steps":[{"begin":{"key":"good"},"value":1},'"$step"']}},{"step":"after","value":1}]')
    await "its end" is_final "$run"
    echo "$(run_state "$run") $(run_reason "$run" | grep -o '^step/record') $(done_times after)"
done >"$dir/out.txt"
is "a step that is none ends the run: the worker has taken it for recorded" "$(sort "$dir/out.txt" | uniq -c | tr -s ' ')" " 5 failed step/record 0"
run=$(go one '[{"attempt":1,"then":[{"step":"x","value":1},{"die":1}],"else":[{"call":"step/record","params":{"steps":[{"begin":{"key":"x"},"value":2}]}}]}]')
await "its end" is_final "$run"
is "nothing is recorded past what the journal knows" "$(run_state "$run") $(keys "$run") $("$reeve" run step "$run" 1 --json | jq -c .outcome.value)" "failed 1 1 1"
like "and the run's end says why" "$(run_reason "$run")" 'step/record: the journal may know these steps'
run=$(go one '[{"call":"step/record","params":{"steps":[{"begin":{"key":"same"},"value":1},{"begin":{"key":"same"},"value":2}]}},{"die":1},{"step":"same","value":3}]')
await "its end" is_final "$run"
like "one request twice is two occurrences, in order" "$("$reeve" run steps "$run" --all --json | jq -sc '[.. | objects | select(.key? == "same") | .occurrence]')" '^\[1,2\]$'
ok "reeved is as it was" "$reeve" status

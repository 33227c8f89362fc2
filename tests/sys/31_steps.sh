#!/bin/bash
# Goal: a program's steps over its deaths: named steps, timers short and long, events early and late, emitted events,
# checkpoints, divergence, retries, death and redrive. INV-05 INV-10
. "$(dirname "$0")/lib.bash"
. "$(dirname "$0")/life.bash"
plan 44
workflow one 'emits: [test.note, test.secret]' 'limits: {park_after: 300ms, attempts: 3}'
workflow many 'limits: {park_after: 300ms}'
workflow listener
ok "reeved starts" start_reeved

# ---- named steps, and a death between them
run=$(go one '[{"step":"a","value":{"n":1}},{"die":2},{"step":"b","value":2},{"step":"a","value":3}]')
await "its end" is_final "$run"
is "it succeeds in its third attempt" "$(run_state "$run") $(attempts "$run")" "succeeded 3"
is "step a was done once for each time it was asked for" "$(done_times a) $(done_times b)" "2 1"
is "what was recorded is what the worker got" "$(result "$run")" '[{"n":1},2,3]'

# ---- timers
run=$(go one '[{"call":"sleep","params":{"ms":50}},{"call":"sleep","params":{"ms":0}},{"call":"sleep","params":{"until":1}}]')
await "its end" is_final "$run"
is "a short sleep is slept through" "$(run_state "$run") $(attempts "$run")" "succeeded 1"
run=$(go one '[{"step":"before","value":1},{"call":"sleep","params":{"ms":1500}},{"step":"after","value":2}]')
await "parking" waits_for "$run" timer
await "its worker's end" no_worker
is "a long one holds no process" "$(workers | wc -l)" 0
kill_reeve
start_reeved
await "its end" is_final "$run"
is "and is over in time, though all was killed meanwhile" "$(run_state "$run") $(done_times before) $(done_times after)" "succeeded 1 1"
run=$(go one '[{"call":"sleep","params":{"ms":3000000000000}},{"step":"years","value":1}]')
await "parking" waits_for "$run" timer
"$reeve" run cancel "$run" >/dev/null
is "years are as good as minutes" "$(run_state "$run") $(done_times years)" "cancelled 0"
run=$(go one '[{"call":"sleep","params":{"ms":-1}},{"call":"sleep","params":{}},{"call":"sleep","params":{"ms":1e99}},{"call":"sleep","params":{"ms":9223372036854775807}},{"call":"sleep","params":{"until":9000000000000000000}}]')
await "its end" is_final "$run"
is "a sleep that is none is refused" "$(result "$run" | jq -c 'map(.error)')" '[-32602,-32602,-32602,-32602,-32602]'

# ---- events
run=$(go one '[{"call":"event/wait","params":{"type":"test.paid","match":{"data.invoice":7}}}]')
await "parking" waits_for "$run" event
is "one that does not match wakes nobody" "$(tell test.paid '{"invoice":8}' | jq .woken)" 0
is "nor one of another type" "$(tell test.payed '{"invoice":7}' | jq .woken)" 0
is "the one that matches does" "$(tell test.paid '{"invoice":7,"by":"bob"}' paid-7 | jq .woken)" 1
await "its end" is_final "$run"
is "and is what the worker gets" "$(result "$run" | jq -c '.[0].event.data')" '{"invoice":7,"by":"bob"}'
is "the same event again does nothing" "$(tell test.paid '{"invoice":7}' paid-7 | jq -c '[.duplicate, .woken]')" '[true,0]'
run=$(go one '[{"call":"event/wait","params":{"type":"test.never","timeoutMs":700}},{"call":"event/wait","params":{"type":"test.never","timeoutMs":1}}]')
await "its end" is_final "$run"
is "a wait that times out says so, parked or not" "$(result "$run")" '[{"timeout":true},{"timeout":true}]'
run=$(go one '[{"call":"sleep","params":{"ms":900}},{"call":"event/wait","params":{"type":"test.early"}},{"call":"event/wait","params":{"type":"test.early","timeoutMs":1}}]')
await "the sleep" waits_for "$run" timer
tell test.early '{"n":1}' >/dev/null
await "its end" is_final "$run"
is "an event that came early is kept, and taken once" "$(result "$run" | jq -c '[.[1].event.data, .[2]]')" '[{"n":1},{"timeout":true}]'
run=$(go one '[{"call":"event/wait","params":{"type":"test.early","timeoutMs":1}}]')
await "its end" is_final "$run"
is "one that came before the run is not for it" "$(result "$run")" '[{"timeout":true}]'
run=$(go one '[{"call":"event/wait","params":{"type":"test.x","timeoutMs":-5}},{"call":"event/wait","params":{"match":{}}},{"call":"event/wait","params":{"type":"test.x","match":[]}}]')
await "its end" is_final "$run"
is "a wait that is none is refused" "$(result "$run" | jq -c 'map(.error)')" '[-32602,-32602,-32602]'

# ---- emitted events
listener='[{"step":"heard","value":1}]'
run=$(go one '[{"call":"event/emit","params":{"type":"test.note","subject":"s","data":{"do":[{"step":"heard","value":1}]}}},{"call":"event/emit","params":{"type":"test.secret","data":1}},{"call":"event/emit","params":{"type":"test.other","data":1}},{"die":1}]')
await "its end" is_final "$run"
is "an event is emitted once, over a death" "$(run_state "$run") $(steps "$run" | awk '$2 == "event-emit" {print $3, $4}' | tr '\n' ' ')" "succeeded test.note committed test.secret denied test.other denied "
like "policy's no names its reason" "$("$reeve" run steps "$run" --json | jq -r '.steps[] | select(.key == "test.secret") | .reason')" 'no policy|denied|permit'
like "and what the workflow does not list is refused" "$("$reeve" run steps "$run" --json | jq -r '.steps[] | select(.key == "test.other") | .reason')" 'emits'

# ---- checkpoints
run=$(go one '[{"repeat":60,"step":"p","save":20},{"call":"event/wait","params":{"type":"test.goon"}},{"repeat":90,"step":"p","save":20}]')
await "parking" waits_for "$run" event
tell test.goon >/dev/null
await "its end" is_final "$run"
is "a run goes on from its checkpoint" "$(run_state "$run") $(done_times p-1) $(done_times p-60) $(done_times p-90)" "succeeded 1 1 1"
is "each step is in the journal once" "$("$reeve" run steps "$run" --all --json | jq -s '[.. | objects | select(.kind? == "named") | .key] | [length, (unique | length)]' -c)" '[90,90]'
is "the checkpoint is the last one" "$("$reeve" run show "$run" --json | jq -c .checkpoint.state)" 80
run=$(go one '[{"repeat":400,"step":"q","save":50}]')
await "many steps" has_key "$run" q-120
kill -KILL $(workers) 2>/dev/null
await "its end" is_final "$run"
is "a kill after many steps" "$(run_state "$run") $(sort "$dir/out/done" | grep -c '^q-')" "succeeded 400"
is "replays no more than lies behind the checkpoint" "$(sort "$dir/out/done" | uniq -d | grep -c '^q-')" 0
# A worker that asks for a checkpoint while something is open is told to wait.
run=$(go many '[{"all":[{"call":"event/wait","params":{"type":"test.z","timeoutMs":100}},{"call":"checkpoint/save","params":{"state":1}}]}]')
await "its end" is_final "$run"
is "no checkpoint while something is open" "$(result "$run" | jq -c '.[1] | has("error")')" true

# ---- divergence
run=$(go one '[{"step":"d1","value":1},{"attempt":1,"then":[{"step":"left","value":{"way":"left"}},{"die":1}],"else":[{"step":"right","value":1}]}]')
await "its end" is_final "$run"
is "a worker that asks otherwise stops its run" "$(run_state "$run")" failed
like "with what it asks and what is recorded" "$(run_reason "$run")" 'diverged: the worker asks for named right .*step 2 .*named left'
is "and nothing more was done" "$(done_times right)" 0
run=$(go one '[{"attempt":1,"then":[{"step":"e1","value":1},{"step":"e2","value":1},{"die":1}],"else":[{"step":"e1","value":1}]}]')
await "its end" is_final "$run"
like "so does one that ends too early" "$(run_reason "$run")" 'diverged: the worker asks for run/end'

# ---- retries, death, redrive
run=$(go one '[{"step":"r","value":1},{"fail":"not yet","retryable":true,"attempts":2},{"step":"s","value":1}]')
await "its end" is_final "$run"
is "a retryable error is tried again" "$(run_state "$run") $(attempts "$run") $(done_times r) $(done_times s)" "succeeded 3 1 1"
run=$(go one '[{"step":"t","value":1},{"fail":"no use","attempts":99}]')
await "its end" is_final "$run"
is "another error is not" "$(run_state "$run") $(attempts "$run") $(run_reason "$run")" "failed 1 no use"
run=$(go one '[{"step":"u","value":1},{"die":5},{"step":"v","value":1}]')
await "its end" is_final "$run"
is "one that always dies is dead at last" "$(run_state "$run")" dead
like "with the number of tries" "$(run_reason "$run")" 'gave up after 3 failed attempts: .*7'
n=$(attempts "$run")
"$reeve" run redrive "$run" >/dev/null
await "its end" is_final "$run"
is "redrive gives it new tries" "$(run_state "$run")" succeeded
is "from its last step" "$(done_times u) $(done_times v)" "1 1"
"$reeve" run redrive "$run" >"$dir/out.txt" 2>&1
like "a run that succeeded is not driven again" "$(cat "$dir/out.txt")" 'cannot be told to redrive'
run=$(go one '[{"step":"w","value":1},{"call":"sleep","params":{"ms":999999}}]')
await "parking" waits_for "$run" timer
"$reeve" run pause "$run" --reason lunch >/dev/null
is "a waiting run can be paused" "$(wait_of "$run")" paused
kill_reeve
start_reeved
is "which holds over a restart" "$(wait_of "$run")" paused
"$reeve" run resume "$run" >/dev/null
await "its wait" waits_for "$run" timer
ok "resumed, it waits for what it waited for" "$reeve" run cancel "$run" --reason enough
is "cancelled, with the reason" "$(run_state "$run") $(run_reason "$run")" "cancelled cancelled by $(id -un): enough"
run=$(go one '[{"step":"x","value":1},{"hang":true}]')
await "it hangs" has_key "$run" x
"$reeve" run pause "$run" >/dev/null
await "its worker's end" no_worker
is "a running one loses its worker" "$(wait_of "$run")" paused
"$reeve" run resume "$run" >/dev/null
await "another worker" some_worker
"$reeve" run cancel "$run" >/dev/null
await "its end, too" no_worker
is "and its step was done once" "$(run_state "$run") $(done_times x)" "cancelled 1"

#!/bin/bash
# Goal: a worker that somebody kills before it has said a word costs its run no attempt: another is started at once, once.
# A program that brings it upon itself comes to its end in as many attempts as any other. INV-11
. "$(dirname "$0")/lib.bash"
. "$(dirname "$0")/life.bash"
plan 9
workflow one 'limits: {attempts: 1}'
workflow three 'limits: {attempts: 3}'
sed -i 's/env: {SEQUENTIAL: "1"}/env: {BEFORE: "start"}/' "$dir/policy/life.yaml"
ok "reeved starts" start_reeved
starts_are() { [ "$(done_times start)" = "$1" ]; }
touch "$dir/out/hang"
run=$(go one '[{"step":"s","value":1}]')
await "its worker" starts_are 1
first=$(workers)
rm "$dir/out/hang"
kill -KILL "$first"
await "its end" is_final "$run"
is "killed before it began: the run's one attempt goes on with another" "$(run_state "$run") $(attempts "$run") $(done_times start)" "succeeded 1 2"
like "its trace says so" "$("$reeve" run trace "$run" --json | jq -r '.. | objects | select(.unit? == "worker") | .text')" 'killed by SIGKILL before it began: another is started'

: >"$dir/out/done"
touch "$dir/out/hang"
run=$(go one '[{"step":"s","value":1}]')
await "its worker" starts_are 1
kill -KILL "$(workers)"
await "the next" starts_are 2
await "it is there" some_worker
kill -KILL "$(workers)"
await "its end" is_final "$run"
is "the second one counts" "$(run_state "$run") $(attempts "$run") $(done_times start)" "dead 1 2"

: >"$dir/out/done"
rm -f "$dir/out/hang"
touch "$dir/out/poison"
run=$(go three '[{"step":"s","value":1}]')
for try in 1 2; do await "its end" is_final "$run" && break; done
is "one that leaves before it begins, and is killed for it, does not spin" "$(run_state "$run") $(attempts "$run") $(done_times start)" "dead 3 6"
rm -f "$dir/out/poison"
"$reeve" run redrive "$run" >/dev/null
await "its end" is_final "$run"
is "and can be driven again" "$(run_state "$run")" succeeded

# ---- cancelled and stopped while one is started over
: >"$dir/out/done"
touch "$dir/out/hang"
run=$(go three '[{"step":"s","value":1}]')
await "its worker" some_worker
await "its word" starts_are 1
kill -KILL "$(workers)"
"$reeve" run cancel "$run" >/dev/null
is "cancelled meanwhile it is cancelled" "$(run_state "$run")" cancelled
await "no worker" no_worker
run=$(go three '[{"step":"s","value":1}]')
await "its worker" some_worker
kill -KILL "$(workers)"
kill_reeve
rm -f "$dir/out/hang"
start_reeved
await "its end" is_final "$run"
is "killed together with all, it goes on" "$(run_state "$run")" succeeded
ok "reeved is as it was" "$reeve" status

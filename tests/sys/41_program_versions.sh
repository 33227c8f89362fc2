#!/bin/bash
# Goal: the bytes of a worker's program are part of a workflow's version: other bytes make another version without a
# word from anybody, runs that began under the old ones are replayed to see whether they would go on, and a rollback
# does not claim a program that is not there.
. "$(dirname "$0")/lib.bash"
. "$(dirname "$0")/life.bash"
plan 21
workflow one 'limits: {park_after: 0s}'
sed -i "s#program: \"[^\"]*\"#program: \"$dir/worker\"#" "$dir/policy/life.yaml"
put() { cp "$1" "$dir/worker.new" && [ -z "${2:-}" ] || printf '%s' "$2" >>"$dir/worker.new"; chmod 755 "$dir/worker.new"; mv "$dir/worker.new" "$dir/worker"; }
put "$build/tests/sys/life_worker"
version_of() { "$reeve" run show "$1" --json | jq -r .version; }
current() { "$reeve" workflow versions one --json | jq -r '.versions[] | select(.current) | .version'; }
ok "reeved starts" start_reeved
v1=$(current)
is "the version names the program's digest" "$("$reeve" workflow show one --json | jq -r '.. | .content? // empty | .[] | [.path, .sha256] | @tsv')" "$dir/worker"$'\t'"$(sha256sum <"$dir/worker" | cut -d' ' -f1)"
ops='[{"step":"a","value":1},{"call":"event/wait","params":{"type":"test.go"}},{"step":"b","value":2}]'
run=$(go one "$ops")
await "parking" waits_for "$run" event
is "a run has that version" "$(version_of "$run")" "$v1"
ok "nothing changed: all have the version" "$reeve" upgrade check
like "which is said" "$(cat "$dir/ok.out")" '^1 live runs: 1 have the version already'

# ---- other bytes, the same way
put "$build/tests/sys/life_worker" "more"
"$reeve" upgrade check >"$dir/out.txt" 2>&1
is "other bytes that go the same way: the check replays, and all would go on" "$? $(cat "$dir/out.txt")" "0 1 live runs: 0 have the version already, 1 would go on under it, 0 would not"
other=$(go one "$ops")
await "parking" waits_for "$other" event
ok "a new run has another version, though no file was loaded" test "$(version_of "$other")" != "$v1"
is "which is current" "$(current)" "$(version_of "$other")"
is "the old run keeps its own" "$(version_of "$run")" "$v1"
like "a diff says what differs" "$("$reeve" workflow diff one "$v1")" 'content.*sha256'
"$reeve" workflow rollback one "$v1" >"$dir/out.txt" 2>&1
is "a rollback to bytes that are not there is refused" "$? $(grep -c 'put that file back first' "$dir/out.txt")" "1 1"
v2=$(current)
kill_reeve
start_reeved
is "still so after kill -9" "$(current)" "$v2"

# ---- the old bytes again
put "$build/tests/sys/life_worker"
third=$(go one "$ops")
await "parking" waits_for "$third" event
is "the old bytes are the old version" "$(version_of "$third")" "$v1"
ok "so that a rollback is possible, to the other one's bytes" put "$build/tests/sys/life_worker" more
ok "which are put back first" "$reeve" workflow rollback one "$v2"
fourth=$(go one "$ops")
is "and then hold" "$(version_of "$fourth")" "$v2"
"$reeve" workflow rollback one --latest >/dev/null

# ---- another way
put "$build/tests/sys/hold_worker"
"$reeve" upgrade check >"$dir/out.txt" 2>&1
is "a program that goes another way: the check fails" $? 1
is "and names each run that began under another" "$(grep -c 'has other bytes, and a replay does not go the same way' "$dir/out.txt")" 4
is "the replays changed nothing" "$(wait_of "$run") $(done_times a) $(done_times b)" "event 4 0"
tell test.go >/dev/null
await "its end" is_final "$run"
is "a run that meets it nevertheless is stopped as diverged" "$(run_state "$run")" failed
like "and its record says what was not the same" "$("$reeve" run trace "$run" --json | jq -r '.. | objects | select(.unit? == "version") | .text')" "worker has other bytes than when that version was made"

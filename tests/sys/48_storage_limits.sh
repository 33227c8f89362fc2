#!/bin/bash
# Goal: what runs may take on disk is bounded, for a run, a tenant and a workflow: who would go over it is told by the
# limit's name, before the disk is full; the oldest ended runs make room; and nothing is tried for ever.
. "$(dirname "$0")/lib.bash"
. "$(dirname "$0")/life.bash"
plan 20
workflow one 'limits: {storage: 300K, attempts: 2, park_after: 300ms}'
workflow two 'limits: {attempts: 2, park_after: 300ms}' 'retention_size: 1M'
workflow poison 'limits: {attempts: 1000}'
sed -i '/name: poison$/,$ s/retry: {.*}/retry: {initial: 100ms, max: 100ms, within: 1s}/' "$dir/policy/life.yaml"
ok "reeved starts" start_reeved
random() { head -c "$1" /dev/urandom | base64 -w0; }
big() { local i; printf '['; for ((i = 1; i <= $1; i++)); do printf '%s{"step":"k%d","value":"%s"},{"call":"sleep","params":{"ms":1}}' "$([ "$i" = 1 ] || echo ,)" "$i" "$(random "$2")"; done; printf ']'; }
sum() { sqlite3 "$dir/state/reeve.db" "SELECT coalesce(sum(bytes),0) FROM run WHERE $1"; }
used() { sqlite3 "$dir/state/reeve.db" 'SELECT (page_count - freelist_count) * page_size FROM pragma_page_count, pragma_freelist_count, pragma_page_size'; }
# Ops come from a file: they are longer than an argument may be.
go_file() { life=$((life + 1)); jq -n --arg id "file-$life-$RANDOM" --arg type "test.$1" --slurpfile do "$2" '{specversion:"1.0", id:$id, source:"/test", type:$type, data:{do:$do[0]}}' | "$reeve" event send - --json 2>"$dir/send.err" | jq -r '.run // empty'; }

# ---- a run
big 8 20000 >"$dir/ops"
run=$(go_file one "$dir/ops")
await "its end" is_final "$run"
is "a run that takes more than limits.storage ends" "$(run_state "$run") $(attempts "$run")" "failed 1"
like "early, with the limit named" "$(run_reason "$run")" '^the run takes [3-9][0-9]{5} bytes on disk, over limits\.storage \(307200\)$'
big 3 20000 >"$dir/ops"
run=$(go_file one "$dir/ops")
await "its end" is_final "$run"
is "one below it does not" "$(run_state "$run")" succeeded
bytes=$(sum "id=$run")
ok "what it takes is counted: its values, and its event" test "$bytes" -gt 120000 -a "$bytes" -lt 260000
is "and shown" "$("$reeve" run show "$run" --json | jq .bytes)" "$bytes"

# ---- a workflow: the oldest go
before=$(used)
for i in 1 2 3 4 5 6 7 8 9 10 11 12; do
    big 5 20000 >"$dir/ops"
    run=$(go_file two "$dir/ops")
    [ "$i" = 1 ] && first=$run
    await "its end" is_final "$run"
done
counted=$(sum "workflow='two'") grown=$(($(used) - before))
echo "# twelve runs: counted $counted bytes, the store grew by $grown (events included)"
ok "the count is about what the disk holds" test "$counted" -gt $((grown * 2 / 3)) -a "$counted" -lt $((grown * 3 / 2))
ok "twelve of them are over retention_size" test "$counted" -gt 1048576
pages=$(sqlite3 "$dir/state/reeve.db" 'PRAGMA page_count')
"$reeve" policy load >/dev/null
shrunk() { [ "$(sum "workflow='two'")" -le 1048576 ]; }
await "room" shrunk
ok "the oldest went, until the rest fits" shrunk
is "the oldest first" "$("$reeve" run show "$first" >/dev/null 2>&1; echo $?) $(run_state "$run")" "3 succeeded"
ok "no more than had to" test "$(sum "workflow='two'")" -gt 800000
ok "and the file is smaller" test "$(sqlite3 "$dir/state/reeve.db" 'PRAGMA page_count')" -lt "$pages"
like "which is said" "$(cat "$dir/reeved.log")" 'retention: [0-9]+ runs of two went for their age, [1-9][0-9]* for their size'

# ---- a tenant
sed -i 's/tenant: {name: acme}/tenant: {name: acme, storage: 1500K}/; s/retention_size: 1M/retention_size: 100M/' "$dir/policy/life.yaml"
"$reeve" policy load >/dev/null
big 20 30000 >"$dir/ops"
run=$(go_file two "$dir/ops")
await "its end" is_final "$run"
is "a run that would go over its tenant's storage ends" "$(run_state "$run")" failed
like "with that named" "$(run_reason "$run")" '^the storage of tenant acme is full \([0-9]+ of 1536000 bytes\)$'
runs=$("$reeve" runs --limit 500 --json | jq '.runs | length')
go two '[{"step":"x","value":1}]' >/dev/null 2>"$dir/out.txt"
event two >/dev/null
like "another event is not taken for now" "$(cat "$dir/out.txt")" 'the storage of tenant acme is full .*try again later'
is "and nothing of it is kept" "$("$reeve" runs --limit 500 --json | jq '.runs | length')" "$runs"
kill_reeve
start_reeved
go two '[{"step":"x","value":1}]' >/dev/null 2>"$dir/out.txt"
like "still so after kill -9" "$(cat "$dir/out.txt")" 'the storage of tenant acme is full'
sed -i 's/storage: 1500K/storage: 900M/' "$dir/policy/life.yaml"
"$reeve" policy load >/dev/null
run=$(go two '[{"step":"x","value":1}]')
await "its end" is_final "$run"
is "with more room it is" "$(run_state "$run")" succeeded

# ---- time
run=$(go poison '[{"step":"x","value":1},{"call":"sleep","params":{"ms":1}},{"die":100000}]')
await "its end" is_final "$run"
like "what fails for longer than retry.within is not tried again" "$(run_state "$run") $(run_reason "$run")" '^dead gave up after [0-9]+ failed attempts \(retry\.within\)'

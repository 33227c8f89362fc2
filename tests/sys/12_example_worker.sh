#!/bin/bash
# Goal: a program of one's own, on the client library, is a worker: its steps are done once though it is killed in
# the middle, its tool call is judged, its result is kept. INV-03 INV-05
. "$(dirname "$0")/lib.bash"
plan 9
cat >>"$dir/policy/count.yaml" <<'Y'
workflow:
  name: count
  tenant: acme
  team: ap-triage
  trigger: [{event: com.example.count}]
  worker: {program: "${bin}/count_worker"}
  tools: [ledger/lookup_vendor]
  retry: {initial: 100ms, max: 1s}
Y
cat >>"$dir/policy/count.cedar" <<'C'
@id("start-count")
permit (principal is Source, action == Action::"start", resource == Workflow::"count");
C
start_model
ok "reeved starts" start_reeved
count() { # count ID N
    jq -n --arg id "$1" --argjson n "$2" '{specversion:"1.0", id:$id, source:"/test", type:"com.example.count", data:{count:$n}}' |
        "$reeve" event send - --json | jq -r '.run // empty'
}
run=$(count c1 12)
worker_of() { pgrep -P "$(spawn_of "$reeved_pid")" -f count_worker; }
is_under_way() { has_steps "$run" 5 && [ -n "$(worker_of)" ]; }
await "some steps" is_under_way
ok "its worker is killed in the middle" kill -KILL $(worker_of)
await "the end" is_final "$run"
is "the run succeeds" "$(run_state "$run")" succeeded
is "with the sum, and the tool's answer" "$("$reeve" run show "$run" --json | jq -c .result)" '{"sum":78,"vendor":"found"}'
is "each named step is there once" "$(steps "$run" | awk '$2 != "timer" && $3 ~ /^add-/ {print $3}' | sort | uniq -d | wc -l)" 0
is "all twelve" "$(steps "$run" | awk '$3 ~ /^add-/' | wc -l)" 12
ok "it took another attempt" test "$("$reeve" run show "$run" --json | jq .attempt)" -gt 1

sed -i 's/ledger\/lookup_vendor\]/ledger\/pay]/' "$dir/policy/count.yaml"
ok "the tool is taken away" "$reeve" policy load
run=$(count c2 1)
await "the end" is_final "$run"
is "then the call is denied, and the program goes on" "$("$reeve" run show "$run" --json | jq -r .result.vendor)" denied

#!/bin/bash
# Goal: a gateway that says when to come again is asked again then and not before; one that always fails is asked a few
# times and no more; an event that comes too late for its wait is recorded all the same.
. "$(dirname "$0")/lib.bash"
plan 9
sed -i 's/attempts: 10/attempts: 1/' "$dir/policy/demo.yaml"
cat >"$dir/policy/late.yaml" <<Y
workflow:
  name: late
  tenant: acme
  trigger: [{event: test.late}]
  worker: {program: "$build/tests/sys/life_worker"}
Y
cat >"$dir/policy/late.cedar" <<'C'
@id("start-late") permit (principal is Source, action == Action::"start", resource == Workflow::"late");
C
start_model --fail-first 2 --status 429
ok "reeved starts" start_reeved
run=$(send r1)
await "the gate" has_open "$run"
took() { "$reeve" run steps "$1" --json | jq '[.steps[] | select(.kind == "model")][0] | ((.endedAt | sub("\\.[0-9]+Z"; "Z") | fromdate) * 1000 + (.endedAt | capture("\\.(?<m>[0-9]+)Z").m | tonumber)) - ((.askedAt | sub("\\.[0-9]+Z"; "Z") | fromdate) * 1000 + (.askedAt | capture("\\.(?<m>[0-9]+)Z").m | tonumber))'; }
first() { "$reeve" run steps "$1" --json | jq -c '[.steps[] | select(.kind == "model")][0] | [.state, .tries]'; }
is "after two refusals the third request is answered, in the same step" "$(first "$run")" '["committed",3]'
ok "each pause was as long as the gateway asked for: two seconds in all" test "$(took "$run")" -ge 2000
like "the trace has the refusals" "$("$reeve" run trace "$run" --json | jq -r '.. | objects | select(.unit? == "model") | .text')" 'answered 429'
"$reeve" run cancel "$run" >/dev/null

start_model --fail-first 1000 --status 500
run=$(send r2)
for try in 1 2 3; do await "its end" is_final "$run" && break; done
like "a gateway that always fails ends the run" "$(run_state "$run")" '^(dead|failed)$'
is "after six requests and no more" "$("$reeve" run trace "$run" --json | jq -r '.. | objects | select(.unit? == "model") | .text' | grep -c 'answered 500') $(steps "$run" | grep -c 'model.*failed')" "5 1"
like "with the reason" "$(run_reason "$run")" 'answered 500'

# ---- an event too late for its wait
go_late() { jq -n --argjson do "$1" '{specversion:"1.0", id:"late-1", source:"/test", type:"test.late", data:{do:$do}}' | "$reeve" event send - --json | jq -r .run; }
run=$(go_late '[{"call":"event/wait","params":{"type":"test.answer","timeoutMs":1}}]')
await "its end" is_final "$run"
is "a wait that is over takes no event" "$("$reeve" run show "$run" --json | jq -c .result)" '[{"timeout":true}]'
jq -n '{specversion:"1.0", id:"too-late", source:"/test", type:"test.answer", data:{n:1}}' | "$reeve" event send - --json >"$dir/answer"
is "the one that comes later is recorded, and wakes nobody" "$(jq -c '[.woken, (.runs | length)]' "$dir/answer") $(sqlite3 "$dir/state/reeve.db" "SELECT count(*) FROM event WHERE event_id='too-late'")" "[0,0] 1"

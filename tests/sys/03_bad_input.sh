#!/bin/bash
# Goal: bad input of every kind gives a clear error where a person looks, the run's state says what happened,
# and nothing that was recorded is lost. INV-11
. "$(dirname "$0")/lib.bash"
plan 25
send_file() { "$reeve" event send "$1" 2>&1; }

start_model
start_reeved
is "no runs to begin with" "$("$reeve" runs --json | jq '.runs | length')" 0

# ---- events
echo '{"specversion":"1.0","id":"x"' >"$dir/half.json"
like "half an event" "$(send_file "$dir/half.json")" 'half.json: .*line [0-9]+ column'
echo '{"specversion":"1.0","id":"x","source":"/s"}' >"$dir/notype.json"
like "an event without a type" "$(send_file "$dir/notype.json")" 'CloudEvent.*type'
echo '{"specversion":"0.3","id":"x","source":"/s","type":"t"}' >"$dir/old.json"
like "an event of another version" "$(send_file "$dir/old.json")" 'specversion'
echo '{"specversion":"1.0","id":"x","source":"/s","type":"t","a":1,"a":2}' >"$dir/twice.json"
like "a key twice" "$(send_file "$dir/twice.json")" 'twice|duplicate'
event u1 >"$dir/u1.json"
like "an unknown workflow" "$("$reeve" event send "$dir/u1.json" --workflow nobody-knows 2>&1)" 'no workflow nobody-knows'
jq '.type = "com.example.other"' "$dir/u1.json" >"$dir/other.json"
like "an event that nothing takes" "$(send_file "$dir/other.json")" 'no (run|workflow)|nothing'
is "none of them left a run" "$("$reeve" runs --json | jq '.runs | length')" 0

# ---- the model
stop_model
run=$(send m1)
await "a failed try" bash -c "'$reeve' run trace $run | grep -q 'clerk: '"
like "a model that is down is named" "$("$reeve" run trace "$run")" 'model route clerk: .*connect'
start_model
await "the gate, once it is up" has_open "$run"
ok "the run went on by itself" has_open "$run"
"$reeve" run cancel "$run" --reason 'enough' >/dev/null
is "a cancelled run" "$(run_state "$run")" cancelled
like "says by whom and why" "$(run_reason "$run")" 'cancelled by .*: enough'
is "its gate is closed" "$(open_approval "$run")" ''

start_model --nonsense shape
run=$(send m2)
await "the end" is_final "$run"
like "a model that answers nonsense" "$(run_state "$run") $(run_reason "$run")" '^failed .*(model|answer|choices)'
start_model --nonsense tool
run=$(send m3)
await "the end" is_final "$run"
like "a model that asks for a tool that does not exist" "$(run_state "$run") $("$reeve" run show "$run" --json | jq -c '[.reason, .result]')" 'failed|succeeded'
start_model --nonsense arguments
run=$(send m4)
await "the end" is_final "$run"
like "a model that writes broken arguments" "$(run_state "$run")" 'failed|succeeded'
start_model --fail-first 2 --status 429
run=$(send m5)
await "the gate" has_open "$run"
ok "429 twice, then it works" has_open "$run"

# ---- arguments that do not fit, a server that is not there
start_model
cat >"$dir/policy/more.yaml" <<'Y'
server:
  name: gone
  tenant: acme
  command: [/nowhere/at-all]
  tools: {x: {class: read, retry: read-only}}
---
workflow:
  name: no-server
  tenant: acme
  team: ap-triage
  agent: {model: clerk, system: x, prompt: "{{event.data}}"}
  tools: [gone/x]
  limits: {attempts: 2}
  retry: {initial: 100ms, max: 200ms}
Y
cat >"$dir/policy/more.cedar" <<'C'
@id("start-more") permit (principal is Source, action == Action::"start", resource == Workflow::"no-server");
C
chmod go-w "$dir/policy"/*
ok "a set is loaded while it runs" "$reeve" policy load "$dir/policy"
run=$(event s1 | "$reeve" event send - --workflow no-server --json | jq -r .run)
await "the end" is_final "$run"
is "a run whose tool server is not there is given up" "$(run_state "$run")" dead
like "and names the program" "$(run_reason "$run")" '/nowhere/at-all|tool server gone'
echo 'permit (principal, action, resource' >"$dir/policy/more.cedar"
like "a set with an error is refused, with its place" "$("$reeve" policy load "$dir/policy" 2>&1)" 'more.cedar:[0-9]+:[0-9]+'
is "and the old one stays" "$("$reeve" status --json | jq .policy.workflows)" 2

# ---- the store
"$build/reeved" --policy "$root/contrib/demo/policy" --state "$dir/state" --socket "$dir/second.sock" --libexec "$build" \
    --set bin=/x --set ledger=/x >"$dir/second.log" 2>&1 &
second=$!
await "the second reeved's end" bash -c "! kill -0 $second"
like "a second reeved on the same state" "$(cat "$dir/second.log")" 'another reeved runs'

# ---- a client that hangs, one that sends garbage
hanging_clients() { exec perl -MIO::Socket::UNIX -e 'my @s = map { IO::Socket::UNIX->new(Peer => $ARGV[0]) } 1..40; print { $s[0] } "GET /v1/runs HT"; print { $s[1] } "\x00\xff" x 4096; $SIG{ALRM} = sub { exit 0 }; sleep 3' "$REEVE_SOCKET"; }
hanging_clients &
hang=$!
ok "another client is answered beside clients that hang" "$reeve" status
kill -KILL $hang 2>/dev/null
wait $hang 2>/dev/null
await "its end" "$reeve" status
"$reeve" run show 999 >"$dir/none" 2>&1
is "a run that is not there: exit status 3" "$?" 3

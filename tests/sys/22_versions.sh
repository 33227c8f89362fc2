#!/bin/bash
# Goal: a run keeps its version; versions are listed, shown, compared, rolled back to over kill -9 until the files change;
# a check names the live runs that would not go on, before the files are loaded.
. "$(dirname "$0")/order.bash"
plan 37
hold_workflow hold acme 'limits: {park_after: 0s}' 'emits: [a.done]' >"$dir/policy/order.yaml"
ok "reeved starts" start_reeved
versions() { "$reeve" workflow versions "$1" --json | jq -r "$2"; }
version_of() { "$reeve" run show "$1" --json | jq -r .version; }
load() { "$reeve" policy load >/dev/null; }

v1=$(versions hold '.versions[0].version')
is "an installed workflow has a version before its first run" "${#v1}" 64
a=$(begin hold 1)
await "parking" state_is "$a" waiting
sed -i 's/emits: \[a.done\]/emits: [a.done, b.done]/; s/park_after: 0s/park_after: 1ms/' "$dir/policy/order.yaml"
ok "the files change" load
v2=$(versions hold '.versions[] | select(.current) | .version')
ok "another version" test "$v1" != "$v2"
is "new runs take it, the old one is kept for its run" "$(versions hold '[.versions[] | [.version == "'$v1'", .current, .live]] | tojson')" '[[false,true,0],[true,false,1]]'
b=$(begin hold 2)
await "parking" state_is "$b" waiting
is "each run has its own" "$(version_of "$a") $(version_of "$b")" "$v1 $v2"
like "the list is for people too" "$("$reeve" workflow versions hold)" "^${v2:0:12} .* 1 +new runs take it"
like "show says what is in it" "$("$reeve" workflow show hold "${v1:0:8}")" 'park_after: 0'
like "and of the current one without a version" "$("$reeve" workflow show hold)" 'b\.done'
d=$("$reeve" workflow diff hold)
like "diff: what was added" "$d" '^\+ workflow\.emits: "b\.done"'
like "diff: what changed" "$d" '^~ workflow\.limits\.park_after: .*'
is "and nothing else" "$(grep -c '^[-+~]' <<<"$d")" 2
is "the other way round in JSON" "$("$reeve" workflow diff hold "${v2:0:8}" "${v1:0:8}" --json | jq -r '.changes[] | select(.path == "workflow.emits") | .from')" b.done
is "the same twice has none" "$("$reeve" workflow diff hold "$v1" "$v1" | tail -1)" "no difference"

# rollback
ok "rollback" "$reeve" workflow rollback hold "${v1:0:8}"
c=$(begin hold 3)
is "new runs take the old version" "$(version_of "$c")" "$v1"
is "runs that are there keep theirs" "$(version_of "$b")" "$v2"
kill_reeve
start_reeved
d=$(begin hold 4)
is "also after kill -9" "$(version_of "$d")" "$v1"
ok "loading the same files changes nothing" load
e=$(begin hold 5)
is "it is still rolled back" "$(version_of "$e")" "$v1"
like "and said so" "$("$reeve" workflow versions hold)" 'rolled back by .* until the files change'
"$reeve" workflow rollback hold "$v1" >"$dir/out" 2>&1
is "twice is a conflict" "$? $(grep -c already "$dir/out")" "1 1"
"$reeve" workflow rollback hold 00000000 >"$dir/out" 2>&1
is "a version that is not there" $? 3
"$reeve" workflow rollback hold "$v1" --latest >"$dir/out" 2>&1
is "one or the other" $? 2
ok "and back" "$reeve" workflow rollback hold --latest
f=$(begin hold 6)
is "new runs take the files' version" "$(version_of "$f")" "$v2"
"$reeve" workflow rollback hold "$v1" >/dev/null
sed -i 's/park_after: 1ms/park_after: 2ms/' "$dir/policy/order.yaml"
load
g=$(begin hold 7)
ok "new files end a rollback" test "$(version_of "$g")" != "$v1" -a "$(version_of "$g")" != "$v2"
is "all of it is in the audit record" "$("$reeve" audit --all --json | jq -r '.records[] | select(.action | test("rollback|latest")) | .action' | paste -sd' ')" \
    "workflow.rollback workflow.latest workflow.rollback workflow.rollback.end"
release {1..7}
all_done() { [ "$("$reeve" runs --state live --limit 500 --json | jq '.runs | length')" = 0 ]; }
await "all of them" all_done
is "all end well, whatever their version" "$("$reeve" runs --workflow hold --json | jq '[.runs[] | select(.state == "succeeded")] | length')" 7

# upgrade check: an agent that waits at its gate, and one that is queued
start_model
stop_reeved
start_reeved
r=$(send u1)
await "the gate" has_open "$r"
await "parking" state_is "$r" waiting
h=$(begin hold 8)
await "parking" state_is "$h" waiting
"$reeve" stop --workflow hold >/dev/null
q=$(begin hold 9)
ok "nothing changed: all would go on" "$reeve" upgrade check
cp -r "$dir/policy" "$dir/next"
sets=(--set "bin=$build" --set "ledger=$dir/ledger" --set "model_url=http://127.0.0.1:${model_port:-9}/v1" --set "operator=$(id -un)" --set "approver=$(id -un)")
sed -i 's/ledger\/lookup_vendor, //; s/lookup_vendor: .*/lookup_vendor2: {class: read}/' "$dir"/next/*.yaml
sed -i 's/hold_worker/hold_worker2/' "$dir/next/order.yaml"
"$reeve" upgrade check --policy "$dir/next" "${sets[@]}" >"$dir/out" 2>&1
is "files that take a tool away: the check fails, before they are loaded" $? 1
said() { grep -A9 "^run $1 " <<<"$2" | sed -n '2,/^[^ ]/p'; }
like "and names the run and the tool" "$(said "$r" "$(cat "$dir/out")")" "called ledger/lookup_vendor, which is not offered any more"
like "and the one whose program is another" "$(said "$h" "$(cat "$dir/out")")" "its program is .*hold_worker, now .*hold_worker2"
is "a run that has not begun may take any version" "$("$reeve" upgrade check --policy "$dir/next" "${sets[@]}" --json | jq ".checked[] | select(.run == $q) | .continues")" true
is "--workflow looks at one" "$("$reeve" upgrade check --workflow hold --policy "$dir/next" "${sets[@]}" --json | jq -c '[.runs, .continue, .not]')" '[2,1,1]'
rm "$dir/policy/order.yaml"
load
"$reeve" upgrade check --workflow hold >"$dir/out" 2>&1
is "a workflow that is gone from the files" "$? $(grep -c 'gone from the files' "$dir/out")" "1 2"
sed -i 's/You are a clerk/You are a careful clerk/' "$dir"/policy/*.yaml
load
like "an agent with other words would ask otherwise" "$(said "$r" "$("$reeve" upgrade check)")" "agent.system changed"

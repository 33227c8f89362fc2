#!/bin/bash
# Goal: a worker that goes another way than its origin: in a replay and in a dry run nothing that it asks for leaves,
# whatever it asks for; the divergence is shown with both requests; files are only read. INV-03 INV-04
. "$(dirname "$0")/lib.bash"
. "$(dirname "$0")/life.bash"
plan 35
cat >>"$dir/policy/life.yaml" <<Y
---
model: {name: clerk, url: "http://127.0.0.1:${model_port:-9}/v1", model: scripted, allow_http: true, onprem: true}
Y
ledger_server ledger '{lookup_vendor: {class: read, retry: read-only}, post_invoice: {class: write}}' --record "$dir/ledger/effects.log"
workflow one 'tools: ["ledger/*"]' 'emits: ["test.*"]' 'children: [child]' 'limits: {park_after: 300ms}'
workflow many 'tools: ["ledger/*"]' 'emits: ["test.*"]' 'children: [child]' 'limits: {park_after: 300ms}'
workflow child
cat >>"$dir/policy/life.cedar" <<'C'
@id("all") permit (principal, action in Action::"call", resource);
@id("infer") permit (principal, action == Action::"infer", resource);
C
call() { jq -cn --arg n "$1" --argjson a "$2" '{call:"tools/call", params:{name:$n, arguments:$a}}'; }
post() { call ledger.post_invoice "{\"vendorId\":\"V-1001\",\"invoiceNumber\":\"$1\",\"amountCents\":100,\"currency\":\"EUR\"}"; }
# All that a worker could want to have leave. None of it was asked for by the origin.
evil="$(post evil),$(call ledger.lookup_vendor '{"name":"Evil AS"}'),
    {\"call\":\"event/emit\",\"params\":{\"type\":\"test.child\",\"data\":{\"do\":[{\"step\":\"evil\",\"value\":1}]}}},
    {\"call\":\"run/child\",\"params\":{\"workflow\":\"child\",\"data\":{\"do\":[{\"step\":\"evil\",\"value\":1}]}}},
    {\"call\":\"approval/request\",\"params\":{\"question\":\"May I?\"}},
    {\"call\":\"tools/list\"},{\"call\":\"event/wait\",\"params\":{\"type\":\"test.nothing\"}}"
ok "reeved starts" start_reeved
world() { # all that could have changed
    ledger 'SELECT count(*) FROM invoices; SELECT count(*) FROM effects'
    cat "$dir/ledger/effects.log" "$dir/out/done" 2>/dev/null | sort
    "$reeve" approvals --all --json | jq '.approvals | length'
    "$reeve" usage --json | jq -c .total
    "$reeve" runs --all --json | jq -c '[.runs[] | select(.mode == "real") | [.run, .state, .steps]]'
    sqlite3 "$dir/state/reeve.db" 'SELECT count(*) FROM event; SELECT count(*) FROM history'
}
run=$(go one "[{\"step\":\"first\",\"value\":1},$(post good),{\"twist\":[$evil],\"else\":[{\"step\":\"last\",\"value\":2}]}]")
await "its end" is_final "$run"
is "the origin has one effect" "$(run_state "$run") $(ledger 'SELECT count(*) FROM invoices')" "succeeded 1"
before=$(world)
ok "it is replayed the same way" "$reeve" run replay "$run"
is "its steps were not done again" "$(done_times first) $(done_times last)" "1 1"
is "nothing has changed" "$(world)" "$before"

touch "$dir/out/twist"
ok "from now on the worker goes another way: that is found" bash -c "! '$reeve' run replay $run"
like "with what it asks for" "$(cat "$dir/ok.out")" 'diverged: the worker asks for tool ledger/post_invoice .*evil'
like "and what is recorded" "$(cat "$dir/ok.out")" 'but step 3 of run 1 is named last'
is "nothing left" "$(world)" "$before"
report=$("$reeve" run replay "$run" --json)
is "as JSON, both requests" "$(jq -c '.result.divergence | [.recorded.step, .recorded.key, .asked.kind, .asked.key, .asked.request.invoiceNumber]' <<<"$report")" '[3,"last","tool","ledger/post_invoice","evil"]'
is "how far it came" "$(jq -c '[.result.same, .result.steps, .result.recorded, .state]' <<<"$report")" '[false,2,3,"failed"]'
"$reeve" run redrive "$(jq .run <<<"$report")" >/dev/null 2>&1
await "its end" is_final "$(jq .run <<<"$report")"
is "a replay that is driven again does no more" "$(world)" "$before"

# ---- dry: it may go on, and everything is refused
fork=$("$reeve" run fork "$run" --from 2 --dry --json | jq .run)
tried=0
await "its end, or that it waits for nothing" is_final "$fork"
is "a dry run goes on" "$(run_state "$fork")" succeeded
is "what the origin has an answer to is answered, all else is refused" "$(result "$fork" | jq -c 'map(if type == "number" then . elif .error then .error elif .isError then "refused" else "answered" end)')" '[1,"answered","refused","refused",1002,1002,1002,1002,1002]'
is "nothing left" "$(world)" "$before"
is "each refusal is on record" "$(steps "$fork" | awk -F'\t' '$4 == "denied"' | wc -l)" 7
like "with the reason" "$("$reeve" run steps "$fork" --json | jq -r '.steps[] | select(.key == "ledger/post_invoice" and .state == "denied") | .reason')" "a dry run lets nothing leave, and run $run has no answer to this from step 2 on"
ok "its trace can be read" "$reeve" run trace "$fork"
like "and says what it is" "$(cat "$dir/ok.out")" "forked from run $run step 2, dry"
fork=$("$reeve" run fork "$run" --from 1 --dry --json | jq .run)
await "its end" is_final "$fork"
is "from the first step: its own steps are answered too" "$(done_times first) $(result "$fork" | jq -c '.[0]')" "1 1"
kill_reeve
start_reeved
is "nothing comes after a restart" "$(world)" "$before"

# ---- at once, not one after another
rm "$dir/out/twist"
run=$(go many "[{\"step\":\"x\",\"value\":1},{\"twist\":[{\"all\":[$evil]}],\"else\":[{\"step\":\"end\",\"value\":1}]}]")
await "its end" is_final "$run"
before=$(world)
ok "the same way again" "$reeve" run replay "$run"
touch "$dir/out/twist"
ok "many requests at once diverge as well" bash -c "! '$reeve' run replay $run"
fork=$("$reeve" run fork "$run" --from 2 --dry --json | jq .run)
await "its end" is_final "$fork"
is "and are refused in a dry run" "$(run_state "$fork") $(result "$fork" | jq -c '[.[] | select(.error? or .isError?)] | length')" "succeeded 7"
is "nothing left" "$(world)" "$before"

# ---- files, and who may
run=$(go one '[{"step":"file","value":1},{"twist":[{"step":"other","value":1}],"else":[]}]')
await "its end" is_final "$run"
fork=$("$reeve" run fork "$run" --from 1 --dry --json | jq .run)
await "its end" is_final "$fork"
is "a step of its own that is new in a dry run leaves nothing in files" "$(run_state "$fork") $(done_times other)" "succeeded 1"
rm "$dir/out/twist"
run=$(go one '[{"step":"kept","value":1},{"twist":[{"step":"new","value":1}],"else":[]}]')
await "its end" is_final "$run"
touch "$dir/out/twist"
fork=$("$reeve" run fork "$run" --from 1 --dry --json | jq .run)
await "its end" is_final "$fork"
is "it is done, and its file was only read" "$(steps "$fork" | awk '$3 == "new" {print $4}') $(done_times new)" "committed 0"
"$reeve" run fork "$fork" --from 1 >"$dir/no" 2>&1
like "no fork of a dry run" "$(cat "$dir/no")" "is a dry run of run $run"
sed -i 's/@id("start") permit/@id("start") forbid/' "$dir/policy/life.cedar"
"$reeve" policy load >/dev/null
"$reeve" run fork "$run" --from 1 >"$dir/no" 2>&1
like "a real fork is a start, and policy is asked" "$(cat "$dir/no")" 'may not start one'
ok "a replay acts on nothing, and may go" bash -c "'$reeve' run replay $run; [ \$? -le 1 ]"
"$reeve" run diff "$run" "$fork" --json >"$dir/diff"
is "side by side" "$(jq -c '[.same, [.steps[] | [.a, .b]]]' "$dir/diff")" '[false,[[1,1],[null,2]]]'

# ---- what a set masks is not shown by a divergence either
rm -f "$dir/out/twist"
sed -i 's/@id("start") forbid/@id("start") permit/' "$dir/policy/life.cedar"
echo '@id("hide") @mask("input.invoiceNumber") permit (principal, action in Action::"oblige", resource);' >>"$dir/policy/life.cedar"
"$reeve" policy load "$dir/policy" >/dev/null
run=$(go one "[{\"attempt\":1,\"then\":[$(post shown1),{\"die\":1}],\"else\":[$(post hidden2)]}]")
await "its end" is_final "$run"
like "a divergence over masked arguments names them only" "$(run_reason "$run")" 'asks for tool ledger/post_invoice .*"invoiceNumber":"\*\*\*"'
is "their values are not in it" "$(run_reason "$run" | grep -c -e hidden2 -e shown1)" 0
run=$(go one "[$(post kept3),{\"twist\":[$(post hidden4)],\"else\":[{\"step\":\"tail\",\"value\":1}]}]")
await "its end" is_final "$run"
touch "$dir/out/twist"
"$reeve" run replay "$run" --json >"$dir/report" 2>&1
is "nor by the report of a replay" "$(jq -c .result "$dir/report" | grep -c -e hidden4 -e kept3)" 0
like "which still has both requests" "$(jq -c .result.divergence "$dir/report")" "recorded.*asked|asked.*recorded"

#!/bin/bash
# Goal: a program's model calls: by route name, judged by policy, within the budget, billed to the tenant; asked once,
# whoever is killed meanwhile; a route that the workflow does not list is refused and on record. INV-03 INV-05
. "$(dirname "$0")/lib.bash"
. "$(dirname "$0")/life.bash"
plan 47
with_models() { # with_models WORKFLOW LIST: that its worker may ask
    sed -i "/name: $1\$/,/worker:/s#worker: {#worker: {models: [$2], #" "$dir/policy/life.yaml"
}
route() { # route NAME URL
    printf -- '---\nmodel: {name: %s, url: "%s", model: %s-1, allow_http: true, price: {input: "1", output: "2"}}\n' "$1" "$2" "$1" >>"$dir/policy/models.yaml"
}
start_model --record "$dir/asked" --delay-ms 1500 # one that takes its time stays up beside the other: its port is its own
slow_pid=$model_pid
trap 'kill -KILL "$slow_pid"; cleanup' EXIT
route slow "http://127.0.0.1:$model_port/v1"
model_pid='' model_port=''
for name in fast careful secret; do route $name '${model_url}'; done
workflow one
workflow many
workflow poor 'budget: {calls: 2}'
workflow many-poor 'budget: {tokens: 150}'
workflow many-priced 'budget: {cost: "0.000150"}'
workflow plain
with_models one "fast, careful, slow"
with_models many "fast, careful"
with_models poor "fast"
with_models many-poor "fast"
with_models many-priced "fast"
cat >"$dir/policy/models.cedar" <<'C'
@id("ask-fast") permit (principal in Team::"crew", action == Action::"infer", resource == Model::"fast");
@id("ask-slow") permit (principal, action == Action::"infer", resource == Model::"slow");
@id("ask-careful") permit (principal, action == Action::"infer", resource == Model::"careful") when { context.input.max_tokens > 0 && context.input.max_tokens <= 100 };
C
chmod go-w "$dir"/policy/*
call() { # call TEXT [ROUTE [MAX]]: an op
    jq -nc --arg text "$1" --arg route "${2:-}" --argjson max "${3:-null}" \
        '{call: "model/call", params: ({request: ({messages: [{role: "user", content: $text}]} + (if $max then {max_tokens: $max} else {} end))} + (if $route != "" then {route: $route} else {} end))}'
}
asked() { [ -e "$dir/asked" ] && grep -c -- "$1" "$dir/asked" || [ -e "$dir/asked" ] || echo 0; }
was_asked() { [ "$(asked "$1")" = "${2:-1}" ]; }
step_of() { "$reeve" run steps "$1" --json | jq -r --argjson n "${2:-1}" '.steps[] | select(.seq == $n) | [.kind, .key, .state, .reason] | map(tostring) | join(" ")'; }
finish() { run=$1; await "its end" is_final "$run"; }
start_model --record "$dir/asked"
ok "reeved starts" start_reeved
ok "the files are right" "$reeve" policy check "$dir/policy" --set "model_url=http://127.0.0.1/v1"

# ---- by name
finish "$(go one "[$(call "hello A"), $(call "hello B" careful 50)]")"
is "a program asks the route that it names, and the first without a word" "$(result "$run" | jq -c '[.[].response.model]')" '["fast-1","careful-1"]'
is "with the answer's status and what it took" "$(result "$run" | jq -c '.[0] | [.status, (.usage.inputTokens > 0)]')" '[200,true]'
is "each is a step under its route" "$(steps "$run" | cut -f2- | tr '\t\n' ' ;')" "model fast committed;model careful committed;"
is "what the gateway got is what was asked, for the tenant" "$(grep "hello B" "$dir/asked" | jq -c '[.model, .max_tokens, .user]')" '["careful-1",50,"acme"]'
ok "the record explains it" "$reeve" explain "$run" 1
like "by the policy that allowed it" "$(cat "$dir/ok.out")" 'ask-fast'
is "usage is the tenant's, by route" "$("$reeve" usage --json | jq -c '[.. | objects | select(.route?) | [.tenant, .route, .calls]] | sort')" '[["acme","careful",1],["acme","fast",1]]'
is "and has its price" "$("$reeve" run show "$run" --json | jq -c '[.modelCalls, (.cost | tonumber > 0)]')" '[2,true]'
like "the trace shows the routes" "$("$reeve" run trace "$run")" 'model +careful'

# ---- refused
finish "$(go one "[$(call "too long" careful 200)]")"
like "policy is asked about each" "$(result "$run") $(step_of "$run")" '"error":-?[0-9]+}\] model careful denied '
is "and nothing left" "$(asked "too long")" 0
finish "$(go one "[$(call "let me" secret), $(call "let me" nowhere), $(call "let me" '../x')]")"
is "a route that it was not given is denied, be it there or not" "$(step_of "$run" 1);$(step_of "$run" 2)" \
    "model secret denied no model route secret is given to this run; it has fast, careful, slow;model nowhere denied no model route nowhere is given to this run; it has fast, careful, slow"
is "what is no name is not even a step" "$(steps "$run" | wc -l)" 2
is "none of it left" "$(asked "let me")" 0
like "the refusal is in the audit trail" "$("$reeve" audit --json | jq -r '.. | objects | select(.action? == "model.denied") | .detail.key')" 'secret'
finish "$(go plain "[$(call "let me"), $(call "let me" fast)]")"
is "a program without routes has none" "$(result "$run" | jq -c 'map(has("error"))') $(steps "$run" | cut -f2- | tr '\t' ' ') $(asked "let me")" '[true,true] model fast denied 0'
finish "$(go one '[{"call":"model/call","params":{"request":{"messages":[],"tools":[{"type":"web_search"}]}}},{"call":"model/call","params":{"request":[]}},{"call":"model/call","params":{"route":7,"request":{"messages":[]}}}]')"
is "a tool of the gateway's own is refused, what is no request is none" "$(result "$run" | jq -c 'map(has("error"))') $(steps "$run" | cut -f4 | tr '\n' ' ')" '[true,true,true] denied '

# ---- the budget
finish "$(go poor "[$(call "first"), $(call "second"), $(call "third")]")"
like "a budget that is used up refuses the next" "$(step_of "$run" 3)" 'model fast denied .*budget.calls'
is "which did not leave" "$(asked first)$(asked second)$(asked third)" 110

for poor in many-poor many-priced; do
    before=$(asked flood)
    run=$(go $poor "[{\"all\":$(for i in 1 2 3 4 5 6 7 8 9; do call "flood $i"; done | jq -sc .)}]")
    await "its end" is_final "$run"
    n=$(steps "$run" | grep -c 'model.*committed')
    ok "$poor: calls side by side do not overdraw it: some are made" test "$n" -ge 1 -a "$n" -lt 9
    is "and no more than it takes, all others refused" "$(($(asked flood) - before)) $(steps "$run" | grep -c 'model.*denied') $("$reeve" run show "$run" --json | jq --argjson n "$n" '(.inputTokens + .outputTokens) * ($n - 1) / $n < 150')" "$n $((9 - n)) true"
done
run=$(go many-poor "[{\"all\":$(for i in 1 2 3; do call "small $i" fast 1; done | jq -sc .)}]")
await "its end" is_final "$run"
is "those that bound their answer and fit go side by side" "$(steps "$run" | grep -c 'model.*committed')" 3

# ---- what a gateway would do on its own
evil() { jq -nc --argjson more "$1" '{call: "model/call", params: {request: ({messages: [{role: "user", content: "evil"}]} + $more)}}'; }
finish "$(go one "[$(evil '{"web_search_options":{}}'),$(evil '{"messages":[{"role":"user","content":[{"type":"image_url","image_url":{"url":"http://evil/?secret"}}]}]}'),$(evil '{"max_tokens":"9"}'),$(evil '{"model":"dear","stream":true,"user":"other","store":true,"seed":7}')]")"
is "what would act past policy does not leave" "$(steps "$run" | cut -f4 | tr '\n' ' ')$(asked evil)" "denied denied denied committed 1"
is "what is Reeve's to set is" "$(grep evil "$dir/asked" | jq -c '[.model, .stream, .user, .store, .seed]')" '["fast-1",null,"acme",null,7]'
like "with the place in the request" "$(step_of "$run" 2)" 'request.messages\[0\].content\[0\]: url: '

# ---- killed after the model was asked
run=$(go one "[{\"step\":\"before\",\"value\":1}, $(call "slowly" slow), {\"step\":\"after\",\"value\":2}]")
await "the model to be asked" was_asked slowly
kill -KILL $(workers)
await "its end" is_final "$run"
is "a worker killed while the model thinks goes on with the answer" "$(run_state "$run") $(result "$run" | jq -c '.[1].status')" "succeeded 200"
is "which was asked for once" "$(asked slowly) $(done_times before) $(done_times after)" "1 1 1"
run=$(go one "[$(call "once"), {\"die\":1}, $(call "twice")]")
await "its end" is_final "$run"
is "one that dies after the answer has it from the record" "$(run_state "$run") $(asked once) $(asked twice)" "succeeded 1 1"
run=$(go one "[$(call "all die" slow)]")
await "the model to be asked" was_asked "all die"
kill_reeve
start_reeved
await "its end" is_final "$run"
is "all killed before the answer: it is asked for again, in the same step" "$(run_state "$run") $(steps "$run" | wc -l) $(asked "all die")" "succeeded 1 2"
kill_reeve
start_reeved
run=$(go one "[$(call "kept"), {\"call\":\"event/wait\",\"params\":{\"type\":\"test.go\"}}, $(call "later")]")
await "parking" waits_for "$run" event
kill_reeve
start_reeved
tell test.go >/dev/null
await "its end" is_final "$run"
is "all killed after it: never again" "$(run_state "$run") $(asked kept) $(asked later)" "succeeded 1 1"

# ---- side by side
all=$(for i in 1 2 3 4 5 6 7 8; do call "side $i" "$([ $((i % 2)) = 0 ] && echo fast || echo careful)" 10; done | jq -sc .)
run=$(go many "[{\"all\":$all},{\"die\":1},{\"all\":$(jq -c reverse <<<"$all")}]")
await "its end" is_final "$run"
is "eight at once, and once more in another order" "$(run_state "$run") $(asked "side [1-8]")" "succeeded 16"
is "the record answered those of the first attempt" "$(steps "$run" | awk '$2 == "model" && $4 == "committed"' | wc -l)" 16

# ---- another way
run=$(go one "[{\"attempt\":1,\"then\":[$(call "left"),{\"die\":1}],\"else\":[$(call "right")]}]")
await "its end" is_final "$run"
like "one that asks the model otherwise than before is stopped" "$(run_reason "$run")" 'diverged: the worker asks for model fast .*right.* step 1 .*model fast .*left'
is "and did not get through" "$(asked right)" 0

# ---- travel
finish "$(go one "[$(call "origin"), $(call "second" careful 10)]")"
origin=$run
like "a replay takes the same way" "$("$reeve" run replay "$origin" 2>&1)" '2 (of 2 )?steps|same'
finish "$("$reeve" run fork "$origin" --from 2 --dry --json | jq -r .run)"
is "a dry fork is answered from the record" "$(run_state "$run") $(asked origin) $(asked second)" "succeeded 1 2"
finish "$("$reeve" run fork "$origin" --from 2 --json | jq -r .run)"
is "a real one asks anew what comes after" "$(run_state "$run") $(asked origin) $(asked second)" "succeeded 1 3"

# ---- another version
run=$(go one "[$(call "held" careful 10), {\"call\":\"event/wait\",\"params\":{\"type\":\"test.up\"}}]")
await "parking" waits_for "$run" event
v1=$("$reeve" run show "$run" --json | jq -r .version)
sed -i 's/models: \[fast, careful, slow\]/models: [fast]/' "$dir/policy/life.yaml"
ok "the route is taken away" "$reeve" policy load
like "a diff of the versions says so" "$("$reeve" workflow diff one "$v1")" 'models.*careful'
like "the check names the run that asked it" "$("$reeve" upgrade check 2>&1)" 'step 1 asked the model careful, which is not under worker.models any more'
sed -i 's/fast-1/fast-2/' "$dir/policy/models.yaml"
ok "a route is another one" "$reeve" policy load
like "which makes another version" "$("$reeve" workflow diff one "$v1")" 'models\[fast\]\.model'
tell test.up >/dev/null
await "its end" is_final "$run"
is "the run went on with what it had" "$(run_state "$run")" succeeded

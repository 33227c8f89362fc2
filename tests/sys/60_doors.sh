#!/bin/bash
# Goal: an OpenAI-compatible door inside a worker, in Python and in JavaScript: what an unmodified SDK sends becomes model
# calls, side by side as well; refusals are OpenAI's errors; a killed worker has its answers from the journal. INV-03 INV-05
. "$(dirname "$0")/lib.bash"
plan 19
start_model --record "$dir/asked" --delay-ms 300
door() { # door NAME WORKER
    cat >>"$dir/policy/doors.yaml" <<Y
---
workflow:
  name: $1
  tenant: acme
  team: ap-triage
  trigger: [{event: test.$1}]
  worker: {$2, models: [fast, never]}
  retry: {initial: 100ms, max: 1s}
Y
    echo "@id(\"start-$1\") permit (principal is Source, action == Action::\"start\", resource == Workflow::\"$1\");" >>"$dir/policy/doors.cedar"
}
for route in fast never; do printf -- '---\nmodel: {name: %s, url: "${model_url}", model: %s-1, allow_http: true}\n' $route $route; done >>"$dir/policy/doors.yaml"
echo '@id("ask-fast") permit (principal, action == Action::"infer", resource == Model::"fast");' >>"$dir/policy/doors.cedar"
files="files: [{path: \"$root/contrib\"}, {path: \"$root/tests/sys/door\"}]"
door python "program: /usr/bin/python3, profile: python, args: [\"$root/tests/sys/door/door.py\", \"$root/contrib/python\"], $files"
door node "program: /usr/bin/node, profile: node, args: [\"$root/tests/sys/door/door.mjs\", \"$root/contrib/node\"], $files"
ok "reeved starts" start_reeved
asked() { grep -c -- "$1" "$dir/asked" || true; }
was_asked() { [ "$(asked "$1")" -ge "$2" ]; }
worker_of() { pgrep -P "$(spawn_of "$reeved_pid")" -f "$1"; }
go() { jq -n --arg t "test.$1" --arg id "$1-$RANDOM" --argjson s "$2" '{specversion:"1.0", id:$id, source:"/test", type:$t, data:{stages:$s}}' | "$reeve" event send - --json | jq -r '.run // empty'; }
chat() { jq -nc --arg m "$1" --arg text "$2" --argjson more "${3:-{\}}" '{path: "/v1/chat/completions", body: ({model: $m, messages: [{role: "user", content: $text}]} + $more)}'; }
result() { "$reeve" run show "$1" --json | jq -c "$2"; }
try() { # try LANGUAGE PATTERN
    local run l=$1
    run=$(go "$l" "[[$(chat fast "$l plain"), $(chat gpt-4o "$l alias"), $(chat fast "$l stream" '{"stream":true,"stream_options":{"include_usage":true},"n":1}'), {\"path\":\"/v1/models\"}]]")
    await "its end" is_final "$run"
    is "$l: a completion, by route and by alias, as the gateway gave it" "$(result "$run" '[.result[0][0,1] | .[0], (.[2] | fromjson | .model, .object, (.choices[0].message.content | length > 0))]')" \
        '[200,"fast-1","chat.completion",true,200,"fast-1","chat.completion",true]'
    is "$l: a stream is one sequence of chunks: words, end, usage, done" \
        "$(result "$run" '.result[0][2][2] | split("\n\n") | map(select(. != "") | ltrimstr("data: ")) | [(.[:-1][] | fromjson | [.object, (.choices[0].delta.content // "" | length > 0), .choices[0].finish_reason, (.usage.total_tokens // 0) > 0]), .[-1]]')" \
        '[["chat.completion.chunk",true,null,false],["chat.completion.chunk",false,"stop",false],["chat.completion.chunk",false,null,true],"[DONE]"]'
    is "$l: the routes are listed, each call is a step" "$(result "$run" '.result[0][3][2] | fromjson | [.data[].id]') $(steps "$run" | grep -c 'model.fast.committed')" '["fast","never"] 3'

    run=$(go "$l" "[[$(chat never "$l no"), $(chat other "$l no"), $(chat fast "$l no" '{"web_search_options":{}}'), {\"path\":\"/v1/chat/completions\",\"body\":\"{\"}, {\"path\":\"/v1/responses\",\"body\":{}}]]")
    await "its end" is_final "$run"
    is "$l: refusals are OpenAI's errors, not to be tried again" "$(result "$run" '[.result[0][] | [.[0], .[1], (.[2] | fromjson | .error.type)]]')" \
        '[[403,"false","permission_denied"],[404,"false","model_not_found"],[403,"false","permission_denied"],[400,"false","invalid_request_error"],[404,"false","not_found"]]'
    is "$l: and nothing left" "$(asked "$l no")" 0

    run=$(go "$l" "[[$(for i in 1 2 3 4 5; do chat fast "$l side $i"; done | paste -sd,)],[$(for i in 6 7 8; do chat fast "$l later $i"; done | paste -sd,)]]")
    await "the second lot to be asked" was_asked "$l later" 3
    kill -KILL $(worker_of "$2") 2>/dev/null
    await "its end" is_final "$run"
    is "$l: killed with calls under way, it goes on" "$(result "$run" '[.state, .attempt > 1, ([.result[][][0]] | unique)]')" '["succeeded",true,[200]]'
    is "$l: with the same answers, in one journal" "$(steps "$run" | grep -c 'model.fast.committed')" 8
    is "$l: none was asked for twice" "$(asked "$l side") $(asked "$l later")" "5 3"
    is "$l: each got its own answer" "$(result "$run" '[.result[][] | .[2] | fromjson | .id] | unique | length')" 8
}
if [ -x /usr/bin/python3 ]; then try python door.py; else for i in 1 2 3 4 5 6 7 8 9; do skip python "python3 is not here"; done; fi
if [ -x /usr/bin/node ]; then try node door.mjs; else for i in 1 2 3 4 5 6 7 8 9; do skip node "node is not here"; done; fi

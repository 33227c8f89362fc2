#!/bin/bash
# Goal: the example workers in C, Python and JavaScript ask a model and a tool and do a step of their own, behind their
# walls; killed in the middle, they go on and ask nothing twice. INV-05
. "$(dirname "$0")/lib.bash"
plan 13
start_model --record "$dir/asked" --delay-ms 700
clerk() { # clerk NAME WORKER
    cat >>"$dir/policy/clerks.yaml" <<Y
---
workflow:
  name: $1
  tenant: acme
  team: ap-triage
  trigger: [{event: test.$1}]
  worker: {$2, models: [clerk]}
  tools: [ledger/lookup_vendor]
  retry: {initial: 100ms, max: 1s}
Y
    echo "@id(\"start-$1\") permit (principal is Source, action == Action::\"start\", resource == Workflow::\"$1\");" >>"$dir/policy/clerks.cedar"
}
clerk c "program: \"$build/clerk_worker\""
clerk python "program: /usr/bin/python3, profile: python, args: [\"$root/contrib/python/clerk.py\"], files: [{path: \"$root/contrib/python\"}]"
clerk node "program: /usr/bin/node, profile: node, args: [\"$root/contrib/node/clerk.mjs\"], files: [{path: \"$root/contrib/node\"}]"
ok "reeved starts" start_reeved
asked() { grep -c -- "$1" "$dir/asked" || true; }
was_asked() { [ "$(asked "$1")" -ge 1 ]; }
worker_of() { pgrep -P "$(spawn_of "$reeved_pid")" -f "$1"; }
try() { # try LANGUAGE PATTERN
    local run name="Fjordlys \\\"$1\\\" Ødegård"
    run=$(jq -n --arg t "test.$1" --arg n "Fjordlys \"$1\" Ødegård" '{specversion:"1.0", id:$t, source:"/test", type:$t, data:{vendor:$n}}' | "$reeve" event send - --json | jq -r '.run // empty')
    await "the model to be asked" was_asked "\\\\\"$1\\\\\""
    ok "$1: killed while the model thinks" kill -KILL $(worker_of "$2")
    await "its end" is_final "$run"
    is "$1: it succeeds in another attempt" "$("$reeve" run show "$run" --json | jq -r '[.state, .attempt > 1, .reason // ""] | map(tostring) | join(" ")')" "succeeded true "
    is "$1: the model was asked once, so was the tool, its own step was done once" \
        "$(asked "\\\\\"$1\\\\\"") $(steps "$run" | cut -f2,4 | tr '\t\n' ' ;' | sed 's/retrieval committed;//')" "1 model committed;tool committed;named committed;"
    like "$1: with what all three said" "$("$reeve" run show "$run" --json | jq -c .result)" '"said":"There is no invoice.*"known":true'
}
try c clerk_worker
if [ -x /usr/bin/python3 ]; then try python clerk.py; else for i in 1 2 3 4; do skip python "python3 is not here"; done; fi
if [ -x /usr/bin/node ]; then try node clerk.mjs; else for i in 1 2 3 4; do skip node "node is not here"; done; fi

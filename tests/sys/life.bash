# life.bash: what the scenarios of a run's life share: workflows whose worker is tests/sys/life_worker.c, which does
# what its event says. Sourced by tests/sys/3x_*.sh after lib.bash.
mkdir -p "$dir/out"
chmod 777 "$dir/out"
rm -f "$dir"/policy/*
me=$(id -un)
workflow() { # workflow NAME [LINE...]: its entry, with these lines besides
    local name=$1 env='{SEQUENTIAL: "1"}'
    shift
    [[ $name == many* ]] && env='{}' # may ask several things at once
    {
        echo ---
        printf '%s\n' "workflow:" "  name: $name" "  tenant: acme" "  team: crew" "  trigger: [{event: test.$name}]" \
            "  worker: {program: \"${build}/tests/sys/life_worker\", env: $env, files: [{path: \"$dir/out\", at: /out, write: true}]}" \
            "  retry: {initial: 100ms, max: 200ms}"
        printf '  %s\n' "$@"
    } >>"$dir/policy/life.yaml"
}
ledger_server() { # ledger_server NAME TOOLS [ARG...]: the demo's ledger as a tool server, TOOLS as the file has them
    local name=$1 tools=$2 arg args=''
    shift 2
    for arg in "$@"; do args+=", \"$arg\""; done
    printf '%s\n' --- "server:" "  name: $name" "  tenant: acme" \
        "  command: [\"${ledger_program:-$build/reeve-demo-ledger}\", --db, \"$dir/ledger/ledger.db\"$args]" \
        "  files: [{path: \"$dir/ledger\", write: true}]" "  tools: $tools" >>"$dir/policy/life.yaml"
}
may_read() { echo '@id("read") permit (principal, action in Action::"read", resource);' >>"$dir/policy/life.cedar"; }
{
    echo "tenant: {name: acme}"
    printf -- '---\n%s\n' "team: {name: crew, tenant: acme}" "team: {name: leads, tenant: acme}"
    printf -- '---\npeople:\n  - {user: "%s", teams: [leads]}\naccess:\n  - {role: admin, users: ["%s"]}\n' "$me" "$me"
} >"$dir/policy/life.yaml"
cat >"$dir/policy/life.cedar" <<'C'
@id("start") permit (principal is Source, action == Action::"start", resource);
@id("emit") permit (principal, action == Action::"emit", resource) unless { context.input.type == "test.secret" };
@id("child") permit (principal, action == Action::"delegate", resource);
@id("people") permit (principal in Team::"leads", action == Action::"approve", resource);
C
chmod go-w "$dir"/policy/*
life=0
go() { # go WORKFLOW OPS: sends the event that runs them; the run
    life=$((life + 1))
    jq -n --arg id "life-$life-$RANDOM" --arg type "test.$1" --argjson do "$2" \
        '{specversion:"1.0", id:$id, source:"/test", type:$type, data:{do:$do}}' | "$reeve" event send - --json | jq -r '.run // empty'
}
tell() { # tell TYPE [DATA [ID]]: an event for those that wait
    life=$((life + 1))
    jq -n --arg id "${3:-tell-$life-$RANDOM}" --arg type "$1" --argjson data "${2:-null}" \
        '{specversion:"1.0", id:$id, source:"/test", type:$type, data:$data}' | "$reeve" event send - --json
}
result() { "$reeve" run show "$1" --json | jq -c .result; }
attempts() { "$reeve" run show "$1" --json | jq .attempt; }
wait_of() { "$reeve" run show "$1" --json | jq -r 'if .state == "waiting" then .wait else .state end'; }
waits_for() { [ "$(wait_of "$1")" = "$2" ]; }
workers() { pgrep -P "$(spawn_of "$reeved_pid")" -f life_worker; }
no_worker() { [ -z "$(workers)" ]; }
some_worker() { [ -n "$(workers)" ]; }
done_times() { [ -e "$dir/out/done" ] && grep -cx -- "$1" "$dir/out/done" || [ -e "$dir/out/done" ] || echo 0; }
has_key() { "$reeve" run steps "$1" --all --json | jq -e --arg k "$2" '.. | objects | select(.key? == $k)'; }
child_of() { "$reeve" run show "$1" --json | jq -r ".children[${2:-0}] // empty"; }

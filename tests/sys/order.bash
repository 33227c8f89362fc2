# order.bash: what the scenarios about order share, on top of lib.bash: workflows whose runs hold their place until
# they are released.
. "$(dirname "${BASH_SOURCE[0]}")/lib.bash"
[ -x "$build/tests/sys/hold_worker" ] || skip_all "tests/sys/hold_worker is not built"
cat >"$dir/policy/order.cedar" <<'C'
@id("start-order")
permit (principal is Source, action == Action::"start", resource is Workflow);
C
hold_workflow() { # hold_workflow NAME TENANT [MORE YAML]: on the event test.NAME
    cat <<Y
---
workflow:
  name: $1
  tenant: $2
  trigger: [{event: test.$1}]
  worker: {program: "\${bin}/tests/sys/hold_worker"}
  retry: {initial: 100ms, max: 1s}
$(printf '%s\n' "${@:3}" | sed 's/^/  /')
Y
}
sent=0
begin() { # begin NAME N [DATA]: an event test.NAME; its run's number
    sent=$((sent + 1))
    jq -n --arg id "$BASHPID-$RANDOM-$sent" --arg type "test.$1" --argjson n "$2" --argjson data "${3:-{\}}" \
        '{specversion:"1.0", id:$id, source:"/test", type:$type, data:($data + {n:$n})}' |
        "$reeve" event send - --json 2>"$dir/send.err" | jq -r '.run // empty'
}
release() { local n; for n; do begin release "$n" >/dev/null; done; }
holds() { has_steps "$1" 2; } # it began and waits
live_runs() { "$reeve" runs --limit 500 --json | jq -r '[.runs[] | select(.state == "running" and .steps >= 2)] | length'; }
live_is() { [ "$(live_runs)" = "$1" ]; }

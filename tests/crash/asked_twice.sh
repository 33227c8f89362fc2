#!/bin/bash
# Goal: what a worker asked for before it died, and of which nothing is recorded yet because the tool server is still
# starting, is not done beside what the next worker asks for. INV-05 INV-06
. "$(dirname "$0")/lib.bash"
[ -x "$build/tests/crash/kill_at" ] || skip_all "tests/crash/kill_at is not built"
"$build/tests/crash/kill_at" --at 0 -- /bin/true 2>/dev/null || skip_all "this kernel lets nobody be traced here"
plan 6
trial=asked_twice restarted='' former=() then_at='' model_port=9
sed -i 's|"${ledger}/record"\]|"${ledger}/record", "${ledger}/ready"]|' "$dir/policy/crash.yaml"
sends() { grep -c '^steps [0-9]* sendmsg' "$dir/points"; }
has_sent() { [ "$(sends)" -ge "$1" ]; }
blocked() { # blocked SENDS [NOT]: a worker (another one than NOT) has said all that it says before an answer, and waits
    local worker
    worker=$(pgrep -P "$(pgrep -P "$(pgrep -P "$reeved_pid" -x reeved)" -x reeve-spawn)" -f '^[^ ]*steps$' | head -n 1)
    [ -n "$worker" ] && [ "$worker" != "${2:-}" ] && grep -qE '^(7|45|47|232|271|281) ' "/proc/$worker/syscall" && has_sent "$1" && echo "$worker"
}
fresh
launch --role any --at 0 --list "$dir/points"
send_until_acked "$(start_event 1)"
send_until_acked "$(go_event 1)"
await "the first worker's calls" blocked 4
first=$(blocked 4) before=$(sends)
ok "a worker waits for a tool server that is not ready" test -n "$first"
is "nothing of its calls is recorded" "$("$reeve" run steps 1 --json | jq '[.steps[] | select(.kind == "tool")] | length')" 0
kill -KILL "$first"
ok "it dies, and the next one waits" await "the second worker's calls" blocked $((2 * before)) "$first"
touch "$dir/ledger/ready"
approve_all() {
    "$reeve" approvals --state open --json | jq -r '.approvals[].approval' | while read -r id; do "$reeve" approve "$id" >/dev/null; done
    is_final 1
}
ok "the run comes to its end" await "the end" approve_all
is "it succeeded" "$(run_state 1)" succeeded
is "each call was made once" "$(cut -d ' ' -f 1,3 "$record" | sort | uniq -d)" ""

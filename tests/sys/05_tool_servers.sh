#!/bin/bash
# Goal: tool servers of both eras, noisy ones, ones that die in the middle of a call or never answer: an
# idempotent call is made again with its key, any other becomes unknown and waits for a person. INV-06
. "$(dirname "$0")/lib.bash"
plan 19
start_model
ledger_args() { # ledger_args ARGS...: starts the ledger with these, from the next start on
    local list
    list=$(printf ', "%s"' "$@")
    sed -i -E "s|(--record, \"[^\"]*\").*\]|\1$list]|" "$dir/policy/demo.yaml"
}
pay_is() { sed -i -E "s|pay: \{.*\}|pay: {$1}|" "$dir/policy/demo.yaml"; }
step_of() { "$reeve" run steps "$1" --json | jq -r ".steps[] | select(.key == \"$2\") | .state"; }
through() { # through ID: an invoice up to the approved payment
    run=$(send "$1")
    await "the gate" has_open "$run"
    "$reeve" approve "$(open_approval "$run")" >/dev/null
}

# ---- eras and noise
ledger_args --era legacy --noise
start_reeved
through old
await "the end" is_final "$run"
is "a server of the older era" "$(run_state "$run")" succeeded
like "is spoken to as such" "$(cat "$dir/reeved.log")" 'ledger is ready: [0-9]+ tools, MCP 2025-11-25'
like "its noise is in the log, not in the protocol" "$(cat "$dir/reeved.log")" 'from=ledger'
is "one payment" "$(payments)" 1

# ---- dies in the middle of a call that is idempotent
for when in before middle after; do
    stop_reeved
    rm -f "$dir"/ledger/ledger.db*
    ledger_args --die-in "pay:$when"
    start_reeved
    through "idem-$when"
    await "the end" is_final "$run"
    is "idempotent, dies $when the effect: the run succeeds" "$(run_state "$run")" succeeded
    is "and pays once" "$(payments)" 1
done

# ---- the same where nothing is known of the tool
stop_reeved
rm -f "$dir"/ledger/ledger.db*
ledger_args --die-in pay:after
pay_is 'class: irreversible, retry: never'
start_reeved
through lost1
await "the second gate" has_open "$run"
is "not idempotent: the step is unknown" "$(step_of "$run" ledger/pay)" unknown
"$reeve" approve "$(open_approval "$run")" >"$dir/bare" 2>&1
like "a bare yes is not enough" "$(cat "$dir/bare")" 'happened'
echo '{"content":[{"type":"text","text":"paid: P-1"}]}' >"$dir/happened.json"
ok "a person says that it happened" "$reeve" approve "$(open_approval "$run")" --happened "$dir/happened.json"
await "the end" is_final "$run"
is "the run goes on with that" "$(run_state "$run")" succeeded
is "and nothing was paid twice" "$(payments)" 1

stop_reeved
rm -f "$dir"/ledger/ledger.db*
ledger_args --die-in pay:before
start_reeved
through lost2
await "the second gate" has_open "$run"
ok "a person says that it did not happen" "$reeve" approve "$(open_approval "$run")" --not-happened
await "the end" is_final "$run"
is "then it is done, once" "$(run_state "$run") $(payments)" 'succeeded 1'

# ---- never answers
stop_reeved
rm -f "$dir"/ledger/ledger.db*
ledger_args --hang pay
sed -i -E 's|^  name: ledger$|  name: ledger\n  timeout: 500ms|' "$dir/policy/demo.yaml"
start_reeved
through hang
await "the second gate" has_open "$run"
like "a call without an answer is unknown after its time-out" "$("$reeve" run steps "$run" --json | jq -r '.steps[] | select(.key == "ledger/pay") | .state + ": " + .reason')" 'unknown: .*(time|answer)'
"$reeve" reject "$(open_approval "$run")" --comment 'stop it' >/dev/null
is "a person stops the run" "$(run_state "$run")" failed

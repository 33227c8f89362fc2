#!/bin/bash
# Goal: a worker's list of tools holds those that policy can allow its run, and no other; one that is left out is denied
# when it is called all the same. INV-03
. "$(dirname "$0")/lib.bash"
. "$(dirname "$0")/life.bash"
plan 11
ledger_server ledger '{lookup_vendor: {class: read, retry: read-only}, match_purchase_order: {class: read, retry: read-only}, post_invoice: {class: write, retry: idempotent}, pay: {class: irreversible, retry: idempotent}}'
workflow one 'tools: [ledger/*]'
workflow other 'tools: [ledger/*]'
base=$(cat "$dir/policy/life.cedar")
policy() { printf '%s\n%s\n' "$base" "$1" >"$dir/policy/life.cedar"; "$reeve" policy load >/dev/null; }
offered() { # offered [WORKFLOW]
    run=$(go "${1:-one}" '[{"call":"tools/list"}]')
    await "its end" is_final "$run"
    result "$run" | jq -r '[.[0].tools[].name | sub("ledger\\."; "")] | sort | join(" ")'
}
ok "reeved starts" start_reeved
is "no policy permits a call: nothing is offered" "$(offered)" ""
policy '@id("read") permit (principal, action in Action::"read", resource);'
is "what a class permits is, and nothing else" "$(offered)" "lookup_vendor match_purchase_order"
policy '@id("pay") permit (principal, action == Action::"call:ledger/pay", resource) when { context.input.amount == "1" };'
is "a tool that is allowed with some arguments is" "$(offered)" "pay"
policy '@id("pay") permit (principal, action == Action::"call:ledger/pay", resource) when { context has approval };
@id("ask") @approvers("leads") permit (principal, action == Action::"propose:ledger/pay", resource);'
is "one that people may allow is" "$(offered)" "pay"
policy '@id("ask") @approvers("leads") permit (principal, action == Action::"propose:ledger/pay", resource);'
is "one that they could not, since no permit would follow, is not" "$(offered)" ""
policy '@id("all") permit (principal, action in Action::"call", resource);
@id("never") forbid (principal, action == Action::"call:ledger/pay", resource);
@id("mostly") forbid (principal, action == Action::"call:ledger/post_invoice", resource) unless { context.input.amount == "1" };'
is "one that is always forbidden is not, one that is mostly is" "$(offered)" "lookup_vendor match_purchase_order post_invoice"
run=$(go one '[{"call":"tools/list"},{"call":"tools/call","params":{"name":"ledger.pay","arguments":{"vendorId":"V-1001","invoiceNumber":"1","amountCents":100,"currency":"EUR","iban":"NL91ABNA0417164300"}}}]')
await "its end" is_final "$run"
like "what is left out is denied when it is called" "$("$reeve" run steps "$run" --json | jq -r '.steps[] | select(.key == "ledger/pay") | [.state, .reason] | @tsv')" '^denied.*"?never'
policy '@id("mine") permit (principal in Team::"crew", action in Action::"read", resource);
@id("theirs") permit (principal == Workflow::"other", action in Action::"write", resource);'
is "each workflow sees its own" "$(offered one) / $(offered other)" "lookup_vendor match_purchase_order / lookup_vendor match_purchase_order post_invoice"
policy '@id("odd") permit (principal, action in Action::"read", resource) when { context.nothing.there == 1 };'
is "a condition that errs is no reason to leave it out: the call says why" "$(offered)" "lookup_vendor match_purchase_order"
policy '@id("read") permit (principal, action in Action::"read", resource == Tool::"ledger/lookup_vendor");'
is "nor is a tool that another one's policy names" "$(offered)" "lookup_vendor"

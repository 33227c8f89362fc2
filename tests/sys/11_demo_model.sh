#!/bin/sh
# Goal: the demo's model server says that it follows a script, plays an invoice from the conversation alone, and
# fails as it is told to.
set -u
build=${BUILD:-.build}
dir=$(mktemp -d)
pid=""
stop() { [ -z "$pid" ] || { kill "$pid" && wait "$pid"; } 2>/dev/null; pid=""; }
trap 'stop; rm -rf "$dir"' EXIT
n=0
ok() {
    what=$1
    shift
    n=$((n + 1))
    if "$@" >"$dir/why" 2>&1; then echo "ok $n - $what"; else
        echo "not ok $n - $what"
        sed 's/^/# /' "$dir/why"
    fi
}
is() { [ "$1" = "$2" ] || { echo "got \"$1\", want \"$2\""; false; }; }
if ! command -v jq >/dev/null || ! command -v curl >/dev/null || ! [ -x "$build/reeve-demo-model" ]; then
    echo "1..0 # SKIP jq, curl or reeve-demo-model is not here"
    exit 0
fi

start() { # options...; waits until it prints its port
    rm -f "$dir/pipe"
    mkfifo "$dir/pipe"
    "$build/reeve-demo-model" "$@" >"$dir/pipe" &
    pid=$!
    exec 5<"$dir/pipe"
    read -r first <&5
    read -r _ port <&5
}
ask() { curl -s -o "$dir/body" -w '%{http_code}' "http://127.0.0.1:$port/v1/chat/completions" "$@"; }
invoice='{"invoice":{"number":"I1","vendor":"Fjordlys AS","purchaseOrder":"PO-1107","amount":"1840.00","currency":"EUR","iban":"DE1"}}'
tools='[{"type":"function","function":{"name":"ledger__lookup_vendor"}},{"type":"function","function":{"name":"ledger__pay"}}]'
messages=$(jq -n --arg i "An invoice: {x} $invoice Thanks." '[{role:"user",content:$i}]')
turn() { # sends the conversation, appends the reply to it
    jq -n --argjson m "$messages" --argjson t "$tools" '{model:"m",messages:$m,tools:$t}' >"$dir/request"
    ask -d @"$dir/request" >/dev/null
    messages=$(jq --argjson m "$messages" '$m + [.choices[0].message]' "$dir/body")
    jq -r '.choices[0].message | if .tool_calls then .tool_calls | map(.function.name) | join(" ") else .content end' "$dir/body"
}
tell() { # name, content: the answer to the last call of this tool
    messages=$(echo "$messages" | jq --arg n "$1" --arg c "$2" '. as $m | (map(.tool_calls // [] | .[]) | map(select(.function.name == $n)) | last.id) as $id | $m + [{role:"tool",tool_call_id:$id,content:$c}]')
}

start --port 0
ok "its first line says what it is" is "$first" "reeve-demo-model: this is no model: it follows a script"
turn >"$dir/t"
ok "looks up and matches at once" is "$(cat "$dir/t")" "ledger__lookup_vendor ledger__match_purchase_order"
ok "usage is counted" is "$(jq '.usage.prompt_tokens > 0 and .usage.total_tokens == .usage.prompt_tokens + .usage.completion_tokens' "$dir/body")" true
ok "arguments are whole hundredths" is "$(jq -r '.choices[0].message.tool_calls[1].function.arguments | fromjson | .amountCents' "$dir/body")" 184000
tell ledger__lookup_vendor '{"found":true,"vendorId":"V-1001","iban":"NO9","status":"active"}'
tell ledger__match_purchase_order '{"matches":true}'
turn >"$dir/t"
ok "falls for another IBAN" is "$(cat "$dir/t")" "ledger__change_iban"
tell ledger__change_iban 'denied by policy "vendors-are-not-changed"'
turn >"$dir/t"
ok "posts" is "$(cat "$dir/t")" "ledger__post_invoice"
tell ledger__post_invoice '{"posted":true,"invoiceId":"I-1"}'
turn >"$dir/t"
ok "pays" is "$(cat "$dir/t")" "ledger__pay"
ok "to the IBAN on file" is "$(jq -r '.choices[0].message.tool_calls[0].function.arguments | fromjson | .iban' "$dir/body")" NO9
tell ledger__pay '{"paid":true,"paymentId":"P-1"}'
turn >"$dir/t"
ok "sums up" grep -q '^Invoice I1: posted, and 1840.00 EUR paid (P-1).*refused' "$dir/t"
ok "what is not JSON is a 400" is "$(ask -d '{')" 400
ok "another path is a 404" is "$(curl -s -o /dev/null -w '%{http_code}' "http://127.0.0.1:$port/v1/x")" 404
stop

start --fail-first 1 --status 429
ok "fails first ..." is "$(ask -d '{}')" 429
ok "... and not again" is "$(ask -d '{}')" 200
stop
for kind in text shape arguments tool; do
    start --nonsense $kind
    ok "talks nonsense: $kind" is "$(ask -d '{}') $(jq -r '.choices[0].message.content // "none"' "$dir/body" 2>/dev/null || echo none)" "200 none"
    stop
done
echo s3cret >"$dir/key"
start --key-file "$dir/key"
ok "the key is asked for" is "$(ask -d '{}') $(ask -d '{}' -H 'Authorization: Bearer s3cret')" "401 200"
stop
echo "1..$n"

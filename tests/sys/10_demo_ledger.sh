#!/bin/sh
# Goal: the demo's ledger speaks MCP in both eras, does each idempotency key once, and dies where it is told to
# without losing or doubling an effect.
set -u
ledger=${BUILD:-.build}/reeve-demo-ledger
dir=$(mktemp -d)
trap 'rm -rf "$dir"' EXIT
n=0
ok() { # description, command...
    what=$1
    shift
    n=$((n + 1))
    if "$@" >"$dir/why" 2>&1; then echo "ok $n - $what"; else
        echo "not ok $n - $what"
        sed 's/^/# /' "$dir/why"
    fi
}
if ! command -v jq >/dev/null || ! [ -x "$ledger" ]; then
    echo "1..0 # SKIP jq or reeve-demo-ledger is not here"
    exit 0
fi

modern='"_meta":{"io.modelcontextprotocol/protocolVersion":"2026-07-28","io.modelcontextprotocol/clientCapabilities":{}'
req() { printf '{"jsonrpc":"2.0","id":%s,"method":"%s","params":{%s}}\n' "$1" "$2" "$3"; }
call() { req "$1" tools/call "\"name\":\"$2\",\"arguments\":$3,$modern${4:+,\"io.reeve/idempotencyKey\":\"$4\"}}"; }
discover() { req 0 server/discover "$modern}"; }
serve() { # database, options...; requests on standard input
    db=$1
    shift
    "$ledger" --db "$dir/$db" "$@" 2>"$dir/stderr"
}
field() { jq -rs "map(select(.id == $1))[0]$2"; }
is() { [ "$1" = "$2" ] || { echo "got \"$1\", want \"$2\""; false; }; }
rows() { sqlite3 "$dir/$1" "SELECT count(*) FROM $2"; }

post='{"vendorId":"V-1001","invoiceNumber":"I1","purchaseOrder":"PO-1107","amountCents":184000,"currency":"EUR"}'
pay='{"vendorId":"V-1001","invoiceNumber":"I1","amountCents":184000,"currency":"EUR","iban":"NO9386011117947"}'

# The modern era.
out=$({ discover; req 1 tools/list "$modern}"; req 2 initialize '"protocolVersion":"2025-11-25","capabilities":{},"clientInfo":{"name":"t","version":"1"}'; req 3 ping ''; req 4 tools/list '"_meta":{"io.modelcontextprotocol/protocolVersion":"2031-01-01"}'; } | serve a.db)
ok "discover: modern, cacheable" is "$(echo "$out" | field 0 '.result | [.supportedVersions[0], .resultType, .cacheScope] | join(" ")')" "2026-07-28 complete public"
ok "tools/list: six tools with schemas and hints" is "$(echo "$out" | field 1 '.result.tools | map(select(.inputSchema.type == "object" and (.annotations | has("readOnlyHint")))) | length')" 6
ok "initialize is refused once modern" is "$(echo "$out" | field 2 '.error.code')" -32022
ok "a request without its version is refused" is "$(echo "$out" | field 3 '.error.code')" -32602
ok "an unknown version is refused, with those that are known" is "$(echo "$out" | field 4 '.error | [.code, .data.supported[0]] | join(" ")')" "-32022 2026-07-28"

# The older era.
init() { req 1 initialize '"protocolVersion":"'"$1"'","capabilities":{},"clientInfo":{"name":"t","version":"1"}'; echo '{"jsonrpc":"2.0","method":"notifications/initialized"}'; }
out=$({ init 2025-06-18; req 2 tools/list ''; req 3 ping ''; req 4 tools/call '"name":"lookup_vendor","arguments":{"name":"Atelier Morel"}'; discover; } | serve a.db --era legacy)
ok "initialize: the client's version" is "$(echo "$out" | field 1 '.result | [.protocolVersion, .serverInfo.name] | join(" ")')" "2025-06-18 reeve-demo-ledger"
ok "tools/list without a resultType" is "$(echo "$out" | field 2 '.result | [has("resultType"), (.tools | length)] | join(" ")')" "false 6"
ok "ping is answered" is "$(echo "$out" | field 3 '.result | length')" 0
ok "a call of the older era" is "$(echo "$out" | field 4 '.result.structuredContent.vendorId')" V-1003
ok "discover is no method there" is "$(echo "$out" | field 0 '.error.code')" -32601
out=$(init 1999-01-01 | serve a.db)
ok "an unknown version is answered with the newest older one" is "$(echo "$out" | field 1 '.result.protocolVersion')" 2025-11-25

# What it refuses: the model is told, nothing happens.
out=$({ discover; call 1 lookup_vendor '{}'; call 2 lookup_vendor '{"name":"Nobody"}'; call 3 pay "$pay"; call 4 post_invoice '{"vendorId":"V-1002","invoiceNumber":"I9","amountCents":1,"currency":"EUR"}'; call 5 fly '{}'
    call 6 post_invoice '{"vendorId":"V-1001","invoiceNumber":"I9","amountCents":-1,"currency":"EUR"}'; echo 'not json'; echo '[]'; call 7 match_purchase_order '{"purchaseOrder":"PO-1107","amountCents":1,"currency":"EUR"}'; } | serve b.db --noise)
ok "a missing argument is an error result" is "$(echo "$out" | field 1 '.result.isError')" true
ok "an unknown vendor is not found" is "$(echo "$out" | field 2 '.result.structuredContent.found')" false
ok "an invoice that is not posted is not paid" is "$(echo "$out" | field 3 '.result.isError')" true
ok "a blocked vendor is refused" is "$(echo "$out" | field 4 '.result.content[0].text')" "vendor V-1002 is blocked"
ok "an unknown tool is an error" is "$(echo "$out" | field 5 '.error.code')" -32602
ok "a negative amount is refused" is "$(echo "$out" | field 6 '.result.isError')" true
ok "lines that are no messages are passed over" is "$(echo "$out" | field 7 '.result.structuredContent.reason')" "the amount differs"
ok "nothing was written" is "$(rows b.db invoices) $(rows b.db payments)" "0 0"
ok "noise is on standard error alone" grep -q 'this is noise' "$dir/stderr"

# Keys.
out=$({ discover; call 1 post_invoice "$post" k1; call 2 pay "$pay" k2; call 3 pay "$pay" k2; call 4 pay "${pay%\}},\"note\":1}" k2; call 5 post_invoice "$pay" k2; } | serve c.db --record "$dir/effects")
ok "paid" is "$(echo "$out" | field 2 '.result.structuredContent.paymentId')" P-1
ok "the same key gets the same answer" is "$(echo "$out" | field 3 '.result.structuredContent.paymentId')" P-1
ok "a key of other arguments is refused" is "$(echo "$out" | field 4 '.result.isError')" true
ok "a key of another tool is refused" is "$(echo "$out" | field 5 '.result.isError')" true
out=$({ discover; call 3 pay "$pay" k2; } | serve c.db --record "$dir/effects")
ok "and so after a restart" is "$(echo "$out" | field 3 '.result.structuredContent.paymentId')" P-1
ok "one payment, one invoice" is "$(rows c.db payments) $(rows c.db invoices)" "1 1"
ok "each effect is recorded once" is "$(cut -d' ' -f1 "$dir/effects" | tr '\n' ' ')" "post_invoice pay "
out=$({ discover; call 3 pay "$pay"; } | serve c.db)
ok "without a key it pays again: the ledger does not guess" is "$(rows c.db payments)" 2

# Dying in the middle of a call; the same call again, with its key, ends in one payment.
for when in before middle after; do
    db=die-$when.db
    { discover; call 1 post_invoice "$post" k1; } | serve "$db" >/dev/null
    { discover; call 2 pay "$pay" k2; } | serve "$db" --die-in "pay:$when" >"$dir/out"
    status=$?
    ok "dies $when the effect, without an answer" is "$status $(grep -c '"id":2' "$dir/out")" "3 0"
    { discover; call 3 pay "$pay" k2; } | serve "$db" --die-in "pay:$when" >"$dir/out"
    ok "dies once; asked again, pays once in all ($when)" is "$(field 3 '.result.structuredContent.paid' <"$dir/out") $(rows "$db" payments)" "true 1"
done
out=$({ discover; call 1 pay "$pay"; call 2 lookup_vendor '{"name":"x"}'; } | serve e.db --hang pay)
ok "a call that hangs holds up no other" is "$(echo "$out" | jq -s 'map(.id) | join(" ")' -r)" "0 2"
echo "1..$n"

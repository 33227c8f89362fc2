#!/bin/bash
# Goal: tenants share the places fairly, priorities go first, limits of tenant, key and rate hold, keys go in order
# over kill -9, and a full queue refuses an event and records nothing of it.
. "$(dirname "$0")/order.bash"
plan 29
{
    echo 'tenant: {name: beta}'
    echo '---'
    echo 'tenant: {name: small, concurrency: 2, queue: 5}'
    hold_workflow crowd acme 'concurrency: 100' 'limits: {park_after: 1h}'
    hold_workflow few beta 'concurrency: 100' 'limits: {park_after: 1h}'
    hold_workflow urgent acme 'concurrency: 100' 'priority: 9' 'limits: {park_after: 1h}'
    hold_workflow one small 'limits: {park_after: 1h}'
    hold_workflow two small 'limits: {park_after: 1h}'
    hold_workflow keyed beta 'key: event.data.customer' 'limits: {park_after: 0s}'
    hold_workflow rated beta 'rate: 2/1h' 'limits: {park_after: 1h}'
    hold_workflow bounded beta 'concurrency: 1' 'queue: 3' 'limits: {park_after: 1h}'
} >"$dir/policy/order.yaml"
ok "reeved starts, with four places" start_reeved --workers 4
running() { "$reeve" runs --workflow "$1" --state running --limit 500 --json | jq '.runs | length'; }
begun() { "$reeve" runs --workflow "$1" --limit 500 --json | jq '[.runs[] | select(.startedAt != null)] | length'; }
begun_is() { [ "$(begun "$1")" -ge "$2" ]; }
state_of() { "$reeve" runs --workflow "$1" --limit 500 --json | jq -r '[.runs[] | .state] | join(" ")'; }

# fairness: a crowd came first
for i in {1..12}; do begin crowd $i >/dev/null; done
for i in 21 22 23; do begin few $i >/dev/null; done
await "four at work" live_is 4
is "the crowd has all places, for nobody else was there" "$(begun crowd)" 4
release 1 2
await "two of the few" begun_is few 2
is "places that come free go to the other tenant" "$(begun crowd) $(begun few)" "4 2"
release 3
await "another of the crowd" begun_is crowd 5
is "then by turns: neither has more than its half" "$(begun crowd) $(begun few)" "5 2"

# priority
u=$(begin urgent 31)
release 4
await "the urgent one" begun_is urgent 1
is "the higher priority goes before the older" "$(begun crowd) $(begun urgent)" "5 1"
like "the queue is shown in numbers" "$("$reeve" queue --json | jq -c '.queue[] | select(.workflow == "crowd") | [.queued, .new, .priority]')" '^\[7,7,5\]$'

# nothing is lost: all of them end
for i in {5..12} 21 22 23 31; do release $i; done
all_done() { [ "$("$reeve" runs --state live --limit 500 --json | jq '.runs | length')" = 0 ]; }
await "all of them" all_done
is "all ended well" "$("$reeve" runs --limit 500 --json | jq '[.runs[] | select(.state == "succeeded")] | length')" 16

# a tenant's limit, over two workflows; its bound
for i in 41 42; do begin one $i >/dev/null; done
await "two at work" live_is 2
for i in 43 44; do begin two $i >/dev/null; done
begin one 45 >/dev/null
is "the tenant has two workers, not four" "$(running one) $(running two)" "2 0"
like "and the queue says so" "$("$reeve" queue)" '2 of 2 workers of tenant small'
begin one 46 >/dev/null
begin two 47 >/dev/null
before=$("$reeve" runs --tenant small --limit 500 --json | jq '.runs | length')
event48() { jq -n '{specversion:"1.0", id:"e48", source:"/test", type:"test.one", data:{n:48}}'; }
event48 | "$reeve" event send - >"$dir/out" 2>&1
is "a full queue of the tenant refuses, to come again" "$? $(grep -c 'queue of tenant small is full (5 runs wait): try again later' "$dir/out")" "6 1"
is "no run of it is there" "$("$reeve" runs --tenant small --limit 500 --json | jq '.runs | length')" "$before"
is "nor the event" "$(sqlite3 "$dir/state/reeve.db" "SELECT count(*) FROM event WHERE event_id='e48'")" 0
event48 >"$dir/e48"
curl -s -o "$dir/body" -D "$dir/head" --unix-socket "$REEVE_SOCKET" -H 'Content-Type: application/cloudevents+json' --data-binary "@$dir/e48" http://reeve/v1/events
like "HTTP says 429" "$(head -1 "$dir/head")" ' 429 '
like "and when" "$(tr -d '\r' <"$dir/head")" '^Retry-After: 1$'
release 41 42
await "room" sh -c "$reeve queue --json | jq -e '[.queue[] | select(.tenant == \"small\") | .new] | add < 5'"
again=$("$reeve" event send --json "$dir/e48" | jq -r .run)
like "the same event is taken then, once" "$again $("$reeve" event send --json "$dir/e48" | jq -r '[.run, .duplicate] | @tsv')" "^([0-9]+) \1.true$"
for i in {43..48}; do release $i; done
await "all of them" all_done

# keys: one at a time, in order, also while they wait without a process, over kill -9
a=$(begin keyed 51 '{"customer":"c1"}')
b=$(begin keyed 52 '{"customer":"c1"}')
c=$(begin keyed 53 '{"customer":"c2"}')
d=$(begin keyed 54 '{"customer":"c1"}')
e=$(begin keyed 55)
await "the first parks" state_is "$a" waiting
await "the other key's" state_is "$c" waiting
await "the one without" state_is "$e" waiting
is "those behind it wait" "$(run_state "$b")$(run_state "$d")" queuedqueued
like "and say for what" "$(run_reason "$b")" 'waits for an earlier run with the key "c1"'
kill_reeve
start_reeved --workers 4
release 52 54
is "still so after kill -9, though what they wait for has come" "$(run_state "$b")$(run_state "$d")" queuedqueued
release 51
await "the last" is_final "$d"
is "then each in its turn" "$(run_state "$a") $(run_state "$b") $(run_state "$d")" "succeeded succeeded succeeded"
ended() { "$reeve" run show "$1" --json | jq -r "$2"; }
ok "no two at once" test ! "$(ended "$b" .startedAt)" \< "$(ended "$a" .endedAt)"
ok "in the order in which they came" test ! "$(ended "$d" .startedAt)" \< "$(ended "$b" .endedAt)"
f=$(begin keyed 56 '{"customer":"c2"}')
g=$(begin keyed 57 '{"customer":"c2"}')
"$reeve" run cancel "$f" >/dev/null
"$reeve" run cancel "$c" >/dev/null
await "the next" state_is "$g" waiting
is "a cancelled one neither keeps the key nor gets it" "$(run_state "$f")" cancelled
release 55 57
await "all of them" all_done

# a rate
for i in 61 62 63; do begin rated $i >/dev/null; done
await "two" begun_is rated 2
kill_reeve
start_reeved --workers 4
await "both again" live_is 2
is "two start, the third does not, also after kill -9" "$(begun rated) $(state_of rated)" "2 queued running running"
like "and the queue says when" "$("$reeve" queue)" 'rate: next start in [0-9]+'
sed -i 's/rate: 2\/1h/rate: 3\/1h/' "$dir/policy/order.yaml"
ok "the rate is raised" "$reeve" policy load
await "the third" begun_is rated 3
is "it starts" "$(begun rated)" 3
release 61 62 63
await "all of them" all_done

# a workflow's bound
for i in 71 72 73 74; do begin bounded $i >/dev/null; await "$i" true; done
await "one" live_is 1
begin bounded 75 >/dev/null
is "the queue of a workflow is bounded" "$("$reeve" runs --workflow bounded --json | jq '.runs | length')" 4
like "which is said" "$(cat "$dir/send.err")" 'the queue of workflow bounded is full \(3 runs wait\)'
kill_reeve
start_reeved --workers 4
begin bounded 76 >/dev/null
like "also after kill -9" "$(cat "$dir/send.err")" 'the queue of workflow bounded is full'

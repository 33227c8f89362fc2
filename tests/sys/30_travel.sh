#!/bin/bash
# Goal: time travel: a replay goes the same way and lets nothing leave, a dry fork neither, a real fork does anew what
# comes after its step, with an approval of its own; two runs are compared. INV-05 INV-08
. "$(dirname "$0")/lib.bash"
plan 36
start_model
ok "reeved starts" start_reeved
run=$(send t1)
await "the gate" has_open "$run"
"$reeve" approve "$(open_approval "$run")" --comment fine >/dev/null
await "the end" is_final "$run"
is "a run to travel on" "$(run_state "$run") $(payments)" "succeeded 1"
pay=$(steps "$run" | awk '$3 == "ledger/pay" {print $1}')
before=$("$reeve" run show "$run" --json | jq -Sc 'del(.event)')$(steps "$run")
effects=$(ledger 'SELECT count(*) FROM effects')
model=$(grep -c . "$dir/model.log")
usage=$("$reeve" usage --json | jq -c .total)
counted=$("$reeve" status --json | jq -c '.runs')

# ---- replay
ok "a replay says that it goes the same way" "$reeve" run replay "$run"
like "in words" "$(cat "$dir/ok.out")" "the same way as run $run, to the same end"
is "no effect left" "$(ledger 'SELECT count(*) FROM effects')" "$effects"
is "no model was asked" "$(grep -c . "$dir/model.log")" "$model"
is "nothing of the run changed" "$("$reeve" run show "$run" --json | jq -Sc 'del(.event)')$(steps "$run")" "$before"
is "nobody is billed" "$("$reeve" usage --json | jq -c .total)" "$usage"
is "it is not counted" "$("$reeve" status --json | jq -c '.runs')" "$counted"
replay=$("$reeve" run replay "$run" --json)
is "as JSON: all recorded steps, the same way" "$(jq -c '[.result.same, .result.steps == .result.recorded, .result.replayOf, .mode, .origin.run]' <<<"$replay")" "[true,true,$run,\"replay\",$run]"
like "it is marked as what it is" "$("$reeve" run show "$(jq .run <<<"$replay")")" "replay of run $run"
ok "and differs in no step" "$reeve" run diff "$run" "$(jq .run <<<"$replay")" --json
is "none at all" "$(jq -c '[.same, .first, (.steps | length)]' "$dir/ok.out")" "[true,null,$(steps "$run" | wc -l)]"
"$reeve" run replay "$(jq .run <<<"$replay")" >"$dir/again" 2>&1
like "a replay is not replayed" "$(cat "$dir/again")" "is a replay of run $run"

# ---- dry
is "an event that came already still names the run, and no fork" "$(send t1)" "$run"
fork=$("$reeve" run fork "$run" --from "$pay" --dry --json | jq .run)
await "the dry fork's end" is_final "$fork"
is "a dry fork from the payment ends as its origin did" "$(run_state "$fork")" succeeded
is "and pays nothing" "$(payments) $(ledger 'SELECT count(*) FROM effects')" "1 $effects"
ok "step by step" "$reeve" run diff "$run" "$fork"

# ---- real
"$reeve" run fork "$run" --from 99 >"$dir/out" 2>&1
like "there is no such step" "$(cat "$dir/out")" "from is 1 to"
fork=$("$reeve" run fork "$run" --from "$pay" --json | jq .run)
like "a real fork is marked" "$("$reeve" run show "$fork")" "forked from run $run step $pay"
await "a gate of its own" has_open "$fork"
await "parking" state_is "$fork" waiting
is "the approval was not taken along" "$(run_state "$fork") $(payments)" "waiting 1"
is "the steps before are there and were not done again" "$(steps "$fork" | head -n $((pay - 1)) | cut -f2-)" "$(steps "$run" | head -n $((pay - 1)) | cut -f2-)"
is "nor the effects before it" "$(ledger 'SELECT count(*) FROM effects')" "$effects"
"$reeve" run fork "$fork" --from $((pay + 1)) >"$dir/out" 2>&1
like "no fork behind a step without outcome" "$(cat "$dir/out")" "step $pay of run $fork is gated: fork from it or before it"
ok "a run that waits is replayed as far as it is recorded" "$reeve" run replay "$fork"
like "which is said" "$(cat "$dir/ok.out")" "the same way as far as run $fork is recorded .waiting.: next is tool ledger/pay"
kill_reeve
start_reeved
ok "after a restart the gate is still there" has_open "$fork"
"$reeve" approve "$(open_approval "$fork")" --comment again >/dev/null
await "the fork's end" is_final "$fork"
is "it succeeds, and this payment is made" "$(run_state "$fork") $(payments)" "succeeded 2"
"$reeve" run diff "$run" "$fork" --json >"$dir/diff"
is "the first difference is what the ledger answered" "$(jq -c '[.first.a.seq, .first.b.seq, .steps[.first.index].differs]' "$dir/diff")" "[$pay,$pay,[\"outcome\"]]"
like "the record of who did it" "$("$reeve" audit --all --json | jq -r '.audit[]?, .records[]? | select(.action == "run.fork" or .action == "run.replay") | .detail.text' 2>/dev/null | sort | uniq -c)" "forked from run $run step $pay"
fork=$("$reeve" run fork "$run" --from 1 --json | jq .run)
await "its end" is_final "$fork"
is "a fork from step 1 does all anew, and is told that the invoice is there already" "$(run_state "$fork") $(payments)" "succeeded 2"
"$reeve" run diff "$run" "$fork" >"$dir/diff" 2>&1
is "the comparison says that they differ" "$?" 1
like "and where, with both outcomes" "$(cat "$dir/diff")" "the first difference"
"$reeve" run show "$run" --json >"$dir/show"
is "the origin is what it was" "$("$reeve" run show "$run" --json | jq -Sc 'del(.event)')$(steps "$run")" "$before"
"$reeve" run fork 4711 --from 1 >/dev/null 2>&1
is "no such run" "$?" 3
"$reeve" run fork "$run" >/dev/null 2>&1
is "used wrongly" "$?" 2

#!/bin/bash
# Goal: policy work that needs no daemon: check, test, eval, convert, all by the command. INV-03
. "$(dirname "$0")/lib.bash"
plan 10
sets=(--set bin=/x --set ledger=/x)
like "a good directory" "$("$reeve" policy check "$dir/policy" "${sets[@]}")" '1 workflow.*10 policies: ok'
cases=$("$reeve" policy test "$dir/policy" "$root/contrib/demo/cases.yaml" "${sets[@]}")
is "the demo's cases hold" "$?" 0
like "and are printed as TAP" "$cases" '^ok 6 - vendors are not changed'
sed 's/expect: gate/expect: run/' "$root/contrib/demo/cases.yaml" >"$dir/wrong.yaml"
wrong=$("$reeve" policy test "$dir/policy" "$dir/wrong.yaml" "${sets[@]}")
is "a case that does not hold fails" "$?" 1
like "with what was decided" "$wrong" 'expected run, got gate'
"$reeve" policy convert --to-json "$dir/policy/invoice.cedar" >"$dir/set.json"
ok "the JSON form is JSON" "$build/json_check" "$dir/set.json"
"$reeve" policy convert "$dir/set.json" >"$dir/back.cedar"
"$reeve" policy convert --to-json "$dir/back.cedar" >"$dir/again.json"
ok "text to JSON and back is the same set" cmp "$dir/set.json" "$dir/again.json"
printf 'permit (principal, action, resource) when { %s1 == 1%s };\n' "$(printf '(%.0s' $(seq 200))" "$(printf ')%.0s' $(seq 200))" >"$dir/policy/deep.cedar"
printf '@id("look-up") permit (principal, action, resource);\n' >"$dir/policy/twice.cedar"
chmod go-w "$dir/policy"/*
bad=$("$reeve" policy check "$dir/policy" "${sets[@]}" 2>&1)
is "a bad directory: exit status 1" "$?" 1
like "too deep, with its place" "$bad" 'deep.cedar:1:[0-9]+'
like "and the second id, with where the first is" "$bad" 'twice.cedar:1:[0-9]+.*|earlier'

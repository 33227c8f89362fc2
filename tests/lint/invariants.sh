#!/bin/bash
# Goal: each promise stands in the README, in the code that keeps it and in a test that tries to break it.
. "$(dirname -- "$0")/tap.inc"

files=$(tree_files)
sources=$(printf '%s\n' $files | grep -E '^(policy|sandbox|worker|supervisor)/.*\.(c|h|def)$')
tests=$(printf '%s\n' $files | grep -E '^tests/' | grep -vE '^tests/lint/invariants\.sh$')
for i in 01 02 03 04 05 06 07 08 09 10 11 12; do
    id=INV-$i
    if [ -f README.md ]; then
        point "$id is in the README" "$(grep -q "$id" README.md || echo "README.md does not name $id")"
    else
        skip_point "$id is in the README" "there is no README.md yet"
    fi
    point "$id is in the code" "$(grep -qF "$id" $sources || echo "no source file names $id")"
    point "$id is in a test" "$(grep -qF "$id" $tests || echo "no test names $id")"
done
point "no promise that the design does not know" "$(
    grep -noE 'INV-[0-9][0-9]([^0-9]|$)' $sources $tests README.md /dev/null 2>/dev/null |
        grep -vE 'INV-(0[1-9]|1[0-2])([^0-9]|$)')"
plan

#!/bin/bash
# Goal: the tree is what the design says and holds nothing that belongs to a desk.
. "$(dirname -- "$0")/tap.inc"

files=$(tree_files)
text_files=$(printf '%s\n' "$files" | grep -vE '^tests/fuzz/corpus/|^LICENSE$')
ours=$(printf '%s\n' "$files" | grep -E '\.(c|h|def|sh|inc)$|^Makefile$|^tests/run$' | grep -v '^tests/fuzz/corpus/')

point "the top level is the picture of the design" "$(
    printf '%s\n' "$files" | cut -d/ -f1 | sort -u |
    grep -vxE 'Makefile|README\.md|LICENSE|supervisor|sandbox|worker|policy|tests|contrib|\..*')"
point "no object, archive or editor's leftovers" "$(printf '%s\n' "$files" | grep -E '\.(o|a|so|d|orig|rej|swp|bak)$|~$|/core$')"

# Written in two parts, so that this file does not find itself.
later='TO''DO|FIX''ME|XX''X[^X]|HA''CK'
point "nothing is left for later" "$(grep -nE "(^|[^A-Za-z_])($later)" $ours /dev/null | grep -v '^tests/lint/run_selftest.sh')"
desk='/wo''rk/|\.lib''rary|/ho''me/[a-z]|/Us''ers/|/ro''ot/|tmp/cl''aude'
point "no path of somebody's machine" "$(grep -nIE "$desk" $text_files /dev/null)"

point "no tab in C, no trailing space, no carriage return" "$(
    grep -nP '\t' $(printf '%s\n' $ours | grep -E '\.(c|h)$') /dev/null
    grep -nP '[ \t\r]+$' $ours /dev/null)"
point "every file ends with a line break" "$(
    for f in $ours; do [ -s "$f" ] && [ -n "$(tail -c 1 "$f")" ] && echo "$f"; done)"
point "scripts can be executed" "$(
    for f in $(printf '%s\n' $files | grep -E '^(tests/(run|fuzz/run)|tests/.*\.sh|contrib/.*\.sh|\.ci/run)$'); do
        [ -x "$f" ] || echo "$f"
    done)"
point "a head on every C file: what it is for" "$(
    for f in $(printf '%s\n' $ours | grep -E '\.(c|h)$'); do
        [ "$(head -c 2 "$f")" = "/*" ] || echo "$f"
    done)"
point "headers have guards" "$(
    for f in $(printf '%s\n' $ours | grep -E '\.h$'); do
        grep -qE '^#ifndef REEVE_[A-Z0-9_]+_H$|^#pragma once' "$f" || echo "$f"
    done)"
point "no file of more than 800 lines" "$(
    for f in $(printf '%s\n' $ours | grep -E '^(policy|sandbox|worker|supervisor)/.*\.(c|h)$'); do
        n=$(wc -l <"$f")
        [ "$n" -le 800 ] || echo "$f: $n lines"
    done)"
plan

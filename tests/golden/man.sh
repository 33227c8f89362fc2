#!/bin/bash
# Goal: the manual is free of warnings and says what the tables say: reeved's options, a run's transitions.
# REGOLD=1 writes the transitions anew.
set -u
n=0
report() { # ok?, what
    n=$((n + 1))
    [ "$1" = 0 ] && echo "ok $n - $2" || echo "not ok $n - $2"
}
transitions() {
    echo '.Bl -column "succeeded" "EXHAUSTED" "succeeded" -compact'
    echo '.It Em in Ta Em on Ta Em then'
    sed -n 's/^LIFE(\([A-Z]*\), *\([A-Z]*\), *[A-Z]*, *\([A-Z]*\))/\1 \2 \3/p' supervisor/life.def |
        tr 'A-Z' 'a-z' | while read -r from on to; do echo ".It $from Ta $on Ta $to"; done
    echo '.El'
}
page=contrib/man/reeve-run.7
if [ -n "${REGOLD:-}" ]; then
    { sed '/life.def begins/q' $page; transitions; sed -n '/life.def ends/,$p' $page; } >"$page.new" && mv "$page.new" $page
fi

for f in contrib/man/*.[1578]; do
    if ! command -v groff >/dev/null; then
        n=$((n + 1))
        echo "ok $n - $f # SKIP no groff"
        continue
    fi
    warnings=$(groff -ww -mdoc -Tutf8 -z "$f" 2>&1)
    [ -z "$warnings" ]
    report $? "$f has no warnings"
    [ -z "$warnings" ] || echo "$warnings" | sed 's/^/# /'
done

diff <(transitions) <(sed -n '/life.def begins/,/life.def ends/p' $page | sed '1d;$d') >/dev/null
report $? "reeve-run.7 has the transitions of supervisor/life.def"

missing=
for name in $(sed -n 's/^OPTION(\([a-z_]*\),.*/\1/p' supervisor/options.def); do
    grep -q "^\.It Fl . , .-${name//_/-}\( \|\$\)" contrib/man/reeved.8 || missing="$missing $name"
done
[ -z "$missing" ]
report $? "reeved.8 has every option of supervisor/options.def$missing"

for name in $(grep -ho '\.key = "[a-z_]*"\|ROW("[a-z_]*"' policy/tables.c | grep -o '"[a-z_]*"' | tr -d '"' | sort -u); do
    grep -qw -- "$name" contrib/man/reeve-policy.5 || missing="$missing $name"
done
[ -z "$missing" ]
report $? "reeve-policy.5 names every key of policy/tables.c$missing"
echo "1..$n"

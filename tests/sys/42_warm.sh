#!/bin/bash
# Goal: workers that stand ready before there is a run: each serves one run, of the workflow that it was started for,
# with the program that is there now; none that misbehaved while it waited is ever given out; none outlives Reeve.
# INV-01 INV-02 INV-11
. "$(dirname "$0")/lib.bash"
[ -x "$build/tests/sys/warm_worker" ] || skip_all "tests/sys/warm_worker is not built"
plan 29
rm -f "$dir"/policy/*
put() { cp "$build/tests/sys/warm_worker" "$dir/w.new" && printf '%s' "${1:-}" >>"$dir/w.new" && chmod 755 "$dir/w.new" && mv "$dir/w.new" "$dir/worker"; }
put
workflow() { # workflow NAME TENANT HOW TAG N
    printf -- '---\nworkflow:\n  name: %s\n  tenant: %s\n  trigger: [{event: test.%s}]\n  retry: {initial: 10ms, max: 20ms}\n  limits: {attempts: 2}\n  worker: {program: "%s", args: [%s, %s], warm: %s}\n' \
        "$1" "$2" "$1" "$dir/worker" "$3" "$4" "$5"
}
house() { # house TAG: all of it
    {
        printf 'tenant: {name: acme}\n---\ntenant: {name: beta}\n---\naccess:\n  - {role: admin, users: ["%s"]}\n' "$(id -un)"
        workflow one acme good "$1" 2
        workflow two beta good two 1
        workflow forks acme forks forks 1
        workflow denied acme denied denied 1
        workflow floods acme floods floods 1
        workflow cold acme good cold 0
    } >"$dir/policy/warm.yaml"
    echo '@id("start") permit (principal is Source, action == Action::"start", resource);' >"$dir/policy/warm.cedar"
    chmod go-w "$dir"/policy/*
}
house first
go() { # go NAME: its run, at its end
    local run
    run=$(jq -nc --arg id "$1-$BASHPID-$RANDOM" --arg type "test.$1" '{specversion: "1.0", id: $id, source: "/t", type: $type}' | "$reeve" event send - --json | jq -r .run)
    await "its end" is_final "$run"
    echo "$run"
}
of() { "$reeve" run show "$1" --json | jq -r ".result.$2"; }
waiting() { pgrep -P "$(spawn_of "$reeved_pid")" -f "^$dir/worker $1 $2\$"; }
count_is() { [ "$(waiting "$1" "$2" | wc -l)" = "$3" ]; }
children() { pgrep -P "$1" | wc -l; }
# Pids alone do not say that one is behind its walls: its name is that of its program from exec on, and so it is ready.
ok "reeved starts" start_reeved
await "those of one" count_is good first 2
await "that of two" count_is good two 1
ok "as many stand ready as the definitions say" test "$(waiting good first | wc -l) $(waiting good two | wc -l) $(waiting good cold | wc -l)" = "2 1 0"

# ---- each serves one run
t=$(date +%s%N)
a=$(go one)
is "a run is served" "$(run_state "$a")" succeeded
ok "by one that was there before its event" test "$(of "$a" born)" -lt "$t"
like "its trace names the walls, self-tested, and that it waited behind them" "$("$reeve" run trace "$a" --json | jq -r '.. | objects | select(.unit? == "walls") | .text')" 'self-test: [0-9]+ forbidden acts refused.*start: warm, waited [0-9]+ ms'
await "another in its place" count_is good first 2
b=$(go one)
ok "the next run has another" test "$(of "$a" born)" != "$(of "$b" born)"
await "another in its place" count_is good first 2
cold=$(go cold)
ok "one that keeps none ready starts its own" test "$(of "$cold" born)" -gt "$t"
t=$(date +%s%N)
two=$(go two)
is "another tenant's workflow has its own" "$(of "$two" name)" two
ok "which waited too" test "$(of "$two" born)" -lt "$t"
await "another in its place" count_is good two 1
if [ "$(id -u)" = 0 ]; then
    ps -o uid= -p "$(pgrep -d, -P "$(spawn_of "$reeved_pid")")" | tr -d ' ' | grep -vx 0 >"$dir/uids" # but those of reeve-spawn itself
    ok "no two of all that lives have one user id" test "$(sort "$dir/uids" | uniq -d | wc -l)" = 0
    ok "nor had those that served" test "$(of "$a" uid)" != "$(of "$b" uid)"
else
    skip "no two of all that lives have one user id" "needs root"
    skip "nor had those that served" "needs root"
fi

# ---- what happened while it waited
kill -KILL "$(waiting good two)"
await "another in its place" count_is good two 1
is "one that was killed is replaced" "$(of "$(go two)" name)" two
await "with its children" bash -c "[ \$(pgrep -P \$(pgrep -P $(spawn_of "$reeved_pid") -f '^$dir/worker forks') | wc -l) = 8 ]"
inner=$(pgrep -P "$(waiting forks forks)" | tr '\n' ' ')
f=$(go forks)
is "one that forked serves its run" "$(run_state "$f")" succeeded
gone() { local p; for p; do [ ! -e "/proc/$p" ] || return 1; done; }
ok "and all that it started is gone with it" await "its children's end" gone $inner
await "the log" grep -q 'warm worker.*denied system call ptrace' "$dir/reeved.log"
like "one that was denied a call while it waited is logged by name" "$(grep -c 'warm worker.*denied system call ptrace, before it had a run: ended' "$dir/reeved.log")" '^[1-9]'
await "the pause" grep -q "none are made for a minute" "$dir/reeved.log"
is "the operator sees which" "$("$reeve" doctor --json | jq -c '[.daemon.warm.pools[] | select(.paused)] | length')" 1
is "those that always are are not tried for ever" "$(grep -c 'denied system call ptrace' "$dir/reeved.log")" 5
ok "and only those" count_is good first 2
d=$(go denied)
like "its run gets one of its own, which meets the same walls" "$(run_state "$d") $(run_reason "$d")" '^(failed|dead) .*ptrace'
fl=$(go floods)
like "one that talked too early ends its run, not Reeve" "$(run_state "$fl") $(run_reason "$fl")" '^(failed|dead) '
ok "which goes on" "$reeve" status

# ---- never an old program, never an old definition
put more
t=$(date +%s%N)
c=$(go one)
ok "after its program was replaced on disk a run has a new one" test "$(of "$c" born)" -gt "$t"
await "new ones ready" count_is good first 2
t=$(date +%s%N)
c=$(go one)
ok "and the next one a new one that waited" test "$(of "$c" born)" -lt "$t"
await "new ones ready" count_is good first 2
old=$(waiting good first)
house second
ok "another definition is loaded" "$reeve" policy load
ok "what waited for the old one is gone" await "its end" gone $old
await "those of the new one" count_is good second 2
is "a run has the new arguments" "$(of "$(go one)" name)" second
house second
sed -i 's/warm: [12]/warm: 0/' "$dir/policy/warm.yaml"
"$reeve" policy load >/dev/null
ok "without a word of it none stand ready" await "their end" count_is good second 0
sed -i 's/warm: 0/warm: 200/' "$dir/policy/warm.yaml"
"$reeve" policy load >"$dir/out" 2>&1
like "too many are refused, with the sum" "$(cat "$dir/out")" 'with `warm: 200` of workflow .*, 400 workers would stand ready'

# ---- none outlives Reeve
house third
"$reeve" policy load >/dev/null
await "those of one" count_is good third 2
left=$(pids_of_reeve)
kill -KILL "$reeved_pid"
ok "kill -9 of reeved leaves none behind" await "their end" gone $left
reeved_pid=

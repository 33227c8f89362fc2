# lib.bash: one trial of the crash harness. Sourced by crash.sh and mutant.sh; tests/sys/lib.bash is beneath it.
#
# A trial: a fresh state, three runs (two of tests/crash/steps, one of the demo's agent), and reeved with all that it
# starts under tests/crash/kill_at, which kills at one system call. What died with reeved is started again; a person
# (tend) answers what is asked, looking at the effects' own record and at nothing else. Then the record and the store
# are held against each other. Faults of a trial are lines in $faults: "lost ...", "doubled ...", "stuck ...".
. "$(dirname "${BASH_SOURCE[0]}")/../sys/lib.bash"
crash=$root/tests/crash
cp "$crash"/policy/* "$dir/policy/"
chmod go-w "$dir/policy"/*
faults=$dir/faults
: >"$faults"
record=$dir/ledger/record
reeved_program=${REEVED:-$build/reeved}
# A client that waits for ever is a fault, too.
printf "#!/bin/sh\nexec timeout 10 %s/reeve \"\$@\"\n" "$build" >"$dir/reeve"
chmod 755 "$dir/reeve"
reeve=$dir/reeve

fault() { echo "$* [$trial]" >>"$faults"; }
lines() { if [ -f "$1" ]; then wc -l <"$1"; else echo 0; fi; }

# ---- Reeve, traced or not -----------------------------------------------------------------------------------
fresh() { rm -rf "$dir/state" "$dir/ledger" "$dir/acked" "$dir/count" "$dir/reeved.log"; mkdir -p "$dir/ledger"; chmod 777 "$dir/ledger"; : >"$dir/acked"; : >"$record"; chmod 666 "$record"; }
launch() { # launch [KILL_AT OPTION...]: with options under kill_at; does not wait
    local me tracer=()
    me=$(id -un)
    [ $# -eq 0 ] || tracer=("$build/tests/crash/kill_at" --count "$dir/count" "$@" --)
    "${tracer[@]}" "$reeved_program" --policy "$dir/policy" --state "$dir/state" --socket "$REEVE_SOCKET" --libexec "$build" \
        --set "bin=$build" --set "ledger=$dir/ledger" --set "model_url=http://127.0.0.1:$model_port/v1" \
        --set "operator=$me" --set "approver=$me" >>"$dir/reeved.log" 2>&1 &
    reeved_pid=$!
    disown "$reeved_pid"
}
is_up() { [ -n "$reeved_pid" ] && kill -0 "$reeved_pid" 2>/dev/null; }
end_reeve() { # all of it: reeve-spawn ends with its channel, and what it started with it; then the lock is free
    [ -n "$reeved_pid" ] || return 0
    local all
    all="$reeved_pid $(pgrep -P "$reeved_pid")"
    kill -KILL $all 2>/dev/null
    while kill -0 "$reeved_pid" 2>/dev/null; do sleep 0.01; done
    reeved_pid=
    [ ! -f "$dir/state/reeved.lock" ] || flock -w 10 "$dir/state/reeved.lock" true || fault "stuck: the lock of a dead reeved is held"
}

# ---- the people ---------------------------------------------------------------------------------------------
# An event is sent until it is acknowledged (its run: $acked_run); run ids of those are in $dir/acked ("event RUN").
send_until_acked() { # send_until_acked JSON
    local n answer
    for ((n = 0; n < 100; n++)); do
        up
        if answer=$(printf '%s' "$1" | "$reeve" event send - --json 2>/dev/null); then
            acked_run=$(jq -r ".run // empty" <<<"$answer")
            return 0
        fi
        sleep 0.05
    done
    fault "stuck: an event is not taken"
    return 1
}
start_event() { printf '{"specversion":"1.0","id":"s%s","source":"/crash","type":"crash.start","data":{}}' "$1"; }
go_event() { printf '{"specversion":"1.0","id":"g%s","source":"/crash","type":"crash.go","data":{"run":%s}}' "$1" "$1"; }
send_all() {
    local run n
    for n in 1 2; do
        send_until_acked "$(start_event $n)" || return 1
        run=$acked_run
        echo "event $run" >>"$dir/acked"
        send_until_acked "$(go_event "$run")" || return 1
    done
    send_until_acked "$(event i1)" || return 1
    echo "event $acked_run" >>"$dir/acked"
}
happened() { # happened ID: by the record
    [ -f "$record" ] && grep -qF " $1" "$record"
}
answer() { # answer APPROVAL KIND RUN SEQ ID
    local args=(--comment crash)
    if [ "$2" = unknown-effect ]; then
        echo unknown >>"$dir/unknown"
        if happened "$5"; then
            echo '{"content":[{"type":"text","text":"it happened"}]}' >"$dir/happened"
            args=(--happened "$dir/happened")
        else
            args=(--not-happened)
        fi
    fi
    "$reeve" approve "$1" "${args[@]}" >/dev/null 2>&1 && echo "approval $1 $2 $3 $4" >>"$dir/acked"
}
tend() { # one look at what is open; passes when every run has ended
    local open runs
    is_up || return 1
    open=$("$reeve" approvals --state open --json 2>/dev/null |
        jq -r '.approvals[] | [.approval, .kind, .run, .step, (.arguments.id // .shown.id // "-")] | @tsv' 2>/dev/null)
    while IFS=$'\t' read -r id kind run seq arg; do
        [ -z "$id" ] || answer "$id" "$kind" "$run" "$seq" "$arg"
    done <<<"$open"
    runs=$("$reeve" runs --json 2>/dev/null) && [ -n "$runs" ] || return 1
    jq -e '(.runs | length) >= 3 and all(.runs[]; .state | IN("succeeded", "failed", "cancelled", "dead"))' <<<"$runs" >/dev/null 2>&1
}

# ---- what was done against what was recorded ----------------------------------------------------------------------
# The store as the kill left it, read from a copy: "RUN TOOL COMMITTED" lines in $dir/committed, and the record so far.
snapshot() {
    rm -rf "$dir/snap"
    mkdir "$dir/snap"
    cp "$dir/state/reeve.db" "$dir/state/reeve.db-wal" "$dir/snap/" 2>/dev/null
    sqlite3 -separator ' ' "$dir/snap/reeve.db" \
        "SELECT run, substr(key, 9), count(*) FROM step WHERE kind = 1 AND state = 2 AND key LIKE 'effects/%' GROUP BY run, key" \
        >"$dir/committed" 2>/dev/null
    cp "$record" "$dir/snap/record" 2>/dev/null || : >"$dir/snap/record"
}
read_again() { # read_again COMMAND...: reeve-control may just be starting
    local n text
    for ((n = 0; n < 40; n++)); do
        text=$("$reeve" "$@" 2>/dev/null) && [ -n "$text" ] && break
        sleep 0.05
    done
    printf '%s\n' "$text"
}
asks() { awk '{ split($3, a, "/"); n[a[1] " " $1]++ } END { for (k in n) print k, n[k] }' "$1"; } # RUN TOOL N
check_record() {
    local line
    [ -f "$record" ] || return 0
    # INV-06: what must not be repeated is there once.
    while read -r line; do fault "doubled: $line"; done < <(awk '$1 == "pay" || $1 == "wire" { print $1, $3 }' "$record" | sort | uniq -d)
    # The same effect has the same key, whatever died.
    while read -r line; do fault "doubled: two keys for $line"; done < <(awk '{ print $3, $2 }' "$record" | sort -u | awk '{ print $1 }' | uniq -d)
    # A value that was recorded is not drawn anew.
    while read -r line; do fault "lost: the value of run $line"; done < <(awk '{ split($3, a, "/"); print a[1], a[3] }' "$record" | sort -u | awk '{ print $1 }' | uniq -d)
}
check_tries() { # INV-04: what left has an intent; INV-05: what was committed before the kill was not asked for again
    local line
    for run in 1 2; do
        read_again run steps "$run" --all --json |
            jq -r --arg run "$run" '[.steps[] | select(.key | startswith("effects/"))] | group_by(.key)[] | [$run, .[0].key[8:], (map(.tries) | add), length] | join(" ")'
    done >"$dir/tries"
    while read -r line; do fault "doubled: left without an intent: $line"; done < <(
        awk 'NR == FNR { t[$1 " " $2] = $3; next } $3 > t[$1 " " $2] { print }' "$dir/tries" <([ ! -f "$record" ] || asks "$record"))
    [ -f "$dir/committed" ] || return 0
    while read -r line; do fault "doubled: asked for again after its outcome: $line"; done < <(
        awk -v tries="$dir/tries" -v committed="$dir/committed" -v before=<(asks "$dir/snap/record") '
            BEGIN { while ((getline <tries) > 0) steps[$1 " " $2] = $4
                    while ((getline <committed) > 0) done[$1 " " $2] = $3
                    while ((getline <before) > 0) had[$1 " " $2] = $3 }
            { k = $1 " " $2; if ($3 - had[k] > steps[k] - done[k]) print k }' <(asks "$record"))
}
check_runs() {
    local runs what id kind run seq state tool n want value
    runs=$(read_again runs --json)
    [ "$(jq '.runs | length' <<<"$runs")" = 3 ] || fault "doubled: $(jq '.runs | length' <<<"$runs") runs of 3 events"
    while read -r line; do fault "lost: $line"; done < <(
        jq -r '.runs[] | select(.state | IN("failed", "dead", "cancelled")) | "run \(.run) \(.state): \(.reason)"' <<<"$runs")
    while read -r what id kind run seq; do
        if [ "$what" = event ]; then
            jq -e --argjson id "$id" 'any(.runs[]; .run == $id)' <<<"$runs" >/dev/null || fault "lost: acknowledged event, run $id"
        else
            state=$(read_again approval "$id" --json | jq -r .state)
            [ "$state" = used ] || fault "lost: approval $id ($kind) of run $run step $seq was acknowledged and is $state"
        fi
    done <"$dir/acked"
    while read -r what; do fault "lost: asked again after an acknowledged yes: $what"; done < <(
        awk '$1 == "approval" && $3 != "unknown-effect" { print $4, $5 }' "$dir/acked" | sort | uniq -d)
    for run in $(jq '.runs[] | select(.state == "succeeded" and .workflow == "steps") | .run' <<<"$runs"); do
        value=$(read_again run show "$run" --json | jq -r .result.value)
        for want in pay:4 wire:1 note:2 look:1; do
            tool=${want%:*}
            n=$(awk -v run="$run" -v tool="$tool" -v value="$value" '{ split($3, a, "/") } $1 == tool && a[1] == run && a[3] == value { print $3 }' "$record" | sort -u | wc -l)
            [ "$n" = "${want#*:}" ] || fault "lost: run $run succeeded with $n effects of $tool"
        done
    done
    for run in $(jq '.runs[] | select(.state == "succeeded" and .workflow != "steps") | .run' <<<"$runs"); do
        [ "$(payments)" = 1 ] || fault "doubled: $(payments) payments"
    done
}
check_named() { # at the end of patience: a run that has not ended waits for something that has a name
    "$reeve" runs --json 2>/dev/null | jq -r '.runs[] | select(.state | IN("succeeded", "failed", "dead", "cancelled") | not) | "run \(.run) is \(.state) (\(.wait // "-")): \(.reason)"' |
        while read -r line; do fault "stuck: $line"; done
}

# ---- a trial ------------------------------------------------------------------------------------------------------
was_killed() { grep -q '^killed' "$dir/count" 2>/dev/null; }
killed_role() { awk '{ print $2 }' "$dir/count"; }
# reeved is started again as soon as it is dead, while what it had started may still be dying.
restart_if_dead() {
    if is_up; then
        { was_killed && [ -z "$restarted" ] && [ "$(killed_role)" = "${reeved_program##*/}" ]; } || return 0
    fi
    if was_killed && [ -z "$restarted" ]; then
        restarted=1
        former+=("$reeved_pid")
        if [ -n "$then_at" ]; then # the restart is killed, too
            launch --role "${reeved_program##*/}" --at "$then_at"
            return
        fi
        [ "$(killed_role)" != "${reeved_program##*/}" ] || snapshot
    else
        former+=("$reeved_pid")
    fi
    launch
}
up() { # whatever died is up again
    local n
    for ((n = 0; n < 200; n++)); do
        restart_if_dead
        "$reeve" status >/dev/null 2>&1 && return 0
        sleep 0.03
    done
    fault "stuck: reeved does not come up: $(tail -n 1 "$dir/reeved.log")"
    return 1
}
try() { # try ROLE N [--all] [--then M]: 0 when there was such a point; M: of the reeved that is started after it
    local n ended= all=()
    trial="$*" restarted='' former=() then_at=
    [ "${3:-}" != --all ] || all=(--all)
    [ "${3:-}" != --then ] || then_at=$4
    fresh
    rm -f "$dir/committed"
    launch --role "$1" --at "$2" "${all[@]}"
    send_all
    for ((n = 0; n < 400; n++)); do
        restart_if_dead
        tend && ended=1 && break
        sleep 0.03
    done
    # Nothing is to be killed any more while it is looked at.
    if ! was_killed || [ -n "$then_at" ]; then end_reeve; fi
    was_killed || return 1
    up
    if [ -z "$ended" ]; then check_named; fi
    check_record
    check_tries
    check_runs
    [ -z "${KEEP_FAULTY:-}" ] || ! grep -qF "[$trial]" "$faults" || cp -r "$dir" "$KEEP_FAULTY/${trial// /_}"
    was_killed
    n=$?
    end_reeve
    for pid in "${former[@]}"; do kill -KILL "$pid" 2>/dev/null; done
    return $n
}
counts() { # counts: how many points each role has in a run without a kill: "ROLE N" lines
    trial=counts restarted='' former=() then_at=
    fresh
    launch --role any --at 0
    send_all
    await "the end" tend
    kill -TERM $(pgrep -P "$reeved_pid") 2>/dev/null
    while is_up; do sleep 0.02; done
    reeved_pid=
    cat "$dir/count"
}
summary() { # summary POINTS
    printf 'kill points tried: %d, lost: %d, doubled: %d, stuck: %d\n' "$1" "$(grep -c '^lost' "$faults")" "$(grep -c '^doubled' "$faults")" "$(grep -c '^stuck' "$faults")"
}

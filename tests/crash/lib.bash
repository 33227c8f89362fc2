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
# Its own user ids: processes of an id count together, and others run beside.
uid_base=$((1000000000 + $$ % 40000 * 70000))
ask=$build/tests/crash/ask

fault() { echo "$* [$trial]" >>"$faults"; }
lines() { if [ -f "$1" ]; then wc -l <"$1"; else echo 0; fi; }

# ---- Reeve, traced or not -----------------------------------------------------------------------------------
fresh() { rm -rf "$dir/state" "$dir/ledger" "$dir/snap" "$dir/acked" "$dir/count" "$dir/reeved.log"; mkdir -p "$dir/ledger" "$dir/snap"; chmod 777 "$dir/ledger"; touch "$dir/acked" "$record" "$dir/snap/record" "$dir/snap/committed"; chmod 666 "$record"; }
launch() { # launch [KILL_AT OPTION...]: with options under kill_at; does not wait
    local me tracer=()
    me=$(id -un)
    [ $# -eq 0 ] || tracer=("$build/tests/crash/kill_at" --count "$dir/count" "$@" --)
    "${tracer[@]}" "$reeved_program" --policy "$dir/policy" --state "$dir/state" --socket "$REEVE_SOCKET" --libexec "$build" \
        --set "bin=$build" --set "ledger=$dir/ledger" --set "model_url=http://127.0.0.1:$model_port/v1" \
        --set "operator=$me" --set "approver=$me" --uid-base "$uid_base" >>"$dir/reeved.log" 2>&1 &
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
        if answer=$("$ask" --post /v1/events application/cloudevents+json "$1"); then
            acked_run=
            [[ $answer =~ \"run\":([0-9]+) ]] && acked_run=${BASH_REMATCH[1]}
            return 0
        fi
        up
        sleep 0.03
    done
    fault "stuck: an event is not taken"
    return 1
}
invoice=$(event i1)
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
    send_until_acked "$invoice" || return 1
    echo "event $acked_run" >>"$dir/acked"
}
happened() { # happened ID: by the record
    [ -f "$record" ] && grep -qF " $1" "$record"
}
answer() { # answer APPROVAL KIND RUN SEQ ID
    local body='{"comment":"crash"}'
    if [ "$2" = unknown-effect ]; then
        echo unknown >>"$dir/unknown"
        body='{"outcome":{"happened":false}}'
        ! happened "$5" || body='{"outcome":{"happened":true,"result":{"content":[{"type":"text","text":"it happened"}]}}}'
    fi
    "$ask" --post "/v1/approvals/$1/approve" application/json "$body" >/dev/null && echo "approval $1 $2 $3 $4" >>"$dir/acked"
}
# What is open, "APPROVAL KIND RUN STEP ID" each; "ended" when every run has. (sqlite3 reads JSON in a seventh of jq's time.)
look="WITH a AS (SELECT value v FROM json_each(readfile('$dir/approvals.json'), '\$.approvals')),
      r AS (SELECT value ->> 'state' state FROM json_each(readfile('$dir/runs.json'), '\$.runs'))
      SELECT (v ->> 'approval') || ' ' || (v ->> 'kind') || ' ' || (v ->> 'run') || ' ' || (v ->> 'step') || ' ' ||
          coalesce(v ->> '\$.arguments.id', v ->> '\$.shown.id', '-') FROM a
      UNION ALL SELECT 'ended' FROM (SELECT count(*) n, sum(state IN ('succeeded', 'failed', 'cancelled', 'dead')) ended FROM r) WHERE n >= 3 AND ended = n"
tend() { # one look at what is open; passes when every run has ended
    local open id kind run seq arg ended=1
    is_up || return 1
    "$ask" "/v1/approvals?state=open" "$dir/approvals.json" /v1/runs "$dir/runs.json" || return 1
    open=$(sqlite3 :memory: "$look" 2>/dev/null) || return 1
    while read -r id kind run seq arg; do
        if [ "$id" = ended ]; then ended=0; elif [ -n "$id" ]; then answer "$id" "$kind" "$run" "$seq" "$arg"; fi
    done <<<"$open"
    return $ended
}

# ---- what was done against what was recorded ----------------------------------------------------------------------
# The store as the kill left it, read from a copy: "RUN TOOL N" lines in $dir/snap/committed; and the record so far.
snapshot() {
    local whole
    cp "$dir/state/reeve.db" "$dir/state/reeve.db-wal" "$dir/snap/" 2>/dev/null
    sqlite3 -separator ' ' "$dir/snap/reeve.db" \
        "SELECT run, substr(key, 9), count(*) FROM step WHERE kind = 1 AND state = 2 AND key LIKE 'effects/%' GROUP BY run, key" \
        >"$dir/snap/committed" 2>/dev/null
    whole=$(sqlite3 "$dir/snap/reeve.db" 'PRAGMA integrity_check' 2>&1)
    [ "$whole" = ok ] || fault "lost: the store is not whole: ${whole:0:200}"
    cp "$record" "$dir/snap/record"
}
check() { # tests/crash/invariants.sql over what the API tells, the effects' record, and what was acknowledged
    local run line n checked= questions=(/v1/runs "$dir/runs.json" "/v1/approvals?limit=500" "$dir/approvals.json")
    for run in 1 2; do questions+=(/v1/runs/$run "$dir/run$run.json" "/v1/runs/$run/steps?limit=500" "$dir/steps$run.json"); done
    for ((n = 0; n < 100; n++)); do # reeve-control may just be starting
        "$ask" "${questions[@]}" && break
        restart_if_dead
        sleep 0.03
    done
    [ "$n" -lt 100 ] || fault "stuck: no answer to what is asked at the end"
    n=0
    [ ! -s "$dir/ledger/ledger.db" ] || n=$(payments 2>/dev/null)
    echo "$n" >"$dir/payments"
    while read -r line; do
        if [ "$line" = checked ]; then checked=1; else fault "$line"; fi
    done < <(cd "$dir" && sqlite3 :memory: <"$crash/invariants.sql" 2>>"$dir/check.log")
    [ -n "$checked" ] || fault "stuck: the check itself: $(tail -n 1 "$dir/check.log")"
}
check_named() { # at the end of patience: a run that has not ended waits for something that has a name
    "$ask" /v1/runs /dev/stdout | jq -r '.runs[] | select(.state | IN("succeeded", "failed", "dead", "cancelled") | not) | "run \(.run) is \(.state) (\(.wait // "-")): \(.reason)"' |
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
        "$ask" /v1/status /dev/null && return 0
        sleep 0.03
    done
    fault "stuck: reeved does not come up: $(tail -n 1 "$dir/reeved.log")"
    return 1
}
stop_reeve() { # as an operator does; what is killed while it ends is a point, too
    local n
    kill -TERM $(pgrep -P "$reeved_pid") 2>/dev/null
    for ((n = 0; n < 1000; n++)); do
        is_up || break
        was_killed && [ "$(killed_role)" != "${reeved_program##*/}" ] && break
        sleep 0.01
    done
    if is_up && ! was_killed; then fault "stuck: reeved does not end"; fi
}
try() { # try ROLE N [--all] [--then M]: 0 when there was such a point; M: of the reeved that is started after it
    local n ended='' all=()
    trial="$*" restarted='' former=() then_at=
    [ "${3:-}" != --all ] || all=(--all)
    [ "${3:-}" != --then ] || then_at=$4
    fresh
    launch --role "$1" --at "$2" "${all[@]}"
    send_all
    for ((n = 0; n < 400; n++)); do
        restart_if_dead
        tend && ended=1 && break
        sleep 0.02
    done
    was_killed || stop_reeve
    # Nothing is to be killed any more while it is looked at.
    if ! was_killed || [ -n "$then_at" ]; then end_reeve; fi
    if was_killed; then
        up
        [ -n "$ended" ] || check_named
        check
    fi
    was_killed
    n=$?
    keep_faulty
    end_reeve
    for pid in "${former[@]}"; do kill -KILL "$pid" 2>/dev/null; done
    return $n
}
keep_faulty() {
    if [ -n "${KEEP_FAULTY:-}" ] && grep -qF "[$trial]" "$faults"; then
        mkdir -p "$KEEP_FAULTY"
        cp -r "$dir" "$KEEP_FAULTY/${trial// /_}" 2>/dev/null
    fi
}
counts() { # counts [KILL_AT OPTION...]: how many points each role has in a run without a kill: "ROLE N" lines
    trial=counts restarted='' former=() then_at=
    fresh
    launch --role any --at 0 "$@"
    send_all
    await "the end" tend
    stop_reeve
    reeved_pid=
    cat "$dir/count"
}
summary() { # summary POINTS
    printf 'kill points tried: %d, lost: %d, doubled: %d, stuck: %d\n' "$1" "$(grep -c '^lost' "$faults")" "$(grep -c '^doubled' "$faults")" "$(grep -c '^stuck' "$faults")"
}

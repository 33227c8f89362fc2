# lib.bash: what the scenarios share. Sourced by tests/sys/NN_name.sh and by others that need a whole Reeve.
#
# A scenario prints TAP: `plan N`, then one `ok`/`is`/`like` a point. It has a directory of its own ($dir), a
# model stand-in and a ledger, and a reeved that it starts, kills and starts again as it likes. It waits for
# conditions (await), never for times. All that it started dies with it. No workers stand ready unless it sets `warm`
# (--warm), so that every worker that it sees is a run's.
set -u
root=$(cd "$(dirname "${BASH_SOURCE[0]}")/../.." && pwd)
build=${BUILD:-.build}
case $build in /*) ;; *) build=$root/$build ;; esac

point=0 reeved_pid='' model_pid='' model_port='' extra_args=()
plan() { echo "1..$1"; }
skip_all() { echo "1..0 # SKIP $*"; exit 0; }
ok() { # ok NAME COMMAND...: passes when the command does
    local name=$1
    shift
    point=$((point + 1))
    if "$@" >"$dir/ok.out" 2>&1; then echo "ok $point - $name"; else
        echo "not ok $point - $name"
        printf '# %s\n' "$*"
        head -c 2000 "$dir/ok.out" | sed 's/^/# /'
        tail -n 5 "$dir/reeved.log" 2>/dev/null | sed 's/^/# log: /'
    fi
}
is() { # is NAME GOT WANTED
    point=$((point + 1))
    if [ "$2" = "$3" ]; then echo "ok $point - $1"; else
        echo "not ok $point - $1"
        printf '# got    %s\n# wanted %s\n' "$2" "$3"
        tail -n 5 "$dir/reeved.log" 2>/dev/null | sed 's/^/# log: /'
    fi
}
like() { # like NAME GOT REGEX
    point=$((point + 1))
    if grep -qE -- "$3" <<<"$2"; then echo "ok $point - $1"; else
        echo "not ok $point - $1"
        printf '# got    %s\n# wanted to match %s\n' "$(head -c 1000 <<<"$2")" "$3"
    fi
}
skip() { point=$((point + 1)); echo "ok $point - $1 # SKIP $2"; }

dir=$(mktemp -d "${TMPDIR:-/tmp}/reeve-sys.XXXXXX") || exit 2
chmod 755 "$dir"
mkdir -p "$dir/policy" "$dir/ledger"
cp "$root"/contrib/demo/policy/* "$dir/policy/"
chmod go-w "$dir/policy" "$dir/policy"/*
export REEVE_SOCKET=$dir/control.sock
reeve=$build/reeve

spawn_of() { pgrep -P "$1" -x reeve-spawn; }
cleanup() {
    trap - EXIT
    [ -n "$reeved_pid" ] && { kill -KILL $(pids_of_reeve) 2>/dev/null; }
    [ -n "$model_pid" ] && kill -KILL "$model_pid" 2>/dev/null
    wait 2>/dev/null
    [ -n "${KEEP:-}" ] || rm -rf "$dir"
}
trap cleanup EXIT
trap 'exit 130' INT TERM

await() { # await WHAT COMMAND...: until it passes; gives up after some 20 s of trying
    local what=$1 n
    shift
    for ((n = 0; n < 400; n++)); do
        "$@" >/dev/null 2>&1 && return 0
        sleep 0.05
    done
    echo "# waited too long for $what"
    return 1
}

# ---- the model and Reeve ----------------------------------------------------------------------------------
start_model() { # start_model OPTION...
    stop_model
    "$build/reeve-demo-model" --port "${model_port:-0}" "$@" >"$dir/model.log" 2>&1 &
    model_pid=$!
    disown "$model_pid"
    await "the model" grep -qE 'port [0-9]+' "$dir/model.log"
    model_port=$(grep -oE 'port [0-9]+' "$dir/model.log" | head -n 1 | grep -oE '[0-9]+')
}
stop_model() {
    [ -n "$model_pid" ] || return 0
    kill -KILL "$model_pid" 2>/dev/null
    while kill -0 "$model_pid" 2>/dev/null; do sleep 0.01; done
    model_pid=
}
start_reeved() { # start_reeved OPTION...: waits until it answers
    local me
    me=$(id -un)
    "$build/reeved" --policy "$dir/policy" --state "$dir/state" --socket "$REEVE_SOCKET" --libexec "$build" \
        --set "bin=$build" --set "ledger=$dir/ledger" --set "model_url=http://127.0.0.1:${model_port:-9}/v1" \
        --set "operator=$me" --set "approver=$me" --warm "${warm:-0}" "${extra_args[@]}" "$@" >>"$dir/reeved.log" 2>&1 &
    reeved_pid=$!
    disown "$reeved_pid"
    await "reeved" reeved_answers_or_died
    "$reeve" status >/dev/null 2>&1
}
reeved_answers_or_died() { ! kill -0 "$reeved_pid" 2>/dev/null || "$reeve" status; }
pids_of_reeve() {
    local spawn
    [ -n "$reeved_pid" ] || return 0
    spawn=$(spawn_of "$reeved_pid")
    echo "$reeved_pid" $spawn $([ -n "$spawn" ] && pgrep -P "$spawn")
}
kill_reeve() { # all of it at once
    local all
    all=$(pids_of_reeve)
    kill -KILL $all 2>/dev/null
    while kill -0 "$reeved_pid" 2>/dev/null; do sleep 0.01; done
    reeved_pid=
}
stop_reeved() {
    kill -TERM "$reeved_pid" 2>/dev/null
    while kill -0 "$reeved_pid" 2>/dev/null; do sleep 0.01; done
    reeved_pid=
}
worker_pids() { pgrep -P "$(spawn_of "$reeved_pid")" -f '^reeve-worker'; }
server_pids() { pgrep -P "$(spawn_of "$reeved_pid")" -f 'reeve-demo-ledger'; }
helper_pid() { pgrep -P "$(spawn_of "$reeved_pid")" -f "^reeve-$1"; }

# ---- questions ------------------------------------------------------------------------------------------------
event() { # event ID [AMOUNT]: the demo's invoice under another id and number
    jq --arg id "$1" --arg amount "${2:-1840.00}" '.id = $id | .data.invoice.number = $id | .data.invoice.amount = $amount' "$root/contrib/demo/invoice.json"
}
send() { event "$@" | "$reeve" event send - --json | jq -r '.run // empty'; }
run_state() { "$reeve" run show "$1" --json | jq -r .state; }
run_reason() { "$reeve" run show "$1" --json | jq -r .reason; }
state_is() { [ "$(run_state "$1")" = "$2" ]; }
is_final() { "$reeve" run show "$1" --json | jq -e '.state | IN("succeeded", "failed", "cancelled", "dead")'; }
open_approval() { "$reeve" approvals --json | jq -r "[.approvals[] | select(.run == $1 and .state == \"open\")][0].approval // empty"; }
has_open() { [ -n "$(open_approval "$1")" ]; }
steps() { "$reeve" run steps "$1" --json | jq -r '.steps[] | [.seq, .kind, .key, .state] | @tsv'; }
has_steps() { [ "$("$reeve" run steps "$1" --json | jq '[.steps[] | select(.state != "intent")] | length')" -ge "$2" ]; }
ledger() { sqlite3 "$dir/ledger/ledger.db" "$1"; }
payments() { ledger 'SELECT count(*) FROM payments'; }

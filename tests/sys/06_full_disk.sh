#!/bin/bash
# Goal: a full disk stops reeved with clear words before anything is acknowledged; with room again it goes on from
# what was recorded. INV-04 INV-07
. "$(dirname "$0")/lib.bash"
[ "$(id -u)" = 0 ] || skip_all "needs root: a small file system of its own"
mkdir -p "$dir/state"
mount -t tmpfs -o size=2m tmpfs "$dir/state" 2>/dev/null || skip_all "cannot mount a file system here"
trap 'kill -KILL $(pids_of_reeve) 2>/dev/null; umount -l "$dir/state" 2>/dev/null; cleanup' EXIT
plan 7
start_model
start_reeved
run=$(send d1)
await "the gate" has_open "$run"
steps "$run" >"$dir/before"
dd if=/dev/zero of="$dir/state/filler" bs=4k 2>/dev/null
ids=""
for i in $(seq 1 40); do
    got=$(event "full$i" | "$reeve" event send - --json 2>"$dir/refused" | jq -r '.run // empty')
    [ -n "$got" ] && ids="$ids $got"
    kill -0 "$reeved_pid" 2>/dev/null || break
done
ok "reeved ends when the disk is full" bash -c "! kill -0 $reeved_pid"
like "and says so" "$(grep 'level=error' "$dir/reeved.log" | tail -n 2)" '(full|ENOSPC|No space)'
ok "the sender of the event that was not kept was told" test -s "$dir/refused"
mount -o remount,size=64m "$dir/state"
rm -f "$dir/state/filler"
start_reeved
is "with room again nothing that was recorded is lost" "$(steps "$run" | head -n "$(wc -l <"$dir/before")")" "$(cat "$dir/before")"
lost=0
for i in $ids; do [ -n "$(run_state "$i")" ] || lost=$((lost + 1)); done
is "each acknowledged event has its run" "$lost" 0
ok "the approval is still open" has_open "$run"
"$reeve" run cancel "$run" >/dev/null
is "and the store takes changes" "$(run_state "$run")" cancelled

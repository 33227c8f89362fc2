#!/bin/bash
# Goal: a backup of a large store is made while runs go on; it is one whole state; one at a time; a damaged store is
# told at a start that is asked to look, with what to do; a disk that cannot be written is told. INV-07
. "$(dirname "$0")/lib.bash"
. "$(dirname "$0")/life.bash"
plan 23
workflow one
ok "reeved starts" start_reeved
first=$(go one '[{"step":"first","value":1}]')
await "its end" is_final "$first"
stop_reeved
sqlite3 "$dir/state/reeve.db" "WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i+1 FROM n WHERE i<400)
    INSERT INTO blob(digest, size, pinned, bytes) SELECT randomblob(32), 1000000, 1, randomblob(1000000) FROM n"
ok "over a store of 400 MB" start_reeved
chmod 777 "$dir"
mkdir -m 777 "$dir/copies"
copy=$dir/copies/copy.db
"$reeve" backup "$copy" >"$dir/backup.out" 2>&1 &
backup=$!
await "its beginning" test -e "$copy.part"
run=$(go one '[{"repeat":50,"step":"meanwhile"}]')
await "the run's end" is_final "$run"
ok "the backup is under way yet" test -e "$copy.part" -a ! -e "$copy"
is "and a run of 50 steps was begun and ended meanwhile" "$(run_state "$run") $(done_times meanwhile-50)" "succeeded 1"
"$reeve" backup "$dir/copies/other.db" >"$dir/out.txt" 2>&1
is "a second one is told to come later" "$? $(grep -c 'is under way' "$dir/out.txt")" "6 1"
await "its end" sh -c "! kill -0 $backup"
wait "$backup"
is "it succeeds" "$?" 0
is "the copy is sound" "$(sqlite3 "$copy" 'PRAGMA integrity_check')" ok
is "and one state: that of its beginning" "$(sqlite3 "$copy" "SELECT count(*) FROM run WHERE id=$first") $(sqlite3 "$copy" "SELECT count(*) FROM run WHERE id=$run")" "1 0"
like "it is in the audit record" "$("$reeve" audit --all --json | jq -r '.records[] | select(.action == "store.backup") | .subject')" "$copy"
"$reeve" backup "$copy" >"$dir/out.txt" 2>&1
is "a file that is there is not overwritten" "$? $(grep -c 'is there already' "$dir/out.txt")" "1 1"
"$reeve" backup "$dir/nowhere/copy.db" >"$dir/out.txt" 2>&1
ok "nor is one made where there is no directory" test $? != 0
"$reeve" backup "$dir/copies/killed.db" >/dev/null 2>&1 &
await "its beginning" test -e "$dir/copies/killed.db.part"
kill_reeve
ok "killed in the middle: there is no file of that name" test ! -e "$dir/copies/killed.db"
start_reeved
ok "and the next one is made over what it left" "$reeve" backup "$dir/copies/killed.db"
ok "which leaves nothing beside it" test ! -e "$dir/copies/killed.db.part"
"$reeve" backup "$dir/copies/stopped.db" >/dev/null 2>&1 &
await "its beginning" test -e "$dir/copies/stopped.db.part"
stop_reeved
ok "stopped in the middle: nothing is left at all" test ! -e "$dir/copies/stopped.db.part" -a ! -e "$dir/copies/stopped.db"

# ---- a damaged page
sqlite3 "$dir/state/reeve.db" 'PRAGMA wal_checkpoint(TRUNCATE)' >/dev/null
child=$(sqlite3 "$dir/state/reeve.db" "SELECT rootpage FROM sqlite_schema WHERE name='step'")
cp "$dir/state/reeve.db" "$dir/sound.db"
dd if=/dev/urandom of="$dir/state/reeve.db" bs=4096 seek=$((child - 1)) count=1 conv=notrunc 2>/dev/null
start_reeved --integrity
is "a damaged store is not started on, when asked to look" "$("$reeve" status >/dev/null 2>&1; echo $?)" 5
like "the words say what is damaged" "$(grep 'level=error' "$dir/reeved.log" | tail -n 1)" 'state/reeve.db is damaged: .*integrity check'
like "and what to do" "$(grep 'level=error' "$dir/reeved.log" | tail -n 1)" 'reeve backup'
like "the damaged file is kept" "$(grep 'level=error' "$dir/reeved.log" | tail -n 1)" 'Nothing was changed'
rm -f "$dir"/state/reeve.db*
cp "$copy" "$dir/state/reeve.db"
ok "with the backup in its place it starts, and is sound" start_reeved --integrity
is "and has what it had then" "$(run_state "$first")" succeeded
stop_reeved

# ---- a disk that cannot be written
if [ "$(id -u)" = 0 ] && mkdir -p "$dir/ro" && cp -a "$dir/state/." "$dir/ro/" && mount --bind "$dir/ro" "$dir/ro" 2>/dev/null; then
    trap 'umount -l "$dir/ro" 2>/dev/null; cleanup' EXIT
    mount -o remount,bind,ro "$dir/ro"
    timeout 30 "$build/reeved" --policy "$dir/policy" --state "$dir/ro" --socket "$dir/ro.sock" --libexec "$build" >"$dir/ro.log" 2>&1
    is "a read-only disk: it does not start" $? 1
    like "and says so" "$(cat "$dir/ro.log")" '[Rr]ead-only|EROFS'
else
    skip "a read-only disk" "needs root and mounts"
    skip "is told" "needs root and mounts"
fi

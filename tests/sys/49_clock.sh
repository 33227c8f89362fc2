#!/bin/bash
# Goal: the host's clock is set forward and back, beside a running reeved and a dead one: what waits for a date follows it
# within seconds, what lasts for a span lasts that long (until the next boot), nothing is lost or done twice. INV-05
. "$(dirname "$0")/lib.bash"
. "$(dirname "$0")/life.bash"
cc=$(command -v "${CC:-cc}" || command -v gcc || command -v clang) || skip_all "no compiler for a clock of one's own"
[ -z "${SAN:-}" ] || skip_all "not with sanitizers"
# A clock that a file sets: for reeved alone, what it starts has its environment cleared.
cat >"$dir/clock.c" <<'C'
#define _GNU_SOURCE
#include <dlfcn.h>
#include <fcntl.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <time.h>
static volatile long *offset;
static int (*real)(clockid_t, struct timespec *);
__attribute__((constructor)) static void begin(void)
{
    int fd = getenv("CLOCK_FILE") ? open(getenv("CLOCK_FILE"), O_RDONLY | O_CLOEXEC) : -1;
    void *p = fd < 0 ? MAP_FAILED : mmap(0, 4096, PROT_READ, MAP_SHARED, fd, 0);
    offset = p == MAP_FAILED ? 0 : p;
    real = (int (*)(clockid_t, struct timespec *))dlsym(RTLD_NEXT, "clock_gettime");
}
int clock_gettime(clockid_t id, struct timespec *t)
{
    int rc = real(id, t);
    if (rc == 0 && id == CLOCK_REALTIME && offset)
        t->tv_sec += *offset;
    return rc;
}
C
"$cc" -shared -fPIC -O1 -o "$dir/clock.so" "$dir/clock.c" -ldl 2>/dev/null || skip_all "a shared object cannot be built here"
set_clock() { # set_clock SECONDS from the true one
    python3 -c 'import struct,sys; f=open(sys.argv[2],"r+b"); f.write(struct.pack("<q",int(sys.argv[1])))' "$1" "$dir/clock"
}
command -v python3 >/dev/null || skip_all "python3 is not here"
head -c 4096 /dev/zero >"$dir/clock"
chmod 644 "$dir/clock"
chmod 755 "$dir/clock.so"
plan 30
workflow one 'limits: {park_after: 300ms, attempts: 50}'
workflow many 'limits: {park_after: 300ms}'
workflow patient 'limits: {park_after: 1h}'
sed -i 's/retry: {.*}/retry: {initial: 2s, max: 2s}/' "$dir/policy/life.yaml"
start_with_clock() {
    local real=$build
    mkdir -p "$dir/bin"
    cp -sf "$real"/reeve* "$dir/bin/" 2>/dev/null
    rm -f "$dir/bin/reeved"
    printf '#!/bin/bash\nCLOCK_FILE=%q LD_PRELOAD=%q exec -a reeved %q "$@"\n' "$dir/clock" "$dir/clock.so" "$real/reeved" >"$dir/bin/reeved"
    chmod 755 "$dir/bin/reeved"
    build=$dir/bin
    "$dir/bin/reeved" --policy "$dir/policy" --state "$dir/state" --socket "$REEVE_SOCKET" --libexec "$real" >>"$dir/reeved.log" 2>&1 &
    reeved_pid=$!
    disown "$reeved_pid"
    build=$real
    await "reeved" reeved_answers_or_died
    "$reeve" status >/dev/null 2>&1
}
ok "reeved starts, on a clock of its own" start_with_clock

at() { echo "$(($(date +%s%3N) + $1 * 1000))"; } # ms since 1970, so many seconds from the true now
wake_at() { date -d "$("$reeve" run show "$1" --json | jq -r .wakeAt)" +%s; }
near() { [ "$(($1 - $2))" -le 30 ] && [ "$(($2 - $1))" -le 30 ]; } # seconds

# ---- forward
day=$(go one '[{"step":"before","value":1},{"call":"sleep","params":{"ms":86400000}},{"step":"after","value":2}]')
date=$(go one '[{"step":"d-before","value":1},{"call":"sleep","params":{"until":'"$(at 86400)"'}},{"step":"d-after","value":2}]')
wait=$(go one '[{"call":"event/wait","params":{"type":"test.never","timeoutMs":7200000}}]')
year=$(go one '[{"call":"sleep","params":{"until":'"$(at 31536000)"'}}]')
both=$(go many '[{"all":[{"call":"sleep","params":{"ms":86400000}},{"call":"sleep","params":{"until":'"$(at 172800)"'}}]}]')
asked=$(go one '[{"call":"approval/request","params":{"question":"ok?","approvers":["leads"],"expiresMs":7200000}}]')
soon=$(go one '[{"step":"s-before","value":1},{"call":"sleep","params":{"ms":8000}},{"step":"s-after","value":1}]')
for run in $day $date $year $both $soon; do await "parking" waits_for "$run" timer; done
await "parking" waits_for "$wait" event
await "parking" waits_for "$asked" approval
set_clock $((86400 + 60))
await "its end" is_final "$date"
is "forward by a day: what slept until then goes on, though the timer was set for a day" "$(run_state "$date") $(done_times d-before) $(done_times d-after)" "succeeded 1 1"
is "what sleeps for a day does not wake, nor a wait for two hours, nor a question" "$(wait_of "$day") $(wait_of "$wait") $(wait_of "$asked") $(wait_of "$year")" "timer event approval timer"
ok "its date has moved with the clock" near "$(wake_at "$day")" $(($(date +%s) + 2 * 86400 + 60))
ok "so has that of the question" near "$(date -d "$("$reeve" approvals --json | jq -r ".approvals[] | select(.run == $asked) | .expiresAt")" +%s)" $(($(date +%s) + 86400 + 60 + 7200))
ok "that of the year has not" near "$(wake_at "$year")" $(($(date +%s) + 31536000))
ok "the earlier of two counts: the date" near "$(wake_at "$both")" $(($(date +%s) + 172800))
like "and it is said" "$(cat "$dir/reeved.log")" "the host's clock was set forward by 1d1?m?"
await "its end" is_final "$soon"
is "what sleeps for seconds wakes after them" "$(run_state "$soon") $(done_times s-after)" "succeeded 1"
run=$(go one '[{"step":"new","value":1},{"call":"sleep","params":{"ms":500}}]')
await "its end" is_final "$run"
is "new runs run" "$(run_state "$run")" succeeded

# ---- back
failing=$(go one '[{"step":"f","value":1},{"die":3},{"step":"g","value":1}]')
await "a failed attempt" sh -c "[ \"\$($reeve run show $failing --json | jq -r .wait)\" = retry ]"
span=$(go one '[{"step":"b-before","value":1},{"call":"sleep","params":{"ms":3000}},{"step":"b-after","value":1}]')
await "parking" waits_for "$span" timer
living=$(go patient '[{"call":"sleep","params":{"ms":3000}},{"step":"l-after","value":1}]') # its worker waits beside it
has_timer() { steps "$1" | grep -q timer; }
await "its step" has_timer "$living"
set_clock -7200
await "its end" is_final "$span"
is "back by more than a day: what was asleep for seconds wakes" "$(run_state "$span") $(done_times b-after)" "succeeded 1"
await "its end" is_final "$living"
is "so does what a worker waits for" "$(run_state "$living") $(done_times l-after)" "succeeded 1"
short=$(go one '[{"call":"sleep","params":{"ms":100}},{"step":"s","value":1}]')
await "the short one's end" is_final "$short"
is "and what is asked for now" "$(run_state "$short") $(done_times s)" "succeeded 1"
for try in 1 2; do await "the failing one's end" is_final "$failing" && break; done
is "a pause before another try does not grow by a day" "$(run_state "$failing") $(done_times f) $(done_times g)" "succeeded 1 1"
like "it is said, too" "$(cat "$dir/reeved.log")" "the host's clock was set back by 1d2h"
ok "what sleeps for a day sleeps that long" near "$(wake_at "$day")" $(($(date +%s) - 7200 + 86400))

# ---- while there is no reeved
down=$(go one '[{"step":"n-before","value":1},{"call":"sleep","params":{"ms":6000}},{"step":"n-after","value":1}]')
await "parking" waits_for "$down" timer
kill_reeve
set_clock 86400
ok "killed, the clock set, started again" start_with_clock
is "what sleeps for a day sleeps, as does what waits" "$(wait_of "$day") $(wait_of "$wait") $(wait_of "$asked")" "timer event approval"
await "its end" is_final "$down"
is "what slept for seconds has slept them" "$(run_state "$down") $(done_times n-after)" "succeeded 1"
kill_reeve
set_clock -7200
ok "and back" start_with_clock
ok "it is where it was" near "$(wake_at "$day")" $(($(date +%s) - 7200 + 86400))
kill_reeve
set_clock $((86400 + 60))
sqlite3 "$dir/state/reeve.db" "UPDATE value SET text='another' WHERE name='clock.boot'"
ok "after a boot" start_with_clock
await "its end" is_final "$day"
is "the date is all there is" "$(run_state "$day") $(done_times before) $(done_times after)" "succeeded 1 1"
await "its end" is_final "$wait"
is "for all that waits" "$(result "$wait")" '[{"timeout":true}]'

is "nothing of what ended goes on" "$(run_state "$date") $(run_state "$failing") $(done_times d-after)" "succeeded succeeded 1"
set_clock -7200
run=$(go one '[{"step":"p","value":1},{"call":"sleep","params":{"ms":700}},{"step":"q","value":1}]')
await "its end" is_final "$run"
is "runs are begun, parked and ended in the past" "$(run_state "$run") $(done_times p) $(done_times q)" "succeeded 1 1"
is "lists have the newest first all the same" "$("$reeve" runs --limit 1 --json | jq '.runs[0].run')" "$run"
"$reeve" run cancel "$year" >/dev/null
is "what sleeps a year can be cancelled" "$(run_state "$year")" cancelled
is "no run failed" "$("$reeve" runs --state final --limit 100 --json | jq '[.runs[] | select(.state == "failed" or .state == "dead")] | length')" 0
stop_reeved
is "what is on disk is sound" "$(sqlite3 "$dir/state/reeve.db" 'PRAGMA integrity_check')" ok

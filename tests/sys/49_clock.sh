#!/bin/bash
# Goal: the host's clock is set forward and back: what waits for a time follows it within seconds, nothing is lost or done
# twice, pauses before another try stay pauses. INV-05
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
plan 17
workflow one 'limits: {park_after: 300ms, attempts: 50}'
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

# ---- forward
day=$(go one '[{"step":"before","value":1},{"call":"sleep","params":{"ms":86400000}},{"step":"after","value":2}]')
wait=$(go one '[{"call":"event/wait","params":{"type":"test.never","timeoutMs":7200000}}]')
year=$(go one '[{"call":"sleep","params":{"ms":31536000000}}]')
await "parking" waits_for "$day" timer
await "parking" waits_for "$wait" event
await "parking" waits_for "$year" timer
set_clock $((86400 + 60))
await "its end" is_final "$day"
is "forward by a day: what slept a day goes on, though the timer was set for it" "$(run_state "$day") $(done_times before) $(done_times after)" "succeeded 1 1"
await "its end" is_final "$wait"
is "a wait for two hours is over" "$(result "$wait")" '[{"timeout":true}]'
is "what sleeps a year sleeps" "$(wait_of "$year")" timer
like "and it is said" "$(cat "$dir/reeved.log")" "the host's clock was set forward by 1d1?m?"
run=$(go one '[{"step":"new","value":1},{"call":"sleep","params":{"ms":500}}]')
await "its end" is_final "$run"
is "new runs run" "$(run_state "$run")" succeeded

# ---- back
failing=$(go one '[{"step":"f","value":1},{"die":3},{"step":"g","value":1}]')
await "a failed attempt" sh -c "[ \"\$($reeve run show $failing --json | jq -r .wait)\" = retry ]"
set_clock -7200
short=$(go one '[{"call":"sleep","params":{"ms":100}},{"step":"s","value":1}]')
await "the short one's end" is_final "$short"
is "back by more than a day: what sleeps for a moment wakes" "$(run_state "$short") $(done_times s)" "succeeded 1"
for try in 1 2; do await "the failing one's end" is_final "$failing" && break; done
is "a pause before another try does not grow by a day" "$(run_state "$failing") $(done_times f) $(done_times g)" "succeeded 1 1"
like "it is said, too" "$(cat "$dir/reeved.log")" "the host's clock was set back by 1d2h"
is "what sleeps a year sleeps on" "$(wait_of "$year")" timer
"$reeve" run cancel "$year" >/dev/null
is "and can be cancelled" "$(run_state "$year")" cancelled
kill_reeve
ok "killed, it starts in the past" start_with_clock
is "nothing of what ended goes on" "$(run_state "$day") $(run_state "$failing") $(done_times after)" "succeeded succeeded 1"
run=$(go one '[{"step":"p","value":1},{"call":"sleep","params":{"ms":700}},{"step":"q","value":1}]')
await "its end" is_final "$run"
is "and runs are begun, parked and ended there" "$(run_state "$run") $(done_times p) $(done_times q)" "succeeded 1 1"
is "lists have the newest first all the same" "$("$reeve" runs --limit 1 --json | jq '.runs[0].run')" "$run"
is "no run failed" "$("$reeve" runs --state final --limit 100 --json | jq '[.runs[] | select(.state == "failed" or .state == "dead")] | length')" 0
stop_reeved
is "what is on disk is sound" "$(sqlite3 "$dir/state/reeve.db" 'PRAGMA integrity_check')" ok

#!/bin/bash
# Goal: what a worker asks for out of turn while its journal is replayed is held, within bounds in number and in bytes;
# over them its run ends with the reason, and the supervisor's memory stays what it was. INV-11
. "$(dirname "$0")/lib.bash"
. "$(dirname "$0")/life.bash"
plan 10
workflow many 'limits: {attempts: 3, park_after: 1h}'
workflow one
ok "reeved starts" start_reeved
resident() { awk '/VmHWM/ {print $2}' "/proc/$reeved_pid/status"; }
pads() { local i sep=; for ((i = 1; i <= $1; i++)); do printf '%s{"call":"tools/call","params":{"name":"no.tool%d"},"pad":%d}' "$sep" "$i" "$2"; sep=,; done; }
# In its second attempt the worker asks for all of this before it asks for the timer that is recorded.
first='{"call":"sleep","params":{"ms":777}}'
behind() { echo "[{\"attempt\":1,\"then\":[$first,{\"die\":1}],\"else\":[{\"all\":[$1]},$first]}]"; }
is_held() { go many "$(behind "$1")"; }

run=$(is_held "$(pads 4 3000000)")
await "its end" is_final "$run"
like "a few large ones are held, and diverge in the end" "$(run_state "$run") $(run_reason "$run")" 'failed .*diverged.*timer'
before=$(resident)
run=$(is_held "$(pads 30 3000000)")
await "its end" is_final "$run"
is "more bytes than the bound end the run" "$(run_state "$run") $(attempts "$run")" "failed 2"
like "with the bound in the reason" "$(run_reason "$run")" 'requests of over 16777216 bytes at once while the journal is replayed'
after=$(resident)
if [ -n "$before" ] && [ -n "$after" ]; then
    ok "and the supervisor never held 90 MB for it" test "$after" -lt $((before + 61440))
else
    skip "and the supervisor never held 90 MB for it" "this user may not look"
fi
run=$(is_held "$(pads 31 1000)")
await "its end" is_final "$run"
like "many small ones are held as well" "$(run_reason "$run")" 'diverged'
is "nothing of them was recorded" "$(steps "$run" | wc -l)" 1
run=$(go many "[{\"all\":[$(pads 20 10)]},{\"step\":\"b\",\"value\":1}]")
await "its end" is_final "$run"
is "what is new is not held" "$(run_state "$run")" succeeded
run=$(go one '[{"step":"c","value":1}]')
await "its end" is_final "$run"
is "another run is served" "$(run_state "$run")" succeeded
ok "by the same supervisor" kill -0 "$reeved_pid"

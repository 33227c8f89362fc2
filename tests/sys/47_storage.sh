#!/bin/bash
# Goal: what a run takes on disk grows with its conversation, not with its square: by the whole of a real supervisor.
. "$(dirname "$0")/lib.bash"
bench=$build/tests/bench/size_bench
[ -x "$bench" ] && [ -x "$build/tests/bench-inside" ] || skip_all "the benchmark is not built"
plan 4
bytes() { BUILD=$build "$bench" "$dir" "$1" 2>"$dir/err" | tee "$dir/out.$1" | awk '$1 == "bytes" {print $2}'; }
few=$(bytes 100)
many=$(bytes 200)
grep -v '^bytes' "$dir/out.100" | sed 's/^/# /'
like "a run of 100 turns was measured" "$few" '^[0-9]+$'
like "and one of 200" "$many" '^[0-9]+$'
ok "twice the turns cost less than 2.5 times as much" test "$((many * 2))" -lt "$((few * 5))"
ok "and a conversation of 200 KB less than four times itself" test "$few" -lt 800000

#!/bin/bash
# Goal: what a worker tries against its walls is told by name; who keeps trying, or floods, ends its own run with the
# reason; nothing outlives the supervisor; the walls can be printed, compared, tried and learned. INV-01 INV-02
. "$(dirname "$0")/lib.bash"
. "$(dirname "$0")/life.bash"
plan 37
workflow one 'limits: {attempts: 3}'
workflow loud 'limits: {output: 64K, attempts: 3}'
ok "reeved starts" start_reeved
log_of() { "$reeve" run trace "$1" --json | jq -r '.. | objects | select(.unit? == "walls") | .text'; }

# ---- named
mount=165 chroot=161
run=$(go one "[{\"probe\":$chroot,\"times\":3},{\"step\":\"after\",\"value\":1}]")
await "its end" is_final "$run"
is "a few refused calls are answered, and it goes on" "$(run_state "$run") $(attempts "$run")" "succeeded 1"
is "each is in the trace, by name" "$(log_of "$run" | grep -c 'denied system call chroot ')" 3
like "with its arguments and the answer" "$(log_of "$run")" '"args":\["0x1","0x2","0x3","0x4","0x5","0x6"\],"answer":"EPERM"'
like "the trace says behind which walls it ran, and that they were tested" "$(log_of "$run")" 'self-tested:.*landlock.*forbidden acts refused behind the same walls'
like "people see it as well" "$("$reeve" run trace "$run")" 'chroot'
run=$(go one "[{\"step\":\"before\",\"value\":1},{\"probe\":$mount}]")
await "its end" is_final "$run"
is "a call that is killed for ends the attempt; the run is tried again, then dead" "$(run_state "$run") $(attempts "$run")" "dead 3"
like "with the call as the reason" "$(run_reason "$run")" 'gave up after 3 failed attempts: the worker was killed: its walls refuse mount$'
run=$(go one "[{\"step\":\"before\",\"value\":1},{\"probe\":$chroot,\"times\":100000}]")
await "its end" is_final "$run"
is "who keeps trying ends its run at once" "$(run_state "$run") $(attempts "$run")" "failed 1"
like "with the reason" "$(run_reason "$run")" 'kept trying what its walls refuse \(last chroot\)'
ok "and a flood of calls makes no flood of lines" test "$(log_of "$run" | grep -c 'denied system call')" -le 20

# ---- output
run=$(go loud '[{"noise":32768},{"step":"quiet","value":1}]')
await "its end" is_final "$run"
is "what stays under limits.output is kept" "$(run_state "$run")" succeeded
run=$(go loud '[{"noise":100000000}]')
await "its end" is_final "$run"
is "what goes over it ends the run" "$(run_state "$run") $(attempts "$run")" "failed 1"
like "with the limit named" "$(run_reason "$run")" 'limits\.output'
await "its worker's end" no_worker

# ---- everything dies with its supervisor
alive() { ps -o pid= -p "$(paste -sd, <<<"$1")" | grep -c .; }
gone() { [ "$(alive "$1")" = 0 ]; }
for victim in reeve-spawn reeved; do
    run=$(go one '[{"step":"x","value":1},{"hang":true}]')
    await "its worker" has_key "$run" x
    all=$(pids_of_reeve | tr ' ' '\n' | grep .)
    like "$victim: with a worker at work there are at least five processes" "$(alive "$all")" '^([5-9]|1[0-9])$'
    case $victim in
    reeved) kill -KILL "$reeved_pid" ;;
    *) kill -KILL "$(spawn_of "$reeved_pid")" ;;
    esac
    await "their end" gone "$all"
    is "$victim: killed, it leaves none of them" "$(alive "$all")" 0
    ok "$victim: and all comes back" start_reeved
    await "another worker" some_worker
    "$reeve" run cancel "$run" >/dev/null
    await "its end" no_worker
done

# ---- printed, compared
"$reeve" sandbox explain one --policy "$dir/policy" >"$dir/one.txt"
is "the plan of a workflow's walls is printed without running it" $? 0
like "layer by layer, in order" "$(tr '\n' ' ' <"$dir/one.txt")" 'cgroup .*namespaces .*root .*limits .*capabilities .*no-new-privs .*landlock .*seccomp .*exec '
like "with what the workflow grants" "$(cat "$dir/one.txt")" '/out +.*write'
"$reeve" sandbox explain one --policy "$dir/policy" >"$dir/again.txt"
ok "the same twice" cmp "$dir/one.txt" "$dir/again.txt"
sed -i 's/limits: {attempts: 3}/limits: {attempts: 3, memory: 99M}/' "$dir/policy/life.yaml"
"$reeve" sandbox explain one --policy "$dir/policy" >"$dir/less.txt"
like "and a diff shows what a change changes" "$(diff "$dir/one.txt" "$dir/less.txt" | grep '^[<>]' | sed 's/^\(.\) *[0-9]* */\1 /')" '^> cgroup +memory 99M'
is "and nothing else but limits" "$(diff "$dir/one.txt" "$dir/less.txt" | grep '^[<>]' | grep -cvE 'cgroup|limits')" 0
is "as JSON too" "$("$reeve" sandbox explain one --policy "$dir/policy" --json | jq -r '.profile')" program
"$reeve" sandbox explain nobody --policy "$dir/policy" >"$dir/out.txt" 2>&1
is "a workflow that is not there" $? 3

# ---- tried
is "a command behind the walls sees nothing of the host" "$("$reeve" sandbox run -- /bin/sh -c 'cd / && echo root/* etc/shadow* run/*' 2>&1)" 'root/* etc/shadow* run/*'
"$reeve" sandbox run --read "$(command -v id)" -- /bin/sh -c 'exit 7'
is "and ends as the command does" $? 7
is "its input and output are the caller's" "$(echo in | "$reeve" sandbox run -- /bin/cat)" in
"$reeve" sandbox run --profile nonsense -- /bin/true >"$dir/out.txt" 2>&1
is "a profile that is not there" $? 2

# ---- learned
like "what a program needs beyond a profile is listed" "$("$reeve" sandbox learn -- /usr/sbin/chroot / /bin/true 2>&1)" 'chroot'
is "and nothing when it needs no more" "$("$reeve" sandbox learn -- /bin/true 2>&1 | grep -c chroot)" 0

# ---- the matrix of this host
"$reeve" doctor >"$dir/doctor.txt"
is "doctor: what is required is here" $? 0
for layer in namespaces landlock seccomp seccomp-notify no-new-privs cgroup-memory; do
    grep -qE "^$layer +(yes|no)" "$dir/doctor.txt" || echo "$layer"
done >"$dir/missing.txt"
is "doctor prints each layer" "$(cat "$dir/missing.txt")" ""
is "and the self-test of each set of walls" "$("$reeve" doctor --json | jq -c '[.. | .selfTests? // empty | .[] | .good] | [length, all]')" '[8,true]'

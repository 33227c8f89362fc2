# Completion of reeve for bash. Made by `reeve completion bash`; do not edit.
_reeve()
{
    local cur prev words='' options='' files=0 next='' c i
    COMPREPLY=()
    cur="${COMP_WORDS[COMP_CWORD]}"
    prev="${COMP_WORDS[COMP_CWORD - 1]}"
    for ((i = 1; i < COMP_CWORD; i++)); do
        case "${COMP_WORDS[i]}" in
        [a-z]*) words="${words:+$words }${COMP_WORDS[i]}" ;;
        *) break ;;
        esac
    done
    case "$prev" in
    --socket | --happened | --policy | --read | --write)
        COMPREPLY=($(compgen -f -- "$cur"))
        return
        ;;
    --colour)
        COMPREPLY=($(compgen -W 'always never auto' -- "$cur"))
        return
        ;;
    --profile)
        COMPREPLY=($(compgen -W 'strict program node python tool' -- "$cur"))
        return
        ;;
    --state)
        COMPREPLY=($(compgen -W 'live final queued starting running waiting succeeded failed cancelled dead open approved rejected expired used' -- "$cur"))
        return
        ;;
    --workflow | --tenant | --limit | --comment | --reason | --from | --after | --days | --set | --server | --memory | --env | --since)
        return
        ;;
    esac
    case "$words" in
    "event send")
        options="--help --json --socket --colour --workflow --follow"
        files=1
        ;;
    "runs")
        options="--help --json --socket --colour --workflow --state --tenant --limit --all"
        files=0
        ;;
    "run show")
        options="--help --json --socket --colour"
        files=0
        ;;
    "run trace")
        options="--help --json --socket --colour"
        files=0
        ;;
    "run follow")
        options="--help --json --socket --colour"
        files=0
        ;;
    "run steps")
        options="--help --json --socket --colour --limit --all --after"
        files=0
        ;;
    "run step")
        options="--help --json --socket --colour --whole"
        files=0
        ;;
    "run cancel")
        options="--help --json --socket --colour --reason"
        files=0
        ;;
    "run pause")
        options="--help --json --socket --colour --reason"
        files=0
        ;;
    "run resume")
        options="--help --json --socket --colour --reason"
        files=0
        ;;
    "run redrive")
        options="--help --json --socket --colour --reason"
        files=0
        ;;
    "stop")
        options="--help --json --socket --colour --workflow --tenant --all --reason --kill"
        files=0
        ;;
    "go")
        options="--help --json --socket --colour --workflow --tenant --all"
        files=0
        ;;
    "switches")
        options="--help --json --socket --colour"
        files=0
        ;;
    "queue")
        options="--help --json --socket --colour"
        files=0
        ;;
    "run fork")
        options="--help --json --socket --colour --follow --from --dry"
        files=0
        ;;
    "run replay")
        options="--help --json --socket --colour"
        files=0
        ;;
    "run diff")
        options="--help --json --socket --colour"
        files=0
        ;;
    "explain")
        options="--help --json --socket --colour --policy --set"
        files=0
        ;;
    "approvals")
        options="--help --json --socket --colour --state --limit --all"
        files=0
        ;;
    "approval")
        options="--help --json --socket --colour"
        files=0
        ;;
    "approve")
        options="--help --json --socket --colour --comment --happened --not-happened"
        files=0
        ;;
    "reject")
        options="--help --json --socket --colour --comment"
        files=0
        ;;
    "workflows")
        options="--help --json --socket --colour"
        files=0
        ;;
    "workflow versions")
        options="--help --json --socket --colour"
        files=0
        ;;
    "workflow show")
        options="--help --json --socket --colour"
        files=0
        ;;
    "workflow diff")
        options="--help --json --socket --colour"
        files=0
        ;;
    "workflow rollback")
        options="--help --json --socket --colour --latest"
        files=0
        ;;
    "upgrade check")
        options="--help --json --socket --colour --workflow --policy --set"
        files=0
        ;;
    "policy check")
        options="--help --json --socket --colour --set"
        files=1
        ;;
    "policy load")
        options="--help --json --socket --colour --audit --no-audit"
        files=1
        ;;
    "policy audit")
        options="--help --json --socket --colour --since"
        files=0
        ;;
    "policy backtest")
        options="--help --json --socket --colour --set --since"
        files=1
        ;;
    "policy test")
        options="--help --json --socket --colour --set"
        files=1
        ;;
    "policy eval")
        options="--help --json --socket --colour --set"
        files=1
        ;;
    "policy convert")
        options="--help --json --socket --colour --to-json"
        files=1
        ;;
    "policy schema")
        options="--help --json --socket --colour --server"
        files=1
        ;;
    "status")
        options="--help --json --socket --colour"
        files=0
        ;;
    "usage")
        options="--help --json --socket --colour --tenant --days"
        files=0
        ;;
    "doctor")
        options="--help --json --socket --colour"
        files=0
        ;;
    "backup")
        options="--help --json --socket --colour"
        files=1
        ;;
    "audit")
        options="--help --json --socket --colour --limit --all --after"
        files=0
        ;;
    "sandbox run")
        options="--help --json --socket --colour --profile --memory --read --write --network --env"
        files=0
        ;;
    "sandbox explain")
        options="--help --json --socket --colour --policy --set --profile --memory --read --write --network --env"
        files=0
        ;;
    "sandbox learn")
        options="--help --json --socket --colour --profile --memory --read --write --network --env"
        files=0
        ;;
    "completion")
        options="--help --json --socket --colour"
        files=0
        ;;
    "version")
        options="--help --json --socket --colour"
        files=0
        ;;
    "help")
        options="--help --json --socket --colour"
        files=0
        ;;
    esac
    for c in 'event send' 'runs' 'run show' 'run trace' 'run follow' 'run steps' 'run step' 'run cancel' 'run pause' 'run resume' 'run redrive' 'stop' 'go' 'switches' 'queue' 'run fork' 'run replay' 'run diff' 'explain' 'approvals' 'approval' 'approve' 'reject' 'workflows' 'workflow versions' 'workflow show' 'workflow diff' 'workflow rollback' 'upgrade check' 'policy check' 'policy load' 'policy audit' 'policy backtest' 'policy test' 'policy eval' 'policy convert' 'policy schema' 'status' 'usage' 'doctor' 'backup' 'audit' 'sandbox run' 'sandbox explain' 'sandbox learn' 'completion' 'version' 'help'; do
        if [ -z "$words" ]; then
            next="$next ${c%% *}"
        elif [ "${c#"$words "}" != "$c" ]; then
            c="${c#"$words "}"
            next="$next ${c%% *}"
        fi
    done
    if [ "${cur#-}" != "$cur" ]; then
        COMPREPLY=($(compgen -W "${options:---help --json --socket}" -- "$cur"))
    elif [ "$files" = 1 ]; then
        COMPREPLY=($(compgen -f -- "$cur"))
    else
        COMPREPLY=($(compgen -W "$next" -- "$cur"))
    fi
}
complete -o filenames -F _reeve reeve

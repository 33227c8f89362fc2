#!/bin/bash
# Goal: a file includes only its own floor of the house or a lower one, by its path from the root.
. "$(dirname -- "$0")/tap.inc"

# The longest prefix of a path decides. `helper` floors see nothing of each other.
floors='
policy/text          0
sandbox/os           1
policy/cedar         2
policy               2
sandbox              2
worker               3
contrib              3
supervisor/store     4
supervisor/egress    4 helper
supervisor/ingress   4 helper
supervisor/control   4 helper
supervisor           5
supervisor/ctl       6
'

sources=$(tree_files | grep -E '^(policy|sandbox|worker|supervisor|contrib)/.*\.(c|h|def)$')
quoted=$(grep -nE '^[[:space:]]*#[[:space:]]*include[[:space:]]*"' $sources /dev/null)

point "every include is a path from the root" "$(
    printf '%s\n' "$quoted" | sed -nE 's/^([^:]+:[0-9]+):.*"([^"]+)".*/\1 \2/p' | while read -r at inc; do
        [ -f "$inc" ] || echo "$at includes \"$inc\", which is not there"
    done)"

point "no include goes up the house" "$(
    printf '%s\n' "$quoted" | sed -nE 's/^([^:]+):([0-9]+):.*"([^"]+)".*/\1 \2 \3/p' |
    awk -v floors="$floors" '
    BEGIN {
        n = split(floors, lines, "\n")
        for (i = 1; i <= n; i++) {
            if (split(lines[i], f, " ") < 2) continue
            floor[f[1]] = f[2]
            helper[f[1]] = f[3] == "helper"
        }
    }
    function room(path) {
        while (sub(/\/[^\/]*$/, "", path))
            if (path in floor) return path
        return ""
    }
    {
        from = room($1); to = room($3)
        if (to == "") {
            print $1 ":" $2 ": " $3 " is in no room of the house"
        } else if (floor[to] > floor[from]) {
            print $1 ":" $2 ": floor " floor[from] " includes " $3 " of floor " floor[to]
        } else if (helper[to] && from != to && floor[from] <= 4) {
            print $1 ":" $2 ": " from " includes " $3 " of another helper"
        }
    }')"

# supervisor/ itself is above the helpers, so the rule above keeps them out of it; what they share with it is
# the store, which only reeve-control reads.
point "reeve-egress sees no store" "$(grep -n '"supervisor/store/' $(printf '%s\n' $sources | grep '^supervisor/egress/') /dev/null)"

point "policy/text and policy/cedar include no header of the system" "$(
    grep -nE '#[[:space:]]*include[[:space:]]*<(unistd|fcntl|signal|poll|pthread|sys/(socket|stat|mman|epoll|wait|ioctl|un)|netinet/.*|linux/.*)\.h>' \
        $(printf '%s\n' $sources | grep -E '^policy/(text|cedar)/') /dev/null)"
plan

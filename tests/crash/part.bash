#!/bin/bash
# part.bash LIST OUT PART PARTS: tries every PARTS-th line of LIST ("ROLE N [--all]"). OUT gets "tried" lines and faults.
. "$(dirname "$0")/lib.bash"
start_model
n=0
while read -r -a point <&3; do
    n=$((n + 1))
    [ $((n % $4)) -eq "$3" ] || continue
    if try "${point[@]}"; then echo "tried ${point[*]}" >>"$2"; fi
    cat "$faults" >>"$2"
    : >"$faults"
done 3<"$1"

#!/bin/bash
# part.bash OUT TURN: tries points, "ROLE N [OPTION...]", from descriptor 8, which others read, too: TURN says whose turn
# it is. OUT gets a line of each, "tried POINT" or "none POINT" (there was no such call), and the faults.
. "$(dirname "$0")/lib.bash"
start_model 8<&-
exec 9>"$2"
while flock 9 && IFS= read -r line <&8; do
    flock -u 9
    read -ra point <<<"$line"
    exec 7<&8 8<&- # what a trial starts inherits neither
    # A shell of its own: one that lives for long meets the numbers of its former children again, and waits for them.
    if (try "${point[@]}") 7<&- 9>&-; then word=tried; else word=none; fi
    exec 8<&7 7<&-
    { echo "$word $line" && cat "$faults"; } >>"$1"
    : >"$faults"
done

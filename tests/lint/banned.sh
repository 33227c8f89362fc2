#!/bin/bash
# Goal: no call that the house bans, where it bans it.
. "$(dirname -- "$0")/tap.inc"

# C without comments and strings, as FILE:LINE: text, so that a word in a sentence is no call.
code=$(mktemp) && trap 'rm -f "$code"' EXIT
tree_files | grep -E '^(policy|sandbox|worker|supervisor)/.*\.(c|h)$' | xargs perl -e '
    for my $file (@ARGV) {
        open my $in, "<", $file or next;
        local $/;
        my $text = <$in>;
        $text =~ s{("(?:\\.|[^"\\\n])*"|\x27(?:\\.|[^\x27\\\n])*\x27)|(/\*.*?\*/|//[^\n]*)}{
            my $s = $1 // $2; my $lines = ($s =~ tr/\n//); (defined $1 ? "\"\"" : " ") . "\n" x $lines }gse;
        my $n = 0;
        print "$file:", ++$n, ": $_\n" for split /\n/, $text, -1;
    }' >"$code"

# calls NAMES [ALLOWED]: where one of NAMES (a regular expression) is called outside of the files ALLOWED.
calls() {
    grep -P "(?<![A-Za-z0-9_.>])($1)[ ]*\\(" "$code" | grep -vE "^(${2:-no file})"
}
# Library floors: all but the files that are a program of their own.
libraries='policy/|sandbox/|worker/|supervisor/'
mains='[^:]*main\.c:'

point "no string function without a bound" \
    "$(calls 'strcpy|strcat|strncpy|strncat|sprintf|vsprintf|gets|strtok|stpcpy|alloca|wcscpy')"
point "no conversion that hides its errors" "$(calls 'atoi|atol|atoll|atof|sscanf|scanf|fscanf')"
point "no time function with a hidden static or the local zone" \
    "$(calls 'gmtime|localtime|ctime|asctime|mktime')"
point "no temporary name that can be guessed" "$(calls 'tmpnam|mktemp|tempnam|tmpfile')"
point "no shell" "$(calls 'system|popen|wordexp')"
point "no long jump, no signal handler" "$(calls 'setjmp|longjmp|sigsetjmp|siglongjmp|sigaction' 'sandbox/os/(proc|sys|ev)\.c:')"
point "no weak random source" "$(calls 'rand|srand|random|srandom|drand48|rand_r')"
point "library floors never end the program" \
    "$(grep -E "^($libraries)" "$code" | grep -vE "^$mains" |
        grep -P '(?<![A-Za-z0-9_.>])(exit|abort|quick_exit|assert|err|errx|warn|perror)[ ]*\(')"
point "only a main prints to standard output or error" \
    "$(grep -E "^(policy/(text|cedar)|sandbox/os|supervisor/store)/" "$code" |
        grep -P '(?<![A-Za-z0-9_.>])(printf|puts|putchar|vprintf|perror)[ ]*\(')"
# sys.c has the calls of the table; kernel.c those that only the walls make (mounts, Landlock, seccomp).
point "errno is read where system calls are made, in two files" \
    "$(grep -P '(?<![A-Za-z0-9_"])errno(?![A-Za-z0-9_.])' "$code" |
        grep -vE '^sandbox/(os/sys|kernel)\.c:|#[[:space:]]*include')"
point "no SQL call outside of the store" \
    "$(grep -P '(?<![A-Za-z0-9_])sqlite3_[a-z0-9_]+' "$code" | grep -vE '^supervisor/store/')"
# Tables of constants that hold pointers are in .data.rel.ro: read-only once the program runs.
point "no globals that can be written, beyond a main" \
    "$(for f in $(tree_files | grep -E '^(policy|worker|supervisor/store)/.*\.c$' | grep -v 'main\.c$'); do
        o=${BUILD:-.build}/obj/${f%.c}.o
        [ -f "$o" ] && objdump -t "$o" | awk -v f="$f" '
            / O / && $4 ~ /^\.(data|bss|tbss|tdata)/ && $4 !~ /^\.data\.rel\.ro/ && $NF !~ /^(__|\.L|_ZL)/ {
                print f ": " $NF
            }'
    done)"
plan

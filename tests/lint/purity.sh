#!/bin/bash
# Goal: policy/text and policy/cedar make no system call: they import nothing but what is listed here.
. "$(dirname -- "$0")/tap.inc"
BUILD=${BUILD:-.build}

# Memory, strings, numbers as text: functions of the C library that look at their arguments only. (malloc may
# ask the kernel for memory; that is all.) Of libcrypto: SHA-256 on a struct of ours.
allowed='
malloc calloc realloc reallocarray free
memchr memrchr memcmp memcpy memmove memset memmem mempcpy explicit_bzero
strlen strnlen strchr strrchr strchrnul strcmp strncmp strstr strspn strcspn
strtod strtol strtoul strtoll strtoull __isoc23_strtol __isoc23_strtoul __isoc23_strtoll __isoc23_strtoull
snprintf vsnprintf strerrorname_np strerrordesc_np
__memcpy_chk __memmove_chk __memset_chk __snprintf_chk __vsnprintf_chk __explicit_bzero_chk
__stack_chk_fail __ctype_b_loc _GLOBAL_OFFSET_TABLE_
SHA256_Init SHA256_Update SHA256_Final CRYPTO_memcmp OPENSSL_cleanse
'

check() { # check NAME ARCHIVE [ARCHIVE it may use]
    local name=$1 faults
    shift
    for a in "$@"; do
        [ -f "$a" ] || { skip_point "$name imports nothing of the system" "$a is not built"; return; }
    done
    faults=$(comm -23 \
        <(nm "$1" 2>/dev/null | awk 'NF == 2 && $1 ~ /^[Uw]$/ { print $2 }' | sort -u) \
        <({ printf '%s\n' $allowed; nm "$@" 2>/dev/null | awk 'NF == 3 && $2 ~ /^[TDRBVWC]$/ { print $3 }'; } | sort -u) |
        grep -vE '^__(asan|ubsan|sanitizer|sancov)_')
    point "$name imports nothing of the system" "$faults"
}

check policy/text "$BUILD/lib/text.a"
check policy/cedar "$BUILD/lib/cedar.a" "$BUILD/lib/text.a"
plan

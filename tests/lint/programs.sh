#!/bin/bash
# Goal: each program's address space holds only what its privilege needs (design: processes). INV-01, INV-09.
. "$(dirname -- "$0")/tap.inc"
BUILD=${BUILD:-.build}

# must_not PROGRAM WHAT PATTERN: no defined or imported symbol of this kind.
must_not() {
    local program=$BUILD/$1
    if [ ! -f "$program" ]; then
        skip_point "$1 contains no $2" "$1 is not built"
        return
    fi
    point "$1 contains no $2" "$(nm "$program" 2>/dev/null | awk '{ print $NF }' | grep -E "$3" | sort -u | head -n 20)"
}

# links_only PROGRAM LIBRARIES: the dynamic libraries that it may need, beside the C library's.
links_only() {
    local program=$BUILD/$1 may=$2
    if [ ! -f "$program" ]; then
        skip_point "$1 is linked with its libraries only" "$1 is not built"
        return
    fi
    point "$1 is linked with its libraries only" "$(
        readelf -d "$program" | sed -nE 's/.*\(NEEDED\).*\[(lib[^.]*)\.so.*/\1/p; s/.*\(NEEDED\).*\[(ld-[^]]*)\]/\1/p' |
        grep -vE "^(libc|libm|ld-.*|libasan|libubsan|libgcc_s${may:+|$may})\$")"
}

must_not reeve-worker "evaluator" '^(cedar|authorize|eval|entity|policy)_'
must_not reeve-worker "store" '^(sqlite3|store)_'
must_not reeve-worker "way to the network" '^(curl|MHD)_'
must_not reeve-spawn "store, evaluator or network library" '^(sqlite3|store|cedar|curl|MHD|fy)_'
must_not reeved "network library" '^(curl|MHD)_'
must_not reeve-egress "store, evaluator or server" '^(sqlite3|store|cedar|MHD|fy)_'
must_not reeve-control "evaluator, YAML or network client" '^(cedar|curl|fy)_'
must_not reeve "store" '^(sqlite3|store)_'
links_only reeve-worker 'libcrypto|libseccomp|libcap-ng'
links_only reeve-spawn 'libcrypto|libseccomp|libcap-ng'
links_only reeved 'libsqlite3|libzstd|libfyaml|libcrypto|libseccomp|libcap-ng'
links_only reeve-egress 'libcurl|libseccomp|libcap-ng|libcrypto'
links_only reeve-control 'libmicrohttpd|libsqlite3|libzstd|libseccomp|libcap-ng|libcrypto'
links_only reeve 'libcurl|libfyaml|libseccomp|libcap-ng|libcrypto'

# Hardening that the Makefile asks for has arrived in the binary.
for program in reeved reeve-spawn reeve-worker reeve-egress reeve-control reeve; do
    file=$BUILD/$program
    if [ ! -f "$file" ]; then
        skip_point "$program is hardened" "$program is not built"
        continue
    fi
    point "$program is hardened" "$(
        readelf -h "$file" | grep -q 'Type:.*DYN' || echo "not position independent"
        readelf -lW "$file" | grep -q GNU_RELRO || echo "no RELRO"
        readelf -lW "$file" | grep 'GNU_STACK' | grep -q 'RWE' && echo "executable stack"
        readelf -d "$file" | grep -qE 'BIND_NOW|NOW' || echo "lazy binding"
        nm "$file" | grep -q '__stack_chk_fail' || echo "no stack protector")"
done
plan

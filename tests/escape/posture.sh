#!/bin/bash
# Goal: an idle process behind each profile's walls looks from outside as the golden file says: a layer that was
# silently not applied shows (INV-01, INV-02). Update: tests/escape/posture.sh --update, and read the difference.
set -u
cd "$(dirname -- "$0")/../.." || exit 2
BUILD=${BUILD:-.build}
golden=tests/escape/posture.golden
echo "1..1"
if [ "$(id -u)" -ne 0 ] || [ ! -x "$BUILD/tests/escape-inside" ]; then
    echo "ok 1 - posture of every profile # SKIP not root, or no static program here"
    exit 0
fi
got=$(mktemp) || exit 2
trap 'rm -f "$got"' EXIT
# The program lies where it was built, and is as the operator's file system shows it.
BUILD=$BUILD "$BUILD/tests/escape/posture_print" |
    sed -e "s,mount /[^ ]*/tests/escape-inside ,mount PROGRAM ," -e 's/,idmapped//' |
    grep -vE ' mount /(usr/local/lib|usr/lib64|usr/share/[a-z0-9-]*|etc/localtime|etc/ssl/openssl.cnf) ' >"$got"
if [ "${1:-}" = --update ]; then
    cp "$got" "$golden"
fi
if diff -u "$golden" "$got" | sed 's/^/# /'; [ "${PIPESTATUS[0]}" -eq 0 ]; then
    echo "ok 1 - posture of every profile"
else
    echo "not ok 1 - posture of every profile"
    exit 1
fi

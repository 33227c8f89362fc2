#!/bin/bash
# Goal: a hundred hostile acts from behind the walls of every profile, as root and as an ordinary user: each
# is refused by the layer that should, and named where it should be (INV-01).
set -u
BUILD=${BUILD:-.build}
walls=$BUILD/tests/escape/walls inside=$BUILD/tests/escape-inside spawn=$BUILD/reeve-spawn
if [ ! -x "$inside" ]; then
    echo "1..0 # SKIP no static program here (sanitizers cannot be linked into one)"
    exit 0
fi
status=0
"$walls" "$spawn" "$inside" || status=1
# The same without privilege, in user namespaces, when there is somebody to be and a way to be it.
if [ "$(id -u)" -eq 0 ] && su nobody -s /bin/sh -c "test -x '$spawn' && unshare -Ur true" 2>/dev/null; then
    echo "# as an ordinary user"
    su nobody -s /bin/sh -c "'$walls' '$spawn' '$inside'" || status=1
else
    echo "1..1"
    echo "ok 1 - as an ordinary user # SKIP not root, or no user namespaces for others"
fi
exit $status

#!/bin/sh
# deps.sh: make sure that Debian packages are there: contrib/deps.sh PACKAGE...
#
# Says nothing when none is missing. Otherwise installs them as root, or by sudo where it asks for no password;
# where neither can be, prints the one command that does it and exits 1.
set -eu

missing=""
for p in "$@"; do
    [ "$(dpkg-query -W -f '${db:Status-Status}' "$p" 2>/dev/null || true)" = installed ] || missing="$missing $p"
done
[ -n "$missing" ] || exit 0

command="apt-get install -y --no-install-recommends$missing"
if ! command -v apt-get >/dev/null 2>&1; then
    echo "reeve: this is not Debian; the packages that are needed are called there:$missing" >&2
    exit 1
fi
if [ "$(id -u)" = 0 ]; then
    as_root=""
elif command -v sudo >/dev/null 2>&1 && sudo -n true 2>/dev/null; then
    as_root="sudo -n"
else
    echo "reeve: packages are missing. Install them with:" >&2
    echo "  sudo $command" >&2
    exit 1
fi

echo "reeve: installing$missing"
log=$(mktemp)
trap 'rm -f "$log"' EXIT
# Without a list of packages (a fresh container) the first try fails: fetch the list, then try again.
# shellcheck disable=SC2086
install() { $as_root env DEBIAN_FRONTEND=noninteractive $command >"$log" 2>&1; }
if ! install && ! { $as_root apt-get update >"$log" 2>&1 && install; }; then
    tail -n 20 "$log" >&2
    echo "reeve: that did not work. Install them with:" >&2
    echo "  sudo apt-get update && sudo $command" >&2
    exit 1
fi

#!/bin/sh
# install.sh: put what was built in its places: DESTDIR= PREFIX=/usr/local BUILD=.build contrib/install.sh
#
#   PREFIX/bin            reeve
#   PREFIX/sbin           reeved, which finds its helpers in ../libexec/reeve
#   PREFIX/libexec/reeve  reeve-spawn, reeve-worker, reeve-egress, reeve-control
#   PREFIX/share          man pages, bash completion, the licence
#   PREFIX/include/reeve  the headers of the client library, and PREFIX/lib/libreeve-worker.a
#   PREFIX/share/reeve    the same in Python and JavaScript: one file each, and an example
#   PREFIX/lib/systemd    the unit file
#   /etc/reeve            made when it is not there; never written to
set -eu

prefix=${PREFIX:-/usr/local}
build=${BUILD:-.build}
root=${DESTDIR:-}
cd "$(dirname "$0")/.."

place() { # mode, directory, file...
    mode=$1 dir=$root$prefix/$2
    shift 2
    install -d -m 0755 "$dir"
    install -m "$mode" "$@" "$dir/"
}

for p in reeve reeved reeve-spawn reeve-worker reeve-egress reeve-control; do
    [ -x "$build/$p" ] || { echo "install: $build/$p is not built: run make first" >&2; exit 1; }
done

place 0755 bin "$build/reeve"
place 0755 sbin "$build/reeved"
place 0755 libexec/reeve "$build/reeve-spawn" "$build/reeve-worker" "$build/reeve-egress" "$build/reeve-control"
for section in 1 5 7 8; do
    for page in contrib/man/*."$section"; do
        [ -e "$page" ] || continue
        place 0644 "share/man/man$section" "$page"
    done
done
if [ -e contrib/completion/reeve.bash ]; then
    install -d -m 0755 "$root$prefix/share/bash-completion/completions"
    install -m 0644 contrib/completion/reeve.bash "$root$prefix/share/bash-completion/completions/reeve"
fi
place 0644 share/doc/reeve LICENSE
[ ! -e README.md ] || place 0644 share/doc/reeve README.md

# What a worker in C needs: headers as they include each other, and one archive of three floors.
for h in worker/reeve.h sandbox/os/*.h policy/text/*.h; do
    place 0644 "include/reeve/$(dirname "$h")" "$h"
done
merged=$(mktemp -d)
trap 'rm -rf "$merged"' EXIT
{
    echo "create $merged/libreeve-worker.a"
    for a in worker os text; do echo "addlib $build/lib/$a.a"; done
    echo save
    echo end
} | ar -M
place 0644 lib "$merged/libreeve-worker.a"
place 0644 share/reeve/python contrib/python/*.py
place 0644 share/reeve/node contrib/node/*.mjs

install -d -m 0755 "$root$prefix/lib/systemd/system"
sed "s|@PREFIX@|$prefix|g" contrib/reeved.service >"$merged/reeved.service"
install -m 0644 "$merged/reeved.service" "$root$prefix/lib/systemd/system/reeved.service"
[ -d "$root/etc/reeve" ] || install -d -m 0755 "$root/etc/reeve"
echo "installed to $root$prefix"

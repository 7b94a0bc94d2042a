#!/usr/bin/env bash
# Owns: how bubblewrap gets onto this machine. Uses the one that is installed, else unpacks Debian's package into
# ${XDG_CACHE_HOME:-$HOME/.cache}/envicutor/peers/bubblewrap without installing it; prints the program's path as its only
# line on standard output. Never runs it and never touches the clone. A second run takes milliseconds.
set -euo pipefail

if command -v bwrap; then exit 0; fi
cache=${XDG_CACHE_HOME:-$HOME/.cache}/envicutor/peers/bubblewrap
binary=$cache/usr/bin/bwrap
if [[ -x $binary ]]; then echo "$binary"; exit 0; fi

command -v apt-get >/dev/null || { echo 'bubblewrap: there is no apt-get here; put a bwrap on PATH' >&2; exit 1; }
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
cd "$work"
chmod 755 "$work"
{ apt-get download bubblewrap || { apt-get update && apt-get download bubblewrap; }; } >&2
dpkg-deb --extract bubblewrap_*.deb "$work/unpacked"
mkdir -p "$(dirname "$cache")"
rm -rf "$cache"
mv "$work/unpacked" "$cache"
echo "$binary"

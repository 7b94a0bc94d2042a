#!/usr/bin/env bash
# Owns: what all installers of rivals have in common: where a rival is kept, that one installer is at work at a time, that a rival which
# is kept is whole, and how Debian's packages are unpacked without being installed. To be sourced; the sourcing script's name is the rival's.
# Never runs a rival and never writes outside ${XDG_CACHE_HOME:-$HOME/.cache}/envicutor/peers, but for apt's own lists when they are missing or old.
# What must stay true: the only line on standard output is a program's path, and whoever prints none ends with 1 and one sentence on standard
# error; an installer that is killed leaves nothing that the next one believes.
set -euo pipefail

rival=$(basename "$0" .sh)
peers=${XDG_CACHE_HOME:-$HOME/.cache}/envicutor/peers
kept=$peers/$rival
work=

absent() { echo "$rival: $*" >&2; exit 1; }

# place PROGRAM: where somebody may put it; a sentence for reports, which name no folder of a user.
place() { echo "\${XDG_CACHE_HOME:-~/.cache}/envicutor/peers/$rival/$1"; }

# use_installed PROGRAM: ends the script with PROGRAM's path when it is on PATH.
use_installed() {
  local program
  if program=$(type -P "$1"); then echo "$program"; exit 0; fi
}

# use_kept PATH...: ends the script with the first of these paths below the rival's folder that is a program.
use_kept() {
  local path
  for path in "$@"; do
    if [[ -x $kept/$path.with-libraries ]]; then echo "$kept/$path.with-libraries"; exit 0; fi
    if [[ -f $kept/$path && -x $kept/$path ]]; then echo "$kept/$path"; exit 0; fi
  done
}

# begin PATH...: waits for its turn, takes what another installer has fetched meanwhile, and else makes the folder $work.
# What a killed installer left there is removed: with the lock in our hands, nobody is at work in it.
begin() {
  mkdir -p "$peers" 2>/dev/null || absent "$peers can't be written to; set XDG_CACHE_HOME to a folder that can"
  exec 9>"$peers/.$rival.lock"
  flock --wait 600 9 || absent "another installer of it has been at work for ten minutes; end that one"
  use_kept "$@"
  rm -rf "$peers/.$rival.unfinished."*
  work=$peers/.$rival.unfinished.$$
  trap 'rm -rf "$work"' EXIT
  mkdir -m 700 "$work"
  mkdir -m 755 "$work/tree"
}

# quietly COMMAND...: its words go to a log. Without the lock, so that a child which outlives a killed installer does not hold up the next one.
quietly() { "$@" >"$work/log" 2>&1 9>&-; }

# The line of the log that says why, as a part of a sentence and without addresses.
last_words() {
  { grep '^E: ' "$work/log" || grep -v '^[[:space:]]*$' "$work/log" || true; } | tail -n 1 |
    sed -E 's#https?://[^[:space:]]*[[:space:]]*##g; s/^[[:space:]]*//; s/[[:space:]]*$//'
}

# know PACKAGE: does this machine's apt know it? A machine that has never fetched the lists fetches them first.
know() {
  has_apt
  apt-cache show "$1" >/dev/null 2>&1 && return
  ! apt-cache show coreutils >/dev/null 2>&1 && apt-get update >/dev/null 2>&1 && apt-cache show "$1" >/dev/null 2>&1
}

has_apt() { type -P apt-get >/dev/null || absent "there is no apt-get here; put its program on PATH"; }

# unpack PACKAGE...: fetches them and unpacks them into $work/tree; lists that name a version which is gone are fetched anew.
unpack() {
  local name
  has_apt
  mkdir -p "$work/packages"
  cd "$work/packages"
  quietly apt-get download "$@" || { quietly apt-get update && quietly apt-get download "$@"; } ||
    absent "apt-get could not fetch $*: $(last_words)"
  for name in *.deb; do
    quietly dpkg-deb --extract "$name" "$work/tree" || absent "$name could not be unpacked: $(last_words)"
    echo "debian package $(dpkg-deb --show --showformat='${Package} ${Version}' "$name")" >>"$work/tree/SOURCE"
    rm "$name"
  done
  cd "$peers"
}

# Names of libraries that the program $1 needs and that neither this machine nor the folders $2 (as in LD_LIBRARY_PATH) have.
lacking() { LD_LIBRARY_PATH=$2 ldd "$1" 2>/dev/null | sed -n 's/^[[:space:]]*\([^ ]*\) => not found.*/\1/p'; }

# add_libraries PATH PACKAGE: unpacks those libraries that PACKAGE depends on, are not installed, and without which PATH would not start. They are named
# in the file LIBRARIES, as LD_LIBRARY_PATH wants them, and there is a script PATH.with-libraries that sets it.
add_libraries() {
  local program=$work/tree/$1 name missing=() folders
  [[ -n $(lacking "$program" '') ]] || return 0
  for name in $(apt-cache depends "$2" | sed -n 's/^ *|\{0,1\}Depends: \(lib[^ ]*\)$/\1/p'); do
    dpkg-query --show --showformat='${Status}\n' "$name" 2>/dev/null | grep -q ' installed$' || missing+=("$name")
  done
  [[ ${#missing[@]} -eq 0 ]] || unpack "${missing[@]}"
  folders=$(find "$work/tree" -name '*.so.*' -printf '%h\n' | sort -u | paste -s -d :)
  [[ -z $(lacking "$program" "$folders") ]] || absent "it lacks $(lacking "$program" "$folders" | paste -s -d ' '); install what provides that"
  folders=${folders//$work\/tree/$kept}
  echo "$folders" >"$work/tree/LIBRARIES"
  printf '#!/bin/sh\nLD_LIBRARY_PATH=%q exec %q "$@"\n' "$folders" "$kept/$1" >"$program.with-libraries"
  chmod 755 "$program.with-libraries"
}

# keep PATH: puts $work/tree, which holds the program PATH, where the rival is kept, in one step, and ends the script with the program's path.
keep() {
  [[ -f $work/tree/$1 && -x $work/tree/$1 ]] || absent "what was fetched holds no program $1"
  rm -rf "$kept"
  mv -T "$work/tree" "$kept"
  use_kept "$1"
}

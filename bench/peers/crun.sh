#!/usr/bin/env bash
# Owns: how crun gets onto this machine. Uses the one that is installed, else unpacks Debian's package, and the libraries of it that
# this machine lacks, into ${XDG_CACHE_HOME:-$HOME/.cache}/envicutor/peers/crun without installing them; prints the program's path as its
# only line on standard output. Never runs it and never touches the clone. A second run takes milliseconds.
source "$(dirname "$0")/debian-package.sh"

use_installed crun
use_kept usr/bin/crun
begin usr/bin/crun
unpack crun
add_libraries usr/bin/crun crun
keep usr/bin/crun

#!/usr/bin/env bash
# Owns: how runc gets onto this machine. Uses the one that is installed, else unpacks Debian's package into
# ${XDG_CACHE_HOME:-$HOME/.cache}/envicutor/peers/runc without installing it; prints the program's path as its only
# line on standard output. Never runs it and never touches the clone. A second run takes milliseconds.
source "$(dirname "$0")/debian-package.sh"

use_installed runc
use_kept usr/sbin/runc
begin usr/sbin/runc
unpack runc
add_libraries usr/sbin/runc runc
keep usr/sbin/runc

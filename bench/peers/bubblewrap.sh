#!/usr/bin/env bash
# Owns: how bubblewrap gets onto this machine. Uses the one that is installed, else unpacks Debian's package into
# ${XDG_CACHE_HOME:-$HOME/.cache}/envicutor/peers/bubblewrap without installing it; prints the program's path as its only
# line on standard output. Never runs it and never touches the clone. A second run takes milliseconds.
source "$(dirname "$0")/debian-package.sh"

use_installed bwrap
use_kept usr/bin/bwrap
begin usr/bin/bwrap
unpack bubblewrap
add_libraries usr/bin/bwrap bubblewrap
keep usr/bin/bwrap

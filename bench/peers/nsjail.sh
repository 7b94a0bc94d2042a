#!/usr/bin/env bash
# Owns: how nsjail gets onto this machine. Uses the one that is on PATH or that somebody has put into
# ${XDG_CACHE_HOME:-$HOME/.cache}/envicutor/peers/nsjail, else unpacks the package of that name there if this machine's apt knows one (Debian 12 and
# 13 have none); prints the program's path as its only line on standard output. Never runs it and never takes a binary that third parties built.
source "$(dirname "$0")/debian-package.sh"

use_installed nsjail
use_kept nsjail usr/bin/nsjail
know nsjail || absent "this machine's apt knows no such package; put it on PATH or at $(place nsjail)"
begin nsjail usr/bin/nsjail
unpack nsjail
add_libraries usr/bin/nsjail nsjail
keep usr/bin/nsjail

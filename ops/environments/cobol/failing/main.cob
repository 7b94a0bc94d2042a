identification division.
program-id. failing.
procedure division.
    call "missing"
    stop run.

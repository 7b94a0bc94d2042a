"""Makes a build's network namespace as the launcher does, then becomes the command given: descriptors 3 (TCP 80), 4 (TCP 443) and
5 (UDP 53) are sockets of that namespace, the command itself runs in the host's. Never outlives its purpose: the namespace is held by
a child whose pid is the first line on standard error, and which ends when the command does."""
import ctypes
import os
import signal
import socket
import subprocess
import sys

CLONE_NEWNET = 0x40000000
PR_SET_PDEATHSIG = 1
ADDRESS = '198.18.0.1'
libc = ctypes.CDLL(None, use_errno=True)


def check(result):
    if result != 0:
        raise OSError(ctypes.get_errno(), os.strerror(ctypes.get_errno()))


def tcp(port):
    listener = socket.socket(socket.AF_INET, socket.SOCK_STREAM)
    listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    listener.bind((ADDRESS, port))
    listener.listen(512)
    return listener


home = os.open('/proc/self/ns/net', os.O_RDONLY)
check(libc.unshare(CLONE_NEWNET))
for command in (['ip', 'link', 'set', 'lo', 'up'], ['ip', 'addr', 'add', f'{ADDRESS}/32', 'dev', 'lo']):
    subprocess.run(command, check=True)
names = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
names.bind((ADDRESS, 53))
sockets = [tcp(80), tcp(443), names]

parent = os.getpid()
holder = os.fork()
if holder == 0:
    check(libc.prctl(PR_SET_PDEATHSIG, signal.SIGKILL))
    if os.getppid() != parent:
        os._exit(0)
    for kept in sockets:
        kept.close()
    null = os.open('/dev/null', os.O_RDWR)
    for descriptor in (0, 1, 2):
        os.dup2(null, descriptor)
    while True:
        signal.pause()

check(libc.setns(home, CLONE_NEWNET))
print(holder, file=sys.stderr, flush=True)
copies = [os.dup(kept.fileno()) if kept.fileno() >= 10 else os.dup2(kept.fileno(), 20 + at) for at, kept in enumerate(sockets)]
for at, descriptor in enumerate(copies):
    os.dup2(descriptor, 3 + at, inheritable=True)
os.closerange(6, 64)
os.execvp(sys.argv[1], sys.argv[1:])

/**
 * Owns the proof that a program sees its own sandbox only: no host tree, no host ids, no power over namespaces, no other run.
 * Runs real programs in the real launcher; needs root and gcc.
 */
import assert from 'node:assert/strict';
import { existsSync, readdirSync, readFileSync } from 'node:fs';
import { after, before, test } from 'node:test';
import { OutputBuffer } from '../../shared/sandbox/output-buffer.ts';
import type { LaunchSpec } from '../../shared/sandbox/sandbox.ts';
import { launchSpec } from '../support/launch-spec.ts';
import { compileC, RealLauncher } from '../support/real-launcher.ts';

const prober = compileC(`
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <sys/file.h>
#include <sys/ioctl.h>
#include <sys/mount.h>
#include <sys/ptrace.h>
#include <sys/shm.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>
#define TRY(name, call) do { errno = 0; printf("%s %d\\n", name, (long)(call) < 0 ? errno : 0); } while (0)
int main(void) {
  TRY("kill init", kill(1, SIGKILL));
  TRY("stop init", kill(1, SIGSTOP));
  TRY("trace init", ptrace(PTRACE_ATTACH, 1, 0, 0));
  TRY("user namespace", unshare(CLONE_NEWUSER));
  TRY("user namespace by clone", syscall(SYS_clone, CLONE_NEWUSER | SIGCHLD, 0, 0, 0, 0));
  TRY("clone3", syscall(SYS_clone3, 0, 0));
  TRY("setns", syscall(SYS_setns, 0, 0));
  TRY("mount", mount("x", "/tmp", "tmpfs", 0, 0));
  TRY("bpf", syscall(SYS_bpf, 0, 0, 0));
  TRY("perf", syscall(SYS_perf_event_open, 0, 0, 0, 0, 0));
  TRY("io_uring", syscall(SYS_io_uring_setup, 1, 0));
  TRY("userfaultfd", syscall(SYS_userfaultfd, 0));
  TRY("keyring", syscall(SYS_add_key, "user", "a", "b", 1, -4));
  TRY("vsock", socket(AF_VSOCK, SOCK_STREAM, 0));
  TRY("netlink", socket(AF_NETLINK, SOCK_RAW, 0));
  TRY("packet", socket(AF_PACKET, SOCK_RAW, 0));
  TRY("alg", socket(AF_ALG, SOCK_SEQPACKET, 0));
  TRY("terminal injection", ioctl(0, 0x100005412UL, "x"));
  TRY("init's memory", open("/proc/1/mem", O_RDWR));
  TRY("device", mknod("/tmp/null", S_IFCHR | 0666, 0x103));
  TRY("root", setuid(0));
  TRY("x32", syscall(0x40000000 | 39));
  TRY("allowed: unix socket", socket(AF_UNIX, SOCK_STREAM, 0));
  TRY("allowed: internet socket", socket(AF_INET, SOCK_STREAM, 0));
  TRY("allowed: shared memory", shmget(7, 4096, IPC_CREAT | IPC_EXCL | 0600));
  TRY("allowed: lock", flock(open("/dev/null", O_RDONLY), LOCK_EX | LOCK_NB));
  int other = -38;
#ifdef __x86_64__
  __asm__ volatile("int $0x80" : "=a"(other) : "a"(20));
#endif
  printf("foreign architecture %d\\n", -other);
  fflush(stdout);
  pause();
}`);

let launcher: RealLauncher;
before(async () => {
  launcher = await RealLauncher.start('envicutor-isolation');
});
after(() => launcher.stop());

async function outputOf(argv: readonly string[], changes: Partial<LaunchSpec> = {}): Promise<string> {
  const said = new OutputBuffer();
  const listener = { stdout: said.append.bind(said), stderr: said.append.bind(said) };
  await launcher.sandbox.launch(launchSpec(argv, { layers: ['base'], ...changes }), listener).report;
  return said.bytes().toString();
}

/** Starts it: what it says until a line with these words, then it waits for its end. */
function beginUntil(words: string, argv: readonly string[], changes: Partial<LaunchSpec>) {
  const { promise: said, resolve } = Promise.withResolvers<string>();
  let heard = '';
  const hear = (chunk: Uint8Array): void => {
    heard += Buffer.from(chunk).toString();
    if (heard.includes(words) && heard.endsWith('\n')) resolve(heard);
  };
  const spec = launchSpec(argv, { layers: ['base'], ...changes });
  const launch = launcher.sandbox.launch(spec, { stdout: hear, stderr: hear });
  void launch.report.then(() => resolve(heard));
  const end = async (): Promise<void> => {
    launch.kill();
    await launch.report;
  };
  return { said, end };
}

const shell = (script: string): Promise<string> => outputOf(['/bin/sh', '-c', script]);

test('two programs at once are refused everything dangerous and share neither locks nor shared memory', async () => {
  const files = [{ path: 'prober', isExecutable: true, content: prober }];
  const argv = ['/environment/workspace/prober'];
  const probing = [0, 1].map(() => beginUntil('foreign architecture', argv, { files }));
  const outputs = await Promise.all(probing.map(({ said }) => said));
  for (const { end } of probing) await end();
  const isShared = launcher.sandbox.facts.missing.includes('private-devices');
  for (const output of outputs) {
    const lines = output.trim().split('\n');
    assert.ok(lines.length >= 27, output);
    // An ordinary user can make no device: the lock is then on the machine's own /dev/null, and the first one has it.
    for (const line of lines.filter((each) => !isShared || !each.startsWith('allowed: lock')))
      assert.equal(line.endsWith(' 0'), line.startsWith('allowed'), line);
  }
});

test('nothing of the host is in sight', async () => {
  assert.equal(await shell('ls /dev'), 'fd\nfull\nnull\nrandom\nshm\nstderr\nstdin\nstdout\nurandom\nzero\n');
  assert.equal(await shell('ls -A /sys; ls -d /proc/1 2>/dev/null; cat /proc/keys /proc/kallsyms'), '');
  assert.equal(await shell('uname -n'), 'envicutor\n');
  assert.equal(
    await shell('echo x > /proc/sys/kernel/hostname && echo written').then((text) => text.includes('written')),
    false,
  );
  assert.match(await shell('cat /proc/net/dev'), /^[^:]*\n[^:]*\n\s*lo:[^:]*$/);
});

test('the program is an unprivileged user of a private id range with no capability and no way to more', async () => {
  assert.match(await shell('id'), /^uid=1000.* gid=1000/);
  const state = await shell('cat /proc/self/status');
  for (const line of ['CapPrm:\t0000000000000000', 'CapBnd:\t0000000000000000', 'NoNewPrivs:\t1', 'Seccomp:\t2'])
    assert.ok(state.includes(line), line);
  const map = (await shell('cat /proc/self/uid_map')).trim().split(/\s+/);
  assert.equal(map[0], '0');
  if (launcher.sandbox.facts.isRootless) assert.equal(map[1], '1', '0 is the user who started the launcher');
  else assert.ok(Number(map[1]) >= 0x70000000, String(map));
});

test('only standard input, output and error are open, and nothing of the environment is inherited', async () => {
  assert.equal(await shell('ls /proc/self/fd'), '0\n1\n2\n3\n', '3 is the directory being read');
  assert.equal(await outputOf(['/bin/env'], { environment: { ONLY: 'this' } }), 'ONLY=this\n');
});

test('no two runs at once have the same host id, unless private ids are said to be missing', async () => {
  const maps = await Promise.all(Array.from({ length: 6 }, () => shell('sleep 0.2; cat /proc/self/uid_map')));
  assert.equal(new Set(maps).size, launcher.sandbox.facts.missing.includes('private-ids') ? 1 : 6);
});

test('nothing is left on the host after a run', async () => {
  const mark = `1000${process.pid}`;
  await shell(`sleep ${mark} & touch /tmp/x /dev/shm/y; sleep 0.05`);
  const commands = readdirSync('/proc').filter((name) => /^\d+$/.test(name));
  const left = commands.filter((name) => existsSync(`/proc/${name}/cmdline`) && commandOf(name).includes(mark));
  assert.deepEqual(left, []);
});

function commandOf(processId: string): string {
  try {
    return readFileSync(`/proc/${processId}/cmdline`, 'utf8');
  } catch {
    return ''; // it ended while we looked
  }
}

/**
 * What perf saw becomes stacks: samples by their weight, waits by their length, root first, without the frames that every stack has.
 * Never runs perf: two records of each kind as perf script prints them.
 */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { toSummary, toSvg } from '../../bench/flame/drawing.ts';
import { foldSamples, foldWaits } from '../../bench/flame/fold.ts';

const everybody = () => true;

const samples = `envicutor-init  7136 [000] 14278.391069:     200000 cpu-clock:
\tffffffff8139779c copy_net_ns+0x18c ([kernel.kallsyms])
\tffffffff81389be8 create_new_namespaces+0xf8 ([kernel.kallsyms])
\tffffffff821ed511 do_syscall_64+0x71 ([kernel.kallsyms])
\t           ee137 unshare+0x7 (/usr/lib/libc.so.6)

node  1 [001] 14278.391169:     200000 cpu-clock:
\tffffffff8139779c copy_net_ns+0x18c ([kernel.kallsyms])
`;

const switches = `kworker/u8:1-ne 40 [000] 10.000100: sched:sched_switch: prev_comm=kworker/u8:1 prev_pid=40 prev_prio=120 prev_state=D ==> next_comm=swapper/0 next_pid=0 next_prio=120
\tffffffff821f8b58 rcu_barrier+0x618 ([kernel.kallsyms])
\tffffffff813a7132 cleanup_net+0x1a2 ([kernel.kallsyms])

true 41 [001] 10.000200: sched:sched_switch: prev_comm=true prev_pid=41 prev_prio=120 prev_state=S ==> next_comm=swapper/1 next_pid=0 next_prio=120
\tffffffff821f8b58 pipe_read+0x618 ([kernel.kallsyms])

swapper/0 0 [000] 10.002100: sched:sched_switch: prev_comm=swapper/0 prev_pid=0 prev_prio=120 prev_state=R ==> next_comm=kworker/u8:1 next_pid=40 next_prio=120
\tffffffff821f8b58 schedule_idle+0x618 ([kernel.kallsyms])

swapper/1 0 [001] 10.003100: sched:sched_switch: prev_comm=swapper/1 prev_pid=0 prev_prio=120 prev_state=R ==> next_comm=true next_pid=41 next_prio=120
\tffffffff821f8b58 schedule_idle+0x618 ([kernel.kallsyms])
`;

test('samples become stacks with the root first, of the commands that are asked for', () => {
  const folded = foldSamples(samples, (command) => command.startsWith('envicutor'), 200);
  assert.deepEqual([...folded], [['envicutor-init;unshare;create_new_namespaces;copy_net_ns', 200]]);
});

test('a wait lasts from being switched out to being switched in, and waiting for work is none', () => {
  assert.deepEqual([...foldWaits(switches, everybody)], [['kworker;cleanup_net;rcu_barrier', 2000]]);
});

test('a flame names its frames and a summary tells microseconds of each launch', () => {
  const folded = new Map([
    ['a;b<c>', 300],
    ['a;d', 100],
  ]);
  assert.match(toSvg(folded, 'two stacks'), /<title>b&lt;c&gt;: 300 µs, 75\.0 %<\/title>/);
  assert.equal(toSummary(folded, 4, 1), '- all: 100\n- a: 100\n  - b<c>: 75\n');
});

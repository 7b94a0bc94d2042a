/**
 * Owns the ways in which a breakable site breaks, by name; each is over, and what it broke works again, when its promise resolves.
 * Moments and victims are those of the numbers. Never judges what came of it.
 */
import { setTimeout as wait } from 'node:timers/promises';
import { type BreakableMachine, type BreakableSite, MEMBER_TTL_MS } from './breakable-site.ts';
import type { SeededNumbers } from './seeded-numbers.ts';

/** Breaks something for a while. */
export type Fault = () => Promise<void>;

/** All of them. */
export function faultsOf(site: BreakableSite, random: SeededNumbers): Readonly<Record<string, Fault>> {
  return { ...coordinatorFaults(site, random), ...databaseFaults(site, random), ...machineFaults(site, random) };
}

function coordinatorFaults(site: BreakableSite, random: SeededNumbers): Readonly<Record<string, Fault>> {
  const one = () => random.below(site.members.length);
  return {
    'coordinator killed': async () => {
      const index = one();
      await site.members[index]?.end('SIGKILL');
      await wait(random.below(1000));
      await site.startMember(index);
    },
    'coordinator stopped': async () => {
      const index = one();
      await site.members[index]?.end('SIGTERM');
      await site.startMember(index);
    },
    'coordinator stood still': async () => {
      const member = site.members[one()];
      member?.signal('SIGSTOP');
      await wait(MEMBER_TTL_MS * 1.5);
      member?.signal('SIGCONT');
    },
    'object store restarted': async () => {
      await site.minio.kill();
      await wait(random.below(1000));
      await site.minio.revive();
    },
  };
}

function databaseFaults(site: BreakableSite, random: SeededNumbers): Readonly<Record<string, Fault>> {
  const { databaseDisk: disk } = site;
  const { postgres } = site.coordinators;
  return {
    'database restarted': async () => {
      await postgres.kill();
      await wait(random.below(1500));
      await postgres.revive();
    },
    'database stood still': async () => {
      postgres.pause();
      await wait(1000 + random.below(1500));
      postgres.resume();
    },
    // What fits into pages that are there is still written; the rest is refused.
    'database full': async () => {
      disk.fill();
      await wait(1500 + random.below(1500));
      disk.free();
    },
    // It can't begin the next file of its log and panics, again and again until it gives up.
    'database log full': async () => {
      disk.fill();
      await postgres.psql('SELECT pg_switch_wal()').catch(() => undefined);
      await wait(1500 + random.below(1500));
      disk.free();
      await postgres.restart();
    },
  };
}

function machineFaults(site: BreakableSite, random: SeededNumbers): Readonly<Record<string, Fault>> {
  const any = () => random.of(site.machines);
  const restart = async ({ agent }: BreakableMachine) => {
    await agent.end('SIGKILL');
    await agent.start();
  };
  return {
    'agent killed': () => restart(any()),
    'launcher killed': async () => {
      const { agent, killed } = any();
      killed.push(agent.launcher.processId);
      await agent.launcher.restart();
    },
    'agent cut off': async () => {
      const { cable } = any();
      await cable.cut();
      await wait(1000 + random.below(6000));
      await cable.mend();
    },
    'agent full': async () => {
      const { disk } = any();
      disk.fill();
      await wait(1500 + random.below(2000));
      disk.free();
    },
    // What it holds and can't write down is lost with it.
    'agent full, cut off and killed': async () => {
      const machine = any();
      const { disk, cable } = machine;
      disk.fill();
      await cable.cut();
      await wait(1000 + random.below(2000));
      await machine.agent.end('SIGKILL');
      disk.free();
      await cable.mend();
      await machine.agent.start();
    },
  };
}

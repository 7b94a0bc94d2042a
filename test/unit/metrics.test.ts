/**
 * Owns the proof of which figures a scraper gets: those of the coordinator, and what the launchers of all agents count together.
 * Never scrapes over HTTP: test/integration does.
 */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { Fleet, FleetAgent } from '../../coordinator/agents/fleet.ts';
import { Metrics } from '../../coordinator/metrics.ts';
import type { AgentId } from '../../shared/ids.ts';

function agent(id: string): FleetAgent {
  const facts = {
    ...{ id: id as AgentId, name: id, pool: 'default', labels: {}, architecture: 'x86_64', release: '1' },
    ...{ kernel: '6', cores: 1, memoryBytes: 1, exclusiveCores: false },
  };
  return new FleetAgent(facts, { isDraining: false, connectedAtMs: 0, send: () => undefined });
}

test('the counts of all launchers are summed, and an agent that says nothing counts as none', async () => {
  const fleet = new Fleet();
  const [one, two, silent] = [agent('agent_1'), agent('agent_2'), agent('agent_3')];
  for (const each of [one, two, silent]) fleet.join(each);
  one.report(2, [], { stock: 1, stockWanted: 4, stockMisses: 10, running: 2, sweeping: 3 });
  two.report(2, [], { stock: 2, stockWanted: 4, stockMisses: 20, running: 0, sweeping: 0 });
  silent.report(2, []);
  const metrics = new Metrics();
  const none = () => 0;
  metrics.watch({
    ...{ queueDepth: none, leases: none, builds: none, reproductions: none, agents: () => fleet.size },
    ...{ slots: () => fleet.slots(), sandboxes: () => fleet.sandboxes(), webhooks: () => 0, trustAgeSeconds: none },
  });
  const { text } = await metrics.read();
  const figures = [...text.matchAll(/^envicutor_sandbox_(\w+) (\d+)$/gm)].map(([, name, value]) => `${name} ${value}`);
  assert.deepEqual(figures, ['stock 3', 'stock_wanted 8', 'stock_misses 30', 'running 2', 'sweeping 3']);
  assert.match(text, /^# HELP envicutor_sandbox_stock All connected agents: Prepared sandboxes, ready\.$/m);
});

/**
 * Owns the list of scenarios, in the order in which they are asked.
 * Never runs one. Invariant: their names are different, and what builds environments comes after the scenario that wants an empty store.
 */
import type { Scenario } from './scenario.ts';
import { artefactStore } from './scenarios/artefact-store.ts';
import { cacheHit } from './scenarios/cache-hit.ts';
import { cliRun } from './scenarios/cli-run.ts';
import { compileOnce } from './scenarios/compile-once.ts';
import { connectedAgents } from './scenarios/connected-agents.ts';
import { contestReplay } from './scenarios/contest-replay.ts';
import { cpuAccuracy } from './scenarios/cpu-accuracy.ts';
import { durableAccepts } from './scenarios/durable-accepts.ts';
import { environmentBuild } from './scenarios/environment-build.ts';
import { environmentUse } from './scenarios/environment-use.ts';
import { eventLatency } from './scenarios/event-latency.ts';
import { eventStreams } from './scenarios/event-streams.ts';
import { executionOverhead } from './scenarios/execution-overhead.ts';
import { fairness } from './scenarios/fairness.ts';
import { httpThroughput } from './scenarios/http-throughput.ts';
import { idleMemory } from './scenarios/idle-memory.ts';
import { judge0Room } from './scenarios/judge0-room.ts';
import { killOvershoot } from './scenarios/kill-overshoot.ts';
import { launcherThroughput } from './scenarios/launcher-throughput.ts';
import { layerForms } from './scenarios/layer-forms.ts';
import { layerPull } from './scenarios/layer-pull.ts';
import { leftBehind } from './scenarios/left-behind.ts';
import { memory } from './scenarios/memory.ts';
import { memoryAccuracy } from './scenarios/memory-accuracy.ts';
import { neighbours } from './scenarios/neighbours.ts';
import { observationCost } from './scenarios/observation-cost.ts';
import { pistonRoom } from './scenarios/piston-room.ts';
import { placement } from './scenarios/placement.ts';
import { requestCost } from './scenarios/request-cost.ts';
import { sandboxOverhead } from './scenarios/sandbox-overhead.ts';
import { secondStart } from './scenarios/second-start.ts';
import { soak } from './scenarios/soak.ts';
import { testsInOneRequest } from './scenarios/tests-in-one-request.ts';
import { timingSteadiness } from './scenarios/timing-steadiness.ts';
import { verdictFlips } from './scenarios/verdict-flips.ts';

/** All of them. */
export const scenarios: readonly Scenario[] = [
  sandboxOverhead,
  launcherThroughput,
  killOvershoot,
  cpuAccuracy,
  timingSteadiness,
  verdictFlips,
  memoryAccuracy,
  idleMemory,
  leftBehind,
  compileOnce,
  layerForms,
  layerPull,
  cacheHit,
  placement,
  durableAccepts,
  requestCost,
  httpThroughput,
  judge0Room,
  testsInOneRequest,
  executionOverhead,
  observationCost,
  fairness,
  contestReplay,
  neighbours,
  eventLatency,
  // Before all that build: its store is to be empty at first.
  artefactStore,
  environmentBuild,
  environmentUse,
  pistonRoom,
  cliRun,
  secondStart,
  memory,
  connectedAgents,
  eventStreams,
  soak,
];

/** Those with these names, or all; long ones only by name, unless they are to be quick. With the names that no scenario has. */
export function chooseScenarios(
  names: readonly string[],
  isQuick: boolean,
): { chosen: readonly Scenario[]; unknown: readonly string[] } {
  const isOrdinary = ({ isLong }: Scenario) => isQuick || isLong !== true;
  return {
    chosen: scenarios.filter((each) => (names.length === 0 ? isOrdinary(each) : names.includes(each.name))),
    unknown: names.filter((each) => !scenarios.some(({ name }) => name === each)),
  };
}

/**
 * A program that embeds a coordinator and three agents, for a test that looks at its process from outside: `node embedding-services.ts FOLDER`.
 * Never ends itself: when all is stopped there must be nothing that keeps it alive. Standard output is what it had before and after.
 */
import { takeInventory } from './inventory.ts';

// Its first use makes what all later ones go through.
await fetch('data:,');
const before = takeInventory();
// Imported only now: what is loaded may set something, too.
const { coordinatorIn, joinAgent, runOn } = await import('./embedded-fleet.ts');
const isFetchSame = takeInventory().dispatcher === before.dispatcher;
const folder = process.argv[2] ?? '';
const coordinator = await coordinatorIn(folder);
const { url, agentsUrl } = await coordinator.start();
const seats = [1, 2, 3];
const agents = await Promise.all(
  seats.map(async (seat) => {
    const { token } = await coordinator.issueEnrolmentToken();
    return await joinAgent(folder, seat, agentsUrl, { enrolmentToken: token });
  }),
);
const outputs = await Promise.all(seats.map(async (seat) => (await runOn(url, seat, `echo ${seat}`)).run?.stdout));
await Promise.all(agents.map((agent) => agent.stop()));
await coordinator.stop();
process.stdout.write(JSON.stringify({ outputs, isFetchSame, before, after: takeInventory() }));

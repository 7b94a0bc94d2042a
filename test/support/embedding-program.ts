/**
 * A program that embeds the sandbox, for tests that look at its process from outside: `node embedding-program.ts idle|awaiting|busy`.
 * Never closes its sandbox: what happens then is what the tests are about.
 */
import { createSandbox } from '../../shared/sandbox/embedded-sandbox.ts';

const sandbox = await createSandbox();
const [, , behaviour] = process.argv;
if (behaviour === 'idle') await sandbox.run({ command: ['true'] });
if (behaviour === 'awaiting') {
  const { stdout } = await sandbox.run({ command: ['sh', '-c', 'sleep 0.5; echo over'] });
  process.stdout.write(stdout);
}
if (behaviour === 'busy') {
  const spawner = 'sleep 4712 & setsid sleep 4712 & echo started; sleep 4712';
  const kept = await sandbox.run({ command: ['sh', '-c', 'echo kept > file'], keep: true });
  const layers = kept.kept === null ? [] : [kept.kept];
  await sandbox.run({
    command: ['sh', '-c', spawner],
    layers,
    onStdout: (chunk) => void process.stdout.write(Buffer.from(chunk)),
  });
}

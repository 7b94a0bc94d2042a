/**
 * Owns a process whose memory is measured while it does with a layer what an agent does: gets the blob, checks it, has it mounted.
 * Arguments: the launcher's socket, a folder, the blob's URL, and what the layer's manifest says of blob and tar, as JSON.
 * Prints JSON: resident bytes before, at the peak of getting it, and at the peak of all.
 */
import { readFileSync, writeFileSync } from 'node:fs';
import { systemRandom } from '../../shared/clock.ts';
import { LayerFetcher } from '../../shared/layers/layer-fetcher.ts';
import { LayerInstaller } from '../../shared/layers/layer-installer.ts';
import { silentLogger } from '../../shared/logger.ts';
import type { LayerManifest } from '../../shared/model/manifest.ts';
import { connectLauncher } from '../../shared/sandbox/launcher-client.ts';

const [socketPath = '', directory = '', url = '', described = ''] = process.argv.slice(2);
const { blob, tar } = JSON.parse(described) as Pick<LayerManifest, 'blob' | 'tar'>;

function statusBytes(name: string): number {
  const text = readFileSync('/proc/self/status', 'utf8');
  return Number(new RegExp(`^${name}:\\s+(\\d+) kB`, 'm').exec(text)?.[1]) * 1024;
}

const sandbox = await connectLauncher({ socketPath });
const fetcher = new LayerFetcher({ directory });
const installer = new LayerInstaller({ sandbox, random: systemRandom, logger: silentLogger });
// From here on the kernel remembers the highest resident size anew (proc(5), clear_refs).
writeFileSync('/proc/self/clear_refs', '5');
const before = statusBytes('VmRSS');
const fetched = await fetcher.fetch(url, blob);
const pulled = statusBytes('VmHWM');
const { name } = await installer.install(fetched, { tar });
const peak = statusBytes('VmHWM');
await fetched.close();
await sandbox.store.remove(name);
await fetcher.close();
await sandbox.close();
process.stdout.write(JSON.stringify({ before, pulled, peak }));

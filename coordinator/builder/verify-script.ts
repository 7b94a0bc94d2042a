/**
 * Owns running a client's `verify` script on a staged layer: installed as an agent would, run as an execution, thrown away.
 * Never uses the build's own writable layer: what is verified is what will be published.
 */
import { createReadStream } from 'node:fs';
import { join } from 'node:path';
import type { LayerInstaller } from '../../shared/layers/layer-installer.ts';
import type { BuildOrder, StagedLayer } from '../../shared/model/build.ts';
import type { Report } from '../../shared/model/verdict.ts';
import type { LayerStore, Sandbox } from '../../shared/sandbox/sandbox.ts';
import { type Ground, toVerifySpec } from './build-launches.ts';
import { STAGED_FILE } from './layer-capture.ts';
import { runScript, type ScriptSetting } from './script-run.ts';

const NAME_PREFIX = 'verify-';

/** What a `verify` script runs on. */
export interface Verification {
  readonly order: BuildOrder;
  readonly script: string;
  readonly staged: StagedLayer;
  /** The build's staging folder. */
  readonly folder: string;
  /** What the layer stands on. */
  readonly ground: Ground;
  readonly cpuShares: number;
}

/** The Report of a `verify` script; SystemError when the layer could not be installed or the sandbox not be made. */
export async function runVerifyScript(
  verification: Verification,
  setting: ScriptSetting & {
    sandbox: Pick<Sandbox, 'launch' | 'release' | 'store'>;
    installer: Pick<LayerInstaller, 'install'>;
  },
): Promise<Report> {
  const { order, script, staged, folder, ground, cpuShares } = verification;
  const { store } = setting.sandbox;
  const name = `${NAME_PREFIX}${order.buildId.replace(/^build_/, '')}`;
  await setting.installer.install({ read: () => createReadStream(join(folder, STAGED_FILE)) }, staged, name);
  try {
    const above: Ground = {
      layers: [...ground.layers, name],
      variables: { ...ground.variables, ...staged.variables },
    };
    const { report } = await runScript(setting, toVerifySpec(order, script, above, cpuShares));
    return report;
  } finally {
    await store.remove(name);
  }
}

/** Removes layers of `verify` scripts that an earlier process left. */
export async function sweepVerifyLayers(store: LayerStore): Promise<void> {
  for (const name of await store.list()) {
    if (name.startsWith(NAME_PREFIX)) await store.remove(name);
  }
}

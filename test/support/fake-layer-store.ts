/**
 * Owns a stand-in for the launcher where only its layer store and the unpacking launch matter: layers are names in a set.
 * It reads all of a launch's input, as tar does, and notes every command in order. At most what unit tests of the cache need.
 */
import { SystemError } from '../../shared/errors.ts';
import type { Launch, LaunchReport, LaunchSpec, LayerStore, Sandbox } from '../../shared/sandbox/sandbox.ts';

/** A launcher's layer store in memory. */
export class FakeLayerStore implements Pick<Sandbox, 'launch' | 'store'> {
  readonly layers = new Set<string>();
  readonly commands: string[] = [];
  /** Set to false to have a machine that can't mount images. */
  canMount = true;
  /** What tar exits with. */
  exitCode = 0;
  /** Set to hold every unpacking back until it resolves. */
  gate: Promise<void> = Promise.resolve();
  /** Set to hold every removal back until it resolves. */
  removal: Promise<void> = Promise.resolve();

  readonly store: LayerStore = {
    create: async (layer) => {
      this.commands.push('create');
      this.layers.add(layer);
    },
    commit: async (layer, to) => {
      this.commands.push(`commit ${to.slice(0, 12)}`);
      if (!this.layers.delete(layer)) throw new SystemError('sandbox-failed', `store ENOENT ${layer}`);
      const isNew = !this.layers.has(to);
      this.layers.add(to);
      return isNew;
    },
    commitImage: async (layer, to) => {
      if (!this.canMount) return 'not-mountable';
      return (await this.store.commit(layer, to)) ? 'made' : 'exists';
    },
    remove: async (layer) => {
      this.commands.push(`remove ${layer.slice(0, 12)}`);
      await this.removal;
      this.layers.delete(layer);
    },
    list: async () => [...this.layers].filter((layer) => !layer.startsWith('incoming-')),
  };

  launch(spec: LaunchSpec): Launch {
    let isKilled = false;
    const report = (async () => {
      await this.gate;
      for await (const _chunk of spec.stdin as AsyncIterable<Uint8Array>) if (isKilled) break;
      const end = isKilled ? 'client' : 'exited';
      return { end, exitCode: this.exitCode, signal: null, failure: null, exceeded: null } as LaunchReport;
    })();
    return {
      report,
      kept: { launch: 1n },
      kill: () => {
        isKilled = true;
      },
      ...{ resize: () => undefined, signal: () => undefined, taken: () => undefined },
    };
  }
}

/**
 * Owns whole sandboxes for an embedded agent: by a launcher of its own that keeps layers, or by one that somebody else has and goes on using.
 * Never knows what is run. Invariant: `close` ends what was started here, and nothing else.
 */
import { mkdirSync } from 'node:fs';
import { LauncherHost, toHostedArguments } from './launcher-host.ts';
import type { Sandbox } from './sandbox.ts';

/** A launcher that is started for one agent, and ends with it. */
export interface OwnLauncherOptions {
  /** Folder in which it keeps layers: on a local disk, root's, or without root this user's; below the agent's stateDirectory by default. */
  readonly storeDirectory?: string | undefined;
  /** Most sandboxes that are kept ready ahead of time; default: the launcher's own, 16. */
  readonly stock?: number | undefined;
  /** cgroup v2: an existing directory below which the sandboxes' own are made; default: the top for root, else our own cgroup. */
  readonly cgroupPath?: string | undefined;
  /** Path of another launcher than the one that belongs to this code. */
  readonly launcherPath?: string | undefined;
}

/** Starts a launcher; SystemError `launcher-unavailable` says why this host or user can't have one, with the remedy. */
export async function hostSandbox(options: OwnLauncherOptions & { readonly storeDirectory: string }): Promise<Sandbox> {
  const { storeDirectory, stock, cgroupPath, launcherPath } = options;
  const args = [...toHostedArguments({ stock, cgroupPath }), '--store', storeDirectory];
  const host = new LauncherHost(launcherPath, args);
  try {
    mkdirSync(storeDirectory, { recursive: true, mode: 0o700 });
    const sandbox = await host.connect();
    return withClose(sandbox, async () => {
      await sandbox.close();
      await host.ended();
    });
  } catch (error) {
    throw await host.explain('no sandbox can be made here', error);
  }
}

/** Somebody else's sandbox: it stays open when it is closed here. */
export function borrowSandbox(sandbox: Sandbox): Sandbox {
  return withClose(sandbox, async () => undefined);
}

function withClose(sandbox: Sandbox, close: () => Promise<void>): Sandbox {
  return {
    facts: sandbox.facts,
    store: sandbox.store,
    launch: (...launch) => sandbox.launch(...launch),
    release: (kept) => sandbox.release(kept),
    gauges: () => sandbox.gauges(),
    close,
  };
}

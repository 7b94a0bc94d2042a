/**
 * Owns what the launcher's short words for what a host or a user can't have mean: a sentence and a remedy for each.
 * Never decides what is missing: the launcher says it in its WELCOME, SandboxFacts.missing.
 * Invariant: every name that the launcher's sources give to `missing()` is here, and no other (test/sandbox/rootless.test.ts). A limit is never
 * among them: a limit that can't be enforced is refused, not missed.
 */
/** What one missing thing means for the sandboxes here, and what gives it. */
export interface MissingFact {
  readonly sentence: string;
  readonly remedy: string;
}

const asRoot = 'start the launcher as root';

/** By the name that the launcher says; in the order in which an operator would care. */
export const missingFacts = {
  'subordinate-ids': {
    sentence:
      'Programs run under your own user id, shown as 1000; builds and the unpacking of layers, which need 65,536 ids, are refused.',
    remedy:
      'install newuidmap (Debian: apt install uidmap) and give yourself ids: usermod --add-subuids 100000-165535 --add-subgids 100000-165535 USER',
  },
  groups: {
    sentence:
      'Programs keep your supplementary groups, and may read what the host shows of theirs below /usr and /etc.',
    remedy: 'as for subordinate-ids: with them the groups are dropped',
  },
  'private-ids': {
    sentence: 'All sandboxes of this user have the same host ids: namespaces, not ids, keep them apart.',
    remedy: asRoot,
  },
  'private-quotas': {
    sentence:
      'What the kernel counts by user (processes, pipes, inotify instances, message queues, pending signals) is shared by your sandboxes and by yourself.',
    remedy: asRoot,
  },
  'private-devices': {
    sentence:
      'Sandboxes see the /dev/null, zero, full, random and urandom of the machine: a lock on one of them is seen by the others.',
    remedy: `${asRoot}, in a container with the capability MKNOD`,
  },
  cpuset: {
    sentence: 'A program can not be bound to processors; a launch that asks for it is refused.',
    remedy:
      'as root, enable the cgroup controller cpuset above the launcher (user@.service: Delegate=cpu cpuset memory pids)',
  },
  realtime: {
    sentence:
      'The sandbox’s process 1 has no precedence over programs: on a busy machine a time of end may be stamped late.',
    remedy: `${asRoot}, or give the launcher LimitRTPRIO=1`,
  },
  priority: {
    sentence: 'The launcher has no precedence over programs: on a busy machine a limit may be enforced late.',
    remedy: `${asRoot}, or give the launcher LimitNICE=-10`,
  },
  'oom-score': {
    sentence: 'When the whole machine runs out of memory, the launcher is not spared; programs still go first.',
    remedy: `${asRoot}, or give the launcher OOMScoreAdjust=-900 in a system service`,
  },
  'open-files': {
    sentence: 'A launch that asks for more open files than the launcher may have (ulimit -Hn) is refused.',
    remedy:
      'raise its hard limit: LimitNOFILE=524288 in its unit or user@.service, or nofile in /etc/security/limits.conf',
  },
  'crash-handler': {
    sentence: 'A crash of a program starts the host’s crash handler, since your hard limit of core files is 0.',
    remedy: 'raise the hard limit to at least one block (LimitCORE=infinity), or clear kernel.core_pattern',
  },
} as const satisfies Readonly<Record<string, MissingFact>>;

/** One line each, `name: sentence Remedy: …`, for logs and the shell. A name that a newer launcher says is kept as it is. */
export function describeMissing(names: readonly string[]): readonly string[] {
  const facts: Readonly<Record<string, MissingFact | undefined>> = missingFacts;
  return names.map((name) => {
    const fact = facts[name];
    return fact === undefined ? name : `${name}: ${fact.sentence} Remedy: ${fact.remedy}`;
  });
}

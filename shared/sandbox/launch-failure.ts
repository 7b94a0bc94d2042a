/**
 * Owns the sentence for people that a launcher's {step, errno} becomes: what was attempted, why it failed, what helps.
 * Never decides whose fault a failure is, nor a verdict (judge.ts).
 * Invariant: every step of the contract has a sentence, and step and errno themselves are always part of it, to be searched for.
 */
import { missingFacts } from './launcher-facts.ts';
import type { LaunchReport } from './sandbox.ts';

/** Where a launch failed and with which errno, by name. */
export type LaunchFailure = NonNullable<LaunchReport['failure']>;

/** What the step attempts, and what helps when nothing more particular is known. */
const steps: Readonly<Record<string, readonly [attempted: string, remedy: string]>> = {
  decode: ['the request for a sandbox was refused', 'a value in it is out of its range'],
  shell: ['a process for the sandbox could not be made', 'see that the machine has processes and memory left'],
  ids: ["the sandbox's private user ids could not be set up", 'see that user namespaces are allowed on this machine'],
  cgroup: ["the sandbox's limits could not be set", 'see that this machine has the cgroup controllers that they need'],
  network: ["the sandbox's network could not be made", 'see that network namespaces are allowed on this machine'],
  egress: ['the way out to the network could not be opened', "see the egress command and its proxy's log"],
  layers: ['a layer of the environment could not be mounted', 'it may have been removed meanwhile: try again'],
  overlay: ["the environment's layers could not be put together", 'see that this kernel has overlayfs, 6.6 or newer'],
  mounts: [
    "the sandbox's file systems could not be mounted",
    'see that a layer does not stand in the way of /proc, /dev, /tmp or /run',
  ],
  terminal: ['the terminal could not be made', 'see that this kernel has devpts, and terminals left (kernel.pty.max)'],
  files: [
    "the request's files could not be written",
    'see that their paths fit together and that the disk limits leave room',
  ],
  pivot: ["the sandbox's root could not be entered", 'see the log of the launcher'],
  limits: [
    "the process's limits could not be set",
    'see that the machine allows as many open files as the limit asks for',
  ],
  privileges: ['privileges could not be dropped', 'see the log of the launcher'],
  seccomp: ['the filter of system calls could not be installed', 'see that this kernel has seccomp filters'],
  directory: ['the working directory could not be entered', 'see that no layer has something else in its place'],
  exec: ['the program could not be started', 'see that it is a program for this machine'],
  store: ['the layer store could not do it', 'see that its disk works and is not full'],
  lost: [
    'the sandbox was lost',
    'its first process died or did not get ready in time: the machine may be out of memory',
  ],
};

/** What is known of one errno at one step; it takes the place of the step's remedy. */
const particular: Readonly<Record<string, string>> = {
  'exec ENOENT':
    'it does not exist, or the interpreter that its first line or its header names does not: install it in the setup script, or correct the name',
  'exec EACCES': 'it is not executable, or it is a directory: mark it as executable, or name the program in it',
  'exec ENOEXEC':
    "it is neither a program for this machine's architecture nor a script whose first line names its interpreter (#!)",
  'exec ELOOP':
    'its interpreter is a script itself, and so on, deeper than the kernel follows; or its path is a loop of links',
  'exec E2BIG':
    'its arguments and variables are longer than the kernel takes: 128 KiB each, and a quarter of the stack limit together',
  'exec ENOMEM': 'the memory limit is too small to load it',
  'exec ENOTDIR': 'a part of its path is no directory',
  'exec ENAMETOOLONG': 'its path is longer than the kernel takes',
  'exec ETXTBSY': 'it is still open for writing',
  'exec EPERM': 'the kernel does not let this user run it',
  'exec EINVAL': 'its header names more than one interpreter, or is damaged',
  'exec ELIBBAD': 'the interpreter that its header names is not one for this machine',
  'exec EIO': 'it could not be read',
  'decode E2BIG': 'it names more layers than a sandbox can have',
  'decode EEXIST': 'its number was used before on this connection',
  'decode EOPNOTSUPP': 'it asks for something that this launcher does not have: build both from the same source',
  'ids EOPNOTSUPP': `it needs 65,536 ids, and the user who started the launcher has one: ${missingFacts['subordinate-ids'].remedy}`,
  'cgroup EOPNOTSUPP':
    'this machine has no cpuset controller, which pinning to processors needs: mount it, or do not pin',
  'cgroup ERANGE': 'the list names processors that this machine does not have, or that its cgroup may not use',
  'cgroup EINVAL': 'a limit or a list of processors is not one that this machine has',
  'layers ENOENT': 'it is not in the store (any more): try again, it will be fetched',
  'files ENOSPC': 'they do not fit into the disk limit (diskBytes, diskInodes)',
  'files EDQUOT': 'they do not fit into the disk limit (diskBytes, diskInodes)',
  'files EEXIST': 'one of them is there twice, or has the name of a directory',
  'files EISDIR': 'one of them has the name of a directory',
  'files ENOTDIR': 'one of them would lie below a file',
  'files ELOOP': 'a link in the environment stands in the way of one of them',
  'limits EPERM':
    'the limit of open files is above what this machine allows: lower it, or raise fs.nr_open (and without root the user’s hard limit)',
  'egress ENOENT': 'this launcher was started without an egress command, so it runs no builds',
  'egress ENOEXEC': 'the egress command of this launcher can not be executed',
  'store ENOENT': 'there is no such layer',
  'store EEXIST': 'there is such a layer already',
  'store EINVAL': 'that is not the name of a layer',
  'store ENOSPC': 'its disk is full',
  'lost ETIMEDOUT': 'it was not ready within two minutes: the machine is overloaded or out of memory',
};

/** One sentence, for example `the program could not be started: it does not exist … (step exec, ENOENT)`. */
export function toFailureSentence({ step, errno }: LaunchFailure): string {
  const [attempted, remedy] = steps[step] ?? [
    'the sandbox failed',
    'this program does not know the step: build both from the same source',
  ];
  return `${attempted}: ${particular[`${step} ${errno}`] ?? remedy} (step ${step}, ${errno})`;
}

/** Why a launch has no verdict, as a sentence: its failure, or its end when nothing failed. */
export function toLaunchSentence(report: Pick<LaunchReport, 'end' | 'failure'>): string {
  if (report.failure !== null) return toFailureSentence(report.failure);
  return report.end === 'client' ? 'the run was ended by us' : `the run ended: ${report.end}`;
}

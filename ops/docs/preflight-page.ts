/**
 * Owns docs/preflight.md: the command, every requirement of an agent's machine as tables, the form of its JSON.
 * Never lists a requirement by hand.
 */
import type { TObject } from '@sinclair/typebox';
import { agentRequirements } from '../../agent/preflight/agent-requirements.ts';
import { usage } from '../../agent/preflight/command.ts';
import { configurationRequirement } from '../../agent/preflight/configuration-requirement.ts';
import { contestRequirements } from '../../agent/preflight/contest-requirements.ts';
import { ChangeRow, RequirementRow } from '../../agent/preflight/report.ts';
import type { ContestRequirement, Requirement } from '../../agent/preflight/requirement.ts';
import { startRequirements } from '../../agent/preflight/start-requirements.ts';
import { describeSchema, notice, table } from './markdown.ts';

/** The text of docs/preflight.md. */
export function toPreflightPage(): string {
  const ofAgent = [configurationRequirement, ...startRequirements, ...agentRequirements];
  return [
    notice('agent/preflight/'),
    '# Preflight: is this machine fit to be an agent?',
    '',
    ...command,
    '## Requirements of every agent',
    '',
    'Without a `must` the agent does not start (exit code 78, the same sentences); without a `should` it starts, and works badly.',
    '',
    table(['id', 'what', 'needed', 'how much', 'remedy'], ofAgent.map(toCells)),
    '',
    '## Requirements of contests',
    '',
    'Times that are compared between runs and machines want these. What is `information` is told for comparison and never makes the exit code 1.',
    'A machine that does not tell is `unknown`: a virtual machine often hides its frequencies, and is itself unprovable.',
    '',
    table(['id', 'what', 'needed', 'how much', 'remedy', '`--fix`'], contestRequirements.map(toContestCells)),
    '',
    ...fixing,
    '## JSON',
    '',
    '`--json` prints an array of these; names stay, others may come beside them:',
    '',
    toFields(RequirementRow),
    '',
    '`--undo --json` prints an array of these, which are also the `changes` of a requirement:',
    '',
    toFields(ChangeRow),
    '',
    'Outcomes: `changed`; `restored`; `unchanged` (it had its former value already); `left` (somebody else changed it since, and it stays as it is);',
    '`refused` (the kernel did not take it; `detail` says why).',
    '',
  ].join('\n');
}

function toCells({ id, about, needed, severity, remedy }: Requirement<never>): string[] {
  return [`\`${id}\``, about, needed, severity, remedy];
}

function toContestCells(requirement: ContestRequirement): string[] {
  const { fix } = requirement;
  return [...toCells(requirement), 'byHand' in fix ? `no: ${fix.byHand}` : 'yes'];
}

function toFields(schema: TObject): string {
  const rows = Object.entries(schema.properties).map(([name, field]) => [
    `\`${name}\``,
    describeSchema(field),
    field.description ?? '',
  ]);
  return table(['field', 'is', 'meaning'], rows);
}

const command = [
  '`envicutor-agent preflight` (in a checkout `node agent/main.ts preflight`) looks at this machine, under the settings that the agent would have',
  '([configuration.md](configuration.md)), and prints one line for each requirement: `ok`, `wrong` or `unknown`, what was found, what is needed, and',
  "what mends it. Run it as the agent's user, who is to write the state directory; the launcher answers him and root. It makes no folder, and starts nothing but,",
  'where `slotCpus` is set, one `/bin/true` in a sandbox for each slot, as a start of the agent does.',
  '',
  '```',
  usage.trimEnd(),
  '```',
  '',
  'Exit codes: 0, nothing is to be mended; 1, something is; 64, arguments that make no sense.',
  '',
];

const fixing = [
  '## Changing settings for a contest, and putting them back',
  '',
  '`preflight --contest --fix`, as root, writes the files of the requirements with `yes`, where they are not right; nothing else ever changes a',
  'setting but this, and an agent with `ENVICUTOR_AGENT_CONTEST=fix`. Before each write, what was there is put into a record,',
  '`contest-settings.json` in `ENVICUTOR_AGENT_CONTEST_DIRECTORY`; `preflight --undo` writes it back, last first. Killed at any moment, it has changed',
  'nothing that `--undo` does not put back; both may be repeated. A setting that somebody else changed since is left as it is, and said. After a boot',
  'the record means nothing, since the settings went with the boot. It does not lie in the state directory: root obeys the record, and that folder',
  "is the agent's. A folder or record that another user could write is refused.",
  '',
  'The agent is unprivileged and can not write these files, so the unit of its launcher, which is root, does it:',
  '',
  '```ini',
  '[Service]',
  'ExecStartPre=-/usr/bin/envicutor-agent preflight --contest --fix',
  'ExecStopPost=-/usr/bin/envicutor-agent preflight --undo',
  '```',
  '',
  "with the path where `envicutor-agent` is, and with the agent's settings (`EnvironmentFile=`), since slots say which processors are to be quiet. The `-` lets the",
  'launcher start although something is still wrong, such as what is by hand; without it the launcher does not start on such a machine. `ExecStopPost=`',
  'is run after a crash, too. `install-agent install --contest` writes such a unit ([installing-agents.md](installing-agents.md)).',
  '',
  '`ENVICUTOR_AGENT_CONTEST` says what the agent itself does at its start: `off`, nothing; `check`, a warning in its log for each requirement of contests that is not met;',
  '`fix`, besides that, the same changes, put back at an orderly end: for an agent that runs as root in a machine of its own. Anywhere else it',
  'warns that it may not. One of the two should do it, not both: whoever ends first puts back.',
  '',
];

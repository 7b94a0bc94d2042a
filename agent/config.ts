/**
 * Owns every setting of the agent: name, default, unit, sentence. `stateDirectory` is read from ENVICUTOR_AGENT_STATE_DIRECTORY.
 * Never reads the environment itself (shared/config does) and has no side effect when imported: documentation derives from it.
 */
import { type Static, Type } from '@sinclair/typebox';
import { Closed, OneOf } from '../shared/model/closed.ts';

/** Prefix of the agent's environment variables. */
export const CONFIG_PREFIX = 'ENVICUTOR_AGENT';

const text = (value: string, description: string) => Type.String({ default: value, description });
const integer = (value: number, minimum: number, description: string) =>
  Type.Integer({ default: value, minimum, description });

/** The agent's configuration. */
export const AgentConfig = Closed({
  coordinatorUrl: Type.String({
    default: 'ws://127.0.0.1:7070/agents',
    pattern: '^wss?://[^,]+(,wss?://[^,]+)*$',
    description:
      "WebSocket URL of the coordinator's endpoint for agents, ws:// or wss://; several coordinators of one database, separated by commas: any of them will do.",
  }),
  coordinatorCaFile: text(
    '',
    'PEM file of the authority by which coordinators at wss:// are known, and https:// addresses of layers besides the usual authorities; empty: those only.',
  ),
  name: Type.String({ default: '', maxLength: 128, description: 'Name shown to operators; empty: the host name.' }),
  pool: text('default', 'Pool that this agent belongs to.'),
  labels: Type.Array(Type.String({ pattern: '^[^=]+=.*$' }), {
    default: [],
    description: 'Labels for placement: name=value, separated by commas.',
  }),
  policyFile: text(
    '',
    'JSON file in which the owner of this machine says who may use it, for what and when (docs/federation.md), whatever the coordinator says; looked at with every report; empty: what the coordinator offers.',
  ),
  stateDirectory: text('/var/lib/envicutor/agent', 'Folder of the key pair, the id and the index of layers.'),
  launcherSocketPath: text('/run/envicutor/agent-launcher.sock', "Unix socket of this agent's launcher."),
  launcherWaitMs: integer(10_000, 0, 'How long the start waits for the launcher; milliseconds.'),
  enrolmentTokenFile: text('', 'File with a one-time enrolment token, read when the coordinator does not know us.'),
  slots: integer(0, 0, 'Executions at a time; 0: one for each core.'),
  memoryBytes: integer(0, 0, 'Memory that executions may be promised together; 0: nine tenths of the machine; bytes.'),
  compiledChecksBytesMax: integer(
    134_217_728,
    0,
    'What compiled check programs may hold in memory, to be used again; not offered to executions, unless memoryBytes says what is; bytes.',
  ),
  slotCpus: Type.String({
    default: 'none',
    pattern: '^(none|one-core-each|[0-9,-]+(;[0-9,-]+)*)$',
    description:
      'Processors of each slot: none, one-core-each, or one cpuset list for each slot, separated by semicolons, such as 0-1;2-3. No processor belongs to two.',
  }),
  calibrationIntervalMs: integer(
    600_000,
    0,
    'How often each slot with processors of its own is calibrated, for the certificates of its times (docs/timing.md); 0: never; milliseconds.',
  ),
  layerBytesMax: integer(21_474_836_480, 1, 'Weight of all layers kept here, without compression; bytes.'),
  layerTenantPercentMax: Type.Integer({
    default: 50,
    minimum: 1,
    maximum: 100,
    description:
      "What one tenant's own layers may weigh when room is needed, in hundredths of layerBytesMax; above it they go first.",
  }),
  fileBytesMax: integer(
    2_147_483_648,
    0,
    'Weight of files that orders name, kept here for the next ones; what is in use counts beside it; bytes.',
  ),
  scrubIntervalMs: integer(
    600_000,
    0,
    'How often a layer is read again and compared with its digest, one at a time; 0: never; milliseconds.',
  ),
  trustTtlMs: integer(300_000, 1000, 'Age of the trust state above which no new layer is taken in; milliseconds.'),
  trustedKeyIds: Type.Array(Type.String({ pattern: '^sha256:[0-9a-f]{64}$' }), {
    default: [],
    description:
      'Ids of signing keys whose trust states are believed whatever was seen before; empty: the first one is.',
  }),
  edgeListenPort: Type.Integer({
    default: 0,
    minimum: 0,
    maximum: 65_535,
    description: 'Port on 127.0.0.1 on which this site is served from what is held here (docs/edge.md); 0: it is not.',
  }),
  edgeKeysFile: text(
    '',
    'JSON file of the keys of the local API, whose each is and what it may; needed with edgeListenPort.',
  ),
  edgeQueueDepthMax: integer(100, 1, 'Executions of the local API that may wait for a slot; beyond it: 429.'),
  edgeRecordsMax: integer(
    10_000,
    1,
    'Executions of the local API that are kept here; those that the coordinator has not recorded are not given up for more.',
  ),
  edgeRecordsBytesMax: integer(1_073_741_824, 1, 'Size of what is kept of them; bytes.'),
  diskFreeBytesMin: integer(1_073_741_824, 0, 'Free disk space below which the agent does not start; bytes.'),
  contest: OneOf(['off', 'check', 'fix'], {
    default: 'off',
    description:
      'Contest mode (docs/preflight.md): check warns at the start of what makes times unreliable; fix also changes the settings that can be put back, and puts them back at an orderly end; only an agent that runs as root can.',
  }),
  contestDirectory: text(
    '/var/lib/envicutor/contest',
    'Folder of the record of settings that contest mode changed; it belongs to whoever changes them, root, and never to the agent.',
  ),
  whenCutOff: OneOf(['end', 'finish'], {
    default: 'finish',
    description:
      'What becomes of executions while the coordinator is away for longer than their leases are good: end them, or finish them and keep the results (docs/edge.md).',
  }),
  outboxEntriesMax: integer(1000, 1, 'Unacknowledged results beyond which no lease is taken.'),
  outboxBytesMax: integer(67_108_864, 1, 'Size of unacknowledged results beyond which no lease is taken; bytes.'),
  redialMinMs: integer(
    100,
    1,
    'Bound of the first random wait before dialling again; doubles each time; milliseconds.',
  ),
  redialMaxMs: integer(15_000, 1, 'Highest bound of that wait; milliseconds.'),
  heartbeatMs: integer(10_000, 100, 'Silence after which the coordinator is asked for a sign of life; milliseconds.'),
  drainTimeoutMs: integer(10_000, 0, 'How long the end waits for running executions; milliseconds.'),
  tracesUrl: Type.String({
    default: '',
    pattern: '^(https?://.+)?$',
    description:
      'Whole URL of a collector that takes OTLP over HTTP as JSON (docs/observability.md); which leases are told the coordinator says; empty: none.',
  }),
  logLevel: OneOf(['debug', 'info', 'warn', 'error', 'silent'], {
    default: 'info',
    description: 'Least severe messages that are logged.',
  }),
});
/** The agent's configuration, loaded. */
export type AgentConfig = Static<typeof AgentConfig>;

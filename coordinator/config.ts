/**
 * Owns every setting of the coordinator: name, default, unit, sentence. `leaseTtlMs` is read from ENVICUTOR_LEASE_TTL_MS.
 * Never reads the environment itself (shared/config does) and has no side effect when imported: documentation derives from it.
 */
import { type Static, type TInteger, Type } from '@sinclair/typebox';
import { Closed, OneOf } from '../shared/model/closed.ts';
import { COLLECTED_FILES_MAX } from '../shared/model/collection.ts';
import { type LimitName, limitMaxima, limitNames, limitProperties } from '../shared/model/limits.ts';
import { compatibilitySettings } from './compatibility/compatibility-settings.ts';
import { pageSettings } from './pages/page-settings.ts';

/** Prefix of the coordinator's environment variables. */
export const CONFIG_PREFIX = 'ENVICUTOR';

const text = (value: string, description: string) => Type.String({ default: value, description });
const secret = (description: string) => Type.String({ default: '', description, secret: true });
const flag = (value: boolean, description: string) => Type.Boolean({ default: value, description });
const integer = (value: number, minimum: number, description: string) =>
  Type.Integer({ default: value, minimum, description });

type MaximumName = `${LimitName}Max`;

const maxima = Object.fromEntries(
  limitNames.map((name) => [
    `${name}Max`,
    integer(
      limitMaxima[name],
      1,
      `Highest ${name} that a compile or run script may ask for. ${limitProperties[name].description}`,
    ),
  ]),
) as Record<MaximumName, TInteger>;

/** The coordinator's configuration. */
export const CoordinatorConfig = Closed({
  listenHost: text(
    '127.0.0.1',
    'Address to listen on; any but a loopback address needs tenantsFile, and tlsCertFile or allowPlainHttp.',
  ),
  listenPort: Type.Integer({
    default: 7070,
    minimum: 0,
    maximum: 65_535,
    description: 'TCP port to listen on, for the API and for agents; 0 takes a free one.',
  }),
  publicUrl: text('', 'URL under which agents and the builder reach this coordinator; empty: the listening address.'),
  allowPlainHttp: flag(
    false,
    'Listen on an address that others can reach without TLS: a proxy of your own in front ends it, or the network is trusted.',
  ),
  tlsCertFile: text(
    '',
    'PEM file of the certificate, with its chain, by which this port is served over TLS (https, wss); empty: plain HTTP. Read again when it changes.',
  ),
  tlsKeyFile: text('', 'PEM file of its private key.'),
  tlsReloadMs: integer(10_000, 100, 'How often the two files are looked at; milliseconds.'),
  clusterCaFile: text(
    '',
    'PEM file of the authority by which other coordinators are known when they serve over TLS; empty: those of the system.',
  ),
  trustProxy: Type.Array(Type.String(), {
    default: [],
    description:
      'Addresses or ranges (10.0.0.0/8) of proxies of your own, from which X-Forwarded-For is believed; empty: from nobody. Comma separated.',
  }),
  stateDirectory: text('/var/lib/envicutor/coordinator', 'Folder of the SQLite database and of the instance key.'),
  databaseUrl: secret(
    'PostgreSQL that several coordinators share, as postgres://user:password@host/database; empty: SQLite in stateDirectory.',
  ),
  instanceKeyFile: text(
    '',
    'File of the 32 random bytes that all coordinators of one database must have; empty: instance.key in stateDirectory.',
  ),
  clusterUrl: text(
    '',
    'URL under which other coordinators of the database reach this one; empty: the listening address. Not through a load balancer.',
  ),
  memberTtlMs: integer(
    10_000,
    1000,
    'How long a coordinator that says nothing keeps its tenants before others take them over; milliseconds.',
  ),
  builderSocketPath: text('/run/envicutor/builder.sock', 'Unix socket of the builder.'),
  verifierSocketPath: text('/run/envicutor/verifier.sock', 'Unix socket of the verifier.'),
  storeKind: OneOf(['directory', 'minio'], {
    default: 'directory',
    description: 'Where layers are kept: a local directory, or MinIO (any S3-compatible store).',
  }),
  storeDirectory: text('/var/lib/envicutor/store', 'The directory when storeKind is directory; read only from here.'),
  minioEndpoint: text('', 'URL of MinIO when storeKind is minio, for example http://10.0.0.5:9000.'),
  minioPublicEndpoint: text('', 'URL under which agents reach MinIO; empty: minioEndpoint.'),
  minioBucket: text('envicutor', 'Bucket of the cache.'),
  minioRegion: text('us-east-1', 'Region that requests are signed for.'),
  minioAccessKey: text('', 'Access key of a user that may only read.'),
  minioSecretKey: secret('Secret key of that user.'),
  filesDirectory: text(
    '',
    'Folder of files that clients send or collect, while minioFilesBucket is empty; empty: files in stateDirectory. Several coordinators share it.',
  ),
  minioFilesBucket: text('', 'Bucket of such files, in the MinIO of minioEndpoint; empty: filesDirectory.'),
  minioFilesReaderAccessKey: text('', 'Access key of a user that may only read that bucket: agents see it.'),
  minioFilesReaderSecretKey: secret('Secret key of that user.'),
  minioFilesWriterAccessKey: text('', 'Access key of a user that may only write to that bucket.'),
  minioFilesWriterSecretKey: secret('Secret key of that user.'),
  minioFilesPurgerAccessKey: text('', 'Access key of a user that may only list that bucket and delete from it.'),
  minioFilesPurgerSecretKey: secret('Secret key of that user.'),
  fileBytesMax: integer(1_073_741_824, 1, 'Largest file that a client may send; bytes.'),
  uploadBytesMax: integer(
    8_589_934_592,
    1,
    'Files that may be on their way into the store together, on the disk of stateDirectory; of one tenant half of that; beyond it: 429; bytes.',
  ),
  tenantFileBytesMax: integer(107_374_182_400, 0, 'What all files of one tenant may weigh; 0: no bound; bytes.'),
  fileTtlMs: integer(
    604_800_000,
    1000,
    'How long a file is kept after it was sent, sent again, or used by an execution; milliseconds.',
  ),
  resultTtlMs: integer(
    2_592_000_000,
    0,
    'How long a finished execution is kept, with its output and what it left; 0: for ever; milliseconds.',
  ),
  retentionIntervalMs: integer(600_000, 0, 'How often what is over is removed; 0: never; milliseconds.'),
  collectBytesMax: integer(33_554_432, 0, 'What all files may weigh that one execution leaves to be kept; bytes.'),
  collectFilesMax: Type.Integer({
    default: 100,
    minimum: 0,
    maximum: COLLECTED_FILES_MAX,
    description: 'How many files one execution may leave to be kept.',
  }),
  collectedFileTtlMs: integer(
    604_800_000,
    1000,
    'How long they are kept, at most as long as the execution; milliseconds.',
  ),
  tenantsFile: text('', 'JSON file of tenants and their keys; empty: one tenant `local` without a key, on loopback.'),
  tenantsMax: integer(10_000, 1, 'Tenants that may be made over HTTP.'),
  tenantKeysMax: integer(100, 1, 'Keys of one tenant that may be given out over HTTP.'),
  keysRefreshMs: integer(
    1000,
    50,
    'How often tenants, keys and the tenants file are looked at again: a revoked key is known so long elsewhere; milliseconds.',
  ),
  keysGraceMs: integer(
    900_000,
    0,
    'How long keys of the store are good while it does not answer; those of the tenants file are always; milliseconds.',
  ),
  auditAgeMsMax: integer(34_560_000_000, 60_000, 'How long what operators did is kept; milliseconds.'),
  auditEntriesMax: integer(1_000_000, 1, 'Actions of operators that are kept; the oldest go first.'),
  usageFlushMs: integer(2000, 10, 'How often usage is written: what a crash may lose; milliseconds.'),
  usageDaysMax: integer(400, 1, 'Days of usage that are kept.'),
  enrolmentTokensMax: integer(
    1000,
    1,
    'Enrolment tokens of one pool, or of none, that may be out and unused at a time.',
  ),
  poolAgentsMax: integer(10_000, 1, "Agents that may be enrolled in one tenant's pool, retired ones too."),
  agentsMax: Type.Integer({
    default: 100_000,
    minimum: 1,
    maximum: 100_000,
    description: 'Agents that may be enrolled in all, retired ones too: a list of their keys holds no more.',
  }),
  enrolmentTokenFile: text(
    '',
    'File into which a fresh one-time token for the embedded agent is written; empty: none.',
  ),
  enrolmentTokenTtlMs: integer(86_400_000, 1000, 'How long a one-time enrolment token is good; milliseconds.'),
  bodyBytesMax: integer(33_554_432, 1024, 'Largest request body, at most 83886080; bytes.'),
  requestMsMax: integer(120_000, 500, 'How long a request may take to arrive, its body too; milliseconds.'),
  answerStallMsMax: integer(
    30_000,
    500,
    'How long a client may take nothing of an answer before its connection is closed; milliseconds.',
  ),
  corsOrigins: Type.Array(Type.String(), {
    default: [],
    description:
      'Origins whose pages may use the API with a key of theirs, such as https://contest.example; *: all. Needs tenantsFile. Comma separated.',
  }),
  ...pageSettings,
  ...compatibilitySettings,
  recipesDirectory: text(
    '',
    'Folder of recipes that /v1/recipes answers, each a folder of its own (docs/recipes.md); empty: those that come with this release.',
  ),
  waitSecondsMax: integer(300, 1, 'Longest ?wait of an execution; seconds.'),
  terminalsMax: integer(1000, 1, 'Connections to terminals of interactive executions; beyond it: 429.'),
  terminalWaitMsMax: integer(
    30_000,
    100,
    'How long the program of an interactive execution runs before a client must be at its terminal; milliseconds.',
  ),
  terminalAwayMsMax: integer(
    60_000,
    100,
    'How long it goes on after its client has gone, for one that comes back; milliseconds.',
  ),
  terminalTicketTtlMs: integer(30_000, 100, 'How long a ticket for a terminal is good; milliseconds.'),
  queueDepthMax: integer(2000, 1, 'Executions that may wait for an agent or an environment; beyond it: 429.'),
  liveRequestBytesMax: integer(
    0,
    0,
    'What requests of executions that are not over may hold of memory, of all tenants together; beyond it: 429; 0: a quarter of the largest heap of the process, 1 GiB on most machines; bytes.',
  ),
  tenantExecutionsPerSecondMax: Type.Number({
    default: 0,
    minimum: 0,
    description:
      'Executions that one tenant may begin in a second, unless the tenants file says otherwise; 0: no bound.',
  }),
  tenantExecutionsBurstMax: integer(100, 1, 'Executions that one tenant may begin at once when that is bounded.'),
  tenantConcurrencyMax: integer(
    0,
    0,
    'Executions of one tenant that may run at once, unless it has a quota of its own; more wait; 0: no bound.',
  ),
  tenantQueueDepthMax: integer(
    0,
    0,
    'Executions of one tenant that may wait, unless it has a quota of its own; 0: its share of queueDepthMax.',
  ),
  tenantExecutionsPerMinuteMax: integer(
    0,
    0,
    'Executions that one tenant may begin in a minute of the clock, unless it has a quota of its own; 0: no bound.',
  ),
  tenantStoredBytesMax: integer(
    0,
    0,
    'Bytes of results, requests and own layers that are kept for one tenant, unless it has a quota of its own; 0: no bound.',
  ),
  storedBytesAgeMsMax: integer(30_000, 0, 'Age at which what is stored for a tenant is measured again; milliseconds.'),
  queueWaitMsMax: integer(600_000, 1000, 'How long an execution may wait for an agent before it fails; milliseconds.'),
  preWarmCopiesAtOnceMax: integer(
    32,
    0,
    'Agents that may fetch one much used environment at the same time, before a demand waits for it there; 0: none.',
  ),
  retriesMax: integer(3, 0, 'How often an execution is tried elsewhere after a failure of ours.'),
  rerunNearLimitPercent: Type.Integer({
    ...{ default: 5, minimum: 0, maximum: 50 },
    description:
      'How near to a limit, in hundredths of it, a time that something disturbed is doubted and the execution run again on another agent (docs/timing.md); 0: never.',
  }),
  leaseTtlMs: integer(15_000, 500, 'How long a lease is good without a report of its agent; milliseconds.'),
  reportIntervalMs: integer(3000, 100, 'How often agents report; milliseconds.'),
  reconnectGraceMs: integer(700, 0, 'How long a lost agent may take to come back before its leases go elsewhere; ms.'),
  offerTimeoutMs: integer(5000, 100, 'How long an agent may take to answer an offer; milliseconds.'),
  drainMsMax: integer(20_000, 0, 'How long running executions may take to end after SIGTERM; milliseconds.'),
  drainNoticeMs: integer(
    2000,
    0,
    'How long one of several coordinators that stops still answers, so that a load balancer learns of it from /readyz; milliseconds.',
  ),
  finishedKept: integer(1000, 1, 'Finished executions without a durable record that are kept in memory.'),
  idempotencyTtlMs: integer(86_400_000, 1000, 'How long an Idempotency-Key is remembered; milliseconds.'),
  webhookPlainHttp: flag(false, 'Let webhooks go to http:// receivers, whom anybody on the way can read.'),
  webhookPorts: Type.Array(Type.String({ pattern: '^(\\*|[1-9][0-9]{0,4})$' }), {
    default: ['443', '8443'],
    description: 'Ports that webhooks may be sent to; * is any. Comma separated.',
  }),
  webhookPrivateRanges: Type.Array(Type.String(), {
    default: [],
    description:
      'Addresses and ranges that webhooks may be sent to though they are not public, for example 10.1.2.0/24. Comma separated.',
  }),
  webhookDeniedRanges: Type.Array(Type.String(), {
    default: [],
    description: 'Addresses and ranges that webhooks may never be sent to. Comma separated.',
  }),
  webhookTimeoutMs: integer(15_000, 100, 'How long one attempt of a webhook may take, all of it; milliseconds.'),
  webhooksAtOnceMax: integer(64, 1, 'Attempts of webhooks that are under way at the same time.'),
  webhooksPerTenantMax: integer(16, 1, 'The same of one tenant.'),
  webhookDeliveryDaysMax: integer(30, 1, 'How long deliveries that are over can be seen and replayed; days.'),
  webhookSecretOverlapMs: integer(
    86_400_000,
    0,
    "How long a tenant's secret signs beside the one that has replaced it; milliseconds.",
  ),
  failureTtlMs: integer(30_000, 0, "How long a script's failure in a build is remembered, doubling; milliseconds."),
  unreachableTtlMs: integer(3000, 0, 'The same when the registry could not be reached; milliseconds.'),
  reproduceBuilds: OneOf(['auto', 'on', 'off'], {
    default: 'auto',
    description:
      "Build tenants' layers a second time while nothing else is built, to share them; auto: with a tenantsFile.",
  }),
  reproductionIdleMs: integer(
    2000,
    0,
    'How long no build of a client must have run before a second build; milliseconds.',
  ),
  signedPlainHttpUrls: Type.Array(Type.String(), {
    default: [],
    description:
      'URLs (* is anything) that may come by http:// into shared layers, since their client checks signatures: apt. Comma separated.',
  }),
  layerUrlTtlSeconds: integer(3600, 60, "How long a layer's URL is good; seconds."),
  warmBases: Type.Array(Type.String(), { default: [], description: 'Bases to build at start, for example debian-13.' }),
  cacheEpoch: text('1', 'Part of every layer key: raise it to build everything again.'),
  cacheSalt: text('', 'Part of every layer key: change it to disown all layers, for example after an incident.'),
  egressPolicyFile: text(
    '',
    'JSON file of the rules of the build network (docs/build-network.md), part of every layer key; empty: any public host.',
  ),
  tenantBuildsMax: integer(32, 0, 'Builds of one tenant at the same time; more wait; 0: no bound.'),
  tenantBuildSecondsMax: integer(172_800, 0, 'Seconds that builds of one tenant may run in a UTC day; 0: no bound.'),
  tenantEgressBytesMax: integer(
    256 * 1024 ** 3,
    0,
    'Bytes that builds of one tenant may fetch in a UTC day; 0: no bound.',
  ),
  tenantEgressRequestsMax: integer(
    2_000_000,
    0,
    'Requests that builds of one tenant may make in a UTC day; 0: no bound.',
  ),
  cacheAgeMsMax: integer(0, 0, 'Layers that were not used for so long are removed from the store; 0: never; ms.'),
  cacheBytesMax: integer(
    0,
    0,
    'Blobs above which the layers that were not used longest are removed; 0: no bound; bytes.',
  ),
  cacheGraceMs: integer(3_600_000, 0, 'What is younger, or was used since, is never removed by itself; milliseconds.'),
  cacheSweepIntervalMs: integer(21_600_000, 0, 'How often the store is swept by these rules; 0: only when asked; ms.'),
  trustRenewMs: integer(60_000, 100, 'How often the trust state is signed anew and told to agents; milliseconds.'),
  metricsNamesMax: integer(
    0,
    0,
    'How many tenants, pools and agents have series of their own in /metrics, each, by their names: the first that come; others are together as `other`. /metrics asks for no key: whoever reaches it reads these names. Without tenantsFile at least 32; 0: none.',
  ),
  tracesUrl: Type.String({
    default: '',
    pattern: '^(https?://.+)?$',
    description:
      'Whole URL of a collector that takes OTLP over HTTP as JSON, such as http://127.0.0.1:4318/v1/traces (docs/observability.md); empty: there are no traces.',
  }),
  tracesPercent: Type.Integer({
    ...{ default: 100, minimum: 0, maximum: 100 },
    description: 'How many of a hundred traces that begin here are told; those that a client began say it themselves.',
  }),
  logLevel: OneOf(['debug', 'info', 'warn', 'error'], { default: 'info', description: 'Least level that is logged.' }),
  ...maxima,
});
export type CoordinatorConfig = Static<typeof CoordinatorConfig>;

/** The operator's maxima for compile and run. */
export function toLimitMaxima(config: CoordinatorConfig): Record<LimitName, number> {
  const limits = { ...limitMaxima };
  for (const name of limitNames) limits[name] = config[`${name}Max`];
  return limits;
}

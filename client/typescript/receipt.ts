/**
 * Owns what a client can find out about a receipt by itself: which agent, by whose word, states what about the client's own request and output.
 * Never asks anybody, never throws: what is wrong has a name. What it proves and what not: docs/receipts.md.
 * Invariants: nothing is read out of a payload before its signature was checked, but for the keys that a list names; every statement
 * about what the answer tells, and about what the request asked if it is given, was compared.
 */
import { toCourse } from '../../shared/judging/course.ts';
import { resolveCases, resolveCheck } from '../../shared/judging/resolved.ts';
import type { AgentKey, AgentKeyList } from '../../shared/model/agent-keys.ts';
import type { Execution, ExecutionRequest } from '../../shared/model/execution.ts';
import type { InputEncoding, InputFile } from '../../shared/model/file.ts';
import type { Envelope } from '../../shared/model/manifest.ts';
import type { ReceiptStatement } from '../../shared/model/receipt.ts';
import type { Encoding, Report } from '../../shared/model/verdict.ts';
import { toAskedText } from '../../shared/receipts/asked.ts';
import { type AskedTests, type ToldTest, toJudgedText } from '../../shared/receipts/judged.ts';
import {
  AGENT_KEYS_PAYLOAD_TYPE,
  findDifference,
  RECEIPT_PAYLOAD_TYPE,
  type ReceiptFlaw,
  receiptFlaws,
  type Told,
  type ToldScript,
  toToldScript,
} from '../../shared/receipts/statement.ts';
import { fromBase64, fromCanonicalBase64, fromCanonicalBase64Url } from './base64.ts';
import { isAgentKeyList, isEnvelope, isStatement } from './shapes.ts';
import { type Bytes, canVerify, digestOf, isNamedRightly, isSigned, toBytes } from './signatures.ts';

const ownFlaws = {
  'answer-malformed': 'the answer is not an execution as the API gives it',
  'request-malformed': 'the request is not one that the API takes',
  'keys-malformed': "this is no list of agents' keys",
  'keys-not-trusted': "none of the given signing keys signed the list of agents' keys",
  'keys-too-old': "the list of agents' keys is older than one that was seen",
  'agent-unknown': "the agent is not in the list of agents' keys; ask for the list again",
  'agent-retired': 'the agent was retired before it states to have ended this',
  'platform-unfit': 'this platform knows no Ed25519',
} as const;

/** Why a receipt is not to be believed. */
export type ReceiptProblem = ReceiptFlaw | keyof typeof ownFlaws;

/** Every problem with its sentence. */
export const receiptProblems: Readonly<Record<ReceiptProblem, string>> = { ...receiptFlaws, ...ownFlaws };

/** What a receipt is checked against. */
export interface ReceiptEvidence {
  /** The finished execution, as the API answered it. */
  readonly execution: Execution;
  /** The list of agents' keys: `GET /v1/agents/keys`, now or at any time after the agent was enrolled. */
  readonly agentKeys: Envelope;
  /** Ids of the signing keys that are believed, got from the operator or kept from before: never out of the list itself. */
  readonly signingKeyIds: readonly string[];
  /** What was asked for: then that is compared, too. Without it the receipt says of its request only the digest. */
  readonly request?: ExecutionRequest;
  /** Of an environment that the request names by its id; one that it describes has them with it. */
  readonly environmentVariables?: Readonly<Record<string, string>>;
  /** The same of an environment that a check program has for itself. */
  readonly checkEnvironmentVariables?: Readonly<Record<string, string>>;
  /** `sha256` of files that the request names by their ids, as their upload was answered; by id. */
  readonly fileDigests?: Readonly<Record<string, string>>;
  /** Whose execution it is. */
  readonly tenant?: string;
  /** The highest version of a list that was seen: an older list may lack a retirement. */
  readonly agentKeysVersionMin?: number;
}

/** What came out. */
export type ReceiptVerdict =
  | {
      readonly isValid: true;
      readonly statement: ReceiptStatement;
      /** Who stated it; `retiredAt` when it is not to be believed any more by now. */
      readonly agent: AgentKey;
      /** Was the request compared? */
      readonly isRequestChecked: boolean;
      /** Version and time of the list, and the signing keys that it names: those of a rotation under way are to be believed as well. */
      readonly agentKeys: {
        readonly version: number;
        readonly issuedAt: string;
        readonly signingKeyIds: readonly string[];
      };
    }
  | { readonly isValid: false; readonly reason: ReceiptProblem; readonly detail: string };

/** As RECEIPT_CHARACTERS_MAX of shared/model, which needs a package; a longer one is refused by a coordinator, too. */
const RECEIPT_CHARACTERS_MAX = 65_536;

class Unproven extends Error {
  readonly reason: ReceiptProblem;

  constructor(reason: ReceiptProblem) {
    super(receiptProblems[reason]);
    this.reason = reason;
  }
}

/** Checks the receipt of an execution; resolves with what was proven, or with the reason why nothing was. */
export async function verifyReceipt(evidence: ReceiptEvidence): Promise<ReceiptVerdict> {
  try {
    if (!(await canVerify())) throw new Unproven('platform-unfit');
    return await verify(evidence);
  } catch (error) {
    // Whatever else is thrown, something was not of the form that its type says.
    const reason = error instanceof Unproven ? error.reason : 'answer-malformed';
    return { isValid: false, reason, detail: receiptProblems[reason] };
  }
}

async function verify(evidence: ReceiptEvidence): Promise<ReceiptVerdict> {
  const { execution, agentKeys, signingKeyIds, request, tenant, agentKeysVersionMin = 0 } = evidence;
  const { id, receipt, agent: named } = execution;
  if (receipt === null) throw new Unproven('receipt-missing');
  if (typeof receipt !== 'string' || typeof id !== 'string') throw new Unproven('answer-malformed');
  if (typeof named?.id !== 'string') throw new Unproven('answer-malformed');
  const list = await openList(agentKeys, signingKeyIds);
  if (list.version < agentKeysVersionMin) throw new Unproven('keys-too-old');
  const agent = list.agents.find(({ agentId }) => agentId === named.id);
  if (agent === undefined) throw new Unproven('agent-unknown');
  const statement = await openStatement(receipt, agent.publicKey);
  const told = await readAnswer(execution, named.id);
  const asked = request === undefined ? {} : await readRequest(request, evidence);
  const difference = findDifference(statement, { ...told, ...asked, ...(tenant === undefined ? {} : { tenant }) });
  if (difference !== null) throw new Unproven(difference);
  if (agent.retiredAt !== undefined && Date.parse(statement.completedAt) > Date.parse(agent.retiredAt)) {
    throw new Unproven('agent-retired');
  }
  const { version, issuedAt, keys } = list;
  return {
    isValid: true,
    statement,
    agent,
    isRequestChecked: request !== undefined,
    agentKeys: { version, issuedAt, signingKeyIds: keys.map(({ keyid }) => keyid) },
  };
}

async function openList(envelope: unknown, signingKeyIds: readonly string[]): Promise<AgentKeyList> {
  if (!isEnvelope(envelope) || envelope.payloadType !== AGENT_KEYS_PAYLOAD_TYPE) throw new Unproven('keys-malformed');
  const payload = fromCanonicalBase64(envelope.payload);
  const list = payload === null ? null : parse(payload)?.value;
  if (payload === null || !isAgentKeyList(list)) throw new Unproven('keys-malformed');
  for (const key of list.keys) {
    if (!signingKeyIds.includes(key.keyid) || !(await isNamedRightly(key))) continue;
    for (const { sig } of envelope.signatures) {
      const signature = fromCanonicalBase64(sig);
      if (signature !== null && (await isSigned(key.publicKey, signature, AGENT_KEYS_PAYLOAD_TYPE, payload)))
        return list;
    }
  }
  throw new Unproven('keys-not-trusted');
}

async function openStatement(receipt: string, publicKey: string): Promise<ReceiptStatement> {
  if (receipt.length > RECEIPT_CHARACTERS_MAX) throw new Unproven('receipt-malformed');
  const [encoded = '', signed = '', ...more] = receipt.split('.');
  const payload = fromCanonicalBase64Url(encoded);
  const signature = fromCanonicalBase64Url(signed);
  if (!payload?.length || signature?.length !== 64 || more.length > 0) throw new Unproven('receipt-malformed');
  if (!(await isSigned(publicKey, signature, RECEIPT_PAYLOAD_TYPE, payload))) throw new Unproven('receipt-not-signed');
  const parsed = parse(payload);
  // One text for one statement: no other reader can have read something else.
  if (!isStatement(parsed?.value) || JSON.stringify(parsed.value) !== parsed.text) {
    throw new Unproven('receipt-malformed');
  }
  return parsed.value;
}

function parse(payload: Bytes): { readonly text: string; readonly value: unknown } | null {
  try {
    const text = new TextDecoder('utf-8', { fatal: true, ignoreBOM: true }).decode(payload);
    return { text, value: JSON.parse(text) };
  } catch {
    return null;
  }
}

async function readAnswer(execution: Execution, agent: string): Promise<Told> {
  const { id, verdict, endedIn, failure, environment } = execution;
  if (failure !== null && typeof failure?.code !== 'string') throw new Unproven('answer-malformed');
  return {
    ...{ agent, execution: id, verdict, endedIn, failure: failure?.code ?? null },
    layers: environment?.layers.map(({ digest }) => digest) ?? [],
    compile: await readReport(execution.compile),
    run: await readReport(execution.run),
    tests: await readTests(execution),
  };
}

/** Digest of what the answer tells of tests, or null when there are none. */
async function readTests({ tests = [], check, stage }: Execution): Promise<string | null> {
  // What did not come to its tests shows them as skipped, and no agent states anything about them.
  const isJudged = tests.some(({ outcome }) => outcome !== 'skipped') || (check?.compile ?? null) !== null;
  if (tests.length === 0 || stage !== 'finished' || !isJudged) return null;
  const told: ToldTest[] = [];
  for (const { name, outcome, report, check: checked } of tests) {
    const said =
      checked === null
        ? null
        : { message: checked.message, score: checked.score, script: await readReport(checked.report) };
    told.push({ name, outcome, script: await readReport(report), check: said });
  }
  return await digestOf(toBytes(toJudgedText({ tests: told, compile: await readReport(check?.compile ?? null) })));
}

async function readReport(report: Report | null): Promise<ToldScript | null> {
  if (report === null) return null;
  const stdout = await digestOfText(report.stdout, report.stdoutEncoding, 'answer-malformed');
  return toToldScript(report, {
    stdout,
    stderr: await digestOfText(report.stderr, report.stderrEncoding, 'answer-malformed'),
  });
}

async function readRequest(
  request: ExecutionRequest,
  { environmentVariables = {}, checkEnvironmentVariables = {}, fileDigests = {} }: ReceiptEvidence,
): Promise<Pick<Told, 'request' | 'limits'>> {
  try {
    const { environment, files = [], compile, run, check } = request;
    const ofEnvironment = variablesOf(environment, environmentVariables);
    const { script, arguments: words = [], stdin = '', stdinEncoding = 'utf8' } = run;
    const isOwn = check !== undefined && 'run' in check && check.environment !== undefined;
    const ofCheck = isOwn ? variablesOf(check.environment ?? '', checkEnvironmentVariables) : ofEnvironment;
    const asked = toAskedText({
      files: await Promise.all(files.map((file) => readFile(file, fileDigests))),
      compile: compile === undefined ? null : readScript(compile, ofEnvironment),
      run: {
        ...readScript(run, ofEnvironment),
        ...{ script, arguments: words, stdin: await digestOfInput(stdin, stdinEncoding, fileDigests) },
      },
      tests: request.tests === undefined ? undefined : await readAskedTests(request, ofCheck, fileDigests),
    });
    const limits = {
      ...{ compile: compile?.limits ?? null, run: run.limits ?? {} },
      check:
        check !== undefined && 'run' in check
          ? { compile: check.compile?.limits ?? null, run: check.run.limits ?? {} }
          : null,
    };
    return { request: await digestOf(toBytes(asked)), limits };
  } catch {
    throw new Unproven('request-malformed');
  }
}

type Variables = Readonly<Record<string, string>>;
type Digests = Readonly<Record<string, string>>;

function variablesOf(environment: ExecutionRequest['environment'], known: Variables): Variables {
  return typeof environment === 'string' ? known : (environment.variables ?? {});
}

function readScript({ script, variables }: { script: string; variables?: Variables }, ofEnvironment: Variables) {
  return { script, variables: { ...ofEnvironment, ...variables } };
}

async function readAskedTests(request: ExecutionRequest, ofCheck: Variables, digests: Digests): Promise<AskedTests> {
  const check = resolveCheck(request);
  const cases: AskedTests['cases'][number][] = [];
  for (const { stdin, stdinEncoding, expected, expectedEncoding, ...rest } of resolveCases(request)) {
    cases.push({
      ...rest,
      stdin: await digestOfInput(stdin, stdinEncoding, digests),
      expected: expected === null ? null : await digestOfInput(expected, expectedEncoding, digests),
    });
  }
  const { requires, stopAfterFailures } = toCourse(request);
  if (!('run' in check)) return { cases, requires, stopAfterFailures, check };
  const { kind, files = [], compile, run } = check;
  return {
    ...{ cases, requires, stopAfterFailures },
    check: {
      kind,
      files: await Promise.all(files.map((file) => readFile(file, digests))),
      compile: compile === undefined ? null : readScript(compile, ofCheck),
      run: { ...readScript(run, ofCheck), arguments: run.arguments ?? [] },
    },
  };
}

async function readFile(file: InputFile, digests: Digests) {
  const { path, executable = false } = file;
  if ('file' in file) return { path, executable, content: digestOfStored(file.file, digests) };
  return { path, executable, content: await digestOfText(file.content, file.encoding ?? 'utf8', 'request-malformed') };
}

async function digestOfInput(text: string, encoding: InputEncoding, digests: Digests): Promise<string> {
  return encoding === 'file' ? digestOfStored(text, digests) : await digestOfText(text, encoding, 'request-malformed');
}

/** What the client knows of a file that it has sent before. */
function digestOfStored(id: string, digests: Digests): string {
  const digest = Object.hasOwn(digests, id) ? digests[id] : undefined;
  if (digest === undefined) throw new Unproven('request-malformed');
  return `sha256:${digest}`;
}

async function digestOfText(text: string, encoding: Encoding, otherwise: ReceiptProblem): Promise<string> {
  if (typeof text !== 'string' || (encoding !== 'utf8' && encoding !== 'base64')) throw new Unproven(otherwise);
  const bytes = encoding === 'utf8' ? toBytes(text) : fromBase64(text);
  if (bytes === null) throw new Unproven(otherwise);
  return await digestOf(bytes);
}

/**
 * Owns `envicutor/client`: what programs that use Envicutor over HTTP take from this package. Works in Node 20 and newer and in browsers.
 * Never imports a package or anything of Node, by itself or by way of others (test/house/imports.test.ts).
 */
export type { AgentKey, AgentKeyList } from '../../shared/model/agent-keys.ts';
export type { Environment, EnvironmentRequest, File } from '../../shared/model/environment.ts';
export type { Execution, ExecutionRequest } from '../../shared/model/execution.ts';
export type { FileReference, StoredFile } from '../../shared/model/file.ts';
export type { Check, ExecutionVerdict, Score, TestCase, TestGroup, TestResult } from '../../shared/model/judging.ts';
export type { Limits } from '../../shared/model/limits.ts';
export type { Envelope } from '../../shared/model/manifest.ts';
export type { PlacementAnswer, PlacementRequest } from '../../shared/model/placement.ts';
export type { ReceiptStatement, ScriptStatement } from '../../shared/model/receipt.ts';
export type { TerminalAnswer, TerminalExit, TerminalSignal } from '../../shared/model/terminal.ts';
export type { Usage } from '../../shared/model/usage.ts';
export type { Report, Verdict } from '../../shared/model/verdict.ts';
export type { DeliveryAnswer, WebhookRequest, WebhookSecretAnswer } from '../../shared/model/webhook.ts';
export type { Recipe } from '../../shared/recipes/recipe.ts';
export type { ClientClock } from './clock.ts';
export { type ClientOptions, EnvicutorClient, type RunOptions } from './envicutor-client.ts';
export {
  clientErrors,
  EnvicutorError,
  type EnvicutorErrorCode,
  type EnvicutorErrorFields,
  isEnvicutorError,
  isNetworkError,
} from './envicutor-error.ts';
export type { Environments } from './environments.ts';
export type { OutputPiece } from './event-types.ts';
export type { EnvironmentEvent, ExecutionEvent } from './events.ts';
export type { CallOptions, EventOptions, ExecutionHandle } from './execution-handle.ts';
export type { FileContent, Files } from './files.ts';
export { toOutputBytes, toReportBytes } from './output-bytes.ts';
export type { ListOptions } from './pages.ts';
export {
  type ReceiptEvidence,
  type ReceiptProblem,
  type ReceiptVerdict,
  receiptProblems,
  verifyReceipt,
} from './receipt.ts';
export type { Recipes } from './recipes.ts';
export type { RetryOptions } from './retries.ts';
export { createIdempotencyKey, type RunRequest, type SubmitOptions } from './submission.ts';
export type { Terminal, TerminalOptions } from './terminal.ts';
export type { TerminalWebSocket, WebSocketMaker } from './terminal-socket.ts';
export {
  verifyWebhook,
  type WebhookEvent,
  type WebhookEvidence,
  type WebhookProblem,
  type WebhookVerdict,
  webhookProblems,
} from './webhook.ts';
export type { Webhooks } from './webhooks.ts';

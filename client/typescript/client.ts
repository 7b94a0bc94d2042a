/**
 * Owns `envicutor/client`: what programs that use Envicutor over HTTP take from this package. Works in Node 20 and newer and in browsers.
 * Never imports a package or anything of Node, by itself or by way of others (test/house/imports.test.ts).
 */
export type { AgentKey, AgentKeyList } from '../../shared/model/agent-keys.ts';
export type { Execution, ExecutionRequest } from '../../shared/model/execution.ts';
export type { Envelope } from '../../shared/model/manifest.ts';
export type { ReceiptStatement, ScriptStatement } from '../../shared/model/receipt.ts';
export {
  type ReceiptEvidence,
  type ReceiptProblem,
  type ReceiptVerdict,
  receiptProblems,
  verifyReceipt,
} from './receipt.ts';
export {
  verifyWebhook,
  type WebhookEvent,
  type WebhookEvidence,
  type WebhookProblem,
  type WebhookVerdict,
  webhookProblems,
} from './webhook.ts';

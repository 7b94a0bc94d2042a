/**
 * Owns refusing a webhook that could never be delivered, by its place in the request. Never resolves a name.
 */
import { SystemError } from '../../shared/errors.ts';
import type { WebhookRequest } from '../../shared/model/webhook.ts';
import { type ReceiverRules, whyRefused } from '../deliveries/receiver-rules.ts';

/** The rules of this instance. */
export type WebhookRules = ReceiverRules;

/** Throws SystemError `request-invalid` for a receiver that is not allowed; `pointer` is where the webhook is. */
export function checkWebhook(webhook: WebhookRequest | undefined, rules: WebhookRules, pointer: string): void {
  const detail = webhook === undefined ? null : whyRefused(webhook.url, rules);
  if (detail === null) return;
  const place = `${pointer}/url`;
  throw new SystemError('request-invalid', `${place} ${detail}`, { errors: [{ pointer: place, detail }] });
}

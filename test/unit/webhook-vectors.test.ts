/**
 * Owns that webhooks stand still: secrets and signatures that were made apart from the project, by what docs/webhooks.md says (test/vectors/webhooks.py),
 * are made alike by coordinators and verified by the client library; and that nothing else is.
 */
import assert from 'node:assert/strict';
import { createHmac } from 'node:crypto';
import { readFileSync } from 'node:fs';
import { test } from 'node:test';
import { verifyWebhook, type WebhookEvidence } from '../../client/typescript/client.ts';
import { WebhookSecrets } from '../../coordinator/deliveries/signatures.ts';
import { InstanceKey } from '../../coordinator/instance-key.ts';

const vectors = JSON.parse(readFileSync(new URL('../vectors/webhooks.json', import.meta.url), 'utf8'));
const key = new InstanceKey(Buffer.from(vectors.instanceKey, 'hex')).derive('webhooks');
const overlapMs = 60_000;
const secrets = new WebhookSecrets(key, { overlapMs });
const secretOf = (tenant: string, generation: number): string =>
  vectors.secrets.find(
    (one: { tenant: string; generation: number }) => one.tenant === tenant && one.generation === generation,
  ).secret;
const [first, second] = vectors.attempts;
const nowMs = first.timestamp * 1000;
const tenant = 'contest-site';

/** The first vector with what a test changes. */
function evidence(changes: Partial<WebhookEvidence> = {}, headers: Record<string, string> = {}): WebhookEvidence {
  const given = {
    ...{ 'webhook-id': first.id, 'webhook-timestamp': String(first.timestamp) },
    ...{ 'webhook-signature': first.signatures[2], ...headers },
  };
  return { headers: given, body: first.body, secret: secretOf(tenant, 2), nowMs, ...changes };
}

test("a tenant's secrets are derived as the vectors say, each tenant's and generation's its own", () => {
  for (const { tenant, generation, secret } of vectors.secrets) {
    assert.equal(secrets.textOf(tenant, { generation, rotatedAtMs: null }), secret);
  }
  assert.equal(new Set(vectors.secrets.map(({ secret }: { secret: string }) => secret)).size, vectors.secrets.length);
});

test('an attempt is signed by the present secret, and for a while after a rotation by the one before', () => {
  for (const { id, timestamp, body, signatures } of [first, second]) {
    const attempt = { id, timestamp, body: Buffer.from(body) };
    const sign = (generation: number, rotatedAtMs: number | null, atMs: number) =>
      secrets.sign(tenant, { generation, rotatedAtMs }, atMs, attempt);
    assert.equal(sign(1, null, nowMs), signatures[1]);
    assert.equal(sign(2, nowMs, nowMs + overlapMs - 1), `${signatures[2]} ${signatures[1]}`);
    assert.equal(sign(2, nowMs, nowMs + overlapMs), signatures[2]);
  }
});

test('the client library believes what was signed, by either secret of a rotation, as text or bytes, under any spelling of headers', async () => {
  const both = { 'webhook-signature': `v1a,AAAA ${first.signatures[1]} ${first.signatures[2]}` };
  const { body } = first;
  const verdicts = await Promise.all([
    verifyWebhook(evidence()),
    verifyWebhook(evidence({ secret: secretOf(tenant, 1) }, both)),
    verifyWebhook(evidence({ secret: [secretOf('local', 1), secretOf(tenant, 2)] })),
    verifyWebhook(evidence({ body: Buffer.from(body), secret: secretOf(tenant, 2).replace('whsec_', '') })),
    verifyWebhook(evidence({ headers: new Headers(evidence().headers as Record<string, string>) })),
    verifyWebhook(
      evidence({
        headers: {
          ...{ 'Webhook-Id': first.id, 'Webhook-Timestamp': String(first.timestamp) },
          'Webhook-Signature': first.signatures[2],
        },
      }),
    ),
  ]);
  for (const verdict of verdicts) {
    assert.ok(verdict.isValid);
    assert.deepEqual([verdict.id, verdict.event], [first.id, JSON.parse(body)]);
  }
  const odd = await verifyWebhook({
    headers: {
      ...{ 'webhook-id': second.id, 'webhook-timestamp': String(second.timestamp) },
      'webhook-signature': second.signatures[1],
    },
    ...{ body: second.body, secret: secretOf(tenant, 1), nowMs },
  });
  assert.ok(odd.isValid);
});

test('what is changed, old, of tomorrow, or of another secret is not believed, and nothing that was not signed is parsed', async () => {
  const reason = async (...given: Parameters<typeof evidence>) => {
    const verdict = await verifyWebhook(evidence(...given));
    return verdict.isValid ? 'valid' : verdict.reason;
  };
  assert.equal(await reason({ body: `${first.body} ` }), 'signature-wrong');
  assert.equal(await reason({ body: 'x' }), 'signature-wrong');
  assert.equal(await reason({ secret: secretOf(tenant, 1) }), 'signature-wrong');
  assert.equal(await reason({ secret: [] }), 'signature-wrong');
  assert.equal(await reason({}, { 'webhook-id': 'delivery_2' }), 'signature-wrong');
  assert.equal(await reason({}, { 'webhook-timestamp': String(first.timestamp + 1) }), 'signature-wrong');
  for (const signature of ['v1,', 'v2,AAAA', first.signatures[2].slice(3), `v1,${'A'.repeat(43)}=`, 'v1,%']) {
    assert.equal(await reason({}, { 'webhook-signature': signature }), 'signature-wrong', signature);
  }
  assert.equal(await reason({ nowMs: nowMs + 300_000 }), 'valid');
  assert.equal(await reason({ nowMs: nowMs + 300_001 }), 'timestamp-too-old');
  assert.equal(await reason({ nowMs: nowMs - 300_001 }), 'timestamp-too-new');
  assert.equal(await reason({ nowMs: nowMs + 11_000, toleranceSeconds: 10 }), 'timestamp-too-old');
  assert.equal(await reason({ secret: 'whsec_%%' }), 'secret-malformed');
  assert.equal(await reason({ secret: 'whsec_' }), 'secret-malformed');
  for (const name of ['webhook-id', 'webhook-timestamp', 'webhook-signature']) {
    assert.equal(await reason({}, { [name]: '' }), 'headers-missing', name);
  }
  for (const text of ['-1', '1e3', ' 1', 'NaN']) {
    assert.equal(await reason({}, { 'webhook-timestamp': text }), 'headers-missing', text);
  }
  const body = '{"type":"execution.finished"}';
  const signature = createHmac('sha256', Buffer.from(secretOf(tenant, 2).slice(6), 'base64'))
    .update(`${first.id}.${first.timestamp}.${body}`)
    .digest('base64');
  assert.equal(await reason({ body }, { 'webhook-signature': `v1,${signature}` }), 'body-malformed');
});

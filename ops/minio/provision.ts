/**
 * Owns what a fresh MinIO must be told before it can be the cache: one bucket with versions and object lock, and three users
 * (reader, writer, purger), each with the one policy that it needs. Runs with the root credentials and is their last use.
 * Never gives the reader more than GET (presigned URLs show its access key) nor the writer anything but PUT.
 * Invariant: doing it again changes nothing but the users' secrets.
 */
import { setTimeout as wait } from 'node:timers/promises';
import { systemClock, systemRandom } from '../../shared/clock.ts';
import { SystemError } from '../../shared/errors.ts';
import { toBase32 } from '../../shared/ids.ts';
import { type StoreCredentials, signHeaders } from '../../shared/storage/request-signature.ts';
import { toStoredZip } from './stored-zip.ts';

/** The three users of a bucket; only the first may presign. */
export interface StoreUsers {
  readonly reader: StoreCredentials;
  readonly writer: StoreCredentials;
  readonly purger: StoreCredentials;
}

/**
 * A server to be prepared; a stored version can't be removed for `retentionDays` but by the purger. Null: nothing is locked, and there are no versions,
 * so that what is deleted is gone.
 */
export interface Provision {
  readonly endpoint: string;
  readonly region: string;
  readonly root: StoreCredentials;
  readonly bucket: string;
  readonly users: StoreUsers;
  readonly retentionDays: number | null;
}

/** How long a server may take from listening to serving. */
const STARTING_MS_MAX = 60_000;
const STARTING_WAIT_MS = 50;

/** Random credentials: whoever can guess an access key that may PUT can write as its owner (CVE-2026-41145). */
export function createCredentials(): StoreCredentials {
  return { accessKey: toBase32(systemRandom.bytes(12)).slice(0, 20), secretKey: toBase32(systemRandom.bytes(25)) };
}

/** Fresh users of one bucket. */
export function createUsers(): StoreUsers {
  return { reader: createCredentials(), writer: createCredentials(), purger: createCredentials() };
}

/** Makes the bucket and the users; SystemError `object-store-unavailable` with the server's answer when it refuses. */
export async function provisionMinio(provision: Provision): Promise<void> {
  const { bucket, retentionDays } = provision;
  const lock: Record<string, string> = retentionDays === null ? {} : { 'x-amz-bucket-object-lock-enabled': 'true' };
  const made = await send(provision, 'PUT', `/${bucket}`, '', lock);
  if (!made.ok && made.code !== 'BucketAlreadyOwnedByYou') throw refused(`making the bucket ${bucket}`, made);
  if (retentionDays !== null) {
    const locked = await send(provision, 'PUT', `/${bucket}?object-lock=`, lockRule(retentionDays));
    if (!locked.ok) throw refused(`setting the retention of ${bucket}`, locked);
  }
  const imported = await send(provision, 'PUT', '/minio/admin/v3/import-iam-v2', usersArchive(provision));
  if (!imported.ok || /"failed":\{[^}]/.test(imported.text)) throw refused('making the users', imported);
}

function lockRule(days: number): string {
  const retention = `<DefaultRetention><Mode>GOVERNANCE</Mode><Days>${days}</Days></DefaultRetention>`;
  return `<ObjectLockConfiguration><ObjectLockEnabled>Enabled</ObjectLockEnabled><Rule>${retention}</Rule></ObjectLockConfiguration>`;
}

function usersArchive({ bucket, users }: Provision): Uint8Array {
  const policyName = (role: string) => `${bucket}-${role}`;
  const objects = `arn:aws:s3:::${bucket}/*`;
  const actions: Readonly<Record<keyof StoreUsers, Readonly<Record<string, readonly string[]>>>> = {
    reader: { [objects]: ['s3:GetObject'] },
    writer: { [objects]: ['s3:PutObject'] },
    purger: {
      [`arn:aws:s3:::${bucket}`]: ['s3:ListBucket', 's3:ListBucketVersions'],
      [objects]: ['s3:DeleteObject', 's3:DeleteObjectVersion', 's3:BypassGovernanceRetention'],
    },
  };
  const roles = Object.entries(actions);
  const policies = roles.map(([role, allowed]) => {
    const statements = Object.entries(allowed).map(([resource, action]) => {
      return { Effect: 'Allow', Action: action, Resource: [resource] };
    });
    return [policyName(role), { Version: '2012-10-17', Statement: statements }];
  });
  const accounts = roles.map(([role]) => {
    const { accessKey, secretKey } = users[role as keyof StoreUsers];
    return { role, accessKey, secretKey };
  });
  const file = (pairs: readonly unknown[][]) => JSON.stringify(Object.fromEntries(pairs));
  return toStoredZip({
    'iam-assets/policies.json': file(policies),
    'iam-assets/users.json': file(accounts.map((a) => [a.accessKey, { secretKey: a.secretKey, status: 'enabled' }])),
    'iam-assets/user_mappings.json': file(
      accounts.map((a) => [a.accessKey, { version: 1, policy: policyName(a.role) }]),
    ),
  });
}

interface Answer {
  readonly ok: boolean;
  readonly status: number;
  readonly code: string;
  readonly text: string;
}

/** Asks again while the server says that it is still starting: it listens, and even calls itself alive, before it knows its disks and users. */
async function send(...request: Parameters<typeof sendOnce>): Promise<Answer> {
  const deadlineMs = systemClock.monotonicMs() + STARTING_MS_MAX;
  for (;;) {
    const answer = await sendOnce(...request);
    const isStarting = answer.status === 503 && /NotInitialized$/.test(answer.code);
    if (!isStarting || systemClock.monotonicMs() > deadlineMs) return answer;
    await wait(STARTING_WAIT_MS);
  }
}

async function sendOnce(
  { endpoint, region, root }: Provision,
  method: string,
  path: string,
  content: string | Uint8Array,
  headers: Readonly<Record<string, string>> = {},
): Promise<Answer> {
  const url = new URL(path, endpoint);
  const body = typeof content === 'string' ? new TextEncoder().encode(content) : new Uint8Array(content);
  const signer = { credentials: root, region, nowMs: systemClock.nowMs() };
  const answer = await fetch(url, { method, body, headers: signHeaders(signer, method, url, headers, body) });
  const text = await answer.text();
  const code = /<Code>(\w+)<|"Code":"(\w+)"/.exec(text);
  return { ok: answer.ok, status: answer.status, code: code?.[1] ?? code?.[2] ?? '', text };
}

function refused(attempt: string, { status, text }: Answer): SystemError {
  return new SystemError('object-store-unavailable', `${attempt} was answered ${status}: ${text.slice(0, 500)}`);
}

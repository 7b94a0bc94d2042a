/**
 * Owns preparing a MinIO from the command line: a bucket of layers and one of clients' files, three users of each with fresh credentials, and one file of
 * settings for each process that is to use them, readable by their owner alone.
 * Never prints a secret and never keeps the root's. Doing it again replaces the users' credentials: both processes then need their new file.
 */
import { mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { parseArgs } from 'node:util';
import { inheritedEnvironment, refuseToStart } from '../../shared/config.ts';
import { toSystemError } from '../../shared/errors.ts';
import { createUsers, provisionMinio } from './provision.ts';
import { toSettings } from './settings.ts';

const usage = `usage: MINIO_ROOT_USER=… MINIO_ROOT_PASSWORD=… node ops/minio/main.ts --endpoint URL --output FOLDER
  --endpoint         URL of the server as coordinator and verifier reach it
  --public-endpoint  as agents reach it, when that is another
  --bucket           of layers, default envicutor
  --files-bucket     of clients' files, default that name with -files
  --region           default us-east-1
  --retention-days   how long nobody but the purger can remove a version, default 7
  --output           folder for coordinator.env and verifier.env`;

const { values } = parseArgs({
  options: {
    endpoint: { type: 'string' },
    'public-endpoint': { type: 'string' },
    bucket: { type: 'string', default: 'envicutor' },
    'files-bucket': { type: 'string' },
    region: { type: 'string', default: 'us-east-1' },
    'retention-days': { type: 'string', default: '7' },
    output: { type: 'string' },
  },
});
const { MINIO_ROOT_USER: accessKey, MINIO_ROOT_PASSWORD: secretKey } = inheritedEnvironment([
  'MINIO_ROOT_USER',
  'MINIO_ROOT_PASSWORD',
]);
const { endpoint, output, bucket, region } = values;
const retentionDays = Number(values['retention-days']);
if (endpoint === undefined || !URL.canParse(endpoint) || output === undefined) refuseToStart(usage);
if (accessKey === undefined || secretKey === undefined) refuseToStart(usage);
if (!Number.isInteger(retentionDays) || retentionDays < 1) refuseToStart(usage);

const users = createUsers();
const files = { bucket: values['files-bucket'] ?? `${bucket}-files`, users: createUsers() };
const server = { endpoint, region, root: { accessKey, secretKey } };
try {
  await provisionMinio({ ...server, bucket, users, retentionDays });
  // What its owner deletes is to be gone.
  await provisionMinio({ ...server, ...files, retentionDays: null });
} catch (error) {
  refuseToStart(`MinIO at ${endpoint} could not be prepared: ${toSystemError(error).message}`);
}
mkdirSync(output, { recursive: true, mode: 0o700 });
const publicEndpoint = values['public-endpoint'] ?? '';
for (const [name, text] of Object.entries(toSettings({ endpoint, publicEndpoint, region, bucket, users, files }))) {
  writeFileSync(join(output, name), text, { mode: 0o600 });
  process.stdout.write(`${join(output, name)}\n`);
}

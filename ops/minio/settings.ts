/**
 * Owns which of a MinIO's credentials each process is given, as files of environment variables.
 * Never gives a process more than its own row of docs/object-store.md.
 */
import type { StoreUsers } from './provision.ts';

/** A bucket as its users see it. */
export interface PreparedBucket {
  readonly endpoint: string;
  /** Empty: agents reach it as the others do. */
  readonly publicEndpoint: string;
  readonly region: string;
  readonly bucket: string;
  readonly users: StoreUsers;
  /** Where clients' files are: the coordinator's own, all three users of it. */
  readonly files: { readonly bucket: string; readonly users: StoreUsers };
}

/** File name to content. */
export function toSettings({
  endpoint,
  publicEndpoint,
  region,
  bucket,
  users,
  files,
}: PreparedBucket): Record<string, string> {
  const place = (prefix: string) => ({
    [`${prefix}_STORE_KIND`]: 'minio',
    [`${prefix}_MINIO_ENDPOINT`]: endpoint,
    [`${prefix}_MINIO_BUCKET`]: bucket,
    [`${prefix}_MINIO_REGION`]: region,
  });
  const user = (prefix: string, { accessKey, secretKey }: StoreUsers['reader']) => ({
    [`${prefix}_ACCESS_KEY`]: accessKey,
    [`${prefix}_SECRET_KEY`]: secretKey,
  });
  const verifier = 'ENVICUTOR_VERIFIER';
  return {
    'coordinator.env': toText({
      ...place('ENVICUTOR'),
      ...(publicEndpoint === '' ? {} : { ENVICUTOR_MINIO_PUBLIC_ENDPOINT: publicEndpoint }),
      ...user('ENVICUTOR_MINIO', users.reader),
      ENVICUTOR_MINIO_FILES_BUCKET: files.bucket,
      ...user('ENVICUTOR_MINIO_FILES_READER', files.users.reader),
      ...user('ENVICUTOR_MINIO_FILES_WRITER', files.users.writer),
      ...user('ENVICUTOR_MINIO_FILES_PURGER', files.users.purger),
    }),
    'verifier.env': toText({
      ...place(verifier),
      ...user(`${verifier}_MINIO`, users.reader),
      ...user(`${verifier}_MINIO_WRITER`, users.writer),
      ...user(`${verifier}_MINIO_PURGER`, users.purger),
    }),
  };
}

function toText(variables: Readonly<Record<string, string>>): string {
  return Object.entries(variables)
    .map(([name, value]) => `${name}=${value}\n`)
    .join('');
}

/**
 * Owns what is wrong with a coordinator's configuration beyond its fields: settings that make no sense together, each with its remedy.
 * Never reads a file or the environment.
 */
import { isIP } from 'node:net';
import { baseNames } from '../shared/model/environment.ts';
import { CONTENT_BYTES_MAX } from '../shared/protocol/version.ts';
import type { CoordinatorConfig } from './config.ts';
import { toRange } from './egress/address-policy.ts';

/** What is wrong with a configuration beyond its fields, each with its remedy. */
export function findConfigProblems(config: CoordinatorConfig): string[] {
  const problems: string[] = [];
  const isLoopback = /^(127(\.\d{1,3}){3}|::1|localhost)$/.test(config.listenHost);
  if (config.tenantsFile === '' && !isLoopback) {
    problems.push(`listenHost ${config.listenHost} can be reached by others: set tenantsFile, or listen on 127.0.0.1`);
  }
  const isTls = config.tlsCertFile !== '';
  if (isTls !== (config.tlsKeyFile !== '')) problems.push('tlsCertFile and tlsKeyFile are needed together');
  if (!isLoopback && !isTls && !config.allowPlainHttp) {
    problems.push(
      `listenHost ${config.listenHost} can be reached by others: set tlsCertFile and tlsKeyFile, or allowPlainHttp if a proxy of yours ends TLS`,
    );
  }
  for (const address of config.trustProxy) {
    const [host = '', bits, ...more] = address.split('/');
    const family = isIP(host);
    const isRange = bits === undefined || (/^\d{1,3}$/.test(bits) && Number(bits) <= (family === 4 ? 32 : 128));
    if (family === 0 || !isRange || more.length > 0)
      problems.push(`trustProxy: '${address}' is no IP address or range such as 10.0.0.0/8`);
  }
  if (config.corsOrigins.length > 0 && config.tenantsFile === '') {
    problems.push('corsOrigins needs tenantsFile: without keys any page of these origins could run code here');
  }
  for (const origin of config.corsOrigins) {
    if (origin !== '*' && !/^https?:\/\/[^/?#\s]+$/.test(origin))
      problems.push(`corsOrigins: '${origin}' is no origin; write it as https://contest.example, without a path`);
  }
  if (config.publicUrl === '' && /^(0\.0\.0\.0|::)$/.test(config.listenHost)) {
    problems.push('publicUrl is needed when listenHost is every address: agents and builder fetch layers from there');
  }
  if (config.bodyBytesMax > CONTENT_BYTES_MAX) {
    problems.push(
      `bodyBytesMax may be at most ${CONTENT_BYTES_MAX}: what an agent is told of a request is one message; have clients send larger inputs as files`,
    );
  }
  if (config.databaseUrl !== '' && config.instanceKeyFile === '') {
    problems.push(
      "instanceKeyFile is needed with databaseUrl: coordinators of one database must have the same key (make it with 'head -c 32 /dev/urandom')",
    );
  }
  const needed = ['minioEndpoint', 'minioAccessKey', 'minioSecretKey'] as const;
  for (const field of config.storeKind === 'minio' ? needed : []) {
    if (config[field] === '') problems.push(`${field} is needed when storeKind is minio`);
  }
  for (const field of ['webhookPrivateRanges', 'webhookDeniedRanges'] as const) {
    for (const range of config[field]) {
      if (toRange(range) === null)
        problems.push(`${field}: ${range} is no address or range; write 10.1.2.3 or 10.1.2.0/24`);
    }
  }
  problems.push(...findFilesProblems(config));
  const known: readonly string[] = baseNames;
  for (const base of config.warmBases) {
    if (!known.includes(base)) problems.push(`warmBases: there is no base '${base}'; there are ${known.join(', ')}`);
  }
  return problems;
}

/** The same for where files are kept. */
function findFilesProblems(config: CoordinatorConfig): string[] {
  if (config.minioFilesBucket === '') {
    if (config.databaseUrl === '' || config.filesDirectory !== '') return [];
    return ['minioFilesBucket or filesDirectory is needed with databaseUrl: coordinators of one database share files'];
  }
  const needed = [
    ...['minioEndpoint', 'minioFilesReaderAccessKey', 'minioFilesReaderSecretKey', 'minioFilesWriterAccessKey'],
    ...['minioFilesWriterSecretKey', 'minioFilesPurgerAccessKey', 'minioFilesPurgerSecretKey'],
  ] as (keyof CoordinatorConfig)[];
  const missing = needed.filter((field) => config[field] === '');
  return missing.map((field) => `${field} is needed with minioFilesBucket`);
}

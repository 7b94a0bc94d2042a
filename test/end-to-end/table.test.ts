/**
 * Owns the main job, proven through the real HTTP API with real registries: one instance, every case of the table.
 * One file, so that the cases share the instance and what it has built.
 */
import { after, before, describe } from 'node:test';
import { Instance } from '../support/instance.ts';
import { badInputCases } from './cases/bad-input.ts';
import { cacheCases } from './cases/cache.ts';
import { documentCases } from './cases/document-commands.ts';
import { logCases } from './cases/logs.ts';
import { pythonClientCases } from './cases/python-client.ts';
import { toolchainCases } from './cases/toolchains.ts';
import { verdictCases } from './cases/verdicts.ts';

const instance = new Instance();

before(() => instance.start(), { timeout: 300_000 });
after(() => instance.stop());

describe('wrong requests', () => badInputCases(instance));
describe('how programs end', () => verdictCases(instance));
describe('logs', () => logCases(instance));
describe('toolchains', () => toolchainCases(instance));
describe('commands of the documents', () => documentCases(instance));
describe('the Python client', () => pythonClientCases(instance));
describe('the cache', () => cacheCases(instance));

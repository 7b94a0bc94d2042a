/**
 * Owns what ops/compose.yaml and ops/Dockerfile may be held against without Docker: the Compose specification's schema, hadolint, what a release has,
 * and what our processes say of the variables that they are told. Never builds an image: nothing here says that one starts.
 */
import assert from 'node:assert/strict';
import { execFile } from 'node:child_process';
import { existsSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { basename, join } from 'node:path';
import { before, test } from 'node:test';
import { promisify } from 'node:util';
import { writePrograms } from '../../ops/release/programs-of-tarball.ts';
import { nameOf } from '../../ops/release/release.ts';
import {
  bucketVariables,
  type Checked,
  checkers,
  checkYaml,
  findVariableProblems,
  readDockerfile,
  root,
} from '../support/operations-files.ts';

const run = promisify(execFile);
const path = join(root, 'ops/compose.yaml');
const text = readFileSync(path, 'utf8');
const dockerfile = readDockerfile();
const stages = new Set(dockerfile.map(({ stage }) => stage));

interface Service {
  readonly image?: string;
  readonly build?: { readonly context: string; readonly dockerfile: string; readonly target: string };
  readonly environment?: Readonly<Record<string, string>>;
  readonly env_file?: unknown;
  readonly command?: readonly string[];
  readonly privileged?: boolean;
  readonly cap_add?: readonly string[];
  readonly cap_drop?: readonly string[];
  readonly read_only?: boolean;
  readonly security_opt?: readonly string[];
  readonly network_mode?: string;
  readonly networks?: readonly string[];
  readonly volumes?: readonly (string | { readonly type: string })[];
  readonly healthcheck?: unknown;
}
interface ComposeFile {
  readonly services: Readonly<Record<string, Service>>;
  readonly secrets: Readonly<Record<string, { readonly file: string }>>;
}

let compose: Checked<ComposeFile>;
const services = () => Object.entries(compose.document.services);
const serviceOf = (name: string): Service => compose.document.services[name] ?? assert.fail(`there is no ${name}`);
/** The image's name without repository and tag, for images of ours. */
const targetOf = ({ image = '' }: Pick<Service, 'image'>) => /^envicutor\/([a-z]+):/.exec(image)?.[1] ?? null;
const ours = () => services().filter(([, service]) => targetOf(service) !== null);

before(
  async () => {
    const [found] = await checkYaml<ComposeFile>('compose', path);
    assert.ok(found !== undefined);
    compose = found;
  },
  { timeout: 300_000 },
);

test("the compose file follows the Compose specification's schema, which would tell otherwise", async () => {
  assert.deepEqual(compose.problems, []);
  const folder = mkdtempSync(join(tmpdir(), 'envicutor-compose-'));
  writeFileSync(join(folder, 'wrong.yaml'), text.replace('restart: unless-stopped', 'restarts: 5'));
  const [wrong] = await checkYaml('compose', join(folder, 'wrong.yaml'));
  rmSync(folder, { recursive: true });
  assert.match(wrong?.problems.join() ?? '', /restarts/);
});

test('every variable that a service is told is one of its process, and the process would start with them', () => {
  for (const [name, service] of services()) {
    const target = targetOf(service) ?? name;
    const given: Record<string, string> = { ...service.environment };
    const files = JSON.stringify(service.env_file ?? []);
    for (const file of ['coordinator.env', 'verifier.env'] as const) {
      if (files.includes(file)) Object.assign(given, { ...bucketVariables(file), ...given });
    }
    if (files.includes('database.env')) given['ENVICUTOR_DATABASE_URL'] = 'postgres://a:b@postgres/envicutor';
    const interpolated = Object.entries(given).map(([key, value]) => [key, value.replace(/\$\{\w+:-([^}]*)\}/, '$1')]);
    assert.deepEqual(findVariableProblems(target, Object.fromEntries(interpolated)), [], name);
  }
  assert.match(
    findVariableProblems('agent', { ENVICUTOR_AGENT_SLOT: '1' }).join(),
    /agent knows no ENVICUTOR_AGENT_SLOT/,
  );
  assert.match(findVariableProblems('coordinator', { ENVICUTOR_LISTEN_HOST: '0.0.0.0' }).join(), /set tenantsFile/);
});

test('sockets, folders and ports are the same on both sides', () => {
  const at = (service: string, variable: string) => serviceOf(service).environment?.[variable] ?? '';
  for (const coordinator of ['coordinator-a', 'coordinator-b']) {
    for (const name of ['builder', 'verifier']) {
      const variable = `ENVICUTOR_${name.toUpperCase()}_SOCKET_PATH`;
      assert.equal(at(coordinator, variable), at(name, variable));
    }
    assert.equal(
      at(coordinator, 'ENVICUTOR_CLUSTER_URL'),
      `http://${coordinator}:${at(coordinator, 'ENVICUTOR_LISTEN_PORT')}`,
    );
    assert.ok(at('agent', 'ENVICUTOR_AGENT_COORDINATOR_URL').includes(`ws://${coordinator}:7070/agents`));
    assert.ok(text.includes(`"${coordinator}:7070"`), 'Prometheus asks it');
  }
  for (const name of ['agent', 'builder']) {
    const { command = [] } = serviceOf(`${name}-launcher`);
    const socket = at(name, `ENVICUTOR_${name.toUpperCase()}_LAUNCHER_SOCKET_PATH`);
    assert.ok(command.includes(`--socket=${socket}`));
    const uid = dockerfile.find(({ stage, name: word }) => stage === name && word === 'USER')?.words.split(':')[0];
    assert.ok(command.includes(`--client-uid=${uid}`));
  }
  const options = readFileSync(join(root, 'shared/sandbox/launcher/options.c'), 'utf8');
  for (const word of text.match(/^ {6}- --[a-z-]+/gm) ?? []) assert.ok(options.includes(word.trim().slice(2)), word);
});

test('every volume of ours is where the image has a folder with its owner', () => {
  const made = dockerfile
    .filter(({ stage }) => stage === 'base')
    .map(({ words }) => words)
    .join(' ');
  const folders = new Set(made.match(/\/(?:var\/lib|run)\/envicutor\/[a-z-]+/g));
  for (const [name, { volumes = [] }] of ours()) {
    for (const volume of volumes.filter((each) => typeof each === 'string')) {
      const [, target = ''] = volume.split(':');
      assert.ok(folders.has(target) || target === '/run/envicutor-ids', `${name}: ${volume}`);
    }
  }
});

test('only launchers are privileged; all else of ours has no capability, and writes nowhere but into its volumes', () => {
  const privileged = services().filter(([, service]) => service.privileged === true);
  assert.deepEqual(privileged.map(([name]) => name).sort(), ['agent-launcher', 'builder-launcher']);
  const capable = services().filter(([, service]) => service.cap_add !== undefined);
  assert.deepEqual(
    capable.map(([name]) => name),
    ['backup'],
  );
  for (const [name, service] of ours()) {
    if (service.privileged === true) continue;
    const facts = [service.cap_drop, service.read_only, service.security_opt];
    assert.deepEqual(facts, [['ALL'], true, ['no-new-privileges:true']], name);
  }
  assert.equal(serviceOf('agent-launcher').network_mode, 'none');
  assert.ok(!serviceOf('builder-launcher').networks?.includes('back'));
});

test('whatever is mounted from here is here, or is made by what makes secrets', () => {
  const secrets = readFileSync(join(root, 'ops/make-secrets'), 'utf8');
  for (const { file } of Object.values(compose.document.secrets)) {
    assert.ok(secrets.includes(` ${file.slice('secrets/'.length)}`), `ops/make-secrets makes ${file}`);
  }
  const mounted = services().flatMap(([, { volumes = [] }]) =>
    volumes.flatMap((volume) =>
      typeof volume === 'string' && volume.startsWith('./') ? (volume.split(':')[0] ?? '') : [],
    ),
  );
  // Both are checked where they are made.
  assert.deepEqual(mounted.sort(), ['./grafana/dashboard.json', './prometheus/alerts.yml']);
  for (const [name, service] of services()) {
    assert.ok(service.healthcheck !== undefined || targetOf(service) !== null, `${name} says whether it is healthy`);
  }
  assert.doesNotMatch(text, /PASSWORD: |SECRET_KEY/);
});

test('the Dockerfile passes hadolint, which would tell otherwise', async () => {
  const hadolint = join(await checkers(), 'hadolint');
  await run(hadolint, ['--failure-threshold', 'info', join(root, 'ops/Dockerfile')]).catch(({ stdout }) =>
    assert.fail(stdout),
  );
  const folder = mkdtempSync(join(tmpdir(), 'envicutor-dockerfile-'));
  writeFileSync(join(folder, 'Dockerfile'), 'FROM debian\nRUN cd /tmp && sudo ls\n');
  await assert.rejects(run(hadolint, [join(folder, 'Dockerfile')]), ({ stdout }) => /DL3006[\s\S]*DL3004/.test(stdout));
  rmSync(folder, { recursive: true });
});

test('images are targets, and what they copy and start is in a release', () => {
  for (const [name, service] of ours()) {
    const target = targetOf(service) ?? '';
    assert.ok(stages.has(target), name);
    const build = service.build ?? assert.fail(`${name} is not built`);
    assert.equal(build.target, target);
    assert.ok(existsSync(join(root, 'ops', build.context, build.dockerfile)));
  }
  const tarball = `release/${nameOf('VERSION', 'x64').replace('x64', '*')}.tar.gz`;
  const copies = dockerfile.filter(({ name, words }) => name === 'COPY' && !words.startsWith('--from='));
  assert.deepEqual(
    copies.map(({ words }) => words.replace(/\$\{(VERSION)\}/, '$1')),
    [`${tarball} /tmp/`],
  );
  const folder = mkdtempSync(join(tmpdir(), 'envicutor-programs-'));
  writePrograms(folder);
  for (const { stage, words } of dockerfile.filter(({ name }) => name === 'ENTRYPOINT')) {
    const [program = ''] = JSON.parse(words);
    assert.ok(program === 'envicutor-launcher' || existsSync(join(folder, basename(program))), `${stage}: ${program}`);
  }
  rmSync(folder, { recursive: true });
  const proxy = /\/opt\/envicutor\/lib\/dist\/(coordinator\/egress\/main)\.js/.exec(text)?.[1];
  assert.ok(existsSync(join(root, `${proxy}.ts`)));
});

test('everything but the launcher runs as a user of its own, and says whether it is healthy or why nobody can', () => {
  for (const target of ['coordinator', 'verifier', 'builder', 'agent', 'launcher']) {
    const own = dockerfile.filter(({ stage }) => stage === target);
    const user = own.find(({ name }) => name === 'USER')?.words;
    assert.equal(user === '0:0', target === 'launcher', `${target} runs as ${user}`);
    assert.ok(own.some(({ name }) => name === 'HEALTHCHECK'));
  }
  const images = [
    ...dockerfile.filter(({ name }) => name === 'FROM').map(({ words }) => words),
    ...services().map(([, { image = '' }]) => image),
  ];
  // An image's name without a host: whose registry that is is the engine's affair.
  for (const image of images) assert.doesNotMatch(image.split(' ')[0] ?? '', /^[^/]*\.[^/]*\//);
});

/**
 * Owns what the manifests of ops/kubernetes may be held against without a cluster: Kubernetes' own schemas, what our processes say of the variables that
 * they are told, and that every name leads somewhere. Never applies one: nothing here says that a pod starts.
 */
import assert from 'node:assert/strict';
import { mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { before, test } from 'node:test';
import { type Checked, checkYaml, findVariableProblems, readDockerfile, root } from '../support/operations-files.ts';

const folder = join(root, 'ops/kubernetes');
const files = readdirSync(folder).filter((name) => name.endsWith('.yaml'));
/** The oldest that has sidecars, and the newest that the schemas are there for. */
const versions = ['1.30', '1.37'];

interface SecurityContext {
  readonly privileged?: boolean;
  readonly allowPrivilegeEscalation?: boolean;
  readonly readOnlyRootFilesystem?: boolean;
  readonly runAsUser?: number;
  readonly runAsNonRoot?: boolean;
  readonly capabilities?: { readonly drop?: readonly string[] };
}
interface Probe {
  readonly httpGet: { readonly path: string };
}
interface Named {
  readonly name: string;
}
interface Container extends Named {
  readonly image: string;
  readonly envFrom?: readonly { readonly configMapRef?: Named; readonly secretRef?: Named }[];
  readonly env?: readonly { readonly name: string; readonly value?: string }[];
  readonly volumeMounts?: readonly Named[];
  readonly ports?: readonly Named[];
  readonly securityContext: SecurityContext;
  readonly startupProbe?: Probe;
  readonly livenessProbe?: Probe;
  readonly readinessProbe?: Probe;
}
interface PodSpec {
  readonly initContainers?: readonly Container[];
  readonly containers: readonly Container[];
  readonly volumes?: readonly (Named & { readonly secret?: { readonly secretName: string } })[];
  readonly automountServiceAccountToken?: boolean;
  readonly hostNetwork?: boolean;
  readonly hostPID?: boolean;
  readonly hostIPC?: boolean;
  readonly securityContext: SecurityContext;
  readonly terminationGracePeriodSeconds: number;
}
/** What of any kind the tests look at. */
interface Manifest {
  readonly kind: string;
  readonly metadata: Named & { readonly namespace?: string };
  readonly data?: Readonly<Record<string, string>>;
  readonly stringData?: Readonly<Record<string, string>>;
  readonly spec: {
    readonly template: { readonly spec: PodSpec };
    readonly volumeClaimTemplates?: readonly { readonly metadata: Named }[];
    readonly ports: readonly { readonly targetPort: string }[];
  };
}
type Pod = PodSpec & { readonly owner: string; readonly claims: readonly string[] };

let found: Checked<Manifest>[] = [];

before(
  async () => {
    found = await checkAll(versions[0] ?? '');
  },
  { timeout: 300_000 },
);

function checkAll(version: string): Promise<Checked<Manifest>[]> {
  return checkYaml<Manifest>(`kubernetes-${version}`, ...files.map((name) => join(folder, name)));
}

const documents = (kind: string): Manifest[] =>
  found.map(({ document }) => document).filter((one) => one.kind === kind);
const podSpecs = (): Pod[] =>
  ['Deployment', 'StatefulSet', 'DaemonSet'].flatMap(documents).map(({ metadata, spec }) => ({
    ...{ owner: metadata.name, claims: (spec.volumeClaimTemplates ?? []).map((claim) => claim.metadata.name) },
    ...spec.template.spec,
  }));
const containersOf = (pod: Pod): Container[] => [...(pod.initContainers ?? []), ...pod.containers];

test("every manifest follows Kubernetes' schemas strictly, old and new, which would tell otherwise", async () => {
  assert.deepEqual(
    found.flatMap(({ problems }) => problems),
    [],
  );
  assert.deepEqual(
    (await checkAll(versions[1] ?? '')).flatMap(({ problems }) => problems),
    [],
  );
  const place = mkdtempSync(join(tmpdir(), 'envicutor-kubernetes-'));
  const wrong = readFileSync(join(folder, 'agent.yaml'), 'utf8').replace('nodeSelector:', 'nodeSelectors:');
  writeFileSync(join(place, 'agent.yaml'), wrong);
  const [agent] = await checkYaml<Manifest>(`kubernetes-${versions[0]}`, join(place, 'agent.yaml'));
  rmSync(place, { recursive: true });
  assert.match(agent?.problems.join() ?? '', /nodeSelectors/);
});

test('there is a namespace, and everything else is in it', () => {
  assert.deepEqual(
    documents('Namespace').map(({ metadata }) => metadata.name),
    ['envicutor'],
  );
  for (const { document } of found) {
    if (document.kind !== 'Namespace') assert.equal(document.metadata.namespace, 'envicutor', document.metadata.name);
  }
  for (const kind of ['Deployment', 'StatefulSet', 'DaemonSet', 'PodDisruptionBudget', 'NetworkPolicy', 'Service'])
    assert.ok(documents(kind).length > 0, kind);
});

/** What a container is told: by ConfigMaps, Secrets and its own words; null: a name that leads nowhere. */
function variablesOf({ envFrom = [], env = [] }: Pick<Container, 'envFrom' | 'env'>): Record<string, string> {
  const given: Record<string, string> = {};
  for (const { configMapRef, secretRef } of envFrom) {
    const kind = configMapRef === undefined ? 'Secret' : 'ConfigMap';
    const { name } = configMapRef ?? secretRef ?? assert.fail('it names nothing');
    const source = documents(kind).find(({ metadata }) => metadata.name === name);
    assert.ok(source !== undefined, `${kind} ${name} is there`);
    Object.assign(given, source.data ?? {}, source.stringData ?? {});
  }
  for (const { name, value } of env) given[name] = (value ?? 'from-the-pod').replace('$(POD_IP)', '10.1.2.3');
  if (given['ENVICUTOR_DATABASE_URL'] === 'REPLACE') given['ENVICUTOR_DATABASE_URL'] = 'postgres://a:b@c/d';
  return given;
}

/** What two processes of a pod are told together is each one's by its prefix. */
const ofOne = new Map([
  ['verifier', 'ENVICUTOR_VERIFIER_'],
  ['builder', 'ENVICUTOR_BUILDER_'],
]);

test('every variable that a container is told is one of its process, and the process would start with them', () => {
  const told = new Set<string>();
  for (const pod of podSpecs()) {
    for (const container of pod.containers) {
      const given = variablesOf(container);
      if (!['coordinator', 'verifier', 'builder', 'agent'].includes(container.name)) continue;
      const prefix = ofOne.get(container.name);
      const own = Object.entries(given).filter(([name]) => prefix === undefined || name.startsWith(prefix));
      assert.deepEqual(findVariableProblems(container.name, Object.fromEntries(own)), [], container.name);
      told.add(container.name);
      if (prefix === undefined) continue;
      const others = Object.keys(given).filter((name) => !/^ENVICUTOR_(VERIFIER|BUILDER)_/.test(name));
      assert.deepEqual(others, []);
    }
  }
  assert.deepEqual([...told].sort(), ['agent', 'builder', 'coordinator', 'verifier']);
});

test('every volume, secret and port that something names is there', () => {
  const secrets = new Set(documents('Secret').map(({ metadata }) => metadata.name));
  for (const pod of podSpecs()) {
    const volumes = new Set([...(pod.volumes ?? []).map(({ name }) => name), ...pod.claims]);
    const used = new Set<string>();
    for (const container of containersOf(pod)) {
      for (const { name } of container.volumeMounts ?? []) {
        assert.ok(volumes.has(name), `${pod.owner}/${container.name} mounts ${name}`);
        used.add(name);
      }
    }
    assert.deepEqual(
      [...volumes].filter((name) => !used.has(name)),
      [],
      `${pod.owner} uses every volume`,
    );
    for (const { secret } of pod.volumes ?? [])
      assert.ok(secret === undefined || secrets.has(secret.secretName), pod.owner);
  }
  const ports = new Set(
    podSpecs()
      .flatMap(containersOf)
      .flatMap(({ ports = [] }) => ports.map(({ name }) => name)),
  );
  for (const { spec } of documents('Service'))
    for (const { targetPort } of spec.ports) assert.ok(ports.has(targetPort));
  const description = readFileSync(join(root, 'docs/http-api.md'), 'utf8');
  for (const { startupProbe, livenessProbe, readinessProbe } of podSpecs().flatMap(containersOf)) {
    for (const probe of [startupProbe, livenessProbe, readinessProbe]) {
      if (probe) assert.ok(description.includes(`GET ${probe.httpGet.path}`), probe.httpGet.path);
    }
  }
});

test('only launchers are privileged, and say why; all else has no privilege, no root and no token of the cluster', () => {
  for (const pod of podSpecs()) {
    assert.equal(pod.automountServiceAccountToken, false, pod.owner);
    assert.ok(pod.hostNetwork === undefined && pod.hostPID === undefined && pod.hostIPC === undefined, pod.owner);
    for (const { name, image, securityContext } of containersOf(pod)) {
      if (/launcher$/.test(name)) {
        assert.equal(securityContext.privileged, true);
        assert.match(image, /^envicutor\/launcher:/);
        continue;
      }
      assert.deepEqual(
        [securityContext.privileged, securityContext.allowPrivilegeEscalation],
        [undefined, false],
        name,
      );
      assert.deepEqual(
        [securityContext.capabilities?.drop, securityContext.readOnlyRootFilesystem],
        [['ALL'], true],
        name,
      );
      if (name === 'folders') continue;
      const user = securityContext.runAsUser ?? pod.securityContext.runAsUser ?? 0;
      assert.ok(user > 10_000 && (securityContext.runAsNonRoot ?? pod.securityContext.runAsNonRoot) === true, name);
    }
  }
  const said = readFileSync(join(folder, 'agent.yaml'), 'utf8');
  for (const word of ['SYS_ADMIN', 'NET_ADMIN', 'cgroup', 'seccomp'])
    assert.match(said, new RegExp(`^ *# .*${word}`, 'm'));
});

test('no secret of the template works, and images are targets of the Dockerfile', () => {
  for (const { stringData = {}, data = {} } of documents('Secret')) {
    const values = [
      ...Object.values(stringData),
      ...Object.values(data).map((value) => Buffer.from(String(value), 'base64').toString()),
    ];
    for (const value of values) assert.ok(value === 'REPLACE' || value === 'envicutor-files', String(value));
  }
  const stages = new Set(readDockerfile().map(({ stage }) => stage));
  const { version } = JSON.parse(readFileSync(join(root, 'package.json'), 'utf8'));
  for (const { image } of podSpecs().flatMap(containersOf)) {
    const [, target, tag] = /^envicutor\/([a-z]+):(.+)$/.exec(image) ?? [];
    if (target !== undefined) assert.deepEqual([stages.has(target), tag], [true, version], image);
  }
});

test('graces are longer than drains, and whoever is not named may speak with nobody', () => {
  const podOf = (name: string) => podSpecs().find(({ owner }) => owner === name) ?? assert.fail(name);
  const [coordinator, agent] = [podOf('coordinator'), podOf('agent')];
  const milliseconds = (pod: Pod, name: string, otherwise: string) =>
    Number(variablesOf(pod.containers.find((one) => one.name === pod.owner) ?? {})[name] ?? otherwise);
  const drain =
    milliseconds(coordinator, 'ENVICUTOR_DRAIN_MS_MAX', '20000') +
    milliseconds(coordinator, 'ENVICUTOR_DRAIN_NOTICE_MS', '2000');
  assert.ok(coordinator.terminationGracePeriodSeconds * 1000 > drain);
  assert.ok(
    agent.terminationGracePeriodSeconds * 1000 > milliseconds(agent, 'ENVICUTOR_AGENT_DRAIN_TIMEOUT_MS', '10000'),
  );
  const nobody = documents('NetworkPolicy').find(({ metadata }) => metadata.name === 'nobody');
  assert.deepEqual(nobody?.spec, { podSelector: {}, policyTypes: ['Ingress', 'Egress'] });
  for (const owner of ['coordinator', 'build-side', 'agent'])
    assert.ok(documents('NetworkPolicy').some(({ metadata }) => metadata.name === owner));
});

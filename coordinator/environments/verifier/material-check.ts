/**
 * Owns what both builds of a layer may have fetched for it to become everybody's, and whether they fetched the same. Pure.
 * Never looks at a layer's bytes.
 * Invariants: a body that came without TLS counts as unknown unless the operator listed its URL; a git fetch is what it asked for,
 * since a server packs the same objects differently each time.
 */
import type { Material } from './provenance.ts';
import { Refusal } from './refusal.ts';

/** As many wanted objects as a record names; a fetch of that many may have wanted more. */
const COMMITS_RECORDED_MAX = 256;
const NAMES_MAX = 5;

/** Throws Refusal when a build that fetched these must stay its tenant's. */
export function checkShareable(materials: readonly Material[], signedPlainHttpUrls: readonly string[]): void {
  const secret = materials.find(({ isWithCredentials }) => isWithCredentials);
  if (secret !== undefined) {
    throw new Refusal('reproduction-credentials', `${secret.url} was fetched with credentials`);
  }
  const isSigned = toMatcher(signedPlainHttpUrls);
  const plain = materials.find(({ url }) => !url.startsWith('https://') && !isSigned(url));
  if (plain !== undefined) {
    const remedy = 'list such URLs if their client checks signatures, as apt does (signedPlainHttpUrls)';
    throw new Refusal('reproduction-plain-http', `${plain.url} came without TLS; ${remedy}`);
  }
}

/** Throws Refusal that names what only one of the builds fetched. */
export function checkSameMaterials(first: readonly Material[], second: readonly Material[]): void {
  const [before, after] = [identities(first), identities(second)];
  const differing = [...before, ...after].filter((each) => !before.has(each) || !after.has(each)).sort();
  if (differing.length === 0) return;
  const shown = differing.slice(0, NAMES_MAX).join(', ');
  throw new Refusal('reproduction-materials', `the builds did not fetch the same (${differing.length}): ${shown}`);
}

/** Bodies by what they are; what carries no content, or only says where it is, is left out. */
function identities(materials: readonly Material[]): Set<string> {
  const found = new Set<string>();
  for (const { url, sha256, method, httpCode, commits } of materials) {
    const isContent = method !== 'HEAD' && httpCode >= 200 && httpCode < 300;
    if (!isContent || isGitNegotiation(url, commits)) continue;
    const isByCommit = commits.length > 0 && commits.length < COMMITS_RECORDED_MAX;
    found.add(isByCommit ? `${url} ${commits.toSorted().join('+')}` : `${url} sha256:${sha256}`);
  }
  return found;
}

/** A list of a repository's references: it names, and moves with every branch; what was taken is in the fetch that follows. */
function isGitNegotiation(url: string, commits: readonly string[]): boolean {
  const { pathname, searchParams } = new URL(url);
  if (pathname.endsWith('/info/refs')) return searchParams.get('service') === 'git-upload-pack';
  return pathname.endsWith('/git-upload-pack') && commits.length === 0;
}

function toMatcher(patterns: readonly string[]): (url: string) => boolean {
  const expressions = patterns.map((pattern) => {
    const parts = pattern.split('*').map((part) => part.replace(/[\\^$.|?+()[\]{}]/g, '\\$&'));
    return new RegExp(`^${parts.join('.*')}$`);
  });
  return (url) => expressions.some((expression) => expression.test(url));
}

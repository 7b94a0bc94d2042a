/**
 * Owns reading a statement of provenance: who built a layer, when, by which parameters, and out of what. Pure. Never checks its signature.
 */

/** Something that a build had. */
export interface Material {
  readonly uri: string;
  readonly digest: string;
  /** Null: it is a layer below. */
  readonly method: string | null;
  readonly bytes: number | null;
  readonly source: string;
}

/** What a statement says. */
export interface ReadProvenance {
  readonly builtAt: string;
  readonly key: string;
  readonly specDigest: string;
  readonly isComplete: boolean;
  readonly parameters: string;
  readonly materials: readonly Material[];
}

interface Dependency {
  readonly uri: string;
  readonly digest?: { readonly sha256?: string };
  readonly annotations?: { readonly method?: string; readonly bytes?: number; readonly source?: string };
}

interface Statement {
  readonly predicate: {
    readonly buildDefinition: {
      readonly externalParameters: unknown;
      readonly internalParameters: Readonly<Record<string, unknown>>;
      readonly resolvedDependencies: readonly Dependency[];
    };
    readonly runDetails: { readonly metadata: Readonly<Record<string, unknown>> };
  };
}

/** Of an envelope's payload, in base64; null: it is no such statement. */
export function readProvenance(payload: string): ReadProvenance | null {
  try {
    const bytes = Uint8Array.from(atob(payload), (character) => character.charCodeAt(0));
    const { predicate } = JSON.parse(new TextDecoder().decode(bytes)) as Statement;
    const { externalParameters, internalParameters, resolvedDependencies } = predicate.buildDefinition;
    return {
      builtAt: String(predicate.runDetails.metadata['finishedOn']),
      key: String(internalParameters['key']),
      specDigest: String(internalParameters['specDigest']),
      isComplete: internalParameters['areMaterialsComplete'] === true,
      parameters: JSON.stringify(externalParameters, null, 2),
      materials: resolvedDependencies.map(({ uri, digest, annotations }) => ({
        uri,
        digest: digest?.sha256 ?? '',
        method: annotations?.method ?? null,
        bytes: annotations?.bytes ?? null,
        source: annotations?.source ?? 'a layer below',
      })),
    };
  } catch {
    return null;
  }
}

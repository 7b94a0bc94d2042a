/**
 * Owns which agents are at home for a layer: the same few for the same layer as long as the fleet stays the same, and mostly the same when it
 * changes (consistent hashing, Karger et al. 1997, with several points for each agent).
 * Never looks at load. Invariant: a ring is made once from the agents of a moment; one that has left since is the caller's to skip.
 */

const POINTS = 8;
/** Agents are numbered below this, so that hash and number fit a double exactly. */
const NUMBERS = 2 ** 20;

/** Mixes a text into 32 bits (FNV-1a with murmur3's finalizer). */
export function mix(text: string, seed: number): number {
  let hash = 0x811c9dc5 ^ seed;
  for (let index = 0; index < text.length; index += 1) hash = Math.imul(hash ^ text.charCodeAt(index), 0x01000193);
  hash = Math.imul(hash ^ (hash >>> 16), 0x85ebca6b);
  hash = Math.imul(hash ^ (hash >>> 13), 0xc2b2ae35);
  return (hash ^ (hash >>> 16)) >>> 0;
}

/** A ring of agents. */
export class AgentRing<Agent extends { readonly id: string }> {
  readonly #agents: readonly Agent[];
  /** Hash times NUMBERS plus the agent's number, ascending. */
  readonly #points: Float64Array;

  constructor(agents: readonly Agent[]) {
    this.#agents = agents.slice(0, NUMBERS);
    this.#points = new Float64Array(this.#agents.length * POINTS);
    for (const [number, { id }] of this.#agents.entries()) {
      for (let point = 0; point < POINTS; point += 1) {
        this.#points[number * POINTS + point] = mix(id, point) * NUMBERS + number;
      }
    }
    this.#points.sort();
  }

  /** Up to `count` different agents, in the layer's own order. */
  homes(layer: string, count: number): Agent[] {
    const found: Agent[] = [];
    const points = this.#points.length;
    let index = this.#after(mix(layer, 0) * NUMBERS);
    for (let step = 0; step < points && found.length < count; step += 1) {
      const agent = this.#agents[(this.#points[index % points] as number) % NUMBERS] as Agent;
      if (!found.includes(agent)) found.push(agent);
      index += 1;
    }
    return found;
  }

  #after(value: number): number {
    let [low, high] = [0, this.#points.length];
    while (low < high) {
      const middle = (low + high) >> 1;
      if ((this.#points[middle] as number) < value) low = middle + 1;
      else high = middle;
    }
    return low;
  }
}

/**
 * Owns which processors the programs of each slot may use: the setting `slotCpus` as one list for each slot. Pure.
 * Never pins anything: the launcher does, and preflight proves that it can.
 * Invariant: no processor belongs to two slots, so that two executions never share a core; or no slot is pinned at all.
 */

/** Processors of one slot as the kernel spells them (`0`, `2-3`), or null for any. */
export type SlotCpus = string | null;

/** The slots' lists, or the sentence that says why the setting can't be. */
export type SlotCpusOutcome =
  | { readonly cpus: readonly SlotCpus[]; readonly problem: null }
  | { readonly cpus: null; readonly problem: string };

const NAME = 'slotCpus (ENVICUTOR_AGENT_SLOT_CPUS)';

/**
 * The lists of `slots` slots on a machine whose processors are `online`: `none`; `one-core-each`: the slots' numbers, in the order of the
 * machine's; or one list for each slot, separated by semicolons.
 */
export function toSlotCpus(setting: string, slots: number, online: readonly number[]): SlotCpusOutcome {
  if (setting === 'none') return { cpus: new Array<null>(slots).fill(null), problem: null };
  const texts = setting === 'one-core-each' ? online.slice(0, slots).map(String) : setting.split(';');
  if (texts.length !== slots) {
    const found =
      setting === 'one-core-each' ? `there are ${online.length} processors` : `it lists ${texts.length} sets`;
    return refusal(`${found} for ${slots} slots; change slots (ENVICUTOR_AGENT_SLOTS), or this, or set it to none`);
  }
  const owners = new Map<number, number>();
  for (const [slot, text] of texts.entries()) {
    const cpus = parseCpus(text);
    if (cpus === null) return refusal(`'${text}' is no list of processors such as 0 or 2-3 or 0,4`);
    for (const cpu of cpus) {
      if (!online.includes(cpu)) return refusal(`this machine has no processor ${cpu}; it has ${online.join(', ')}`);
      const owner = owners.get(cpu);
      if (owner !== undefined) return refusal(`processor ${cpu} belongs to slot ${owner} and to slot ${slot}`);
      owners.set(cpu, slot);
    }
  }
  return { cpus: texts, problem: null };
}

/** The numbers of a list such as `0,2-3`, or null when it is none. */
export function parseCpus(list: string): number[] | null {
  const cpus: number[] = [];
  for (const part of list.trim().split(',')) {
    const [, first, last = first] = /^(\d{1,5})(?:-(\d{1,5}))?$/.exec(part) ?? [];
    if (first === undefined || last === undefined || Number(first) > Number(last)) return null;
    for (let cpu = Number(first); cpu <= Number(last); cpu++) cpus.push(cpu);
  }
  return cpus;
}

function refusal(why: string): SlotCpusOutcome {
  return { cpus: null, problem: `${NAME} can't be used: ${why}` };
}

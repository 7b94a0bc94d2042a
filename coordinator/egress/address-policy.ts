/**
 * Owns which addresses may be dialled for others, by the proxy for builds and by webhooks: public unicast, plus what the operator allows, minus what the operator denies.
 * Never resolves names. Documentation ranges are not refused: registries may resolve to them behind some networks, and nothing internal lives there.
 * Invariant: an address that isn't understood is refused; an IPv4 address inside an IPv6 one is judged as itself.
 */
import { isIP } from 'node:net';

/** A range of addresses; 4 or 16 octets and the number of leading bits that count. */
export interface AddressRange {
  readonly octets: Uint8Array;
  readonly bits: number;
}

/** Octets of an IPv4 or IPv6 address in any text form that `isIP` knows; null otherwise, zone identifiers included. */
export function toOctets(address: string): Uint8Array | null {
  if (isIP(address) === 4) return Uint8Array.from(address.split('.'), Number);
  if (isIP(address) !== 6 || address.includes('%')) return null;
  const dotted = /^(.*:)(\d+\.\d+\.\d+\.\d+)$/.exec(address);
  const tail = dotted?.[2] === undefined ? null : toOctets(dotted[2]);
  const colons =
    tail === null
      ? address
      : `${dotted?.[1]}${((tail[0] ?? 0) * 256 + (tail[1] ?? 0)).toString(16)}:${((tail[2] ?? 0) * 256 + (tail[3] ?? 0)).toString(16)}`;
  const [head = '', rest] = colons.split('::');
  const toGroups = (text: string): number[] =>
    text === '' ? [] : text.split(':').map((group) => Number.parseInt(group, 16));
  const left = toGroups(head);
  const right = rest === undefined ? [] : toGroups(rest);
  const groups = rest === undefined ? left : [...left, ...Array(8 - left.length - right.length).fill(0), ...right];
  return Uint8Array.from(groups.flatMap((group) => [group >> 8, group & 0xff]));
}

/** A range from `address` or `address/bits`; null when it is not one. */
export function toRange(text: string): AddressRange | null {
  const [address = '', length, extra] = text.split('/');
  const octets = toOctets(address);
  if (octets === null || extra !== undefined) return null;
  if (length === undefined) return { octets, bits: octets.length * 8 };
  const bits = Number(length);
  return /^\d{1,3}$/.test(length) && bits <= octets.length * 8 ? { octets, bits } : null;
}

/** Is the address (its octets) inside the range? Families never mix. */
export function isWithin(octets: Uint8Array, range: AddressRange): boolean {
  if (octets.length !== range.octets.length) return false;
  const whole = range.bits >> 3;
  for (let at = 0; at < whole; at++) if (octets[at] !== range.octets[at]) return false;
  const mask = 0xff & (0xff00 >> (range.bits & 7));
  return mask === 0 || ((octets[whole] ?? 0) & mask) === ((range.octets[whole] ?? 0) & mask);
}

function table(entries: Readonly<Record<string, string>>): readonly (AddressRange & { readonly name: string })[] {
  return Object.entries(entries).flatMap(([text, name]) => {
    const range = toRange(text);
    return range === null ? [] : [{ ...range, name }];
  });
}

// Sources: IANA's special-purpose registries for IPv4 and IPv6, and the clouds' metadata services.
const refused = table({
  '0.0.0.0/8': 'unspecified',
  '10.0.0.0/8': 'private',
  '100.64.0.0/10': 'carrier-grade NAT',
  '127.0.0.0/8': 'loopback',
  '168.63.129.16/32': "a cloud's host service",
  '169.254.0.0/16': 'link-local or metadata',
  '172.16.0.0/12': 'private',
  '192.0.0.0/24': 'protocol assignments or metadata',
  '192.88.99.0/24': '6to4 relay',
  '192.168.0.0/16': 'private',
  '198.18.0.0/15': 'benchmarking, and the build network itself',
  '224.0.0.0/4': 'multicast',
  '240.0.0.0/4': 'reserved or broadcast',
  '2001::/23': 'protocol assignments or Teredo',
  '5f00::/16': 'segment routing',
});

const globalUnicast: AddressRange = { octets: Uint8Array.from([0x20, ...Array(15).fill(0)]), bits: 3 };

/** Where an IPv4 address hides in an IPv6 one: the prefix, and the first octet of the four. */
const carriers = table({ '::ffff:0:0/96': '12', '::ffff:0:0:0/96': '12', '64:ff9b::/96': '12', '2002::/16': '2' });

function embedded(octets: Uint8Array): Uint8Array | null {
  const carrier = carriers.find((range) => isWithin(octets, range));
  if (carrier !== undefined) return octets.subarray(Number(carrier.name), Number(carrier.name) + 4);
  const isIsatap =
    octets.length === 16 &&
    ((octets[8] ?? 0) & 0xfd) === 0 &&
    octets[9] === 0 &&
    octets[10] === 0x5e &&
    octets[11] === 0xfe;
  return isIsatap ? octets.subarray(12) : null;
}

function whyNotPublic(octets: Uint8Array): string | null {
  const inner = embedded(octets);
  if (inner !== null) {
    const why = whyNotPublic(inner);
    if (why !== null) return `${why}, inside IPv6`;
    // Mapped and translated addresses are outside global unicast; their IPv4 address has just been found public.
    if (!isWithin(octets, globalUnicast)) return null;
  }
  const range = refused.find((candidate) => isWithin(octets, candidate));
  if (range !== undefined) return range.name;
  return octets.length === 4 || isWithin(octets, globalUnicast)
    ? null
    : 'not global unicast (loopback, link-local, unique local, multicast …)';
}

/** Decides about addresses; made once per process. */
export interface AddressPolicy {
  /** Null when the address may be dialled, else why not, in a few words. */
  whyDenied(address: string): string | null;
}

/** What the operator says, and the addresses of this machine itself, which are never public to a build. */
export interface AddressRules {
  readonly allowedPrivateRanges: readonly string[];
  readonly deniedRanges: readonly string[];
  readonly ownAddresses: readonly string[];
}

/** Throws an Error that names the text when a range can't be read: a policy that is half understood would be open. */
export function createAddressPolicy(rules: AddressRules): AddressPolicy {
  const parse = (texts: readonly string[]): AddressRange[] =>
    texts.map((text) => {
      const range = toRange(text);
      if (range === null) throw new Error(`not an address or range: ${text}`);
      return range;
    });
  const allowed = parse(rules.allowedPrivateRanges);
  const denied = parse(rules.deniedRanges);
  const own = parse(rules.ownAddresses);
  return {
    whyDenied(address) {
      const octets = toOctets(address);
      if (octets === null) return 'not an address';
      const forms = [octets, embedded(octets)].filter((form) => form !== null);
      const isIn = (ranges: readonly AddressRange[]) =>
        forms.some((form) => ranges.some((range) => isWithin(form, range)));
      if (isIn(denied)) return "denied by the operator's policy";
      if (isIn(allowed)) return null;
      if (isIn(own)) return 'this machine itself';
      return whyNotPublic(octets);
    },
  };
}

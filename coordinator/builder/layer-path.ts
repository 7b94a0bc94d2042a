/**
 * Owns the form of names inside a layer: relative, without `.`, `..` or empty segments, bounded in length and depth.
 * Never resolves anything against a file system. Names are byte strings (one character a byte).
 */
import { SystemError } from '../../shared/errors.ts';

/** Bounds of the file systems that layers are unpacked to, less the NUL. */
const PATH_BYTES_MAX = 4095;
const SEGMENT_BYTES_MAX = 255;
/** Deep enough for any package manager; the verifier allows no more. */
const DEPTH_MAX = 256;

function bad(name: string, why: string): SystemError {
  const shown = JSON.stringify(Buffer.from(name.slice(0, 200), 'latin1').toString('utf8'));
  return new SystemError('layer-refused', `what the build left behind can't become a layer: the name ${shown} ${why}`);
}

/** A raw tar's name as a layer's path, '' for the layer's root; SystemError `layer-refused` when it is no plain relative path. */
export function toLayerPath(rawName: string): string {
  const name = rawName.replace(/^(\.\/+)+/, '').replace(/\/+$/, '');
  if (rawName !== '' && (name === '' || name === '.') && !rawName.startsWith('/')) return '';
  if (rawName === '' || name.startsWith('/') || rawName.startsWith('/')) throw bad(rawName, 'is empty or absolute');
  if (name.includes('\0')) throw bad(name, 'holds a NUL');
  if (name.length > PATH_BYTES_MAX) throw bad(name, `is longer than ${PATH_BYTES_MAX} bytes`);
  const segments = name.split('/');
  if (segments.length > DEPTH_MAX) throw bad(name, `is deeper than ${DEPTH_MAX} directories`);
  for (const segment of segments) {
    if (segment === '' || segment === '.' || segment === '..') throw bad(name, 'holds an empty, `.` or `..` segment');
    if (segment.length > SEGMENT_BYTES_MAX) throw bad(name, `has a segment longer than ${SEGMENT_BYTES_MAX} bytes`);
  }
  return name;
}

/** What a symbolic link points to, unchanged; it may point anywhere, but not nowhere. */
export function checkedLink(target: string, path: string): string {
  if (target === '' || target.length > PATH_BYTES_MAX || target.includes('\0')) {
    throw bad(path, 'is a symbolic link with an impossible target');
  }
  return target;
}

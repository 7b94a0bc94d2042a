/**
 * Owns the port of copying a coordinator's database as a whole, while coordinators use it, and of putting a copy into an empty place.
 * Never interprets what is in it but its form.
 */

/** The database that this configuration names. */
export interface DatabaseCopies {
  readonly engine: 'sqlite' | 'postgres';
  /** The newest form that this release knows. */
  readonly formKnown: number;
  /** Name of the copy in a backup. */
  readonly fileName: string;
  /** Writes one moment's copy into a new file; SystemError `state-store-unavailable` when that fails. */
  save(path: string): Promise<void>;
  /** The form of a copy; SystemError `file-corrupt` when it is none. */
  formOf(path: string): Promise<number>;
  /** Is there nothing yet where a copy would be restored? */
  isEmpty(): Promise<boolean>;
  /** Puts a copy there, whole or not at all; SystemError `state-store-unavailable` when that fails. */
  restore(path: string): Promise<void>;
}

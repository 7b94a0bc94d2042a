/**
 * Owns what clients see of files that are sent once: their id, what is told of one, and how a request names one instead of carrying its content.
 * Never holds a byte of one.
 */
import { type Static, Type } from '@sinclair/typebox';
import type { FileId } from '../ids.ts';
import { Closed, OneOf, Timestamp } from './closed.ts';
import { File } from './environment.ts';

/** The id of a file of the asking tenant. */
export const FileIdText = Type.Unsafe<FileId>(Type.String({ pattern: '^file_[0-9a-z]{8,64}$' }));

/** The digest of some bytes. */
export const DigestText = Type.String({ pattern: '^sha256:[0-9a-f]{64}$' });

/** A file as its tenant sees it. */
export const StoredFile = Closed({
  id: FileIdText,
  sha256: Type.String({ pattern: '^[0-9a-f]{64}$' }),
  bytes: Type.Integer({ minimum: 0 }),
  expiresAt: Timestamp,
});
export type StoredFile = Static<typeof StoredFile>;

/** A file of a request whose content was sent before. */
export const FileReference = Closed({
  path: File.properties.path,
  file: FileIdText,
  executable: Type.Optional(Type.Boolean()),
});
export type FileReference = Static<typeof FileReference>;

/** A file that the scripts of an execution find. */
export const InputFile = Type.Union([File, FileReference]);
export type InputFile = Static<typeof InputFile>;

/** How a standard input is given; `file`: it is the id of a file. */
export const InputEncoding = OneOf(['utf8', 'base64', 'file']);
export type InputEncoding = Static<typeof InputEncoding>;

/** What files that are named by id may weigh together in one workspace: the launcher takes a workspace in one frame. Bytes. */
export const INPUT_FILES_BYTES_MAX = 100 * 1024 * 1024;

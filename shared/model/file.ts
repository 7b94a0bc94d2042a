/**
 * Owns what clients see of files that are sent once: their id, what is told of one, and how a request names one instead of carrying its content.
 * Never holds a byte of one.
 */
import { type Static, Type } from '@sinclair/typebox';
import type { FileId } from '../ids.ts';
import { Closed, OneOf, Timestamp } from './closed.ts';
import { File } from './environment.ts';

/** The id of a file of the asking tenant. */
export const FileIdText = Type.Unsafe<FileId>(
  Type.String({ pattern: '^file_[0-9a-z]{8,64}$', description: 'A file that was sent, or left.' }),
);

/** The digest of some bytes. */
export const DigestText = Type.String({ pattern: '^sha256:[0-9a-f]{64}$' });

/** A file as its tenant sees it. */
export const StoredFile = Closed(
  {
    id: FileIdText,
    sha256: Type.String({ pattern: '^[0-9a-f]{64}$', description: 'Of its bytes.' }),
    bytes: Type.Integer({ minimum: 0, description: 'Its size.' }),
    expiresAt: Timestamp,
  },
  { title: 'StoredFile', description: 'A file as its tenant sees it.' },
);
export type StoredFile = Static<typeof StoredFile>;

/** A file of a request whose content was sent before. */
export const FileReference = Closed(
  {
    path: File.properties.path,
    file: FileIdText,
    executable: Type.Optional(Type.Boolean({ description: 'Default: no.' })),
  },
  { title: 'FileReference', description: 'A file of a request whose content was sent before.' },
);
export type FileReference = Static<typeof FileReference>;

/** A file that the scripts of an execution find. */
export const InputFile = Type.Union([File, FileReference], {
  title: 'InputFile',
  description: 'A file that scripts find, with its content or by its id.',
});
export type InputFile = Static<typeof InputFile>;

/** How a standard input is given; `file`: it is the id of a file. */
export const InputEncoding = OneOf(['utf8', 'base64', 'file'], {
  title: 'InputEncoding',
  description: 'How a text stands for bytes; `file`: it is the id of a file. Default: `utf8`.',
});
export type InputEncoding = Static<typeof InputEncoding>;

/** What files that are named by id may weigh together in one workspace: the launcher takes a workspace in one frame. Bytes. */
export const INPUT_FILES_BYTES_MAX = 100 * 1024 * 1024;

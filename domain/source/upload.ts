import { z } from 'zod';
import { projectName, resolvedBy } from '../project/names.ts';
import { sourceName } from '../project/source.ts';
import { pathObstacle } from './path.ts';

const plainPath = z
  .string()
  .refine((path) => pathObstacle(path) === null, 'a relative path without . or .. in it')
  .meta({ description: 'Within the source.', examples: ['notes/lan.md'] });

export const archiveKinds = ['zip', 'tar', 'tar.gz'] as const;
export type ArchiveKind = (typeof archiveKinds)[number];

export const sourceParams = z.object({ id: projectName, source: sourceName });

export const uploadQuery = z
  .strictObject({
    path: plainPath
      .optional()
      .meta({ description: 'Of a file: where it is put. Of an archive: the folder that it is unpacked into.' }),
    unpack: z.enum(archiveKinds).optional().meta({ description: 'The body is an archive of files.' }),
  })
  .refine(({ path, unpack }) => path !== undefined || unpack !== undefined, {
    path: ['path'],
    message: 'where to put the file',
  });

export const removalQuery = z.strictObject({ path: plainPath });

export const uploadedFileSchema = z
  .object({
    path: z.string(),
    sha256: z.string(),
    bytes: z.number().int(),
    actor: z.string(),
    uploaded_at: z.iso.datetime(),
  })
  .meta({ id: 'UploadedFile' });

export type UploadedFile = z.output<typeof uploadedFileSchema>;

/** What an upload brought. */
export const uploadSchema = z
  .object({
    ...{ project: z.string(), resolved_by: resolvedBy, source: z.string() },
    files: z.number().int().meta({ description: 'Kept, new or in place of another.' }),
    bytes: z.number().int(),
    left_out: z.number().int().meta({ description: 'Of an archive: what the globs of the source leave out.' }),
  })
  .meta({ id: 'Upload' });
export type Upload = z.output<typeof uploadSchema>;

import { z } from 'zod';
import { gitRef } from '../service.ts';
import { pathObstacle } from '../source/path.ts';

export const sourceName = z
  .string()
  .regex(/^[a-z0-9][a-z0-9-]{0,62}$/, 'lower-case letters, digits and hyphens, at most 63')
  .meta({ description: 'The name of a source within its project.', examples: ['notes'] });

const absolutePath = z
  .string()
  .max(4_096)
  .regex(/^\/[^\0]*$/, 'an absolute path')
  .refine((path) => !path.split('/').some((part) => part === '..' || part === '.'), 'no . or .. in it');

/** Within a source, as its listing has it. */
export const itemPath = z.string().refine((path) => pathObstacle(path) === null, 'a plain path inside the source');

const glob = z
  .string()
  .min(1)
  .max(500)
  .refine((text) => !text.startsWith('/') && !text.split('/').includes('..'), 'relative to the source, without ..');
const globs = z.array(glob).max(200);

/** What is put into an address stays in registrations, exports and logs. */
const withoutPassword = (text: string) => {
  const url = URL.canParse(text) ? new URL(text) : null;
  return url === null || (url.password === '' && (url.protocol === 'ssh:' || url.username === ''));
};

const httpUrl = z
  .url({ protocol: /^https?$/ })
  .max(2_048)
  .refine(withoutPassword, 'no user or password in it');

const gitUrl = z
  .string()
  .min(1)
  .max(2_048)
  // Nothing that git could take for an option or for a program to run.
  .refine(
    (url) => /^(https?|ssh|file):\/\/[^-]|^\/|^[\w.]+@[\w][\w.-]*:[^-]/.test(url) && !/\s/.test(url),
    'a git URL or an absolute path',
  )
  .refine(
    (url) => !isOnBox(url) || absolutePath.safeParse(pathOnBox(url)).success,
    'an absolute path without . or .. in it',
  )
  .refine(withoutPassword, 'no user or password in it')
  .meta({ description: 'Git URL, or the absolute path of a repository inside an allowed root.' });

const limits = z.strictObject({
  max_file_bytes: z.number().int().min(1).max(10_737_418_240).meta({ description: 'A larger file is quarantined.' }),
  max_files: z.number().int().min(1).max(10_000_000).meta({ description: 'More of them, and the wave stops.' }),
  max_bytes: z
    .number()
    .int()
    .min(1)
    .max(10_995_116_277_760)
    .meta({ description: 'All together; more, and the wave stops.' }),
});

const common = {
  include: globs.min(1).meta({ description: 'Of its files only those that one of these globs matches.' }),
  exclude: globs.meta({ description: 'And none that one of these matches.' }),
  limits,
};

function kinds<T extends z.ZodRawShape>(rest: T) {
  return z.discriminatedUnion('kind', [
    z.strictObject({ kind: z.literal('directory'), name: sourceName, path: absolutePath, ...rest }),
    z.strictObject({ kind: z.literal('git'), name: sourceName, url: gitUrl, ref: gitRef.default('HEAD'), ...rest }),
    z.strictObject({ kind: z.literal('upload'), name: sourceName, ...rest }),
    z.strictObject({
      kind: z.literal('http'),
      name: sourceName,
      urls: z.array(httpUrl).max(1_000).default([]).meta({ description: 'These pages; either they or a sitemap.' }),
      sitemap: httpUrl.nullable().default(null).meta({ description: 'The pages that this sitemap names.' }),
      allow_private: z.boolean().default(false).meta({
        description: 'Pages of this machine and of private networks too; who proposes it names what may be read there.',
      }),
      ...rest,
    }),
  ]);
}

/** Where a project's truth lives, every field filled in. */
export const sourceSpecSchema = kinds(common).meta({ id: 'SourceSpec' });
export type SourceSpec = z.output<typeof sourceSpecSchema>;
export type SourceLimits = z.output<typeof limits>;
export type DirectorySource = Extract<SourceSpec, { kind: 'directory' }>;
export type GitSource = Extract<SourceSpec, { kind: 'git' }>;
export type UploadSource = Extract<SourceSpec, { kind: 'upload' }>;
export type HttpSource = Extract<SourceSpec, { kind: 'http' }>;

/** As it is proposed: what is left out is taken from the template. */
export const givenSourceSchema = kinds({
  include: common.include.optional(),
  exclude: common.exclude.optional(),
  limits: limits.partial().optional(),
}).meta({ id: 'GivenSource' });
export type GivenSource = z.output<typeof givenSourceSchema>;

/** The folders of the box that a source reads from: each must be inside an allowed root. */
export function localPathOf(source: GivenSource | SourceSpec): string | null {
  if (source.kind === 'directory') return source.path;
  if (source.kind !== 'git') return null;
  return isOnBox(source.url) ? pathOnBox(source.url) : null;
}

function isOnBox(url: string): boolean {
  return url.startsWith('/') || url.startsWith('file:');
}

/** As git understands it; null where it would not. */
function pathOnBox(url: string): string | null {
  if (url.startsWith('/')) return url;
  try {
    return decodeURIComponent(/^file:\/\/(\/.*)$/.exec(url)?.[1] ?? '%');
  } catch {
    return null;
  }
}

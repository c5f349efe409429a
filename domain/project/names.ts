import { z } from 'zod';

/** The project of Holdfast's own documents, where there is one. As every other it is searched only when it is named. */
export const ownDocuments = 'holdfast-docs';

/** Words of the API's paths: a project of that name could not be asked for. */
const reserved = new Set(['proposals', 'templates']);

export const projectId = z
  .string()
  .regex(/^[a-z0-9][a-z0-9-]{1,62}$/, 'lower-case letters, digits and hyphens, 2 to 63')
  .refine((id) => !reserved.has(id), 'a word of the API')
  .meta({ description: 'The id of a project; never changes.', examples: ['p04-gigabit'] });

/** Another name for a project, as people say it: `Gigabit LAN`. */
export const projectAlias = z
  .string()
  .max(64)
  .regex(/^[\p{L}\p{N}]([\p{L}\p{M}\p{N} ._-]*[\p{L}\p{M}\p{N}])?$/u, 'letters, digits, spaces and . _ - between them')
  .refine((alias) => foldName(alias).length >= 2, 'at least 2 characters')
  .refine((alias) => !reserved.has(foldName(alias)), 'a word of the API');

/** An id or an alias, as somebody wrote it. */
export const projectName = z
  .string()
  .min(1)
  .max(128)
  .meta({
    description: 'The id of a project or one of its aliases, in upper or lower case.',
    examples: ['p04-gigabit'],
  });

/** What of a name counts when two are compared: neither case, nor width of letters, nor how many spaces. */
export function foldName(name: string): string {
  // Through upper case first: ß and ss, both sigmas and their like become one.
  const once = (text: string) => text.normalize('NFKC').toUpperCase().toLowerCase().normalize('NFKC');
  return once(once(name)).replace(/\s+/gu, ' ').trim();
}

export const resolvedBy = z.enum(['id', 'alias']).meta({ description: 'What the name was that was asked for.' });

/** Which project a name means. */
export interface Resolved {
  readonly project: string;
  readonly resolved_by: z.output<typeof resolvedBy>;
}

/** `names`: folded name -> project, ids and aliases in one space. null: nobody has that name. */
export function resolveProjectName(name: string, names: ReadonlyMap<string, string>): Resolved | null {
  const folded = foldName(name);
  const project = names.get(folded);
  if (project === undefined) return null;
  return { project, resolved_by: folded === project ? 'id' : 'alias' };
}

/** Every name a project answers to, folded and in order. */
export function namesOf(id: string, aliases: readonly string[]): string[] {
  return [...new Set([id, ...aliases.map(foldName)])].sort();
}

import { z } from 'zod';
import { projectName, resolvedBy } from '../project/names.ts';
import { waveKinds } from '../wave/words.ts';

/** Row C8. A project that is not named is not searched. */
export const searchRequestSchema = z
  .strictObject({
    query: z.string().trim().min(1).max(8_000),
    projects: z.array(projectName).min(1).max(20).meta({
      description: 'Ids or aliases of projects; no other project is searched.',
    }),
    limit: z.number().int().min(1).max(100).default(10),
    generation: z.number().int().min(1).optional().meta({
      description: 'Answer as at this committed generation of the one project that is named; default: what is visible.',
    }),
    kind: z.enum(waveKinds).optional().meta({ description: 'Only raw notes, or only trusted operational views.' }),
  })
  .refine(({ generation, projects }) => generation === undefined || projects.length === 1, {
    path: ['generation'],
    message: 'a generation is of one project: name that one only',
  })
  .meta({ id: 'SearchRequest' });
export type SearchRequest = z.output<typeof searchRequestSchema>;

/** Why an answer is less than it could be. */
const degradedReasons = [
  /** The project has no embeddings: found by words alone. */
  'lexical_only',
  /** The question could not be embedded with the model of the project: found by words alone. */
  'embedder_unavailable',
  /** Qdrant does not answer: found by words in the rows alone. */
  'candidates_unavailable',
  /** More candidates had no row at this generation than there was room for: there may be better ones. */
  'candidates_stale',
] as const;
export type DegradedReason = (typeof degradedReasons)[number];

export const degradedSchema = z
  .object({ project: z.string(), reason: z.enum(degradedReasons), detail: z.string() })
  .meta({ id: 'Degraded' });
export type Degraded = z.output<typeof degradedSchema>;

/** A project as it was searched. */
export const searchedProjectSchema = z
  .object({
    project: z.string(),
    asked: z.string().meta({ description: 'As the request names it.' }),
    resolved_by: resolvedBy,
    generation: z.number().int().min(0).meta({ description: '0: nothing was ever committed.' }),
    identity: z.string().nullable().meta({ description: 'What its chunks are embedded with; `none`: with nothing.' }),
    chunks: z.number().int().min(0),
  })
  .meta({ id: 'SearchedProject' });
export type SearchedProject = z.output<typeof searchedProjectSchema>;

const trustedSchema = z
  .object({
    view: z.string().nullable(),
    as_of: z.iso.datetime().nullable(),
    supersedes: z.string().nullable(),
    stale: z.boolean().meta({ description: 'A newer one has taken its place: it ranks behind everything else.' }),
  })
  .meta({ id: 'TrustedMark' });

export const hitSchema = z
  .object({
    project: z.string(),
    resolved_by: resolvedBy,
    generation: z.number().int().min(1),
    chunk: z.uuid(),
    document: z.uuid().meta({ description: 'The same one through renames.' }),
    source: z.string(),
    uri: z.string().nullable().meta({ description: 'Where the source itself can be read.' }),
    path: z.string(),
    title: z.string(),
    heading: z.array(z.string()).meta({ description: 'From the outermost heading to the innermost.' }),
    start: z.number().int().meta({ description: 'Into the text of the document, in UTF-16 code units.' }),
    end: z.number().int(),
    place: z.record(z.string(), z.unknown()).meta({ description: 'Lines or pages, where the format has them.' }),
    text: z.string(),
    media_type: z.string(),
    kind: z.enum(waveKinds),
    trusted: trustedSchema.nullable().meta({ description: 'Of a trusted operational view; null: a raw note.' }),
    scores: z.object({
      dense: z.number().nullable().meta({ description: 'Cosine of question and chunk; null: that arm was not asked.' }),
      lexical: z.number().nullable().meta({ description: 'BM25 by the statistics of the project at this generation.' }),
      fused: z.number().meta({ description: 'By reciprocal ranks: compares hits of one answer only.' }),
    }),
  })
  .meta({ id: 'Hit' });
export type Hit = z.output<typeof hitSchema>;

export const searchAnswerSchema = z
  .object({
    query: z.string(),
    projects: z.array(searchedProjectSchema),
    hits: z
      .array(hitSchema)
      .meta({ description: 'Best first; empty means that nothing was found, never that something was away.' }),
    degraded: z.array(degradedSchema),
  })
  .meta({ id: 'SearchAnswer' });
export type SearchAnswer = z.output<typeof searchAnswerSchema>;

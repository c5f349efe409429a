import { z } from 'zod';
import { stampSchema } from './stamp.ts';
import { provenLevels } from './words.ts';

const count = z.number().int().min(0);
const moment = z.iso.datetime();

/** A recovery point, as the API shows it. */
export const recoveryPointSchema = z
  .object({
    stamp: stampSchema,
    box: z.string().meta({ description: 'The box that it was taken of.' }),
    taken_at: moment.meta({ description: 'The moment of the Postgres snapshot: what came later is not in it.' }),
    finished_at: moment,
    place: z.enum(['kept', 'trash', 'purged', 'missing']),
    standing: z.enum(['good', 'damaged']),
    damage: z
      .object({ level: z.enum(provenLevels), at: moment, reason: z.string(), backup_id: z.string() })
      .nullable()
      .meta({ description: 'What a check has found that it had passed before.' }),
    proved: z.record(z.string(), moment).meta({ description: 'By level: when it was passed last.' }),
    pin: z.object({ reason: z.string(), actor: z.string().nullable(), at: moment.nullable() }).nullable(),
    include_vectors: z.boolean(),
    encrypted: z.boolean(),
    members: count,
    plain_bytes: count,
    stored_bytes: count,
    versions: z.record(z.string(), z.string().nullable()),
  })
  .meta({ id: 'RecoveryPoint' });
export type RecoveryPoint = z.output<typeof recoveryPointSchema>;

/** The same with what it holds. */
export const recoveryPointDetailSchema = recoveryPointSchema
  .extend({
    incarnation: z.string(),
    migrations: z.object({ holdfast: z.array(z.string()), holdfast_ops: z.array(z.string()) }),
    generations: z.array(
      z.object({
        project: z.string(),
        visible: count,
        collection: z.string().nullable(),
        identity: z.string().nullable(),
      }),
    ),
    contents: z.array(
      z.object({
        member: z.string(),
        kind: z.enum(['postgres', 'qdrant', 'files']),
        plain_bytes: count,
        stored_bytes: count,
        sha256: z.string().meta({ description: 'Of the stored bytes.' }),
      }),
    ),
    databases: z.array(z.object({ role: z.enum(['data', 'ops']), tables: count, rows: count })),
    collections: z.array(
      z.object({
        name: z.string(),
        member: z.string().nullable(),
        why: z.string().nullable().meta({ description: 'Why it is rebuilt from Postgres; null: it has a member.' }),
        points: count,
        queries: count,
      }),
    ),
    file_sets: z.array(
      z.object({
        name: z.string(),
        service: z.string().nullable(),
        root: z.string(),
        files: count,
        bytes: count,
        bind_mount: z.boolean(),
      }),
    ),
  })
  .meta({ id: 'RecoveryPointDetail' });
export type RecoveryPointDetail = z.output<typeof recoveryPointDetailSchema>;

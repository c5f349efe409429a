import { z } from 'zod';
import { misfitsOf } from './manifest-misfits.ts';
import { stampSchema } from './stamp.ts';

export const manifestFormat = 'holdfast-point/1';

const sha256 = z.string().regex(/^[0-9a-f]{64}$/, 'not a sha256 in hex');
const count = z.int().nonnegative();
const moment = z.iso.datetime();
const sized = z.strictObject({ bytes: count, sha256 });
/** The name of a file under members/, never a path. */
export const memberNameSchema = z.string().regex(/^[A-Za-z0-9][A-Za-z0-9._-]{0,199}$/, 'not the name of a member');

const memberSchema = z.strictObject({
  name: memberNameSchema,
  kind: z.enum(['postgres', 'qdrant', 'files']),
  compression: z.enum(['zstd', 'none']),
  /** What was copied. */
  plain: sized,
  /** What lies in the folder: compressed, and encrypted where there are recipients. */
  stored: sized,
});

const generationSchema = z.strictObject({
  project: z.string(),
  visible: count,
  collection: z.string().nullable(),
  identity: z.string().nullable(),
});

const databaseSchema = z.strictObject({
  role: z.enum(['data', 'ops']),
  member: memberNameSchema,
  /** By schema.table. */
  tables: z.record(z.string(), z.strictObject({ rows: count, sha256 })),
  /** By schema.sequence; bigints. */
  sequences: z.record(z.string(), z.string()),
});

const collectionSchema = z.strictObject({
  name: z.string(),
  /** null: rebuilt from Postgres, and `why`. */
  member: memberNameSchema.nullable(),
  why: z.string().nullable(),
  points: count,
  payloads_sha256: sha256,
  vectors_sha256: sha256.nullable(),
  /** Answered with exact=true when the point was taken. */
  queries: z.array(z.strictObject({ vector_sha256: sha256, vector: z.array(z.number()), ids: z.array(z.string()) })),
});

const fileSetSchema = z.strictObject({
  name: z.string(),
  member: memberNameSchema,
  /** null: Holdfast's own. */
  service: z.string().nullable(),
  /** An absolute path of the box. */
  root: z.string(),
  files: count,
  bytes: count,
  /** Paths under root that were copied by SQLite's online backup. */
  sqlite: z.array(z.string()),
  bind_mount: z.boolean(),
});

const provedSchema = z.strictObject({ at: moment, ms: z.number().nonnegative() });

const facts = z.strictObject({
  format: z.literal(manifestFormat),
  stamp: stampSchema,
  box: z.string().min(1),
  /** The moment of the Postgres snapshot. */
  taken_at: moment,
  versions: z.strictObject({
    holdfast: z.string(),
    postgres: z.string(),
    pg_dump: z.string(),
    qdrant: z.string().nullable(),
  }),
  /** Names of those that are applied. */
  migrations: z.strictObject({ holdfast: z.array(z.string()), holdfast_ops: z.array(z.string()) }),
  /** Of the data database (generations.md, G4). */
  incarnation: z.uuid(),
  include_vectors: z.boolean(),
  generations: z.array(generationSchema),
  encryption: z.strictObject({ kind: z.literal('age'), recipients: z.array(z.string()).min(1) }).nullable(),
  members: z.array(memberSchema).min(1),
  databases: z.array(databaseSchema),
  collections: z.array(collectionSchema),
  file_sets: z.array(fileSetSchema),
});

/** What was taken, before it is proved: the same without its proof. */
export const manifestDraftSchema = facts.superRefine((draft, context) => {
  for (const message of misfitsOf(draft)) context.addIssue({ code: 'custom', message });
});
export type ManifestDraft = z.infer<typeof manifestDraftSchema>;

/** Row B2. What a recovery point says of itself: written last, signed, and only after it was proved up to L2. */
export const manifestSchema = facts
  .extend({
    finished_at: moment,
    proof: z.strictObject({ L0: provedSchema, L1: provedSchema, L2: provedSchema }),
  })
  .superRefine((manifest, context) => {
    for (const message of misfitsOf(manifest)) context.addIssue({ code: 'custom', message });
  });
export type Manifest = z.infer<typeof manifestSchema>;
export type Member = Manifest['members'][number];
export type Proved = z.infer<typeof provedSchema>;

export const signatureSchema = z.strictObject({
  alg: z.literal('Ed25519'),
  /** The sha256 of the public key's 32 bytes. */
  key_id: sha256,
  value: z.base64(),
});

/** The content of manifest.json, with its keys in canonical order. The signature is over canonicalJson(manifest). */
export const signedManifestSchema = z.strictObject({ manifest: manifestSchema, signature: signatureSchema });
export type SignedManifest = z.infer<typeof signedManifestSchema>;

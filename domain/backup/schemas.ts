import { z } from 'zod';
import { evidenceSchemaOf } from '../evidence.ts';
import { retentionPolicySchema } from './retention.ts';
import { stampSchema } from './stamp.ts';
import { backupKinds, backupOutcomes, backupPhases, backupTriggers, provenLevels } from './words.ts';

const count = z.number().int().min(0);
const reason = z.string().trim().min(1).max(500);

/** Row B1: what a caller may say of one recovery point. */
export const backupRequestSchema = z
  .strictObject({
    include_vectors: z.boolean().default(true).meta({
      description: 'With a snapshot of each Qdrant collection. Without: a restore computes the points from Postgres.',
    }),
    pin: reason.optional().meta({ description: 'Why retention never takes it away, until it is unpinned.' }),
  })
  .meta({ id: 'BackupRequest' });
export type BackupRequest = z.output<typeof backupRequestSchema>;

/** Row B3. */
export const validateRequestSchema = z
  .strictObject({
    level: z.enum(provenLevels).default('L2').meta({
      description: 'L0: its bytes. L1: its structure as well. L2: restored into scratch as well, and equal.',
    }),
  })
  .meta({ id: 'BackupValidateRequest' });
export type ValidateRequest = z.output<typeof validateRequestSchema>;

/** Row B4. */
export const pruneRequestSchema = z
  .strictObject({
    dry_run: z.boolean().default(false).meta({ description: 'Say what would be taken away, and take nothing.' }),
    policy: retentionPolicySchema.optional().meta({ description: 'Default: as the schedule of retention says.' }),
  })
  .meta({ id: 'BackupPruneRequest' });
export type PruneRequest = z.output<typeof pruneRequestSchema>;

export const pinRequestSchema = z.strictObject({ reason }).meta({ id: 'BackupPinRequest' });

export const backupKeySchema = z
  .object({ key_id: z.string(), public_key: z.string().meta({ description: 'In PEM.' }) })
  .meta({ id: 'BackupKey' });

export const trustRequestSchema = z
  .strictObject({ public_key: z.string().min(1).max(4_000).meta({ description: 'In PEM, of the other box.' }) })
  .meta({ id: 'BackupKeyTrust' });

export const trustedKeySchema = z.object({ key_id: z.string() }).meta({ id: 'BackupKeyTrusted' });

const retentionPlan = {
  keep: z.array(z.object({ stamp: stampSchema, why: z.string() })),
  drop: z.array(z.object({ stamp: stampSchema, why: z.string() })),
  blocked: z.string().nullable().meta({ description: 'Why nothing may be taken away; null: it may.' }),
};

const targetPlanSchema = z.object({ target: z.string(), ...retentionPlan }).meta({ id: 'BackupTargetPlan' });
export type TargetPlan = z.output<typeof targetPlanSchema>;

const prunePlanSchema = z
  .object({
    ...retentionPlan,
    targets: z.array(targetPlanSchema).meta({
      description: 'Off-host targets whose retention is `same`: what goes there, by the run that pushes to each.',
    }),
  })
  .meta({ id: 'BackupPrunePlan' });
export type PrunePlan = z.output<typeof prunePlanSchema>;

/** What a run of the backup pipeline says of itself. */
export const backupResultSchema = z
  .object({
    outcome: z.enum(backupOutcomes).nullable(),
    failure_reason: z.string().nullable(),
    degraded: z.array(z.string()).meta({ description: 'What is well, but not as it should be.' }),
    members: count,
    plain_bytes: count,
    stored_bytes: count.meta({ description: 'Compressed, and encrypted where that was asked for.' }),
    proved: z.array(z.enum(provenLevels)),
    timings_ms: z.record(z.string(), count).meta({ description: 'By step: copy, L0, L1, L2, publish.' }),
    plan: prunePlanSchema.nullable(),
    trashed: z.array(z.string()),
    purged: z.array(z.string()),
  })
  .meta({ id: 'BackupResult' });
export type BackupResult = z.output<typeof backupResultSchema>;

export const backupProgressSchema = z
  .object({
    step: z.string(),
    done_bytes: count,
    total_bytes: count.nullable().meta({ description: 'null: not known before its end.' }),
  })
  .meta({ id: 'BackupProgress' });
export type BackupProgress = z.output<typeof backupProgressSchema>;

/** One run, as the API shows it. */
export const backupRunSchema = z
  .object({
    id: z.uuid(),
    kind: z.enum(backupKinds),
    stamp: stampSchema.nullable(),
    box: z.string(),
    actor: z.string(),
    trigger: z.enum(backupTriggers),
    request: z.record(z.string(), z.unknown()),
    phase: z.enum(backupPhases),
    progress: backupProgressSchema.nullable(),
    result: backupResultSchema,
    evidence: z.array(evidenceSchemaOf(backupPhases, 'BackupEvidence')),
    workflow_id: z.string(),
    run_id: z.string().nullable(),
    run_url: z.string().nullable(),
    requested_at: z.iso.datetime(),
    closed_at: z.iso.datetime().nullable(),
  })
  .meta({ id: 'BackupRun' });
export type BackupRun = z.output<typeof backupRunSchema>;

export function emptyBackupResult(): BackupResult {
  return {
    ...{ outcome: null, failure_reason: null, degraded: [], members: 0, plain_bytes: 0, stored_bytes: 0 },
    ...{ proved: [], timings_ms: {}, plan: null, trashed: [], purged: [] },
  };
}

import { z } from 'zod';
import { timingSchema } from '../schedule/timing.ts';
import { questionSetName } from './question-set.ts';
import { itemPath, sourceName } from './source.ts';

/** What a project's waves are measured by at the unseen generation. */
const canaryMetrics = ['ndcg_at_10', 'recall_at_10', 'mrr'] as const;

const canary = z.strictObject({
  question_set: questionSetName.nullable().meta({ description: 'Asked before each commit; null: none.' }),
  metric: z.enum(canaryMetrics),
  max_drop: z
    .number()
    .min(0)
    .max(1)
    .meta({ description: 'Below what is visible now; more, and the wave is discarded.' }),
  least: z.number().min(0).max(1).meta({ description: 'Whatever was before: less, and the wave is discarded.' }),
});

const share = z.number().min(0).max(1).nullable();

/** Row C9: what an evaluation is held against; null: nothing. */
const evaluation = z.strictObject({
  max_ambiguity: share.meta({
    description: 'With other projects asked as well: how evenly the best hits may be theirs.',
  }),
  max_meta_share: share.meta({ description: "How many of the best hits may be of Holdfast's own documents." }),
  min_own_share: share.meta({ description: 'With other projects asked as well: how many have to be its own.' }),
  min_trusted_share: share.meta({ description: 'How many of the best hits have to be trusted views.' }),
  max_trusted_share: share.meta({ description: 'How many of them may be.' }),
});
export type EvaluationBounds = z.output<typeof evaluation>;

const refresh = z.strictObject({
  schedule: timingSchema.nullable().meta({ description: 'null: only on demand.' }),
  webhook: z.boolean().meta({ description: 'Whether a git host may start it.' }),
});

/** What an operator's view of the state of things is. */
const trustedKinds = ['dashboard', 'decision_log', 'milestone', 'current_status', 'curated'] as const;

const trustedItem = z.strictObject({
  name: sourceName.meta({ description: 'What `supersedes` of another item says.' }),
  source: sourceName,
  path: itemPath.meta({ description: 'Of one file; a glob is nobody naming it.' }),
  kind: z.enum(trustedKinds),
  as_of: z.iso.datetime().meta({ description: 'Since when it holds.' }),
  supersedes: sourceName.nullable().default(null).meta({ description: 'The item whose place it takes.' }),
});
export type TrustedItem = z.output<typeof trustedItem>;

const trustedWave = z.strictObject({ name: sourceName, items: z.array(trustedItem).min(1).max(500) });

const waveApproval = z.enum(['none', 'required']);
const trustedWaves = z.array(trustedWave).max(50);

/** How a project's waves are approved, proved and started. */
export const projectPolicySchema = z
  .strictObject({ wave_approval: waveApproval, canary, evaluation, refresh, trusted_waves: trustedWaves })
  .meta({ id: 'ProjectPolicy' });
export type ProjectPolicy = z.output<typeof projectPolicySchema>;
export type CanaryBound = ProjectPolicy['canary'];

/** As it is proposed: what is left out is taken from the template. */
export const givenPolicySchema = z
  .strictObject({
    wave_approval: waveApproval,
    canary: canary.partial(),
    evaluation: evaluation.partial(),
    refresh: refresh.partial(),
    trusted_waves: trustedWaves,
  })
  .partial()
  .meta({ id: 'GivenProjectPolicy' });
export type GivenPolicy = z.output<typeof givenPolicySchema>;

/** Names of items whose place another one took: they are shown as stale and never rank. */
export function supersededItems(items: readonly TrustedItem[]): ReadonlySet<string> {
  return new Set(items.flatMap(({ supersedes }) => (supersedes === null ? [] : [supersedes])));
}

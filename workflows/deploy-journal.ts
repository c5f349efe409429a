import {
  CancellationScope,
  defineQuery,
  setCurrentDetails,
  setHandler,
  upsertSearchAttributes,
} from '@temporalio/workflow';
import { emptyResult } from '../domain/deploy/result.ts';
import type { DeployInput, NewEvidence } from '../domain/deploy/run.ts';
import type { DeployResult } from '../domain/deploy/schemas.ts';
import type { EventPhase, Phase } from '../domain/deploy/words.ts';
import { lastWord, operations } from './proxies.ts';
import { outcomeKey, phaseKey } from './search-attributes.ts';

/** Phase, result and evidence so far. */
const deployState = defineQuery<{ phase: Phase; result: DeployResult }>('deploy_state');

export type Journal = ReturnType<typeof createJournal>;

/** What a deploy tells about itself: to the operations database, to the audit, and to Temporal's UI. */
export function createJournal({ deploy_id, service, actor, request }: DeployInput) {
  let phase: Phase = 'requested';
  let result = emptyResult(request, 'self_hosted');
  const lines: string[] = [];
  const held: NewEvidence[] = [];
  setHandler(deployState, () => ({ phase, result }));

  function show(progress?: string): void {
    const now = progress === undefined ? phase : `${phase}: ${progress}`;
    setCurrentDetails([`**${service}**: ${now}`, '', ...lines, '', howToOverride(deploy_id)].join('\n'));
  }

  async function write(
    evidence: readonly NewEvidence[],
    event?: { type: string; phase?: EventPhase; data: object },
    rows: Pick<typeof operations, 'record'> = operations,
  ) {
    show();
    const events =
      event === undefined
        ? []
        : [
            {
              type: event.type,
              phase: event.phase ?? null,
              subject: `service/${service}`,
              actor,
              deploy_id,
              data: { ...event.data },
              once: [deploy_id, event.type, event.phase ?? ''].join('/'),
            },
          ];
    await rows.record({ deploy_id, phase, result, evidence, events });
  }

  /** Several checks are one write. */
  function hold(check: string, ok: boolean, reason: string, detail: object = {}): void {
    lines.push(`- ${ok ? '✓' : '✗'} ${check}: ${reason}`);
    held.push({ check, phase, ok, reason, detail: { ...detail } });
  }

  async function flush(): Promise<void> {
    await write(held.splice(0));
  }

  return {
    get result(): DeployResult {
      return result;
    },

    /** What an override is judged on. */
    now: () => ({
      phase,
      deployed_release_id: result.deployed_release_id ?? result.requested_release_id,
      decided: result.rollback_policy_status !== 'not_evaluated',
    }),

    begin(opened: DeployResult): void {
      result = opened;
    },

    /** Shown, searchable and stored before the step begins. */
    async enter(next: Phase): Promise<void> {
      phase = next;
      upsertSearchAttributes([{ key: phaseKey, value: phase }]);
      const started = next === 'lock' ? { type: 'deploy.started', data: { kind: request.kind } } : undefined;
      await write([], started);
    },

    note(part: Partial<DeployResult>): void {
      result = { ...result, ...part };
    },

    /** Progress within a step: shown only. */
    show,

    async check(check: string, ok: boolean, reason: string, detail: object = {}): Promise<void> {
      hold(check, ok, reason, detail);
      await flush();
    },

    hold,
    flush,

    /** Row D13: what an operator is told went wrong, with everything a denial was decided on. */
    async error(part: EventPhase, reason: string): Promise<void> {
      const { deployed_release_id, rollback_target_release_id: target, rollback_target_valid: target_valid } = result;
      const { failure_class, deployment_context } = result;
      const data = { reason, deployed_release_id, target, target_valid, failure_class, deployment_context };
      await write([], { type: 'error', phase: part, data });
    },

    async close(): Promise<void> {
      await CancellationScope.nonCancellable(async () => {
        phase = 'closed';
        lines.push(`- outcome: **${result.outcome ?? 'none'}**`);
        upsertSearchAttributes([
          { key: phaseKey, value: phase },
          { key: outcomeKey, value: result.outcome ?? 'none' },
        ]);
        await write([], { type: 'deploy.completed', data: result }, lastWord);
      });
    },
  };
}

/** Temporal's UI is a screen of the product: it says what can be done from there. */
function howToOverride(deploy_id: string): string {
  return [
    `_Override:_ \`holdfast deploys override ${deploy_id} <allow|deny|choose_target|extend_window|abort> --reason …\`, or here:`,
    'signal `override` with `{"action": "deny", "reason": "…", "expires_at": "<ISO time>", "actor": "<you>"}`.',
  ].join(' ');
}

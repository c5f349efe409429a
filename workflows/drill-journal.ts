import { defineQuery, setCurrentDetails, setHandler, upsertSearchAttributes } from '@temporalio/workflow';
import type { DrillInput } from '../domain/drill/run.ts';
import { emptyDrillResult } from '../domain/drill/result.ts';
import type { DrillResult } from '../domain/drill/schemas.ts';
import { isGood, type DrillOutcome, type DrillPhase } from '../domain/drill/words.ts';
import { drillRows, lastDrillWord } from './drill-proxies.ts';
import { outcomeKey, phaseKey } from './search-attributes.ts';

const drillState = defineQuery<{ phase: DrillPhase; result: DrillResult }>('drill_state');

export type DrillJournal = ReturnType<typeof createDrillJournal>;

/** What a drill tells about itself: to the operations database, to the audit, and to Temporal's UI. */
export function createDrillJournal({ drill_id, actor, request }: DrillInput) {
  let phase: DrillPhase = 'requested';
  let result: DrillResult = emptyDrillResult();
  const lines: string[] = [];
  setHandler(drillState, () => ({ phase, result }));

  async function write(
    evidence: Parameters<typeof drillRows.recordDrill>[0]['evidence'],
    event?: { readonly type: string; readonly data: Readonly<Record<string, unknown>> },
    rows: Pick<typeof drillRows, 'recordDrill'> = drillRows,
  ): Promise<void> {
    const how = `_Look:_ \`holdfast drill show ${drill_id}\``;
    setCurrentDetails([`**${request.level} drill**: ${phase}`, '', ...lines.slice(-40), '', how].join('\n'));
    const events =
      event === undefined ? [] : [{ ...event, subject: 'drill', actor, once: `${drill_id}/${event.type}` }];
    await rows.recordDrill({ drill_id, phase, result, evidence, events });
  }

  return {
    get result(): DrillResult {
      return result;
    },

    note(part: Partial<DrillResult>): void {
      result = { ...result, ...part };
    },

    /** A part of the RTO. */
    took(step: string, ms: number): void {
      const { total = 0, ...steps } = result.rto_ms;
      const rounded = Math.round(ms);
      result = { ...result, rto_ms: { ...steps, [step]: (steps[step] ?? 0) + rounded, total: total + rounded } };
    },

    /** Shown, searchable and stored before the step begins. */
    async enter(next: DrillPhase): Promise<void> {
      const first = phase === 'requested';
      phase = next;
      upsertSearchAttributes([{ key: phaseKey, value: phase }]);
      await write([], first ? { type: 'drill.started', data: { drill_id, ...request } } : undefined);
    },

    async check(check: string, ok: boolean, reason: string, detail: object = {}): Promise<void> {
      lines.push(`- ${ok ? '✓' : '✗'} ${check}: ${reason}`);
      await write([{ check, phase, ok, reason, detail: { ...detail } }]);
    },

    conclude(outcome: DrillOutcome, failure_reason: string | null = null): void {
      result = { ...result, outcome, failure_reason };
    },

    async close(): Promise<void> {
      phase = 'closed';
      const outcome = result.outcome ?? 'failed';
      lines.push(`- outcome: **${outcome}**`);
      upsertSearchAttributes([
        { key: phaseKey, value: phase },
        { key: outcomeKey, value: outcome },
      ]);
      const type = isGood(outcome) ? 'drill.completed' : 'drill.failed';
      await write([], { type, data: { drill_id, level: request.level, ...result } }, lastDrillWord);
    },
  };
}

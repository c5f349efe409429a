import { defineQuery, setCurrentDetails, setHandler, upsertSearchAttributes } from '@temporalio/workflow';
import { emptyRestoreResult } from '../domain/restore/result.ts';
import type { RestoreInput } from '../domain/restore/run.ts';
import type { RestoreResult } from '../domain/restore/schemas.ts';
import type { RestoreOutcome, RestorePhase } from '../domain/restore/words.ts';
import { lastRestoreWord, restoreRows } from './restore-proxies.ts';
import { outcomeKey, phaseKey } from './search-attributes.ts';

const restoreState = defineQuery<{ phase: RestorePhase; result: RestoreResult }>('restore_state');

export type RestoreJournal = ReturnType<typeof createRestoreJournal>;

/** What a restore tells about itself: to the operations database, to the audit, and to Temporal's UI. */
export function createRestoreJournal({ restore_id, stamp, actor, request }: RestoreInput) {
  let phase: RestorePhase = 'requested';
  let since = Date.now();
  let result: RestoreResult = emptyRestoreResult();
  const seen = new Map<string, number>();
  const lines: string[] = [];
  setHandler(restoreState, () => ({ phase, result }));

  function show(): void {
    const how = `_Say:_ \`holdfast restore <cancel|undo|release>\` (${restore_id})`;
    const which = `live: **${result.live}**`;
    setCurrentDetails([`**${stamp}**: ${phase}, ${which}`, '', ...lines.slice(-40), '', how].join('\n'));
  }

  async function write(
    evidence: Parameters<typeof restoreRows.recordRestore>[0]['evidence'],
    event?: { readonly type: string; readonly data: object },
    rows: Pick<typeof restoreRows, 'recordRestore'> = restoreRows,
  ): Promise<void> {
    show();
    const common = { subject: `backup/${stamp}`, actor, restore_id };
    const events =
      event === undefined
        ? []
        : [{ ...event, ...common, once: `${restore_id}/${event.type}`, data: { ...event.data } }];
    await rows.recordRestore({ restore_id, phase, result, evidence, events });
  }

  function note(part: Partial<RestoreResult>): void {
    result = { ...result, ...part };
  }

  return {
    get result(): RestoreResult {
      return result;
    },
    phase: () => phase,
    note,

    /** A step within a phase whose time is a figure of its own. */
    took(step: string, ms: number): void {
      note({ timings_ms: { ...result.timings_ms, [step]: Math.round(ms) } });
    },

    /** A command was taken or refused. */
    heard(command: string, by: string, refusal: string | null): void {
      lines.push(`- ${command} by ${by}: ${refusal ?? 'taken'}`);
      show();
    },

    /** Shown, searchable and stored before the step begins. */
    async enter(next: RestorePhase): Promise<void> {
      const before = phase;
      if (before !== 'requested') this.took(before, (result.timings_ms[before] ?? 0) + Date.now() - since);
      [phase, since] = [next, Date.now()];
      upsertSearchAttributes([{ key: phaseKey, value: phase }]);
      await write([], before === 'requested' ? { type: 'restore.started', data: { request } } : undefined);
    },

    /** One that is made again, as the second undo may be, is numbered. */
    async check(name: string, ok: boolean, reason: string, detail: object = {}): Promise<void> {
      const times = (seen.get(name) ?? 0) + 1;
      seen.set(name, times);
      lines.push(`- ${ok ? '✓' : '✗'} ${name}: ${reason}`);
      const check = times === 1 ? name : `${name}.${times}`;
      await write([{ check, phase, ok, reason, detail: { ...detail } }]);
    },

    conclude(outcome: RestoreOutcome, failure_reason: string | null = null): void {
      note({ outcome, failure_reason });
    },

    async close(): Promise<void> {
      note({ held_until: null });
      this.took(phase, (result.timings_ms[phase] ?? 0) + Date.now() - since);
      phase = 'closed';
      lines.push(`- outcome: **${result.outcome ?? 'none'}**`);
      upsertSearchAttributes([
        { key: phaseKey, value: phase },
        { key: outcomeKey, value: result.outcome ?? 'none' },
      ]);
      await write([], { type: 'restore.completed', data: result }, lastRestoreWord);
    },
  };
}

import { defineQuery, setCurrentDetails, setHandler, upsertSearchAttributes } from '@temporalio/workflow';
import type { WaveCommandMessage, WaveEvidence, WaveInput } from '../domain/wave/run.ts';
import { emptyWaveResult } from '../domain/wave/result.ts';
import type { WavePlan, WaveResult } from '../domain/wave/schemas.ts';
import type { WaveOutcome, WavePhase } from '../domain/wave/words.ts';
import { waveRows } from './wave-proxies.ts';
import { outcomeKey, phaseKey } from './search-attributes.ts';

const waveState = defineQuery<{ phase: WavePhase; result: WaveResult; plan: WavePlan | null }>('wave_state');

export type WaveJournal = ReturnType<typeof createWaveJournal>;

/** What a wave tells about itself: to the operations database, to the audit, and to Temporal's UI. */
export function createWaveJournal({ wave_id, project, actor, request, resumed }: WaveInput) {
  let paused = resumed?.paused ?? false;
  let recordedPaused = paused;
  let phase: WavePhase = resumed === undefined ? 'requested' : 'write';
  let plan: WavePlan | null = null;
  let approved_by: string | null = null;
  let result: WaveResult = { ...emptyWaveResult(), number: resumed?.generation.number ?? null };
  let rechecks = resumed?.rechecks ?? 0;
  const lines: string[] = [];
  setHandler(waveState, () => ({ phase, result, plan }));

  function show(progress?: string): void {
    const now = progress === undefined ? phase : `${phase}: ${progress}`;
    const how = `_Say:_ \`holdfast wave <approve|pause|resume|cancel|retry|complete> ${wave_id}\``;
    setCurrentDetails([`**${project}**, ${request.name}: ${now}`, '', ...lines.slice(-40), '', how].join('\n'));
  }

  async function write(
    evidence: readonly WaveEvidence[],
    event?: { readonly type: string; readonly data: object },
    rows: Pick<typeof waveRows, 'recordWave'> = waveRows,
  ): Promise<void> {
    show();
    const events =
      event === undefined
        ? []
        : [
            {
              ...{ type: event.type, phase: null, subject: `project/${project}`, actor, wave_id },
              ...{ data: { ...event.data }, once: `${wave_id}/${event.type}` },
            },
          ];
    recordedPaused = paused;
    await rows.recordWave({ wave_id, phase, paused, approved_by, result, plan, evidence, events });
  }

  return {
    get result(): WaveResult {
      return result;
    },
    phase: () => phase,
    show,

    get paused(): boolean {
      return paused;
    },

    recordedPaused: () => recordedPaused,
    rechecks: () => rechecks,

    record: (): Promise<void> => write([]),

    /** A command was taken or refused; it is written down with the next step. */
    heard({ command, actor: by, reason }: WaveCommandMessage, refusal: string | null): void {
      if (refusal === null && ['pause', 'resume', 'cancel'].includes(command)) paused = command === 'pause';
      lines.push(`- ${command} by ${by}: ${refusal ?? reason ?? 'taken'}`);
      show();
    },

    /** What the row says, of which a run that goes on for another knows nothing. */
    begin(opened: { readonly result: WaveResult; readonly plan: WavePlan | null }): void {
      result = { ...opened.result, number: result.number ?? opened.result.number };
      plan = opened.plan;
    },

    note(part: Partial<WaveResult>): void {
      result = { ...result, ...part };
    },

    /** Shown, searchable and stored before the step begins. */
    async enter(next: WavePhase): Promise<void> {
      phase = next;
      upsertSearchAttributes([{ key: phaseKey, value: phase }]);
      await write([], next === 'lock' ? { type: 'wave.started', data: request } : undefined);
    },

    async plan(counted: WavePlan): Promise<void> {
      plan = counted;
      const { added, changed, moved, removed, unchanged } = counted;
      lines.push(
        `- plan: ${added} added, ${changed} changed, ${moved} moved, ${removed} removed, ${unchanged} unchanged`,
      );
      await write([], { type: 'wave.planned', data: counted });
    },

    async check(check: string, ok: boolean, reason: string, detail: object = {}): Promise<void> {
      lines.push(`- ${ok ? '✓' : '✗'} ${check}: ${reason}`);
      await write([{ check, phase, ok, reason, detail: { ...detail } }]);
    },

    async approved(by: string): Promise<void> {
      approved_by = by;
      await this.check('approval', true, `approved by ${by}`, { actor: by });
    },

    /** A check that may come out differently the next time. */
    async recheck(check: string, ok: boolean, reason: string, detail: object): Promise<void> {
      rechecks += 1;
      await this.check(`${check}.${rechecks}`, ok, reason, detail);
    },

    conclude(outcome: WaveOutcome, failure_reason: string | null = null): 'done' {
      result = { ...result, outcome, failure_reason };
      return 'done';
    },

    async close(rows: Pick<typeof waveRows, 'recordWave'>): Promise<void> {
      phase = 'closed';
      lines.push(`- outcome: **${result.outcome ?? 'none'}**`);
      upsertSearchAttributes([
        { key: phaseKey, value: phase },
        { key: outcomeKey, value: result.outcome ?? 'none' },
      ]);
      await write([], { type: 'wave.completed', data: result }, rows);
    },
  };
}

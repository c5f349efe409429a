import { Gauge, type Registry } from 'prom-client';
import type { ReadRecoveryState, RecoveryState } from '../adapters/postgres/recovery-state.ts';
import { isOverdue } from '../domain/drill/due.ts';
import { isGood } from '../domain/drill/words.ts';

type Figures = readonly { readonly labels: Readonly<Record<string, string>>; readonly value: number }[];

interface Figure {
  readonly name: string;
  readonly help: string;
  readonly labelNames: readonly string[];
  readonly of: (state: RecoveryState, now: Date) => Figures;
}

const plain = (value: number): Figures => [{ labels: {}, value }];
const seconds = (at: Date): number => Math.round(at.getTime() / 1_000);
const kindOf = ({ level, damaged }: { level: string; damaged: boolean }): string => (damaged ? 'damaged' : level);

/** infra/alerts.yml goes by these names. What was never done has no value, except where that is the alarm. */
export const recoveryFigures: readonly Figure[] = [
  {
    name: 'holdfast_restorable_age_seconds',
    help: 'Age of the newest recovery point that passed L2 and is good: what would be lost now.',
    labelNames: [],
    of: ({ newest_proven_at: at }, now) => (at === null ? [] : plain((now.getTime() - at.getTime()) / 1_000)),
  },
  {
    name: 'holdfast_recovery_points',
    help: 'Recovery points that are kept, by standing.',
    labelNames: ['standing'],
    of: ({ points }) => Object.entries(points).map(([standing, value]) => ({ labels: { standing }, value })),
  },
  {
    name: 'holdfast_proved_timestamp_seconds',
    help: 'When each level was passed last by a point that is kept.',
    labelNames: ['level'],
    of: ({ proved_at }) => Object.entries(proved_at).map(([level, at]) => ({ labels: { level }, value: seconds(at) })),
  },
  {
    name: 'holdfast_drill_success_timestamp_seconds',
    help: 'When the last drill of a kind ended as it should; of a damaged copy: was found.',
    labelNames: ['kind'],
    of: ({ drills }) =>
      drills.flatMap((drill) =>
        drill.good_at === null ? [] : [{ labels: { kind: kindOf(drill) }, value: seconds(drill.good_at) }],
      ),
  },
  {
    name: 'holdfast_drill_failed',
    help: '1 when the last drill of a kind did not end as it should.',
    labelNames: ['kind'],
    of: ({ drills }) =>
      drills.map((drill) => ({ labels: { kind: kindOf(drill) }, value: isGood(drill.last_outcome) ? 0 : 1 })),
  },
  {
    name: 'holdfast_drill_overdue',
    help: '1 when no drill of a kind has passed for longer than there should be between two.',
    labelNames: ['kind'],
    of: ({ drills, since }, now) =>
      (['scratch', 'damaged', 'live'] as const).map((kind) => {
        const good = drills.find((drill) => kindOf(drill) === kind)?.good_at ?? null;
        return { labels: { kind }, value: isOverdue(kind, good, since, now) ? 1 : 0 };
      }),
  },
  {
    name: 'holdfast_drill_rto_seconds',
    help: 'How long the restore of the last good drill took, by phase and in all.',
    labelNames: ['kind', 'phase'],
    of: ({ drills }) =>
      drills.flatMap((drill) =>
        Object.entries(drill.rto_ms).map(([phase, ms]) => ({
          ...{ labels: { kind: kindOf(drill), phase }, value: ms / 1_000 },
        })),
      ),
  },
  {
    name: 'holdfast_drill_rpo_seconds',
    help: 'Age of the newest proven point when the last good drill began.',
    labelNames: ['kind'],
    of: ({ drills }) =>
      drills.flatMap((drill) =>
        drill.rpo_seconds === null ? [] : [{ labels: { kind: kindOf(drill) }, value: drill.rpo_seconds }],
      ),
  },
  {
    name: 'holdfast_offsite_lag_seconds',
    help: 'Age of the oldest point that is not at this target yet; 0: all are.',
    labelNames: ['target'],
    of: ({ targets }) => targets.map(({ target, lag_seconds }) => ({ labels: { target }, value: lag_seconds })),
  },
  {
    name: 'holdfast_offsite_waiting_points',
    help: 'Points that are not at this target yet.',
    labelNames: ['target'],
    of: ({ targets }) => targets.map(({ target, waiting }) => ({ labels: { target }, value: waiting })),
  },
  {
    name: 'holdfast_retention_blocked',
    help: '1 when the last retention took nothing away because something was suspect.',
    labelNames: [],
    of: ({ retention_blocked }) => plain(retention_blocked ? 1 : 0),
  },
  {
    name: 'holdfast_offsite_retention_blocked',
    help: '1 when nothing can be taken away at this target.',
    labelNames: ['target'],
    of: ({ targets }) =>
      targets.map(({ target, retention_blocked }) => ({ labels: { target }, value: retention_blocked ? 1 : 0 })),
  },
];

/** One look at the rows is enough for all figures of a scrape. */
const sameLookMs = 1_000;

export function reportRecovery(read: ReadRecoveryState, registers: Registry[]): void {
  let last: { readonly at: number; readonly state: Promise<RecoveryState> } | null = null;
  function look(): Promise<RecoveryState> {
    const now = Date.now();
    if (last === null || now - last.at > sameLookMs) last = { at: now, state: read() };
    return last.state;
  }
  for (const { name, help, labelNames, of } of recoveryFigures) {
    new Gauge({
      ...{ name, help, labelNames: [...labelNames], registers },
      async collect() {
        const state = await look();
        this.reset();
        for (const { labels, value } of of(state, new Date())) this.set({ ...labels }, value);
      },
    });
  }
}

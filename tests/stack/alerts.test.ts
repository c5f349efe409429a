import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { parse } from 'yaml';
import { recoveryFigures } from '../../api/recovery-metrics.ts';
import type { RecoveryState } from '../../adapters/postgres/recovery-state.ts';
import { packageRoot } from '../../infra/package-root.ts';

interface Rule {
  readonly alert: string;
  readonly expr: string;
  readonly annotations: { readonly summary: string; readonly next: string };
}

const { groups } = parse(readFileSync(join(packageRoot, 'infra/alerts.yml'), 'utf8')) as {
  readonly groups: readonly { readonly rules: readonly Rule[] }[];
};
const rules = groups.flatMap((group) => group.rules);

test('B9 every alert goes by a figure that there is, and says what is wrong and what to do', () => {
  const names = new Set(recoveryFigures.map(({ name }) => name));
  for (const { alert, expr, annotations } of rules) {
    const used = [...expr.matchAll(/holdfast_\w+/g)].map(([name]) => name);
    expect([alert, used.filter((name) => !names.has(name))]).toEqual([alert, []]);
    expect([alert, annotations.summary.length > 10, annotations.next]).toEqual([
      ...[alert, true, expect.stringMatching(/^holdfast [a-z]+/) as string],
    ]);
  }
  expect(new Set(rules.map(({ alert }) => alert)).size).toBe(rules.length);
});

const now = new Date('2026-03-01T00:00:00Z');
const ago = (ms: number) => new Date(now.getTime() - ms);
const day = 86_400_000;
const empty: RecoveryState = {
  ...{ newest_proven_at: null, points: { good: 0, damaged: 0 }, proved_at: {}, drills: [], targets: [] },
  ...{ retention_blocked: false, since: ago(day) },
};

function figure(name: string, state: Partial<RecoveryState>) {
  return recoveryFigures.find((each) => each.name === name)?.of({ ...empty, ...state }, now);
}

test('B9 without a proven point there is no age: its absence is the alarm', () => {
  expect(figure('holdfast_restorable_age_seconds', {})).toEqual([]);
  expect(figure('holdfast_restorable_age_seconds', { newest_proven_at: ago(day) })).toEqual([
    { labels: {}, value: 86_400 },
  ]);
});

test('B4 a target at which nothing can be taken away is an alarm of its own', () => {
  const at = (target: string, retention_blocked: boolean) => ({
    target,
    waiting: 0,
    lag_seconds: 0,
    retention_blocked,
  });
  expect(figure('holdfast_offsite_retention_blocked', { targets: [at('nas', true), at('s3', false)] })).toEqual([
    { labels: { target: 'nas' }, value: 1 },
    { labels: { target: 's3' }, value: 0 },
  ]);
});

test('B9 a damaged copy that was missed is a failure of its own kind; one that was found is not', () => {
  const drill = { level: 'scratch', damaged: true, good_at: null, rto_ms: {}, rpo_seconds: null } as const;
  const failed = (last_outcome: 'damage_found' | 'damage_missed') =>
    figure('holdfast_drill_failed', { drills: [{ ...drill, last_outcome }] });
  expect(failed('damage_missed')).toEqual([{ labels: { kind: 'damaged' }, value: 1 }]);
  expect(failed('damage_found')).toEqual([{ labels: { kind: 'damaged' }, value: 0 }]);
});

test('B9 drills that were never done are overdue once there was time for them', () => {
  const overdue = (since: Date) =>
    figure('holdfast_drill_overdue', { since })?.map(({ labels, value }) => [labels['kind'], value]);
  expect(overdue(ago(day))).toEqual([
    ['scratch', 0],
    ['damaged', 0],
    ['live', 0],
  ]);
  expect(overdue(ago(10 * day))).toEqual([
    ['scratch', 1],
    ['damaged', 0],
    ['live', 0],
  ]);
  expect(overdue(ago(40 * day))).toEqual([
    ['scratch', 1],
    ['damaged', 1],
    ['live', 1],
  ]);
});

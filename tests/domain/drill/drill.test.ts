import fc from 'fast-check';
import { chooseDamage, damageKinds, sayDamage, seedOf } from '../../../domain/drill/damage.ts';
import { dueAfterMs, isOverdue } from '../../../domain/drill/due.ts';
import { drillRequestSchema } from '../../../domain/drill/schemas.ts';
import { usualDrill } from '../../../domain/drill/run.ts';
import { drilledLevels, judgeDrill } from '../../../domain/drill/verdict.ts';

const found = (...oks: boolean[]) =>
  oks.map((ok, at) => ({ level: drilledLevels[at] ?? '', ok, reason: ok ? 'well' : 'not so' }));

test('B9 a drill passes only when every level was looked at and passed', () => {
  expect(judgeDrill(false, found(true, true, true, true), drilledLevels)).toEqual({
    ...{ outcome: 'passed', failure_reason: null },
  });
  expect(judgeDrill(false, found(true, true, true), drilledLevels)).toEqual({
    ...{ outcome: 'failed', failure_reason: 'not looked at: L3' },
  });
  expect(judgeDrill(false, found(true, true, false), drilledLevels)).toEqual({
    ...{ outcome: 'failed', failure_reason: 'L2: not so' },
  });
});

test('B9 a damaged copy must not pass: found is good, missed is an alarm, whatever was looked at', () => {
  fc.assert(
    fc.property(fc.array(fc.boolean(), { maxLength: 4 }), (oks) => {
      const { outcome } = judgeDrill(true, found(...oks), drilledLevels);
      expect(outcome).toBe(oks.slice(0, 3).includes(false) ? 'damage_found' : 'damage_missed');
    }),
  );
});

test('B9 a damaged copy that only cannot be booted was not found to be damaged', () => {
  expect(judgeDrill(true, found(true, true, true, false), drilledLevels)).toEqual({
    ...{ outcome: 'damage_missed', failure_reason: 'the damage did not show; L3: not so' },
  });
});

test('B9 damage hits a byte that is there, of a member that is there, and all kinds come', () => {
  const members = [
    { name: 'postgres-holdfast.dump.tar.zst', stored: { bytes: 12_345 } },
    { name: 'files-staged.tar.zst', stored: { bytes: 1 } },
  ];
  const kinds = new Set<string>();
  fc.assert(
    fc.property(fc.nat(0xffffffff), (seed) => {
      const damage = chooseDamage(members, seed);
      kinds.add(damage.kind);
      expect(chooseDamage(members, seed)).toEqual(damage);
      const hit = members.find(({ name }) => name === damage.member);
      if (damage.kind === 'row') expect(damage.member).toBeNull();
      else expect(damage.at).toBeLessThan(hit?.stored.bytes ?? 0);
      expect(sayDamage(damage)).not.toBe('');
    }),
    { numRuns: 500 },
  );
  expect([...kinds].sort()).toEqual(Object.keys(damageKinds).sort());
  expect(seedOf('00000000-0000-4000-8000-0000000000ff')).toBe(255);
});

test.each([
  ['a live drill of another place', { level: 'live', from: 'offsite' }],
  ['a live drill of a damaged copy', { level: 'live', damaged: true }],
  ['a target of a local one', { target: 'nas' }],
  ['an unknown field', { levels: 'scratch' }],
])('B9 %s is refused', (_what, request) => {
  expect(drillRequestSchema.safeParse(request).success).toBe(false);
});

test('B9 overdue: a week or a month without one that passed, counted from the first run where there was none', () => {
  const now = new Date('2026-03-01T00:00:00Z');
  const ago = (ms: number) => new Date(now.getTime() - ms);
  for (const kind of ['scratch', 'damaged', 'live'] as const) {
    expect(isOverdue(kind, ago(dueAfterMs[kind]), ago(1e12), now)).toBe(false);
    expect(isOverdue(kind, ago(dueAfterMs[kind] + 1), ago(1e12), now)).toBe(true);
    expect(isOverdue(kind, null, ago(1), now)).toBe(false);
    expect(isOverdue(kind, null, ago(dueAfterMs[kind] + 1), now)).toBe(true);
  }
});

test('B10 what a schedule leaves out is what a caller leaves out', () => {
  expect(drillRequestSchema.parse({})).toEqual(usualDrill);
});

import type { Finding } from '../../../domain/backup/finding.ts';
import { verdictOf } from '../../../domain/backup/verdict.ts';

const finding = (at: number, ok: boolean): Finding => ({
  ...{ level: 'L2', check: `rows.${at}`, ok, reason: ok ? 'equal' : 'one is missing', detail: { rows: at } },
});

test('B3 nothing that was looked at proves nothing', () => {
  expect(verdictOf([])).toMatchObject({ ok: false, reason: 'nothing was looked at' });
});

test('B3 what failed is named with all that is known of it, what passed by its name; no more of them than can be read', () => {
  const well = Array.from({ length: 30 }, (_, at) => finding(at, true));
  const passed = verdictOf(well);
  expect(passed).toMatchObject({ ok: true, reason: '30 checks', detail: { checks: 30, failed: 0 } });
  expect(passed.detail['findings']).toHaveLength(20);
  expect(verdictOf([...well, finding(7, false), finding(8, false)])).toEqual({
    ...{ ok: false, reason: 'rows.7: one is missing, and 1 more' },
    detail: {
      ...{ checks: 32, failed: 2 },
      findings: [7, 8].map((at) => ({ check: `rows.${at}`, reason: 'one is missing', rows: at })),
    },
  });
});

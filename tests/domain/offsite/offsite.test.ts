import fc from 'fast-check';
import { stampAt } from '../../../domain/backup/stamp.ts';
import { lagOf } from '../../../domain/offsite/lag.ts';
import { markerPath, partialPath, pointsIn } from '../../../domain/offsite/layout.ts';
import { waitMs } from '../../../domain/offsite/run.ts';
import { targetSpecSchema } from '../../../domain/offsite/spec.ts';

const minute = 60_000;
const at = (minutes: number): Date => new Date(Date.UTC(2026, 10, 22, 1, minutes));
const point = (minutes: number) => ({ stamp: stampAt(at(minutes), 'abcd'), takenAt: at(minutes), bytes: 10 });
const stampOf = (minutes: number): string => point(minutes).stamp;

describe('B5 how far a target is behind', () => {
  test('nothing there: since the first point', () => {
    const lag = lagOf({ points: [point(0), point(5)], verified: [] }, at(10));
    expect(lag).toEqual({ waiting: 2, waiting_bytes: 20, lag_seconds: 600, newest_verified: null });
  });

  test('the newest is there: an older one that waits is no lag', () => {
    const lag = lagOf({ points: [point(0), point(5)], verified: [stampOf(5)] }, at(10));
    expect(lag).toMatchObject({ waiting: 1, lag_seconds: 0, newest_verified: stampOf(5) });
  });

  test('the newest waits: since it was taken', () => {
    const lag = lagOf({ points: [point(0), point(5)], verified: [stampOf(0)] }, at(7));
    expect(lag).toMatchObject({ waiting: 1, lag_seconds: 120 });
  });

  test('a clock that went back makes no lag of less than nothing; a copy of a point that was pruned here counts', () => {
    expect(lagOf({ points: [point(5)], verified: [] }, at(0)).lag_seconds).toBe(0);
    expect(lagOf({ points: [], verified: [stampOf(3)] }, at(9))).toMatchObject({
      waiting: 0,
      newest_verified: stampOf(3),
    });
  });

  test('it is 0 exactly when the newest point is there, for any history', () => {
    const minutes = fc.uniqueArray(fc.integer({ min: 0, max: 59 }), { minLength: 1, maxLength: 12 });
    fc.assert(
      fc.property(minutes, fc.infiniteStream(fc.boolean()), (taken, there) => {
        const points = taken.map(point);
        const verified = points.filter(() => there.next().value).map(({ stamp }) => stamp);
        const newest =
          points
            .map(({ stamp }) => stamp)
            .sort()
            .at(-1) ?? '';
        const { lag_seconds, waiting } = lagOf({ points, verified }, at(90));
        expect(lag_seconds === 0).toBe(verified.includes(newest));
        expect(waiting).toBe(points.length - verified.length);
      }),
    );
  });
});

test('B5 a host that sleeps is looked for again within 15 minutes, however long it sleeps', () => {
  expect([1, 2, 3, 9, 500].map((times) => waitMs('away', times))).toEqual(
    [0.5, 1, 2, 15, 15].map((minutes) => minutes * minute),
  );
  expect(waitMs('full', 1_000)).toBe(60 * minute);
});

describe('B5 what of a listing are points', () => {
  test('one with a manifest is whole, one without is not; halves and strangers are nothing', () => {
    const [old, half] = [stampOf(0), stampOf(1)];
    const files = [
      { path: markerPath, bytes: 9 },
      { path: `${old}/manifest.json`, bytes: 1 },
      { path: `${old}/members/a.zst`, bytes: 5 },
      { path: `${half}/members/a.zst`, bytes: 5 },
      { path: `${half}/members/${partialPath('b.zst')}`, bytes: 70 },
      { path: `${half}/members/deeper/c.zst`, bytes: 70 },
      { path: 'photos/manifest.json', bytes: 8 },
    ];
    expect(pointsIn(files)).toEqual([
      { stamp: half, complete: false, bytes: 5 },
      { stamp: old, complete: true, bytes: 6 },
    ]);
  });
});

describe('B5 what a target may be', () => {
  const ssh = {
    ...{ kind: 'rsync', host: 'nas.lan', user: 'backup', path: '/srv/points', identity_file: '/etc/holdfast/key' },
    host_keys: [`ssh-ed25519 ${'A'.repeat(68)}`],
  };
  const s3 = { kind: 's3', bucket: 'points', access_key_id: { file: '/k' }, secret_access_key: { env: 'S3_SECRET' } };

  test('names of secrets, with the usual defaults', () => {
    expect(targetSpecSchema.parse(ssh)).toMatchObject({ port: 22 });
    expect(targetSpecSchema.parse(s3)).toMatchObject({ prefix: '', path_style: true, endpoint: null });
  });

  test.each([
    ['a host that is an option', { ...ssh, host: '-oProxyCommand=sh' }],
    ['a path that a shell could read', { ...ssh, path: '/srv/$(id)' }],
    ['a path that is an option', { ...ssh, path: '-e sh' }],
    ['a user that is an option', { ...ssh, user: '-l' }],
    ['a host without a pinned key', { ...ssh, host_keys: [] }],
    ['a key file that breaks out of its line', { ...ssh, identity_file: '/k"\nProxyCommand sh' }],
    ['a secret by its value', { ...s3, secret_access_key: 'hunter2' }],
    ['a field that there is not', { ...s3, secret: 'x' }],
  ])('%s is refused', (_, spec) => {
    expect(targetSpecSchema.safeParse(spec).success).toBe(false);
  });
});

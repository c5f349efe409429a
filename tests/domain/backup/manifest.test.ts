import fc from 'fast-check';
import { manifestDraftSchema, manifestSchema, type ManifestDraft } from '../../../domain/backup/manifest.ts';
import { memberFileName } from '../../../domain/backup/member-name.ts';
import { confirmationOf, stampAt, stampSchema, timeOf } from '../../../domain/backup/stamp.ts';
import { draftOf, provedOf } from '../../support/recovery-point.ts';

const stamp = '20261122T010000Z-9f3c';
const sized = { bytes: 1, sha256: '0'.repeat(64) };
const memberOf = (name: string, kind: 'postgres' | 'qdrant' | 'files') =>
  ({ name: memberFileName(name, 'zstd', false), kind, compression: 'zstd', plain: sized, stored: sized }) as const;
const draft = draftOf(stamp, [
  memberOf('postgres-holdfast.dump.tar', 'postgres'),
  memberOf('postgres-holdfast_ops.dump.tar', 'postgres'),
  memberOf('qdrant-holdfast-0a.snapshot', 'qdrant'),
  memberOf('files-staged.tar', 'files'),
]);

describe('STAMP', () => {
  it('B1 is the second it was made in, in an order that is that of time', () => {
    const moment = fc.noBias(fc.integer({ min: 0, max: Date.UTC(9999, 11, 31) }));
    fc.assert(
      fc.property(moment, moment, (one, other) => {
        const made = stampAt(new Date(one), '9f3c');
        expect(timeOf(made).getTime()).toBe(Math.floor(one / 1_000) * 1_000);
        expect(confirmationOf(made)).toBe('9f3c');
        const seconds = [one, other].map((ms) => Math.floor(ms / 1_000));
        expect(made < stampAt(new Date(other), '9f3c')).toBe((seconds[0] ?? 0) < (seconds[1] ?? 0));
      }),
      { numRuns: 200 },
    );
  });

  it.each(['20260230T010000Z-9f3c', '20261122T250000Z-9f3c', '20261122T010000Z-9F3C', '../20261122T010000Z-9f3c', ''])(
    'B1 %s is none',
    (text) => {
      expect(stampSchema.safeParse(text).success).toBe(false);
      expect(() => timeOf(text)).toThrow('Not a STAMP');
    },
  );

  it('B1 needs four digits of chance', () => {
    expect(() => stampAt(new Date(), 'xyz')).toThrow('not a STAMP');
  });
});

describe('B2 the manifest', () => {
  it('B2 is what a point says of itself; one without its proof is a draft only', () => {
    expect(manifestSchema.parse(provedOf(draft))).toEqual(provedOf(draft));
    expect(manifestDraftSchema.parse(draft)).toEqual(draft);
    expect(manifestSchema.safeParse(draft).success).toBe(false);
    expect(manifestDraftSchema.safeParse(provedOf(draft)).success).toBe(false);
  });

  const [first, second, third, files] = draft.members;
  it.each<[string, Partial<ManifestDraft>]>([
    ['is there twice', { members: [...draft.members, ...draft.members.slice(0, 1)] }],
    ['is of nothing', { file_sets: [] }],
    ['is not there', { members: draft.members.slice(1) }],
    [
      'and used as',
      { databases: draft.databases.map((one, index) => ({ ...one, member: (index ? third : first)?.name ?? '' })) },
    ],
    [
      'databases of role ops',
      { databases: draft.databases.slice(0, 1), members: [first, third, files].flatMap((one) => one ?? []) },
    ],
    ['has no member and no reason', { collections: draft.collections.map((one) => ({ ...one, member: null })) }],
    ['is not named as encrypted', { encryption: { kind: 'age', recipients: ['age1x'] } }],
    [
      'is not named by its compression',
      { members: draft.members.map((one) => (one === second ? { ...one, compression: 'none' } : one)) },
    ],
    [
      'not the name of a member',
      { members: draft.members.map((one) => (one === second ? { ...one, name: '../a.zst' } : one)) },
    ],
    [
      'not a sha256',
      { members: draft.members.map((one) => (one === second ? { ...one, plain: { bytes: 1, sha256: 'x' } } : one)) },
    ],
  ])('B2 one in which something %s is refused', (why, changed) => {
    const read = manifestDraftSchema.safeParse({ ...draft, ...changed });
    expect(read.error?.message).toContain(why);
  });
});

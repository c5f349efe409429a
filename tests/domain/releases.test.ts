import fc from 'fast-check';
import { resolveMetadata, standingOf, type RegistryRelease } from '../../domain/deploy/metadata.ts';
import { releasesToPrune } from '../../domain/deploy/retention.ts';

const registry = (running: string | null, ...releases: [string, RegistryRelease['standing']][]) => ({
  desired: { release_id: running },
  releases: releases.map(([release_id, standing]) => ({ release_id, standing })),
});

describe('D3, D4 release metadata', () => {
  test('D3 the registry answers: previous is what ran before', () => {
    expect(resolveMetadata({}, registry('b', ['b', 'good'], ['a', 'good']), 'c')).toEqual({
      previous_release_id: 'b',
      rollback_target_release_id: 'b',
      release_metadata_source: 'registry',
    });
  });

  test('D3 what ran before but was bad is not gone back to: the newest good one is', () => {
    expect(resolveMetadata({}, registry('b', ['b', 'known_bad'], ['a', 'good']), 'c').previous_release_id).toBe('a');
  });

  test('D3 a first deploy has nothing before it', () => {
    expect(resolveMetadata({}, registry(null), 'a').rollback_target_release_id).toBeNull();
  });

  test('D3 an explicit field wins singly, and the answer says so', () => {
    const known = registry('b', ['b', 'good'], ['a', 'good']);
    expect(resolveMetadata({ rollback_release_id: 'a' }, known, 'c')).toEqual({
      previous_release_id: 'b',
      rollback_target_release_id: 'a',
      release_metadata_source: 'request',
    });
    expect(resolveMetadata({ previous_release_id: 'a' }, known, 'c').rollback_target_release_id).toBe('a');
  });

  test('D8 a release that the registry never saw, or whose bits are gone, is missing', () => {
    const { releases } = registry(null, ['a', 'gone'], ['b', 'known_bad'], ['c', 'good']);
    expect(['a', 'b', 'c', 'x'].map((id) => standingOf(id, releases))).toEqual([
      'missing',
      'known_bad',
      'usable',
      'missing',
    ]);
  });
});

describe('D2 retention', () => {
  test('D2 the newest good releases and all in use keep their bits', () => {
    const release = fc.record({
      release_id: fc.integer({ min: 0, max: 30 }).map(String),
      standing: fc.constantFrom<RegistryRelease['standing'][]>('built', 'good', 'known_bad', 'gone'),
    });
    fc.assert(
      fc.property(
        fc.uniqueArray(release, { selector: (r) => r.release_id, maxLength: 20 }),
        fc.integer({ min: 2, max: 6 }),
        fc.subarray(['0', '1', '2', '3']),
        (releases, keep, inUse) => {
          const pruned = releasesToPrune(releases, keep, inUse).map((r) => r.release_id);
          const good = releases.filter((r) => r.standing === 'good').map((r) => r.release_id);
          for (const id of [...good.slice(0, keep), ...inUse]) expect(pruned).not.toContain(id);
          for (const id of good.slice(keep)) expect(pruned.includes(id) || inUse.includes(id)).toBe(true);
        },
      ),
    );
  });
});

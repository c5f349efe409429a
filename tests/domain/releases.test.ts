import fc from 'fast-check';
import {
  answerOfRegistry,
  answerOfRequest,
  defaultChain,
  resolveMetadata,
  standingOf,
  targetOf,
  type Bits,
  type RegistryRelease,
  type SourceAnswer,
} from '../../domain/deploy/metadata.ts';
import { releasesToPrune } from '../../domain/deploy/retention.ts';
import { releaseSources, type ReleaseSource } from '../../domain/deploy/words.ts';

type Standing = RegistryRelease['standing'];

function release(release_id: string, standing: Standing, version: number | null = null, readsTo: number | null = null) {
  return { release_id, standing, schema_version: version, schema_reads_to: readsTo };
}

const registry = (running: string | null, ...releases: [string, Standing][]) => ({
  desired: { release_id: running },
  releases: releases.map(([id, standing]) => release(id, standing)),
});

describe('D3 where release ids come from', () => {
  /** Each source that answers names a release of its own, so that a mixture would show. */
  const answerOf = (source: ReleaseSource, answers: boolean): SourceAnswer => ({
    source,
    ids: answers ? { release_id: `${source}-new`, previous_release_id: `${source}-old` } : null,
    reason: answers ? 'found' : `${source} said nothing`,
  });
  const subsets = Array.from({ length: 2 ** releaseSources.length }, (_, bits) =>
    releaseSources.map((source, i) => answerOf(source, (bits & (2 ** i)) !== 0)),
  );

  test('D3 of every subset of sources the first that answers is taken, and those before it are listed with their reasons', () => {
    for (const answers of subsets) {
      const first = answers.find(({ ids }) => ids !== null);
      const silent = first === undefined ? answers : answers.slice(0, answers.indexOf(first));
      const previous = first === undefined ? null : `${first.source}-old`;
      expect(resolveMetadata({}, answers, 'self_hosted')).toEqual({
        previous_release_id: previous,
        rollback_target_release_id: previous,
        release_metadata_source: first?.source ?? null,
        release_metadata_skipped: silent.map(({ source }) => ({ source, reason: `${source} said nothing` })),
      });
    }
  });

  test('D3 an explicit field wins singly: it changes itself, and nothing that does not follow from it', () => {
    for (const answers of subsets.map((each) => each.filter(({ source }) => source !== 'request'))) {
      const plain = resolveMetadata({}, answers, 'self_hosted');
      const chosen = resolveMetadata({ rollback_release_id: 'R' }, answers, 'self_hosted');
      expect(chosen).toMatchObject({ previous_release_id: plain.previous_release_id, rollback_target_release_id: 'R' });
      expect(chosen.release_metadata_source).toBe(plain.release_metadata_source ?? 'request');
      const named = resolveMetadata({ previous_release_id: 'P' }, answers, 'self_hosted');
      expect(named).toMatchObject({ previous_release_id: 'P', rollback_target_release_id: 'P' });
      const both = resolveMetadata({ previous_release_id: 'P', rollback_release_id: 'R' }, answers, 'self_hosted');
      expect(both).toMatchObject({ previous_release_id: 'P', rollback_target_release_id: 'R' });
    }
  });

  test('D3 a caller who only says where to go back to has not said what ran before', () => {
    const asked = { rollback_release_id: 'a' };
    const known = registry('b', ['b', 'good'], ['a', 'good']);
    const answers = [answerOfRequest(asked), answerOfRegistry(known, 'c')];
    expect(resolveMetadata(asked, answers, 'self_hosted')).toEqual({
      previous_release_id: 'b',
      rollback_target_release_id: 'a',
      release_metadata_source: 'registry',
      release_metadata_skipped: [{ source: 'request', reason: 'the request names no previous release' }],
    });
    const [, ...silent] = releaseSources.map((source) => answerOf(source, false));
    expect(resolveMetadata(asked, [answerOfRequest(asked), ...silent], 'external')).toMatchObject({
      rollback_target_release_id: 'a',
      release_metadata_source: 'request',
      release_metadata_skipped: silent.map(({ source }) => ({ source, reason: `${source} said nothing` })),
    });
  });

  test('D1, D8 of an external service only the caller can name the target', () => {
    for (const answers of subsets.map((each) => each.filter(({ source }) => source !== 'request'))) {
      const target = (asked: object) => resolveMetadata(asked, answers, 'external').rollback_target_release_id;
      expect(target({})).toBeNull();
      expect(target({ previous_release_id: 'P' })).toBe('P');
      expect(target({ rollback_release_id: 'R' })).toBe('R');
    }
  });

  test('D3 the chain: git and the command are asked by themselves only about what somebody else deploys', () => {
    expect(defaultChain('external')).toEqual(['request', 'registry', 'runtime', 'runtime_logs', 'git', 'command']);
    expect(defaultChain('self_hosted')).toEqual(['request', 'registry', 'runtime', 'runtime_logs']);
  });

  test.each<[string, ReturnType<typeof registry>, string | null]>([
    ['what ran before, if it was good', registry('b', ['b', 'good'], ['a', 'good']), 'b'],
    ['else the newest good one', registry('b', ['b', 'known_bad'], ['a', 'good']), 'a'],
    ['and never what is deployed now', registry(null, ['c', 'good'], ['a', 'good']), 'a'],
    ['nothing that was built and never proved', registry('b', ['b', 'built'], ['x', 'built'], ['a', 'good']), 'a'],
    ['nothing whose bits are gone', registry('b', ['b', 'gone']), null],
    ['nothing on a first deploy', registry(null), null],
  ])('D3 the registry answers with %s', (_, known, previous) => {
    expect(answerOfRegistry(known, 'c').ids?.previous_release_id ?? null).toBe(previous);
  });
});

describe('D8 what is known of a rollback target', () => {
  const bitsFound: readonly Bits[] = ['ok', 'missing', 'changed', 'unowned'];
  const schemas = { none: undefined, older: 1, newer: 3 } as const;

  // Standing × bits × what the failed release made of the data, for a target that reads up to 2.
  test.each(
    (['built', 'good', 'known_bad', 'gone', null] as const).flatMap((standing) =>
      bitsFound.flatMap((bits) => (['none', 'older', 'newer'] as const).map((data) => [standing, bits, data] as const)),
    ),
  )('D8 a target that is %s, with bits %s, after data that are %s', (standing, bits, data) => {
    const releases = standing === null ? [] : [release('t', standing, 2)];
    const deployed = schemas[data] === undefined ? undefined : { schema_version: schemas[data], schema_reads_to: null };
    const owned = bits !== 'unowned';
    const proved = standing === 'good' || standing === 'known_bad';
    let wanted: string;
    if (owned && (bits !== 'ok' || !proved)) wanted = 'missing';
    else if (standing !== null && data === 'newer') wanted = 'schema_incompatible';
    else wanted = standing === 'known_bad' ? 'known_bad' : 'usable';
    expect(standingOf('t', releases, { bits, deployed })).toBe(wanted);
    expect(targetOf('t', releases, { bits, deployed })).toEqual({
      ...{ release_id: 't', standing: wanted, known_bad: standing === 'known_bad' },
    });
  });

  test.each([
    ['says nothing of schemas', null, null, 5, 'usable'],
    ['is asked to read data of which nothing is known', 1, null, null, 'usable'],
    ['reads only its own schema', 2, null, 3, 'schema_incompatible'],
    ['reads its own schema', 3, null, 3, 'usable'],
    ['says that it reads further', 2, 3, 3, 'usable'],
    ['does not read far enough', 2, 3, 4, 'schema_incompatible'],
  ])('D8 a target that %s', (_, version, readsTo, made, wanted) => {
    const deployed = { schema_version: made, schema_reads_to: null };
    expect(standingOf('t', [release('t', 'good', version, readsTo)], { deployed })).toBe(wanted);
  });
});

describe('D2 retention', () => {
  test('D2 the newest good releases and all in use keep their bits', () => {
    const any = fc.record({
      release_id: fc.integer({ min: 0, max: 30 }).map(String),
      standing: fc.constantFrom<Standing[]>('built', 'good', 'known_bad', 'gone'),
    });
    fc.assert(
      fc.property(
        fc.uniqueArray(any, { selector: (each) => each.release_id, maxLength: 20 }),
        fc.integer({ min: 2, max: 6 }),
        fc.subarray(['0', '1', '2', '3']),
        (found, keep, inUse) => {
          const releases = found.map(({ release_id, standing }) => release(release_id, standing));
          const pruned = releasesToPrune(releases, keep, inUse).map((each) => each.release_id);
          const good = found.filter(({ standing }) => standing === 'good').map(({ release_id }) => release_id);
          for (const id of [...good.slice(0, keep), ...inUse]) expect(pruned).not.toContain(id);
          for (const id of good.slice(keep)) expect(pruned.includes(id) || inUse.includes(id)).toBe(true);
          // Whatever runs, there is a good release besides it to go back to, if there ever was one.
          for (const running of inUse) {
            const back = good.find((id) => id !== running);
            if (back !== undefined) expect(pruned).not.toContain(back);
          }
        },
      ),
    );
  });
});

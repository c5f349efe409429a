import fc from 'fast-check';
import { randomUUID } from 'node:crypto';
import { rmSync } from 'node:fs';
import { join } from 'node:path';
import type { TrustedItem } from '../../../domain/project/policy.ts';
import { directorySpec, openData, startSourceProject, type SourceProject } from './source-project.ts';

let data: Awaited<ReturnType<typeof openData>>;
let at: SourceProject;
beforeAll(async () => (data = await openData()));
afterAll(() => data.close());
beforeEach(async () => (at = await startSourceProject(data.sql)));
afterEach(() => at.close());

interface Item {
  readonly path: string;
  readonly change: string;
  readonly former_path: string | null;
}

const itemsOf = (wave_id: string) => at.sql<Item[]>`
  select path, change, former_path from wave_items where wave_id = ${wave_id} order by change, path`;

const spec = () => directorySpec(at.root);
const nothing = { added: 0, changed: 0, moved: 0, removed: 0, unchanged: 0, quarantined: 0, bytes: 0 };

test('W6 a wave again is nothing to do; a deletion, a rename and a change are what they are', async () => {
  at.write({ 'a.md': 'A', 'b.md': 'B', 'c.md': 'C', 'd.md': 'D' });
  expect(await at.wave(spec())).toEqual({ ...nothing, added: 4, bytes: 4 });
  const keys = await at.sql`select path, key from documents where project = ${at.project}`;
  expect(await at.wave(spec())).toEqual({ ...nothing, unchanged: 4 });
  at.write({ 'b.md': 'B2', 'sub/c.md': 'C' });
  for (const gone of ['c.md', 'd.md']) rmSync(join(at.root, gone));
  expect(await at.wave(spec())).toEqual({ ...nothing, changed: 1, moved: 1, removed: 1, unchanged: 1, bytes: 2 });
  const now = await at.sql<{ path: string; key: string }[]>`
    select path, key from documents where project = ${at.project} and died > 3 order by path`;
  expect(now.map(({ path }) => path)).toEqual(['a.md', 'b.md', 'sub/c.md']);
  expect(now[2]?.key).toBe(keys.find(({ path }) => path === 'c.md')?.['key']);
});

test('W6 what readers see is compared, not what a generation wrote that they never saw', async () => {
  at.write({ 'a.md': 'A' });
  await at.wave(spec());
  // An unfinished generation: born at 2, which nobody sees.
  await at.sql`update documents set died = 2 where project = ${at.project}`;
  await at.list(spec());
  expect((await at.plan()).counts).toEqual({ ...nothing, unchanged: 1 });
});

test('W6 a source that was never listed is an error, and no deletion', async () => {
  at.write({ 'a.md': 'A' });
  await at.wave(spec());
  await at.sql`delete from source_listings where project = ${at.project}`;
  await expect(at.plan()).rejects.toThrow(/Not listed yet: notes/);
});

test('W6 what a source left behind that the project no longer has is removed; what was not listed this time stays', async () => {
  at.write({ 'a.md': 'A' });
  await at.wave(directorySpec(at.root, { name: 'old' }));
  await at.list(spec());
  const kept = await at.plan({ registered: ['old', 'notes'] });
  expect(kept.counts).toMatchObject({ added: 1, removed: 0 });
  const dropped = await at.plan();
  expect(dropped.counts).toMatchObject({ added: 1, removed: 1 });
});

test('W6 another parser makes a document changed; W10 a rewrite makes every document changed', async () => {
  at.write({ 'a.md': 'A', 'b.md': 'B' });
  await at.wave(spec());
  expect((await at.plan({ pipelines: { 'text/markdown': 'markdown 2' } })).counts).toMatchObject({ changed: 2 });
  expect((await at.plan({ rewrite: true })).counts).toMatchObject({ changed: 2, unchanged: 0 });
});

test('W4 what is quarantined is not tried again until its bytes or the parser change, or somebody asks for it', async () => {
  at.write({ 'bad.md': 'bad', 'good.md': 'good' });
  await at.list(spec());
  await at.sql`
    insert into quarantine (project, source, path, sha256, pipeline, reason, detail)
    select project, source, path, sha256, 'markdown 1', 'corrupt', '' from source_items
    where project = ${at.project} and path = 'bad.md'`;
  expect((await at.plan()).counts).toEqual({ ...nothing, added: 1, quarantined: 1, bytes: 4 });
  expect((await at.plan({ retry_quarantined: true })).counts).toMatchObject({ added: 2, quarantined: 0 });
  expect((await at.plan({ pipelines: { 'text/markdown': 'markdown 2' } })).counts).toMatchObject({ added: 2 });
  at.write({ 'bad.md': 'better' });
  await at.list(spec());
  expect((await at.plan()).counts).toMatchObject({ added: 2, quarantined: 0 });
  rmSync(join(at.root, 'bad.md'));
  await at.list(spec());
  expect(await at.sql`select 1 from quarantine where project = ${at.project}`).toHaveLength(0);
});

const trusted = (path: string, more: Partial<TrustedItem> = {}): TrustedItem => ({
  ...{ name: path.replace(/\W/g, '-'), source: 'notes', path, kind: 'dashboard', as_of: '2026-01-01T00:00:00.000Z' },
  supersedes: null,
  ...more,
});

test('W5 a trusted wave has what its list names and nothing else; no glob sweeps that into the corpus', async () => {
  at.write({ 'status.md': 'S', 'a.md': 'A' });
  await at.list(spec());
  const list = [trusted('status.md')];
  const wave = await at.plan({ kind: 'trusted_operational', listed: list, named: list });
  expect(await itemsOf(wave.wave_id)).toEqual([{ path: 'status.md', change: 'added', former_path: null }]);
  expect(await at.sql`select listed from wave_items where wave_id = ${wave.wave_id}`).toEqual([{ listed: list[0] }]);
  const corpus = await at.plan({ named: list });
  expect(await itemsOf(corpus.wave_id)).toEqual([{ path: 'a.md', change: 'added', former_path: null }]);
});

test('W10 a rewrite takes trusted documents along as what they are, and brings in none that no trusted wave has', async () => {
  at.write({ 'status.md': 'S', 'later.md': 'L', 'a.md': 'A' });
  await at.wave(spec());
  await at.sql`
    update documents set kind = 'trusted_operational' where project = ${at.project} and path = 'status.md'`;
  await at.sql`delete from documents where project = ${at.project} and path = 'later.md'`;
  const named = [trusted('status.md'), trusted('later.md')];
  const wave = await at.plan({ rewrite: true, named });
  expect(
    await at.sql`select path, change, listed from wave_items where wave_id = ${wave.wave_id} order by path`,
  ).toEqual([
    { path: 'a.md', change: 'changed', listed: null },
    { path: 'status.md', change: 'changed', listed: named[0] },
  ]);
});

test('W5 what a list says of an item makes it changed; an item that no list names any more goes back to the corpus', async () => {
  at.write({ 'status.md': 'S' });
  await at.wave(spec());
  const [before, after] = [trusted('status.md'), trusted('status.md', { as_of: '2026-02-01T00:00:00.000Z' })];
  const asTrusted = (item: TrustedItem) => at.plan({ kind: 'trusted_operational', listed: [item], named: [item] });
  expect((await asTrusted(before)).counts).toMatchObject({ changed: 1 });
  await at.sql`
    update documents set kind = 'trusted_operational', as_of = ${before.as_of}, view = ${before.kind}
    where project = ${at.project}`;
  expect((await asTrusted(before)).counts).toMatchObject({ changed: 0, unchanged: 1 });
  expect((await asTrusted(after)).counts).toMatchObject({ changed: 1 });
  expect((await at.plan({ named: [before] })).counts).toEqual(nothing);
  expect((await at.plan({ named: [] })).counts).toMatchObject({ changed: 1 });
});

test('W6 a plan can be made again: the same items in the same order, and none of the plan before', async () => {
  at.write(Object.fromEntries(Array.from({ length: 2_500 }, (_, n) => [`f${n}.md`, String(n % 1_000)])));
  await at.list(spec());
  const wave_id = randomUUID();
  const order = () => at.sql`select seq, path, change from wave_items where wave_id = ${wave_id} order by seq`;
  expect((await at.plan({ wave_id })).counts).toMatchObject({ added: 2_500 });
  const first = await order();
  await at.plan({ wave_id });
  expect(await order()).toEqual(first);
  expect(first.map(({ seq }) => Number(seq))).toEqual(Array.from({ length: 2_500 }, (_, n) => n));
});

const files = fc.dictionary(
  fc.constantFrom(
    ...['a', 'b'].flatMap((folder) => ['x', 'y', 'ä', '\u{1F600}'].map((name) => `${folder}/${name}.md`)),
  ),
  fc.constantFrom('1', '2', '3'),
  { minKeys: 1, maxKeys: 8, noNullPrototype: true },
);

test('W6 wave after wave, what readers see is what the source held, whatever came and went between them', async () => {
  await fc.assert(
    fc.asyncProperty(fc.array(files, { minLength: 2, maxLength: 4 }), async (states) => {
      const own = await startSourceProject(data.sql);
      try {
        for (const state of states) {
          rmSync(own.root, { recursive: true });
          own.write(state);
          await own.wave(directorySpec(own.root));
          const seen = await own.sql<{ path: string; sha256: string }[]>`
            select path, encode(content_sha256, 'hex') as sha256 from documents, projects
            where projects.id = project and project = ${own.project} and born <= visible and died > visible`;
          const there = await own.sql<{ path: string; sha256: string }[]>`
            select path, encode(sha256, 'hex') as sha256 from source_items where project = ${own.project}`;
          const text = (all: readonly { path: string; sha256: string }[]) =>
            all.map((one) => `${one.path} ${one.sha256}`).sort();
          expect(text(seen)).toEqual(text(there));
          expect(there.map(({ path }) => path).sort()).toEqual(Object.keys(state).sort());
          expect(await own.wave(directorySpec(own.root))).toMatchObject({ added: 0, changed: 0, moved: 0, removed: 0 });
        }
      } finally {
        own.close();
      }
    }),
    { numRuns: 25 },
  );
}, 180_000);

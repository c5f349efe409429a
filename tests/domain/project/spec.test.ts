import fc from 'fast-check';
import {
  givenSpecSchema,
  projectSpecSchema,
  templateNames,
  type GivenSpec,
  type ProjectSpec,
} from '../../../domain/project/schemas.ts';
import { filledIn, refined, storedSpec, templates } from '../../../domain/project/template.ts';
import { localPathOf, sourceSpecSchema } from '../../../domain/project/source.ts';

const notes = { kind: 'directory', name: 'notes', path: '/srv/notes' } as const;
const given = (spec: object): GivenSpec => givenSpecSchema.parse(spec);
const whole = (spec: object, template: (typeof templateNames)[number] = 'plain'): ProjectSpec =>
  projectSpecSchema.parse(filledIn(given(spec), templates[template], 'here'));
const faultsOf = (spec: object): string[] => {
  const parsed = projectSpecSchema.safeParse(
    filledIn(given({ title: 'T', sources: [notes], ...spec }), templates.plain, 'b'),
  );
  return parsed.success ? [] : parsed.error.issues.map(({ path }) => path.join('.'));
};

test.each(templateNames)('W1 the template %s makes a title and a source a whole specification', (name) => {
  const spec = whole({ title: 'Notes', sources: [notes] }, name);
  expect(spec).toMatchObject({ box: 'here', aliases: [], sources: [{ ...templates[name].sources, ...notes }] });
  expect(spec.policy).toEqual(templates[name].policy);
});

test('W1 what is given counts more than the template, field by field', () => {
  const spec = whole(
    {
      title: 'Code',
      sources: [{ kind: 'git', name: 'repo', url: 'https://git.example/x.git', exclude: [], limits: { max_files: 7 } }],
      policy: { canary: { max_drop: 0.3 }, refresh: { schedule: { cron: '0 3 * * mon-fri' } } },
    },
    'code',
  );
  const [source] = spec.sources;
  expect(source).toMatchObject({ ref: 'HEAD', exclude: [], limits: { max_files: 7, max_file_bytes: 1_048_576 } });
  expect(spec.policy).toMatchObject({
    wave_approval: 'none',
    canary: { question_set: null, max_drop: 0.3, metric: 'ndcg_at_10' },
    refresh: { schedule: { cron: '0 3 * * mon-fri' }, webhook: true },
  });
});

test('W1 a refinement that names nothing changes nothing; one that names a field changes that one', () => {
  const base = whole({
    title: 'A',
    aliases: ['x y'],
    sources: [{ ...notes, include: ['*.md'] }],
    policy: { wave_approval: 'required' },
  });
  expect(refined(base, {})).toEqual(base);
  expect(refined(base, given({ title: 'B' }))).toEqual({ ...base, title: 'B' });
  const moved = refined(base, given({ sources: [{ ...notes, path: '/srv/other' }] }));
  expect(moved).toEqual({ ...base, sources: [{ ...base.sources[0], path: '/srv/other' }] });
  expect(refined(base, given({ policy: { canary: { least: 0.5 } } }))).toEqual({
    ...base,
    policy: { ...base.policy, canary: { ...base.policy.canary, least: 0.5 } },
  });
});

test('W1 a specification that was stored is read as it was, and what came later is filled in', () => {
  const spec = whole({ title: 'A', sources: [notes] }, 'uploads');
  expect(storedSpec(JSON.parse(JSON.stringify(spec)))).toEqual(spec);
  expect(storedSpec({ ...spec, policy: undefined }).policy).toEqual(templates.plain.policy);
});

test.each([
  ['a name twice', { aliases: ['Gigabit', 'GIGABIT'] }, ['aliases.1']],
  ['two sources of one name', { sources: [notes, notes] }, ['sources.1.name']],
  ['no source', { sources: undefined }, ['sources']],
  [
    'pages and a sitemap',
    { sources: [{ kind: 'http', name: 'w', urls: ['https://a.example/'], sitemap: 'https://a.example/s.xml' }] },
    ['sources.0'],
  ],
  ['neither', { sources: [{ kind: 'http', name: 'w' }] }, ['sources.0']],
])('W1 refused: %s', (_what, spec, faults) => {
  if ('sources' in spec && spec.sources === undefined) {
    expect(projectSpecSchema.safeParse(filledIn(given({ title: 'T' }), templates.plain, 'b')).success).toBe(false);
    return;
  }
  expect(faultsOf(spec)).toEqual(faults);
});

const item = (name: string, supersedes: string | null = null, more: object = {}) => ({
  ...{ name, source: 'notes', path: `${name}.md`, kind: 'current_status', as_of: '2026-01-01T00:00:00Z', supersedes },
  ...more,
});
const trusted = (items: object[]) => ({ policy: { trusted_waves: [{ name: 'status', items }] } });

test('W5 items of a trusted wave are named one by one and take each other’s place in a line', () => {
  expect(faultsOf(trusted([item('jan'), item('feb', 'jan'), item('mar', 'feb'), item('board')]))).toEqual([]);
  const at = (field: string) => [`policy.trusted_waves.0.items.${field}`];
  expect(faultsOf(trusted([item('jan'), item('jan', null, { path: 'b.md' })]))).toEqual(at('1.name'));
  expect(faultsOf(trusted([item('jan'), item('feb', null, { path: 'jan.md' })]))).toEqual(at('1.path'));
  expect(faultsOf(trusted([item('jan', null, { source: 'other' })]))).toEqual(at('0.source'));
  expect(faultsOf(trusted([item('jan', 'nobody')]))).toEqual(at('0.supersedes'));
  expect(faultsOf(trusted([item('a'), item('b', 'a'), item('c', 'a')]))).toEqual(at('2.supersedes'));
  expect(faultsOf(trusted([item('a', 'b'), item('b', 'a'), item('c')]))).toEqual(['policy.trusted_waves.0.items']);
  expect(faultsOf(trusted([item('a', 'a')]))).toEqual(['policy.trusted_waves.0.items']);
});

test('W5 a chain of any length and order has one current item; closing it is refused', () => {
  fc.assert(
    fc.property(
      fc.integer({ min: 2, max: 30 }),
      fc.array(fc.nat(), { minLength: 30, maxLength: 30 }),
      (length, keys) => {
        const chain = Array.from({ length }, (_, at) => item(`i${at}`, at === 0 ? null : `i${at - 1}`));
        const order = chain.map((one, at) => ({ one, key: keys[at] ?? 0 })).sort((a, b) => a.key - b.key);
        expect(faultsOf(trusted(order.map(({ one }) => one)))).toEqual([]);
        const closed = order.map(({ one }) => (one.name === 'i0' ? { ...one, supersedes: `i${length - 1}` } : one));
        expect(faultsOf(trusted(closed))).toEqual(['policy.trusted_waves.0.items']);
      },
    ),
  );
});

test.each([
  ['directory', { path: 'notes' }],
  ['directory', { path: '/srv/../etc' }],
  ['directory', { path: '/srv/./x' }],
  ['git', { url: 'ext::sh -c id' }],
  ['git', { url: '--upload-pack=id' }],
  ['git', { url: 'ssh://-oProxyCommand=id/x' }],
  ['git', { url: 'git@-oProxyCommand=id:x' }],
  ['git', { url: 'https://bob:secret@git.example/x.git' }],
  ['git', { url: 'https://token@git.example/x.git' }],
  ['git', { url: '/srv/../etc' }],
  ['git', { url: 'file:///srv/../etc' }],
  ['git', { url: 'file:///srv/%2e%2e/etc' }],
  ['git', { url: 'file:///srv/..%2fetc' }],
  ['git', { url: 'file:///srv/%zz' }],
  ['git', { url: 'file://host/srv' }],
  ['git', { url: 'https://git.example/x.git', ref: '--all' }],
  ['http', { urls: ['https://bob:secret@web.example/'] }],
  ['http', { urls: ['file:///etc/passwd'] }],
  ['http', { sitemap: 'ftp://web.example/s.xml' }],
  ['upload', { path: '/srv' }],
  ['directory', { path: '/srv', include: ['../**'] }],
  ['directory', { path: '/srv', include: ['/etc/**'] }],
  ['directory', { path: '/srv', limits: { max_files: 0 } }],
])('W3 refused of a %s: %j', (kind, fields) => {
  expect(givenSpecSchema.safeParse({ sources: [{ kind, name: 's', ...fields }] }).success).toBe(false);
});

test.each([
  ['/srv/repo', '/srv/repo'],
  ['file:///srv/a%20b', '/srv/a b'],
  ['https://git.example/x.git', null],
  ['git@git.example:x.git', null],
  ['ssh://git@git.example/x.git', null],
])('W3 of a repository at %s the path on the box is %s', (url, path) => {
  const source = sourceSpecSchema.parse({ kind: 'git', name: 'r', url, ...templates.plain.sources });
  expect(localPathOf(source)).toBe(path);
});

test.each(['0 3 * * *', '*/5 0-6,22 1 jan-mar mon', '59 23 31 12 7', '0 0 * * sun,sat'])(
  'W9 %s is a schedule',
  (cron) => {
    expect(givenSpecSchema.safeParse({ policy: { refresh: { schedule: { cron } } } }).success).toBe(true);
  },
);

test.each([
  '* * * *',
  '60 * * * *',
  '* 24 * * *',
  '* * 0 * *',
  '* * * 13 *',
  '* * * * 8',
  '*/0 * * * *',
  '5-1 * * * *',
  'mon * * * *',
  '@daily',
  '',
])('W9 %j is none', (cron) =>
  expect(givenSpecSchema.safeParse({ policy: { refresh: { schedule: { cron } } } }).success).toBe(false),
);

import fc from 'fast-check';
import { foldName, namesOf, projectAlias, projectId, resolveProjectName } from '../../../domain/project/names.ts';

test.each([
  ['P04-Gigabit', 'p04-gigabit'],
  ['  Gigabit   LAN ', 'gigabit lan'],
  ['Straße', 'strasse'],
  ['ＧＩＧＡＢＩＴ', 'gigabit'],
  ['ΟΔΟΣ', 'οδοσ'],
])('W1 %s and %s are one name', (written, other) => {
  expect(foldName(written)).toBe(foldName(other));
});

test('W1 folding a name that is folded changes nothing, nor does its case', () => {
  fc.assert(
    fc.property(fc.string({ unit: 'grapheme', maxLength: 40 }), (name) => {
      const folded = foldName(name);
      expect(foldName(folded)).toBe(folded);
      expect(foldName(folded.toUpperCase())).toBe(folded);
    }),
    { numRuns: 2_000 },
  );
});

test('W1 an id is its own name, and ids and aliases are one space', () => {
  const names = new Map([
    ['p04-gigabit', 'p04-gigabit'],
    ['gigabit lan', 'p04-gigabit'],
  ]);
  expect(resolveProjectName('P04-GIGABIT', names)).toEqual({ project: 'p04-gigabit', resolved_by: 'id' });
  expect(resolveProjectName('Gigabit  LAN', names)).toEqual({ project: 'p04-gigabit', resolved_by: 'alias' });
  expect(resolveProjectName('gigabit', names)).toBeNull();
  expect(namesOf('p04-gigabit', ['Gigabit LAN', 'P04-Gigabit', 'a b'])).toEqual(['a b', 'gigabit lan', 'p04-gigabit']);
});

test.each(['p', 'P04', '-p04', 'p_04', 'p04/x', 'proposals', 'templates', `p${'4'.repeat(63)}`, 'p04\n'])(
  'W1 %j is no id',
  (id) => expect(projectId.safeParse(id).success).toBe(false),
);

test.each([' lan', 'lan ', 'a', 'a/b', 'a\u0000b', 'a\u202eb', 'Proposals', '..', 'x'.repeat(65), ''])(
  'W1 %j is no alias',
  (alias) => expect(projectAlias.safeParse(alias).success).toBe(false),
);

test.each(['p04-gigabit', '4x', 'notes'])('W1 %s is an id', (id) => expect(projectId.parse(id)).toBe(id));
test.each(['Gigabit LAN', 'v1.2_x', 'Küche', '厨房'])('W1 %s is an alias', (alias) =>
  expect(projectAlias.parse(alias)).toBe(alias),
);

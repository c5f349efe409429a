import { memoryCollectionName } from '../../../domain/memory/collection.ts';
import { memoryRequestSchema } from '../../../domain/memory/schemas.ts';
import { memoryState, memoryTypes } from '../../../domain/memory/words.ts';

const now = new Date('2026-01-01T00:00:00Z');
const provenance = { kind: 'person' };

test('C6 the six types, and any other is refused with the list', () => {
  expect(memoryTypes).toEqual(['identity', 'preference', 'project', 'episodic', 'knowledge', 'adaptation']);
  for (const type of memoryTypes) {
    const request = { type, text: 'x', provenance, project: 'p04-gigabit' };
    expect(memoryRequestSchema.safeParse(request).success).toBe(true);
  }
  const refused = memoryRequestSchema.safeParse({ type: 'mood', text: 'x', provenance });
  expect(refused.error?.issues.map(({ path, message }) => [path.join('.'), message])).toEqual([
    ['type', 'one of identity, preference, project, episodic, knowledge, adaptation'],
  ]);
});

test.each([
  ['nothing said of where it comes from', { type: 'knowledge', text: 'x' }, 'provenance'],
  ['an empty text', { type: 'knowledge', text: ' ', provenance }, 'text'],
  ['more than certain', { type: 'knowledge', text: 'x', provenance, confidence: 1.1 }, 'confidence'],
  ['of type project without one', { type: 'project', text: 'x', provenance }, 'project'],
  ['an end that is no time', { type: 'knowledge', text: 'x', provenance, expires_at: 'soon' }, 'expires_at'],
])('C6 %s is refused', (_what, request, path) => {
  expect(memoryRequestSchema.safeParse(request).error?.issues.map((issue) => issue.path.join('.'))).toEqual([path]);
});

test('C6 superseded comes before expired; the moment of its end is past it', () => {
  expect(memoryState({ superseded_by: null, expires_at: null }, now)).toBe('current');
  expect(memoryState({ superseded_by: null, expires_at: now }, now)).toBe('expired');
  expect(memoryState({ superseded_by: null, expires_at: new Date(now.getTime() + 1) }, now)).toBe('current');
  expect(memoryState({ superseded_by: 'x', expires_at: now }, now)).toBe('superseded');
});

test('G12 another installation, another database and another model have collections of their own', () => {
  const names = [
    memoryCollectionName({ space: 'a', database: 'holdfast' }, 'm', 'l'),
    memoryCollectionName({ space: 'b', database: 'holdfast' }, 'm', 'l'),
    memoryCollectionName({ space: 'a', database: 'scratch' }, 'm', 'l'),
    memoryCollectionName({ space: 'a', database: 'holdfast' }, 'n', 'l'),
    memoryCollectionName({ space: 'a', database: 'holdfast' }, 'm', 'k'),
  ];
  expect(new Set(names).size).toBe(names.length);
});

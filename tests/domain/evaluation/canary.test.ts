import { judgeCanary } from '../../../domain/evaluation/canary.ts';
import { judge, type Judged, type JudgedHit } from '../../../domain/evaluation/judge.ts';
import type { Question } from '../../../domain/project/question-set.ts';

const question = (id: string, ...paths: string[]): Question => ({
  id,
  query: `where is ${id}?`,
  relevant: paths.map((path) => ({ source: null, path, heading: null, grade: 1 })),
});
const hit = (path: string, more: Partial<JudgedHit> = {}): JudgedHit => ({
  ...{ project: 'mine', document: `document of ${path}`, source: 'notes', path, heading: [], text: '', trusted: null },
  ...more,
});
const mine = { named: ['mine'], foreign: [] };
const judged = (id: string, ...found: string[]): Judged =>
  judge(
    question(id, 'right.md'),
    found.map((path) => hit(path)),
    mine,
  );
const bound = { metric: 'recall_at_10', max_drop: 0.1, least: 0 } as const;

describe('judging an answer', () => {
  test('C9 a hit is relevant by path; by source and heading where the judgement names them', () => {
    const narrow: Question = {
      id: 'q',
      query: 'q',
      relevant: [
        { source: 'notes', path: 'a.md', heading: 'Setup', grade: 2 },
        { source: 'wiki', path: 'b.md', heading: null, grade: 1 },
      ],
    };
    const recall = (...hits: JudgedHit[]) => judge(narrow, hits, mine).scores.recall_at_10;
    expect(recall(hit('a.md', { heading: ['Guide', 'Setup'] }))).toBe(0.5);
    expect(recall(hit('a.md', { heading: ['Guide'] }))).toBe(0);
    expect(recall(hit('b.md'))).toBe(0);
    expect(recall(hit('b.md', { source: 'wiki' }), hit('a.md', { heading: ['Setup'] }))).toBe(1);
  });

  test('C9 what is of another project is a leak, in the answer or kept from it', () => {
    const { leaks } = judge(question('q', 'a.md'), [hit('a.md', { project: 'theirs' })], {
      named: ['mine'],
      foreign: ['other'],
    });
    expect(leaks).toEqual([
      { question: 'q', project: 'theirs', where: 'answer', term: null },
      { question: 'q', project: 'other', where: 'candidate', term: null },
    ]);
  });

  test('C9 what a question forbids is a leak in any of its hits, however far behind and of whichever project', () => {
    const hits = [
      ...Array.from({ length: 50 }, (_, at) => hit(`${at}.md`, { text: 'nothing of it' })),
      hit('b.md', { text: 'It is the XYLOPHONE-7 of old' }),
      hit('c.md', { heading: ['Xylophone-7'] }),
    ];
    const { leaks } = judge({ ...question('q', 'a.md'), forbidden: ['xylophone-7', 'other'] }, hits, mine);
    const leak = { question: 'q', project: 'mine', where: 'answer', term: 'xylophone-7' };
    expect(leaks).toEqual([leak, leak]);
    expect(judge(question('q', 'a.md'), hits, mine).leaks).toEqual([]);
  });

  test('C9 trusted views among the hits are counted', () => {
    const views = [hit('a.md', { trusted: { stale: false } }), hit('b.md')];
    expect(judge(question('q', 'a.md'), views, mine)).toMatchObject({ hits: 2, trusted: 1 });
  });
});

describe('W7 canaries', () => {
  const good = [judged('one', 'right.md'), judged('two', 'right.md')];

  test('W7 answers as good as before pass', () => {
    const verdict = judgeCanary(bound, good, good);
    expect(verdict).toMatchObject({ ok: true, asked: 2, worse: [], leaks: [] });
  });

  test('W7 a drop past the bound fails, and names the questions that got worse', () => {
    const verdict = judgeCanary(bound, [judged('one', 'right.md'), judged('two', 'wrong.md')], good);
    expect(verdict.ok).toBe(false);
    expect(verdict.reason).toContain('recall_at_10 falls from 1.000 to 0.500');
    expect(verdict.worse).toEqual([{ question: 'two', before: 1, after: 0 }]);
  });

  test('W7 a drop of just the bound passes', () => {
    const before = Array.from({ length: 10 }, (_, index) => judged(`q${index}`, 'right.md'));
    const after = before.map((each, index) => (index === 0 ? judged('q0', 'wrong.md') : each));
    expect(judgeCanary(bound, after, before)).toMatchObject({ ok: true, worse: [{ question: 'q0' }] });
  });

  test('W7 a leak fails whatever the scores are', () => {
    const leaking = {
      ...judged('one', 'right.md'),
      leaks: [{ question: 'one', project: 'theirs', where: 'answer' as const, term: null }],
    };
    const verdict = judgeCanary(bound, [leaking], good);
    expect(verdict.ok).toBe(false);
    expect(verdict.reason).toContain('theirs');
  });

  test('W7 a first wave has nothing to fall below, but the least that is asked for', () => {
    const nothing = [judged('one', 'wrong.md')];
    expect(judgeCanary(bound, nothing, null)).toMatchObject({
      ok: true,
      before: null,
      worse: [{ question: 'one', before: null }],
    });
    expect(judgeCanary({ ...bound, least: 0.5 }, nothing, null).ok).toBe(false);
  });
});

import fc from 'fast-check';
import { estimateTokens } from '../../../domain/chunk/tokens.ts';

// What the vocabulary of all-MiniLM-L6-v2 really makes of these, counted once; the estimate may be a fifth below.
test.each([
  [17, 'The mill turns grain into flour. It stops by itself when the hopper is empty.'],
  [20, 'export function createParserPool(options: ParserPoolOptions): ParserPool {'],
  [29, 'select id, born, died from chunks where project = $1 and born <= $2 and died > $2 order by ordinal'],
  [27, 'Die Mühle mahlt Getreide zu Mehl und hält an, wenn der Trichter leer ist.'],
  [29, 'Мельница превращает зерно в муку.'],
  [15, '磨坊把谷物变成面粉，然后停止。'],
  [45, 'sha256-2c42aad9ed60e24046fbf5720f438884942897197cb790ce58cccdacedd9532d'],
])('W4 about %i word pieces: %s', (pieces, text) => {
  expect(estimateTokens(text)).toBeGreaterThanOrEqual(pieces * 0.8);
  expect(estimateTokens(text)).toBeLessThanOrEqual(pieces * 1.6);
});

test('W4 an estimate is that of its parts, up to rounding, where they are divided at white space', () => {
  const word = fc.stringMatching(/^[a-zA-Z0-9_.é麦-]{1,20}$/);
  fc.assert(
    fc.property(fc.array(word), fc.array(word), (left, right) => {
      const [a, b] = [left.join(' '), right.join('\n')];
      const whole = estimateTokens(`${a} ${b}`);
      const parts = estimateTokens(a) + estimateTokens(b);
      expect(parts - whole).toBeGreaterThanOrEqual(0);
      expect(parts - whole).toBeLessThanOrEqual(1);
    }),
  );
});

test('W4 an estimate of a part is that of the part alone', () => {
  fc.assert(
    fc.property(fc.string({ unit: 'binary' }), fc.nat(), fc.nat(), (text, a, b) => {
      const [start, end] = [a % (text.length + 1), b % (text.length + 1)].sort((x, y) => x - y) as [number, number];
      expect(estimateTokens(text, start, end)).toBe(estimateTokens(text.slice(start, end)));
    }),
  );
});

test('W4 only white space has no tokens', () => {
  expect(estimateTokens(' \t\r\n\u00a0\u3000')).toBe(0);
  expect(estimateTokens('')).toBe(0);
  fc.assert(fc.property(fc.stringMatching(/^\p{L}$/u), (letter) => estimateTokens(letter) > 0));
});

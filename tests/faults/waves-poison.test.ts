import { makeDocx, paragraph } from '../adapters/parsers/make-docx.ts';
import { makePdf } from '../adapters/parsers/make-pdf.ts';
import { fullSize } from '../support/proof-size.ts';
import { createWaveBench, type WaveBench } from '../support/wave-bench.ts';

jest.setTimeout(600_000);

/** Of each wave, besides the one that is poisonous. */
const good = fullSize ? 999 : 29;

let bench: WaveBench;
beforeAll(async () => {
  bench = await createWaveBench();
  bench.startWorker();
}, 120_000);
afterAll(() => bench.close());

const pdf = makePdf([[{ size: 10, y: 700, text: 'A page of text.' }]]);
const poisons: readonly (readonly [what: string, name: string, make: () => Buffer | string, reason: string])[] = [
  ['a corrupt PDF', 'cut.pdf', () => Buffer.from(pdf.subarray(0, pdf.length / 2)), 'malformed'],
  ['a DOCX that expands to 80 MB', 'bomb.docx', () => makeDocx(paragraph(' '.repeat(80_000_000))), 'expands_too_far'],
  ['invalid UTF-8', 'broken.md', () => Buffer.from('Gr\u00fcn', 'latin1'), 'invalid_encoding'],
  ['a line of 50 MB', 'line.txt', () => 'x'.repeat(50_000_000), 'text_too_long'],
  ['HTML nested 200,000 deep', 'deep.html', () => '<div>'.repeat(200_000) + 'text', 'nested_too_deep'],
];

let waves = 0;
function writeGood(): void {
  waves += 1;
  for (let at = 0; at < good; at += 1)
    bench.write(`wave-${waves}/page-${at}.md`, `# Page ${at}\n\nWhat page ${at} says in wave ${waves}.\n`);
}

test.each(poisons)('W4 %s among good documents: they are seen, it is quarantined', async (_, name, make, reason) => {
  writeGood();
  bench.write(name, make());
  const { id, result } = await bench.run();
  expect(result).toMatchObject({ outcome: 'committed', documents: good, quarantined: 1, failed: 0 });
  expect(await bench.items.troubled(id, { limit: 10 })).toMatchObject([{ path: name, state: 'quarantined', reason }]);
  expect(await bench.seen()).toMatchObject({ documents: waves * good });
});

test('W4 bait for endless patterns is odd, but a document like all others', async () => {
  writeGood();
  bench.write('bait.md', `# Bait\n\n${'*a **'.repeat(20_000)}\n`);
  const { result } = await bench.run();
  expect(result).toMatchObject({ outcome: 'committed', documents: good + 1, quarantined: 0, failed: 0 });
});

test('W4 none of them is tried again before it changes', async () => {
  const before = await bench.seen();
  const again = await bench.run();
  expect(again.result.outcome).toBe('nothing_to_do');
  expect(again.plan).toMatchObject({ quarantined: poisons.length, unchanged: waves * good + 1 });
  expect(await bench.seen()).toEqual(before);

  bench.write('broken.md', '# Grün\n\nNow it is UTF-8.\n');
  const { plan, result } = await bench.run();
  expect(plan).toMatchObject({ added: 1, changed: 0, quarantined: poisons.length - 1 });
  expect(result).toMatchObject({ outcome: 'committed', documents: 1, quarantined: 0 });
});

import { createHash } from 'node:crypto';
import { deflateRawSync } from 'node:zlib';
import { makeDocx, makeZip, paragraph } from './make-docx.ts';
import { makePdf } from './make-pdf.ts';
import { makePool } from './parser-tests.ts';

// Row W4: a bad file is left out with its reason, and the next one is read.

let parsers: ReturnType<typeof makePool>;
beforeAll(() => {
  parsers = makePool({ timeoutMs: 45_000 });
});
afterAll(() => parsers.close());

const goodPdf = makePdf([[{ size: 10, y: 700, text: 'A page of text.' }]]);
const noise = (bytes: number) => {
  let block = Buffer.from('noise');
  const blocks: Buffer[] = [];
  for (let length = 0; length < bytes; length += block.length)
    blocks.push((block = createHash('sha256').update(block).digest()));
  return Buffer.concat(blocks).subarray(0, bytes);
};

test.each<[string, string, () => Uint8Array | string, string]>([
  ['an empty file', 'empty.md', () => '', 'empty'],
  ['white space only', 'blank.txt', () => ' \n\t\n', 'no_text'],
  [
    'a picture',
    'logo.png',
    () => Buffer.concat([Buffer.from('\u0089PNG\r\n\u001a\n\0\0', 'latin1'), noise(500)]),
    'binary',
  ],
  ['a program called text', 'notes.txt', () => Buffer.concat([Buffer.from('\u007fELF\0'), noise(500)]), 'binary'],
  ['a NUL far inside', 'late.txt', () => `${'words '.repeat(2_000)}\0`, 'binary'],
  ['an archive', 'all.zip', () => makeZip({ 'a.txt': Buffer.from('a') }), 'unsupported_type'],
  ['invalid UTF-8', 'broken.md', () => Buffer.from('Gr\u00fcn', 'latin1'), 'invalid_encoding'],
  ['UTF-8 cut in the middle', 'cut.txt', () => Buffer.from('Grün').subarray(0, 3), 'invalid_encoding'],
  ['an encoded surrogate', 'cesu.txt', () => Buffer.from('a\u00ed\u00a0\u0080b', 'latin1'), 'invalid_encoding'],
  ['UTF-16 of half a pair', 'half.txt', () => Buffer.from('\ufeffa\ud800b', 'utf16le'), 'invalid_encoding'],
  ['JSON with an error', 'a.json', () => '{"a": 1,', 'malformed'],
  ['JSON Lines with an error in one', 'a.jsonl', () => '{"a":1}\n{"a":\n', 'malformed'],
  ['a quotation mark that never closes', 'a.csv', () => `a,b\n"never ${'closed, '.repeat(1_000)}`, 'malformed'],
  ['a notebook that is none', 'a.ipynb', () => '{"cells": 7}', 'malformed'],
  ['JSON nested 200,000 deep', 'deep.json', () => '['.repeat(200_000) + ']'.repeat(200_000), 'nested_too_deep'],
  ['HTML nested 200,000 deep', 'deep.html', () => '<div>'.repeat(200_000) + 'text', 'nested_too_deep'],
  ['Markdown quotes nested 50,000 deep', 'deep.md', () => `${'> '.repeat(50_000)}text`, 'nested_too_deep'],
  ['Markdown lists nested 50,000 deep', 'lists.md', () => `${'- '.repeat(50_000)}text`, 'nested_too_deep'],
  ['a PDF cut in half', 'cut.pdf', () => goodPdf.subarray(0, goodPdf.length / 2), 'malformed'],
  ['noise called PDF', 'noise.pdf', () => noise(20_000), 'malformed'],
  [
    'a PDF that asks for a password',
    'locked.pdf',
    () => makePdf([[{ size: 10, y: 700, text: 'secret' }]], { password: 'open' }),
    'encrypted',
  ],
  ['a PDF of pictures only', 'scan.pdf', () => makePdf([[]]), 'no_text'],
  ['noise called DOCX', 'noise.docx', () => noise(20_000), 'malformed'],
  ['a DOCX without a document', 'none.docx', () => makeZip({ 'a.xml': Buffer.from('<a/>') }), 'malformed'],
  [
    'an encrypted DOCX',
    'locked.docx',
    () => Buffer.concat([Buffer.from('d0cf11e0a1b11ae1', 'hex'), noise(2_000)]),
    'encrypted',
  ],
  ['a DOCX that expands to 80 MB', 'bomb.docx', () => makeDocx(paragraph(' '.repeat(80_000_000))), 'expands_too_far'],
  [
    'one whose directory says that it does not',
    'liar.docx',
    () => makeZip({ 'word/document.xml': Buffer.alloc(10_000_000, 32) }, 100),
    'malformed',
  ],
  ['a line of 50 MB', 'line.txt', () => 'x'.repeat(50_000_000), 'text_too_long'],
])('W4 %s is left out with its reason', async (_, name, make, reason) => {
  const result = await parsers.parse(name, make());
  expect(result).toMatchObject({ reason });
  expect('detail' in result && result.detail.length > 0 && result.detail.length <= 300).toBe(true);
  expect(JSON.stringify(result)).not.toContain(parsers.folder);
  expect(await parsers.parsed('next.md', '# Next\n')).toMatchObject({ title: 'Next' });
});

const bait = {
  'emphasis.md': `# Bait\n\n${'*a **'.repeat(100_000)}`,
  'links.md': `# Bait\n\n${'['.repeat(100_000)}`,
  'links-2.md': `# Bait\n\n${'[a]('.repeat(50_000)}`,
  'ticks.md': `# ${'`'.repeat(100_000)}\n\n${Array.from({ length: 2_000 }, (_, n) => '`'.repeat(n % 100)).join(' a ')}`,
  'table.md': `${'|a'.repeat(4_000)}\n${'|-'.repeat(4_000)}\n${'|b'.repeat(4_000)}\n`,
  'spaces.txt': `a${' '.repeat(500_000)}b`,
  'dots.txt': `${'.'.repeat(500_000)}!${'"'.repeat(500_000)}`,
  'backslashes.json': JSON.stringify({ a: '\\'.repeat(500_000), b: '"'.repeat(500_000) }),
  'aaa.py': `${'a'.repeat(500_000)}!`,
  'quotes.csv': `a,b\n${'"",'.repeat(200_000)}\n`,
  'attributes.html': `<p ${'a="'.repeat(50_000)}>text<p>${'<'.repeat(100_000)}`,
  'formatting.html': `${'<b><p>'.repeat(50_000)}text`,
  'meta.html': `${'<meta '.repeat(50_000)}<p>text`,
};

test.each(Object.entries(bait))('W4 bait for endless patterns comes to an end: %s', async (name, content) => {
  const result = await parsers.parse(name, content);
  // Each is odd, but a document.
  expect(result).toHaveProperty('text');
});

test('W4 what the sizes of a file are is told without reading it', async () => {
  const small = makePool({ limits: { fileBytes: 1_000, textUnits: 100, blocks: 3 } });
  try {
    expect(await small.parse('a.pdf', Buffer.concat([goodPdf, noise(1_000)]))).toMatchObject({
      reason: 'file_too_large',
    });
    expect(await small.parse('a.txt', 'x'.repeat(301))).toMatchObject({ reason: 'text_too_long' });
    expect(await small.parse('b.txt', 'x'.repeat(101))).toMatchObject({ reason: 'text_too_long' });
    expect(await small.parse('a.md', '# a\n# b\n# c\n# d\n')).toMatchObject({ reason: 'too_many_blocks' });
    expect(await small.parse('b.md', '# a\n# b\n# c\n')).toMatchObject({ title: 'a' });
  } finally {
    small.close();
  }
});

test('W4 deflated noise called PDF says nothing of this machine', async () => {
  const pdf = Buffer.concat([Buffer.from('%PDF-1.7\n'), deflateRawSync(noise(1_000))]);
  const result = await parsers.parse('odd.pdf', pdf);
  expect(result).toMatchObject({ reason: 'malformed', mediaType: 'application/pdf' });
  expect(JSON.stringify(result)).not.toMatch(/\/(?:root|home|tmp|work)\b/);
});

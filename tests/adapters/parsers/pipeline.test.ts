import { createHash } from 'node:crypto';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { chunkDocument } from '../../../domain/chunk/chunk-document.ts';
import { pipelineOf } from '../../../domain/document-pipeline.ts';
import { packageRoot } from '../../../infra/package-root.ts';
import { makeDocx, paragraph, table } from './make-docx.ts';
import { makePdf } from './make-pdf.ts';
import { makePool } from './parser-tests.ts';

let parsers: ReturnType<typeof makePool>;
beforeAll(() => {
  parsers = makePool();
});
afterAll(() => parsers.close());

const sample = (name: string) => readFileSync(join(packageRoot, 'tests/data/documents', name));
const sentence = 'The mill turns grain into flour, and stops by itself when the hopper is empty. ';
const report = () =>
  makeDocx(
    paragraph('Mill', 'Heading1') +
      paragraph(sentence.repeat(30)) +
      table([
        ['a', 'b'],
        ['c', 'd'],
      ]),
  );
const manual = () =>
  makePdf([
    [
      { size: 20, y: 800, text: 'Mill' },
      ...Array.from({ length: 50 }, (_, n) => ({ size: 10, y: 770 - 12 * n, text: sentence })),
    ],
  ]);

// What a pipeline makes of its sample. Where a parser, a library or the chunker was changed and this does not agree any
// more, the numbers in domain/document-pipeline.ts go up, so that documents are read again, and then these lines change.
test.each<[string, () => Buffer, string, string]>([
  ['guide.md', () => sample('guide.md'), 'markdown/1 chunk/1', 'ce29fa5594d84635'],
  ['page.html', () => sample('page.html'), 'html/1 chunk/1', '5d6d9f68e474e67e'],
  ['harvest.csv', () => sample('harvest.csv'), 'csv/1 chunk/1', '49b8f7eb099374c4'],
  ['service.json', () => sample('service.json'), 'json/1 chunk/1', 'c8202b2bb1b00440'],
  ['study.ipynb', () => sample('study.ipynb'), 'notebook/1 chunk/1', '5b470a8b38377052'],
  ['notes.txt', () => sample('notes.txt'), 'text/1 chunk/1', '2c80aae3a6b354af'],
  ['manual.rst', () => sample('manual.rst'), 'text/1 chunk/1', '57182f6cc0983e22'],
  ['grinder.py', () => sample('grinder.py'), 'code/1 chunk/1', 'd57d7b22f77d175c'],
  ['report.docx', report, 'docx/1 chunk/1', '27c4a25b64c6e59e'],
  ['manual.pdf', manual, 'pdf/1 chunk/1', 'b635656fc3d3ddce'],
])('W4 what %s becomes has not changed under the same pipeline', async (name, make, pipeline, sha256) => {
  const document = await parsers.parsed(name, make());
  const made = JSON.stringify([document, chunkDocument(document)]);
  expect(pipelineOf(document.mediaType)).toBe(pipeline);
  expect(createHash('sha256').update(made).digest('hex').slice(0, 16)).toBe(sha256);
});

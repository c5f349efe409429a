import { docxType, formatOf, mediaTypeOf, mediaTypes } from '../../domain/media-type.ts';
import { pipelineOf, pipelines } from '../../domain/document-pipeline.ts';

const bytes = (text: string) => Buffer.from(text, 'latin1');

test.each([
  ['docs/README.md', '# a', undefined, 'text/markdown'],
  ['README', 'a', undefined, 'text/plain'],
  ['a/Dockerfile', 'FROM a', undefined, 'text/x-source-docker'],
  ['Dockerfile.dev', 'FROM a', undefined, 'text/x-source-docker'],
  ['Makefile', 'all:', undefined, 'text/x-source-make'],
  ['profile', 'a', undefined, 'text/plain'],
  ['tsconfig.build.json', '{}', undefined, 'text/x-source-jsonc'],
  ['A.PDF', 'anything', undefined, 'application/pdf'],
  ['scan.txt', '%PDF-1.4', undefined, 'application/pdf'],
  ['a.docx', 'PK\u0003\u0004', undefined, docxType],
  ['a.xlsx', 'PK\u0003\u0004', undefined, 'application/zip'],
  ['download', 'PK\u0003\u0004', docxType, docxType],
  ['a.ts', 'G\u0000@', undefined, 'application/octet-stream'],
  ['a.txt', '\u00ff\u00fea\u0000', undefined, 'text/plain'],
  ['a.unknown', 'a', undefined, 'text/plain'],
  ['guide', '  <!DOCTYPE html><p>', undefined, 'text/html'],
  ['guide', '\u00ef\u00bb\u00bf<html>', undefined, 'text/html'],
  ['guide', 'words', 'text/html; charset=utf-8', 'text/html'],
  ['guide.php', '<p>', 'Text/HTML', 'text/html'],
  ['raw/guide.md', '# a', 'text/plain; charset=utf-8', 'text/markdown'],
  ['guide.md', '# a', 'application/octet-stream', 'text/markdown'],
  ['guide.md', '# a', 'constructor', 'text/markdown'],
  ['', '', undefined, 'text/plain'],
])('W4 %j of %j, declared %j, is %s', (name, head, declared, mediaType) => {
  expect(mediaTypeOf(name, bytes(head), declared)).toBe(mediaType);
});

test('W4 every media type that is read has a pipeline, and what is not read has one as well', () => {
  for (const type of mediaTypes) {
    expect(formatOf(type)).not.toBeNull();
    expect(pipelineOf(type)).toMatch(/^[a-z]+\/\d+ chunk\/\d+$/);
    expect(pipelines[type]).toBe(pipelineOf(type));
  }
  for (const type of [null, 'application/zip', 'text/x-source-', 'text/x-source-klingon', '__proto__'])
    expect(pipelineOf(type)).toBe('unread/1');
  expect(Object.values(pipelines)).toContain('unread/1');
});

import type { DocumentFormat } from './document.ts';
import { formatOf, mediaTypes } from './media-type.ts';

// What is made of the same bytes changes with these numbers, and then documents are read again. A number goes up when its
// parser, the library under it or what is taken for its format gives another text, other blocks or another title; the one
// of the chunker with its rules, its default limits and the estimate of tokens. tests/adapters/parsers/pipeline.test.ts
// fails when it should have been raised.
const parserVersions: Readonly<Record<DocumentFormat, number>> = {
  markdown: 1,
  text: 1,
  code: 1,
  html: 1,
  pdf: 1,
  docx: 1,
  csv: 1,
  json: 1,
  notebook: 1,
};
const chunkerVersion = 1;

// Of what no parser takes. Goes up when formats are added.
const unread = 'unread/1';

/**
 * Which parser and chunker read a document of this type, as in `markdown/1 chunk/1`: equal bytes and an equal pipeline make
 * equal chunks. null and types that are not read: `unread/1`.
 */
export function pipelineOf(mediaType: string | null): string {
  const format = mediaType === null ? null : formatOf(mediaType);
  return format === null ? unread : `${format}/${parserVersions[format]} chunk/${chunkerVersion}`;
}

/** Every pipeline in force by media type; `*` is what is not read. */
export const pipelines: Readonly<Record<string, string>> = {
  ...Object.fromEntries(mediaTypes.map((type) => [type, pipelineOf(type)])),
  '*': unread,
};

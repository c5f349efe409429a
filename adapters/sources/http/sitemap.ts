import type { Readable } from 'node:stream';
import { gunzipSync } from 'node:zlib';
import { XMLParser } from 'fast-xml-parser';
import { PermanentFailure } from '../../../domain/failures.ts';
import type { Answer } from './get.ts';

/** What the protocol of sitemaps allows one file, unpacked. */
const mostBytes = 52_428_800;
const mostSitemaps = 1_000;
const mostDepth = 3;

/**
 * The pages that a sitemap names, or the sitemaps that an index names, each page once. Throws when any of them cannot be
 * read: the pages of half a sitemap would look as if the others were gone.
 */
export async function* readSitemap(url: string, get: (url: string) => Promise<Answer>): AsyncGenerator<string> {
  const seen = new Set<string>([url]);
  const pages = new Set<string>();
  const waiting = [{ url, depth: 1 }];
  for (let next = waiting.shift(); next !== undefined; next = waiting.shift()) {
    const { sitemaps, locations } = parse(next.url, await load(next.url, await get(next.url)));
    for (const at of sitemaps.filter((one) => !seen.has(one))) {
      seen.add(at);
      if (next.depth === mostDepth || seen.size > mostSitemaps) throw refused(url, 'names too many other sitemaps');
      if (new URL(at).host !== new URL(url).host)
        throw refused(url, `names a sitemap of another host, ${at.slice(0, 200)}`);
      waiting.push({ url: at, depth: next.depth + 1 });
    }
    for (const page of locations.filter((one) => !pages.has(one))) {
      pages.add(page);
      yield page;
    }
  }
}

async function load(url: string, { status, body }: Answer): Promise<string> {
  if (status !== 200) {
    body.destroy();
    throw refused(url, `answers ${status}`);
  }
  const bytes = await readAll(url, body);
  const packed = bytes[0] === 0x1f && bytes[1] === 0x8b;
  return (packed ? unpack(url, bytes) : bytes).toString('utf8');
}

async function readAll(url: string, body: Readable): Promise<Buffer> {
  const chunks: Buffer[] = [];
  let bytes = 0;
  for await (const chunk of body as AsyncIterable<Buffer>) {
    bytes += chunk.length;
    if (bytes > mostBytes) throw refused(url, 'is larger than a sitemap may be');
    chunks.push(chunk);
  }
  return Buffer.concat(chunks);
}

function unpack(url: string, bytes: Buffer): Buffer {
  try {
    return gunzipSync(bytes, { maxOutputLength: mostBytes });
  } catch {
    throw refused(url, 'cannot be unpacked within the size that a sitemap may have');
  }
}

const listOf = new Set(['url', 'sitemap']);
const parser = new XMLParser({
  ignoreAttributes: true,
  removeNSPrefix: true,
  parseTagValue: false,
  isArray: (name) => listOf.has(name),
});

interface Entry {
  readonly loc?: unknown;
}

function parse(url: string, text: string): { sitemaps: string[]; locations: string[] } {
  // Entities of its own have no place in a sitemap, and are how a short one becomes a long one.
  if (/<!(DOCTYPE|ENTITY)/i.test(text)) throw refused(url, 'has a document type, which a sitemap has not');
  // The parser takes what is cut off for all there is.
  if (!/<\/(\w+:)?(urlset|sitemapindex)\s*>/.test(text)) throw refused(url, 'is no whole sitemap');
  const root = parseXml(url, text);
  if (root.urlset === undefined && root.sitemapindex === undefined) throw refused(url, 'is no sitemap');
  const [pages, sitemaps] = [root.urlset || {}, root.sitemapindex || {}];
  return { locations: locationsOf(url, pages.url), sitemaps: locationsOf(url, sitemaps.sitemap) };
}

interface Root {
  readonly urlset?: { readonly url?: readonly Entry[] } | '';
  readonly sitemapindex?: { readonly sitemap?: readonly Entry[] } | '';
}

function parseXml(url: string, text: string): Root {
  try {
    return parser.parse(text) as Root;
  } catch {
    throw refused(url, 'is not well-formed');
  }
}

/** Absolute, without fragments; what is no address of a page is left out. */
function locationsOf(url: string, entries: readonly Entry[] = []): string[] {
  return entries.flatMap(({ loc }) => {
    const text = typeof loc === 'string' ? loc.trim() : '';
    if (!URL.canParse(text, url)) return [];
    const found = new URL(text, url);
    found.hash = '';
    return /^https?:$/.test(found.protocol) ? [found.href] : [];
  });
}

function refused(url: string, why: string): PermanentFailure {
  return new PermanentFailure('SourceUnreachable', `The sitemap ${url} ${why}; nothing was taken for deleted.`);
}

import type { IncomingHttpHeaders } from 'node:http';
import { PermanentFailure } from '../../../domain/failures.ts';
import type { HttpSource } from '../../../domain/project/source.ts';
import type { SkipList } from '../../../domain/source/item.ts';
import { pathObstacle } from '../../../domain/source/path.ts';
import type { SourceReader } from '../reader.ts';
import { createWanted } from '../wanted.ts';
import { get, type GetOptions } from './get.ts';
import { readSitemap } from './sitemap.ts';

const patience = { timeoutMs: 60_000, retryMs: 1_000 };

/**
 * Pages of web servers: those that are named, or those of a sitemap on its own host. They are kept in the content store as
 * they are listed. A page that is gone (404, 410) is no longer listed; any other refusal ends the listing.
 */
export function openHttp(spec: HttpSource, wait: Pick<GetOptions, 'timeoutMs' | 'retryMs'> = patience): SourceReader {
  const wanted = createWanted(spec);
  const allowPrivate = spec.allow_private;

  async function* pages(skips: SkipList, signal: AbortSignal): AsyncGenerator<string> {
    const { sitemap } = spec;
    if (sitemap === null) return yield* spec.urls;
    const { host } = new URL(sitemap);
    for await (const url of readSitemap(sitemap, (at) => get(at, { ...wait, allowPrivate, signal }))) {
      if (new URL(url).host === host) yield url;
      else skips.add('other_host', url);
    }
  }

  return {
    ...{ revision: null, kept: 'while_listing', parallel: 4, mayBeEmpty: false },

    async *list(skips, signal) {
      const seen = new Set<string>();
      for await (const uri of pages(skips, signal)) {
        const path = pathOf(uri);
        if (seen.has(path) || !wanted.file(path)) continue;
        seen.add(path);
        if (pathObstacle(path) === null) yield { path, bytes: null, modifiedAt: null, uri, version: null };
        else skips.add('path_not_plain', uri);
      }
    },

    async open({ uri }, known, { signal }) {
      if (uri === null) throw new Error('A page has an address');
      const { status, headers, body } = await get(uri, {
        ...wait,
        allowPrivate,
        signal,
        headers: conditions(known?.version ?? null),
      });
      if (status === 200) return { content: body, read: async () => factsOf(headers) };
      body.destroy();
      if (status === 304 && known !== null) return 'unchanged';
      if (status === 404 || status === 410) return null;
      throw new PermanentFailure('SourceUnreachable', `${uri} answers ${status}; nothing was taken for deleted.`);
    },

    close: () => Promise.resolve(),
  };
}

/** Host, path and query as one path; what ends in a slash is the index of that folder. */
function pathOf(address: string): string {
  const { host, pathname, search } = new URL(address);
  const whole = `${host.replace(':', '_')}${pathname}${pathname.endsWith('/') ? 'index.html' : ''}${search}`;
  const parts = whole.split('/').filter((part) => part !== '');
  return parts.map(decoded).join('/');
}

/** A slash that was written as %2F stays that. */
function decoded(part: string): string {
  try {
    const text = decodeURIComponent(part);
    return /[/\\\p{Cc}]/u.test(text) ? part : text;
  } catch {
    return part;
  }
}

interface Validators {
  readonly etag?: string;
  readonly modified?: string;
}

/** What the server itself needs to say whether a page has changed. */
function conditions(version: string | null): Record<string, string> {
  if (version === null) return {};
  const { etag, modified } = JSON.parse(version) as Validators;
  return {
    ...(etag === undefined ? {} : { 'if-none-match': etag }),
    ...(modified === undefined ? {} : { 'if-modified-since': modified }),
  };
}

function factsOf({ etag, 'last-modified': modified, 'content-type': type }: IncomingHttpHeaders) {
  const validators: Validators = {
    ...(etag === undefined ? {} : { etag }),
    ...(modified === undefined ? {} : { modified }),
  };
  const at = new Date(modified ?? NaN);
  return {
    version: etag === undefined && modified === undefined ? null : JSON.stringify(validators),
    modifiedAt: Number.isNaN(at.getTime()) ? null : at,
    mediaType: type?.split(';')[0]?.trim().toLowerCase() || null,
  };
}

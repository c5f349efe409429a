import { createHash } from 'node:crypto';
import { createReadStream } from 'node:fs';
import { stat } from 'node:fs/promises';
import { pipeline } from 'node:stream/promises';
import { z } from 'zod';
import type { Downloads } from './downloads.ts';
import { httpGet, whatHappened } from './http-get.ts';
import type { ChecksumSource } from './upstream.ts';
import { WayClosed } from '../ways.ts';

const mostBytes = 4 * 1024 ** 2;

/** In the form `algorithm:hex`. A git blob's is git's id of a file's content, a SHA-1. */
export type Checksum = `sha256:${string}` | `git-blob:${string}`;

const sha256 = /^[0-9a-f]{64}$/;
const gitBlob = /^[0-9a-f]{40}$/;

const releaseSchema = z.object({
  assets: z.array(z.object({ name: z.string(), digest: z.string().nullish() })),
});
const listingSchema = z.array(
  z.object({ path: z.string(), oid: z.string(), lfs: z.object({ oid: z.string() }).nullish() }),
);

/** What the publisher says that the bytes are. Throws WayClosed when it does not say so: then they are not to be used. */
export async function publishedChecksum(source: ChecksumSource, downloads: Downloads): Promise<Checksum> {
  const checksum = find(source, await readText(source, downloads));
  if (checksum === null) throw new WayClosed(`${new URL(source.url).host} names no checksum of ${source.name}`);
  return checksum;
}

function find({ kind, name }: ChecksumSource, text: string): Checksum | null {
  if (kind === 'checksum file') {
    const line = text.split('\n').find((each) => each.trim().split(/\s+[ *]?/)[1] === name);
    return asSha256(line?.trim().split(/\s/)[0]);
  }
  const json = parse(text);
  if (kind === 'asset digest') {
    const asset = releaseSchema.safeParse(json).data?.assets.find((each) => each.name === name);
    return asSha256(/^sha256:(.*)$/.exec(asset?.digest ?? '')?.[1]);
  }
  const file = listingSchema.safeParse(json).data?.find(({ path }) => path === name);
  if (file?.lfs != null) return asSha256(file.lfs.oid);
  return file !== undefined && gitBlob.test(file.oid) ? `git-blob:${file.oid}` : null;
}

function asSha256(hex: string | undefined): Checksum | null {
  const lower = hex?.toLowerCase() ?? '';
  return sha256.test(lower) ? `sha256:${lower}` : null;
}

function parse(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return null;
  }
}

async function readText({ url, name }: ChecksumSource, downloads: Downloads): Promise<string> {
  const { host } = new URL(url);
  // It is small: what takes longer than a few answers does not come at all.
  const late = AbortSignal.timeout(downloads.limits.answerMs * 3);
  const answer = await httpGet(url, {}, downloads, AbortSignal.any([downloads.signal, late])).catch(
    (error: unknown) => {
      downloads.signal.throwIfAborted();
      throw late.aborted ? new WayClosed(`${host} did not send the checksum of ${name} in time`) : error;
    },
  );
  if (answer.status !== 200) {
    await answer.body?.cancel();
    throw new WayClosed(`The checksum of ${name} cannot be had: ${host} answered ${answer.status}`);
  }
  try {
    return await boundedText(answer);
  } catch (error) {
    downloads.signal.throwIfAborted();
    throw new WayClosed(`The checksum of ${name} cannot be had from ${host}: ${whatHappened(error)}`);
  }
}

async function boundedText({ body }: Response): Promise<string> {
  const pieces: Uint8Array[] = [];
  let bytes = 0;
  for await (const piece of (body ?? []) as AsyncIterable<Uint8Array>) {
    bytes += piece.length;
    if (bytes > mostBytes) throw new Error('it is too large to be one');
    pieces.push(piece);
  }
  return Buffer.concat(pieces).toString('utf8');
}

/** Of the file's bytes, by the algorithm of `like`. */
export async function checksumOf(path: string, like: Checksum): Promise<Checksum> {
  if (like.startsWith('sha256:')) return `sha256:${await sha256Of(path)}`;
  const hash = createHash('sha1').update(`blob ${(await stat(path)).size}\0`);
  await pipeline(createReadStream(path), hash);
  return `git-blob:${hash.digest('hex')}`;
}

export async function sha256Of(path: string): Promise<string> {
  const hash = createHash('sha256');
  await pipeline(createReadStream(path), hash);
  return hash.digest('hex');
}

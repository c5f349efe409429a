import { createHash } from 'node:crypto';
import { createReadStream } from 'node:fs';
import { mkdir, open, rename, rm, stat } from 'node:fs/promises';
import { join } from 'node:path';
import type { Readable } from 'node:stream';
import type { Finding } from '../../domain/backup/finding.ts';
import { memberPath, partialPath } from '../../domain/offsite/layout.ts';
import type { PointFacts } from './local-point.ts';
import { hashOf } from './read-back.ts';
import type { Count, RemoteStore } from './remote-store.ts';

interface Wanted {
  readonly point: PointFacts;
  readonly manifest: Buffer;
  readonly folder: string;
}

/**
 * A point out of a target into a folder. A file gets its name when its bytes are what the manifest says, so what is there
 * already is not fetched again; the manifest gets its own when all of them have theirs.
 */
export async function fetchPoint(store: RemoteStore, wanted: Wanted, count: Count): Promise<Finding[]> {
  const { point, manifest, folder } = wanted;
  await mkdir(join(folder, 'members'), { recursive: true, mode: 0o700 });
  const findings: Finding[] = [];
  for (const { name, stored } of point.members) {
    const path = join(folder, 'members', name);
    const fault = (await isThere(path, stored, count))
      ? null
      : await fetchFile(await store.open(memberPath(point.stamp, name)), path, stored, count);
    findings.push({
      ...{ level: 'L0', check: `offsite.member ${name}`, ok: fault === null },
      ...{ reason: fault ?? 'as the manifest says', detail: { expected: stored } },
    });
  }
  if (findings.some(({ ok }) => !ok)) return findings;
  await writeWhole(join(folder, 'manifest.json'), [manifest], () => undefined);
  for (const each of [join(folder, 'members'), folder]) await syncFolder(each);
  return findings;
}

type Sum = PointFacts['manifest'];

async function isThere(path: string, { bytes, sha256 }: Sum, count: Count): Promise<boolean> {
  const found = await stat(path).catch(() => null);
  if (found?.size !== bytes || (await hashOf(createReadStream(path))).sha256 !== sha256) return false;
  count(bytes);
  return true;
}

/** What was wrong; null: nothing. */
async function fetchFile(content: Readable | null, path: string, expected: Sum, count: Count): Promise<string | null> {
  if (content === null) return 'It is not at the target';
  const hash = createHash('sha256');
  let bytes = 0;
  async function* hashed(): AsyncGenerator<Buffer> {
    for await (const chunk of content as AsyncIterable<Buffer>) {
      bytes += chunk.byteLength;
      // A target that sends without end fills no disk.
      if (bytes > expected.bytes) return;
      hash.update(chunk);
      yield chunk;
    }
  }
  const isRight = () => bytes === expected.bytes && hash.digest('hex') === expected.sha256;
  return (await writeWhole(path, hashed(), count, isRight))
    ? null
    : 'The target gives other bytes than the manifest says';
}

/** `.partial`, synced, renamed; gone again when it is not right, or not all of it came. */
async function writeWhole(
  path: string,
  content: Iterable<Buffer> | AsyncIterable<Buffer>,
  count: Count,
  isRight: () => boolean = () => true,
): Promise<boolean> {
  const partial = partialPath(path);
  const file = await open(partial, 'w', 0o600);
  let named = false;
  try {
    for await (const chunk of content) {
      await file.writeFile(chunk);
      count(chunk.byteLength);
    }
    await file.sync();
    if (isRight()) {
      await rename(partial, path);
      named = true;
    }
  } finally {
    await file.close();
    if (!named) await rm(partial, { force: true });
  }
  return named;
}

async function syncFolder(folder: string): Promise<void> {
  const handle = await open(folder);
  await handle.sync().finally(() => handle.close());
}

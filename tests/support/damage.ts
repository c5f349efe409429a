import { randomBytes } from 'node:crypto';
import { cp, mkdir, readdir, readFile, rm, writeFile } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { Readable } from 'node:stream';
import { dumpAsTar } from '../../adapters/backup/dump-database.ts';
import { createMemberReader, createMemberWriter } from '../../adapters/backup/sealed-member.ts';
import { tarOf, type TarEntry } from '../../adapters/backup/tar-pack.ts';
import { unpackTar } from '../../adapters/backup/tar-unpack.ts';
import type { Member } from '../../domain/backup/manifest.ts';
import type { TakenPoint } from './backup-ground.ts';

/** A copy of a point that may be damaged. */
export async function copyOf(point: TakenPoint): Promise<TakenPoint> {
  const folder = join(dirname(point.folder), `copy-${randomBytes(4).toString('hex')}`);
  await cp(point.folder, folder, { recursive: true });
  return { ...point, folder, reader: createMemberReader({ folder, identities: [], env: process.env }) };
}

export function memberOf(point: TakenPoint, kind: Member['kind'], at = 0): Member {
  const member = point.draft.members.filter((each) => each.kind === kind)[at];
  if (member === undefined) throw new Error(`The point has no member of kind ${kind}`);
  return member;
}

export function pathOf({ folder }: TakenPoint, { name }: Member): string {
  return join(folder, 'members', name);
}

/** A copy in which a member holds other bytes, sealed and named by the manifest as if they had been captured so. */
async function withPlain(point: TakenPoint, member: Member, plain: Readable): Promise<TakenPoint> {
  const copy = await copyOf(point);
  const writer = createMemberWriter({ folder: copy.folder, recipients: [], env: process.env });
  const name = member.name.replace(/\.zst$/, '');
  const sealed = await writer.seal({ ...member, name }, plain, new AbortController().signal);
  const members = copy.draft.members.map((each) => (each.name === member.name ? sealed : each));
  return { ...copy, draft: { ...copy.draft, members } };
}

/** The same, of its plain bytes as one file. */
export async function withChangedBytes(
  point: TakenPoint,
  member: Member,
  change: (bytes: Buffer) => Buffer,
): Promise<TakenPoint> {
  const chunks: Buffer[] = [];
  for await (const chunk of point.reader.open(member, new AbortController().signal)) chunks.push(chunk as Buffer);
  return withPlain(point, member, Readable.from([change(Buffer.concat(chunks))], { objectMode: false }));
}

/** The same, of the files of a dump in the folder that pg_dump wrote. */
export async function withChangedDump(
  point: TakenPoint,
  role: 'data' | 'ops',
  change: (folder: string) => Promise<void>,
): Promise<TakenPoint> {
  const member = memberOf(point, 'postgres', role === 'data' ? 0 : 1);
  const folder = join(dirname(point.folder), `dump-${randomBytes(4).toString('hex')}`);
  await mkdir(folder);
  const { signal } = new AbortController();
  await unpackTar(point.reader.open(member, signal), folder, signal);
  await change(folder);
  const changed = await withPlain(point, member, dumpAsTar(folder));
  await rm(folder, { recursive: true });
  return changed;
}

/** The same, with a set of files that holds just these entries. */
export function withFiles(point: TakenPoint, entries: readonly TarEntry[]): Promise<TakenPoint> {
  const all = async function* () {
    yield* entries;
  };
  return withPlain(point, memberOf(point, 'files'), tarOf(all()));
}

/** The file of a dump that holds the rows of a table, found by what is in it. */
export async function fileHolding(folder: string, text: string): Promise<string> {
  for (const name of (await readdir(folder)).sort()) {
    if (name.endsWith('.dat') && (await readFile(join(folder, name))).includes(text)) return join(folder, name);
  }
  throw new Error(`No file of the dump holds ${text}`);
}

/** A statement of the table of contents becomes another one of the same length, as whoever can write the archive may have it. */
export async function replaceStatement(folder: string, statement: string, by: string): Promise<void> {
  const path = join(folder, 'toc.dat');
  const bytes = await readFile(path);
  const at = bytes.indexOf(statement);
  if (at < 0 || by.length > statement.length) throw new Error('The statement cannot be replaced');
  bytes.write(by.padEnd(statement.length, ' '), at, 'latin1');
  await writeFile(path, bytes);
}

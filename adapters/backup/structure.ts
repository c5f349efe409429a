import { mkdir, mkdtemp, rm } from 'node:fs/promises';
import { join } from 'node:path';
import type { Finding } from '../../domain/backup/finding.ts';
import type { ManifestDraft, Member } from '../../domain/backup/manifest.ts';
import { checkFileSetStructure } from './compare-files.ts';
import type { MemberReader, Watched } from './deps.ts';
import { isOfThePoint, l1 } from './findings.ts';
import { findPostgresTools, type PostgresTools } from './postgres-tools.ts';
import { readTar, unpackTar } from './tar-unpack.ts';
import { told } from './told.ts';

interface Deps {
  readonly reader: MemberReader;
  readonly postgresBins: readonly string[];
}

interface Request extends Watched {
  readonly manifest: ManifestDraft;
  readonly workFolder: string;
}

/**
 * L1 of the contents: each member is read to its end as what it is. A dump lists the tables of the manifest and has a file for each,
 * a snapshot is a whole tar, a set of files leads nowhere outside. No server is asked.
 */
export async function checkStructure(deps: Deps, request: Request): Promise<Finding[]> {
  const { manifest, workFolder } = request;
  await mkdir(workFolder, { recursive: true, mode: 0o700 });
  const tools = await findPostgresTools(deps.postgresBins, Number.parseInt(manifest.versions.postgres, 10));
  const memberOf = (name: string | null) => manifest.members.find((member) => member.name === name);
  const findings: Finding[] = [];
  for (const database of manifest.databases)
    findings.push(
      await looked(`dump.${database.role}`, memberOf(database.member), (member) =>
        againstDump(deps.reader, tools, { ...request, member, tables: Object.keys(database.tables) }),
      ),
    );
  for (const { name, member } of manifest.collections) {
    if (member === null) continue;
    findings.push(
      await looked(`snapshot.${name}`, memberOf(member), (found) =>
        againstSnapshot(deps.reader, { ...request, member: found }),
      ),
    );
  }
  for (const set of manifest.file_sets) {
    const member = memberOf(set.member);
    findings.push(
      member === undefined
        ? l1(`files.${set.name}`, ['the point has no such member'])
        : await checkFileSetStructure(deps, { ...request, set, member }),
    );
  }
  return findings;
}

async function looked(
  check: string,
  member: Member | undefined,
  look: (member: Member) => Promise<string[]>,
): Promise<Finding> {
  if (member === undefined) return l1(check, ['the point has no such member']);
  try {
    return l1(check, await look(member));
  } catch (error) {
    if (isOfThePoint(error)) return l1(check, [error.message]);
    throw error;
  }
}

/** `pg_restore --list` alone says nothing: it ends well on every kind of damage behind the table of contents. */
async function againstDump(
  reader: MemberReader,
  tools: PostgresTools,
  {
    member,
    tables,
    workFolder,
    signal,
    beat,
  }: Request & { readonly member: Member; readonly tables: readonly string[] },
): Promise<string[]> {
  const folder = await mkdtemp(join(workFolder, 'dump-'));
  try {
    await told(beat, `read ${member.name}`, () => unpackTar(reader.open(member, signal), folder, signal));
    const listed: Buffer[] = [];
    const onOutput = (chunk: Buffer) => void listed.push(chunk);
    const { exit_code, stderr } = await tools.run('pg_restore', ['--list', folder], {
      url: null,
      cwd: '/',
      signal,
      onOutput,
    });
    if (exit_code !== 0) return [`pg_restore --list ended with ${exit_code}: ${stderr.trim()}`];
    const named = tablesIn(Buffer.concat(listed).toString('utf8'));
    const missing = tables.filter((table) => !named.has(table));
    return missing.map((table) => `the dump does not list the rows of ${table}`);
  } finally {
    await rm(folder, { recursive: true, force: true });
  }
}

/** `3456; 0 16402 TABLE DATA public chunks holdfast` -> `public.chunks` */
function tablesIn(list: string): ReadonlySet<string> {
  const lines = list.split('\n').map((line) => /^\d+; \d+ \d+ TABLE DATA (\S+) (\S+) /.exec(line));
  return new Set(lines.flatMap((line) => (line === null ? [] : [`${line[1] ?? ''}.${line[2] ?? ''}`])));
}

async function againstSnapshot(
  reader: MemberReader,
  { member, signal, beat }: Request & { readonly member: Member },
): Promise<string[]> {
  let files = 0;
  const look = () =>
    readTar(reader.open(member, signal), signal, async ({ header }) => {
      if (header.type === 'file') files += 1;
    });
  await told(beat, `read ${member.name}`, look);
  return files === 0 ? ['the snapshot holds no file'] : [];
}

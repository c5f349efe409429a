import { randomUUID } from 'node:crypto';
import { mkdirSync, mkdtempSync, rmSync, symlinkSync, utimesSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { connect, type Sql } from '../../../adapters/postgres/connect.ts';
import { createWaveDiff, type DiffCounts, type DiffQuestion } from '../../../adapters/postgres/wave-diff.ts';
import { createSources, type Listing, type Sources, type Staged } from '../../../adapters/sources/sources.ts';
import type { SourceSpec } from '../../../domain/project/source.ts';
import { freshDatabases } from '../../support/servers.ts';

export interface SourceProject {
  readonly project: string;
  readonly folder: string;
  readonly home: string;
  readonly root: string;
  readonly sql: Sql;
  readonly sources: Sources;
  /** Bytes that the disk says are free; null: what is really free there. */
  free: number | null;
  /** In the root: path -> content, or `-> target` for a symbolic link. */
  write(files: Readonly<Record<string, string>>): void;
  list(spec: SourceSpec, signal?: AbortSignal): Promise<Listing>;
  stage(spec: SourceSpec, wave_id: string): Promise<Staged>;
  plan(question?: Partial<DiffQuestion>): Promise<{ wave_id: string; counts: DiffCounts }>;
  /** Lists, plans, stages and writes documents of what was staged, as a wave would, at the next generation. */
  wave(spec: SourceSpec): Promise<DiffCounts>;
  items(): Promise<string[]>;
  close(): void;
}

const pipelines = { 'text/markdown': 'markdown 1' };
const limits = { max_file_bytes: 10_000_000, max_files: 100_000, max_bytes: 1_000_000_000 };

export const directorySpec = (path: string, more: object = {}): SourceSpec => ({
  kind: 'directory',
  name: 'notes',
  path,
  include: ['**'],
  exclude: [],
  limits,
  ...more,
});

/** A data database for the tests of a file. */
export async function openData(): Promise<{ readonly sql: Sql; close(): Promise<void> }> {
  const databases = await freshDatabases();
  const sql = connect(databases.dataUrl, { name: 'test-sources', max: 4 });
  return { sql, close: () => sql.end().then(() => databases.drop()) };
}

/** A project of its own, and a folder that its sources may be read from. */
export async function startSourceProject(sql: Sql): Promise<SourceProject> {
  const project = `p-${randomUUID()}`;
  await sql`insert into projects (id, version, spec) values (${project}, 1, '{}')`;
  const folder = mkdtempSync(join(tmpdir(), 'holdfast-sources-'));
  const [home, root] = [join(folder, 'home'), join(folder, 'root')];
  mkdirSync(home);
  mkdirSync(root);
  const self: SourceProject = {
    ...{ project, folder, home, root, sql, free: 1e12 },
    sources: createSources({
      sql,
      home,
      box: 'testbox',
      roots: [root],
      env: process.env,
      freeBytes: async () => self.free ?? 0,
    }),

    write(files) {
      for (const [name, content] of Object.entries(files)) {
        const path = join(root, name);
        mkdirSync(dirname(path), { recursive: true });
        const target = /^-> (.*)$/.exec(content)?.[1];
        if (target === undefined) writeFileSync(path, content);
        else symlinkSync(target, path);
      }
    },
    list: (spec, signal = new AbortController().signal) =>
      self.sources.list({ project, spec }, { signal, heartbeat: () => undefined }),
    stage: (spec, wave_id) =>
      self.sources.stage(
        { wave_id, project, spec },
        { signal: new AbortController().signal, heartbeat: () => undefined },
      ),

    async plan(question = {}) {
      const wave_id = question.wave_id ?? randomUUID();
      const counts = await createWaveDiff(sql).plan({
        ...{ wave_id, project, kind: 'corpus', generation: await visible(), pipelines },
        ...{
          sources: ['notes'],
          registered: ['notes'],
          rewrite: false,
          retry_quarantined: false,
          listed: [],
          named: [],
        },
        documentKey: () => randomUUID(),
        ...question,
      });
      return { wave_id, counts };
    },

    async wave(spec) {
      await self.list(spec);
      const { wave_id, counts } = await self.plan({ sources: [spec.name], registered: [spec.name] });
      await self.stage(spec, wave_id);
      await commit(sql, project, wave_id, (await visible()) + 1);
      return counts;
    },

    async items() {
      const rows = await sql<
        { path: string }[]
      >`select path from source_items where project = ${project} order by path collate "C"`;
      return rows.map(({ path }) => path);
    },

    close: () => rmSync(folder, { recursive: true, force: true }),
  };
  const visible = async (): Promise<number> => {
    const [row] = await sql<{ visible: number }[]>`select visible::int from projects where id = ${project}`;
    return row?.visible ?? 0;
  };
  return self;
}

/** What the writing part of a wave leaves behind, without chunks. */
async function commit(sql: Sql, project: string, wave_id: string, number: number): Promise<void> {
  await sql.begin(async (tx) => {
    await tx`
      update documents set died = ${number} where project = ${project} and died > ${number} and key in (
        select document from wave_items where wave_id = ${wave_id})`;
    await tx`
      insert into documents (id, project, key, source, path, title, media_type, content_sha256, pipeline, bytes, chunks, born)
      select gen_random_uuid(), project, document, source, path, path, 'text/markdown', sha256, 'markdown 1', bytes, 1, ${number}
      from wave_items where wave_id = ${wave_id} and change <> 'removed'`;
    await tx`update projects set visible = ${number}, last_number = ${number} where id = ${project}`;
    await tx`
      insert into generations (project, number, parent, state, wave_id, collection, identity, incarnation, ended_at)
      values (${project}, ${number}, ${number - 1}, 'committed', ${wave_id}, 'c', 'none', gen_random_uuid(), now())`;
  });
}

/** The change time of what was just written is too young to be trusted; two seconds later it is not. */
export async function settle(): Promise<void> {
  await new Promise((resolve) => setTimeout(resolve, 2_100));
}

/** As a program does that keeps the times of what it writes. */
export function writeKeepingTimes(path: string, content: string, at: Date): void {
  writeFileSync(path, content);
  utimesSync(path, at, at);
}

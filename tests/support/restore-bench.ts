import { WorkflowUpdateFailedError } from '@temporalio/client';
import { randomUUID } from 'node:crypto';
import { existsSync, mkdirSync, readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { createBackupRunStore } from '../../adapters/postgres/backup-runs.ts';
import { connect } from '../../adapters/postgres/connect.ts';
import { databaseIncarnation } from '../../adapters/postgres/database-incarnation.ts';
import { createRestoreStore, type StoredRestore } from '../../adapters/postgres/restores.ts';
import { createServiceStore } from '../../adapters/postgres/services.ts';
import { createBackupStarts } from '../../adapters/temporal/backups.ts';
import { createRestoreStarts } from '../../adapters/temporal/restores.ts';
import { backupRequestSchema } from '../../domain/backup/schemas.ts';
import { restoreRequestSchema } from '../../domain/restore/schemas.ts';
import { workFolderPattern } from '../../domain/restore/replacement.ts';
import type { RestoreCommand, RestorePhase } from '../../domain/restore/words.ts';
import { serviceSpecSchema } from '../../domain/service.ts';
import { seenIn } from './seen.ts';
import { servers } from './servers.ts';
import { createWaveBench } from './wave-bench.ts';

export type RestoreBench = Awaited<ReturnType<typeof createRestoreBench>>;

/** What somebody who looks sees: of the project in both stores, and of the files of a service. */
export interface Side {
  readonly hash: string;
  readonly files: string;
}

const box = 'bench';
const patienceMs = 600_000;

/** A real worker, a project of one folder, and a service that is stopped and has files; points and restores by their own workflows. */
export async function createRestoreBench() {
  const waves = await createWaveBench({ worker: { HOLDFAST_API_PORT: '9' } });
  const { databases, client, qdrant, home, project } = waves;
  const folder = join(home, 'web-files');
  mkdirSync(folder);
  const spec = serviceSpecSchema.parse({
    ...{ source: { git: '/nowhere', ref: 'main' }, run: { argv: ['true'] } },
    ...{ probes: { http: { url: 'http://127.0.0.1:9/' } }, files: [{ name: 'files', path: folder }] },
  });
  await createServiceStore(databases.ops).register('web', { ...spec, box });
  const [restores, backups] = [createRestoreStore(databases.ops), createBackupRunStore(databases.ops)];
  const [restoring, backing] = [createRestoreStarts(client), createBackupStarts(client)];

  function files(): string {
    const names = readdirSync(folder).filter((name) => !workFolderPattern.test(name));
    return names
      .sort()
      .map((name) => `${name}=${readFileSync(join(folder, name), 'utf8')}`)
      .join(' ');
  }

  /** Of one database, not of two: asked again when another one has its name meanwhile. */
  async function hash(): Promise<string> {
    for (const until = Date.now() + 30_000; ;) {
      const data = connect(databases.dataUrl, { name: 'holdfast-test-seen', max: 1 });
      try {
        const before = await databaseIncarnation(data);
        const seen = await seenIn({ data, qdrant }, project);
        if ((await databaseIncarnation(data)) === before) return seen.hash;
      } catch (error) {
        // The swap ends every session.
        if (Date.now() > until) throw error;
        await sleep(100);
      } finally {
        await data.end({ timeout: 1 });
      }
    }
  }

  const bench = {
    ...waves,
    ...{ restores, hash, files, folder },

    side: async (): Promise<Side> => ({ hash: await hash(), files: files() }),

    /** A wave, and other files. */
    async change(documents: Readonly<Record<string, string>>, content: string): Promise<Side> {
      for (const [path, text] of Object.entries(documents)) waves.write(path, text);
      writeFileSync(join(folder, 'content.txt'), content);
      writeFileSync(join(folder, `only-${content}.txt`), content);
      const { result } = await waves.run();
      if (result.outcome !== 'committed') throw new Error(`The wave was ${result.outcome ?? 'not over'}`);
      return bench.side();
    },

    async point(): Promise<string> {
      const backup_id = randomUUID();
      const input = { backup_id, box, actor: 'tester', trigger: 'operator' as const };
      await backing.backup({ ...input, request: backupRequestSchema.parse({ include_vectors: true }) });
      for (const until = Date.now() + patienceMs; Date.now() < until;) {
        await sleep(50);
        const run = await backups.find(backup_id);
        if (run?.closed_at == null) continue;
        if (run.result.outcome === 'published' && run.stamp !== null) return run.stamp;
        throw new Error(`No point: ${run.result.failure_reason ?? run.result.outcome ?? ''}`);
      }
      throw new Error('The backup did not end');
    },

    async restore(stamp: string, request: object = {}): Promise<string> {
      const restore_id = randomUUID();
      const asked = restoreRequestSchema.parse({ confirm_service_stopped: true, pre_snapshot: false, ...request });
      const input = { restore_id, stamp, box, actor: 'tester', trigger: 'operator' as const, request: asked };
      await restores.open(input, await restoring.start(input));
      return restore_id;
    },

    /** Again while it is refused: when the worker dies, the rows know of a phase before the history does. */
    async say(restore_id: string, command: RestoreCommand): Promise<void> {
      for (const until = Date.now() + 60_000; ;) {
        try {
          await restoring.command({ restore_id, command, actor: 'tester' });
          return;
        } catch (error) {
          if (!(error instanceof WorkflowUpdateFailedError) || Date.now() > until) throw error;
          await sleep(500);
        }
      }
    },

    /** Calls `each` again and again while it runs, until it is in this phase or closed. */
    async until(id: string, phase: RestorePhase, each = async (): Promise<void> => undefined): Promise<StoredRestore> {
      for (const until = Date.now() + patienceMs; Date.now() < until;) {
        const found = await restores.find(id);
        if (found !== null && (found.phase === phase || found.closed_at !== null)) return found;
        await each();
        await sleep(100);
      }
      throw new Error(`It never came to ${phase}: ${JSON.stringify((await restores.find(id))?.evidence.slice(-3))}`);
    },

    /** What is of no side: databases, roles, collections, folders and locks that a restore has made. */
    async scratch(): Promise<string[]> {
      const name = `${databases.database}\\_%`;
      const rows = await databases.ops<{ name: string }[]>`
        select datname as name from pg_database where datname like ${name} and datname <> ${`${databases.database}_ops`}
        union all select rolname from pg_roles where rolname like ${name}
        union all select resource from locks`;
      const { collections } = await qdrant.getCollections();
      const named = await databases.data<{ collection: string }[]>`select distinct collection from generations`;
      const kept = new Set(named.map(({ collection }) => collection));
      const ids = await databases.ops<{ id: string }[]>`select id from restores`;
      const endings = ids.map(({ id }) => `-r${id.slice(0, 8)}`);
      const work = join(home, 'backups', 'work');
      return [
        ...rows.map((row) => row.name),
        ...collections
          .map((each) => each.name)
          .filter((each) => endings.some((ending) => each.endsWith(ending)) && !kept.has(each)),
        ...readdirSync(folder).filter((each) => workFolderPattern.test(each)),
        ...readdirSync(join(home, 'staged')).filter((each) => workFolderPattern.test(each)),
        ...(existsSync(work) ? readdirSync(work).flatMap((each) => readdirSync(join(work, each))) : []),
      ];
    },

    async close(): Promise<void> {
      const ids = await databases.ops<{ id: string }[]>`select id from restores`;
      await waves.close();
      const { collections } = await qdrant.getCollections();
      const left = collections.filter(({ name }) => ids.some(({ id }) => name.endsWith(`-r${id.slice(0, 8)}`)));
      for (const { name } of left) await qdrant.deleteCollection(name);
      const admin = connect(servers().databaseUrl, { name: 'holdfast-test', max: 1 });
      const of = `${databases.database}\\_%`;
      const sides = await admin<{ datname: string }[]>`select datname from pg_database where datname like ${of}`;
      for (const { datname } of sides) await admin`drop database if exists ${admin(datname)} with (force)`;
      await admin.end();
    },
  };
  return bench;
}

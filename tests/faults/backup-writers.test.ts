import { whileWriting } from '../../bench/backup-writers.ts';
import { createBackupWorld, type BackupWorld } from '../support/backup-world.ts';
import { collectAll, commitCorpus, rowsAt, sweepAll } from '../support/generations.ts';
import { fullSize } from '../support/proof-size.ts';
import { servers } from '../support/servers.ts';

const minutes = fullSize ? 30 : 0;
const leastBackups = 2;
jest.setTimeout((minutes + 10) * 60_000);

let world: BackupWorld;
beforeAll(async () => (world = await createBackupWorld()), 120_000);
afterAll(() => world.close());

const documents = 40;

/** Wave after wave into a project of its own, as fast as the stores take them: half of the documents change each time. */
async function ingest(project: string, goesOn: () => boolean): Promise<number> {
  let waves = 0;
  for (; goesOn(); waves += 1) {
    const put: Record<string, string[]> = {};
    for (let at = waves % 2; at < documents; at += 2)
      put[`${at}.md`] = [0, 1, 2].map((part) => `part ${part} of ${at}, ${waves}`);
    await commitCorpus(world.ground, project, { put: put });
    await sweepAll(world.ground, project);
    if (waves % 10 === 9) await collectAll(world.ground, project);
  }
  return waves;
}

test(`B1 G7 ${minutes === 0 ? 'two backups' : `${minutes} minutes of backups`} beside writers at full speed: each passes L2`, async () => {
  const { ground } = world;
  const projects = [await ground.project(), await ground.project()];
  const collection = await ground.collection();
  const { sql } = ground;
  await sql`insert into source_listings (project, source, items, bytes) values (${world.project}, 'writer', 0, 0)`;
  const running = { on: true };
  const writers = Promise.all(projects.map((project) => ingest(project, () => running.on)));
  const written = {
    ...{ databaseUrl: world.databases.dataUrl, qdrant: servers().qdrant, collection },
    ...{ dimensions: 8, project: world.project },
  };
  const backups = async (): Promise<string[]> => {
    const stamps: string[] = [];
    for (const end = Date.now() + minutes * 60_000; stamps.length < leastBackups || Date.now() < end;) {
      const { outcome, proved, degraded, stamp, failure_reason } = await world.run('backup', { include_vectors: true });
      // With its vectors, as they are: none of them had to be rebuilt from the rows.
      expect({ outcome, proved, degraded, failure_reason }).toEqual({
        ...{ outcome: 'published', proved: ['L0', 'L1', 'L2'], degraded: [], failure_reason: null },
      });
      stamps.push(stamp);
    }
    return stamps;
  };
  try {
    const { result: stamps, pauses } = await whileWriting(written, backups);
    running.on = false;
    const waves = await writers;
    process.stderr.write(
      `${stamps.length} backups beside ${waves.join(' and ')} waves; the longest of ${pauses.writes} writes: ` +
        `Postgres ${pauses.postgres} ms, Qdrant ${pauses.qdrant} ms\n`,
    );
    // They went on all the time, and so each point is of another moment.
    const moments = await Promise.all(stamps.map(async (stamp) => (await world.maker.manifest(stamp)).generations));
    for (const [at, project] of projects.entries()) {
      const seen = moments.map((all) => all.find((each) => each.project === project)?.visible ?? 0);
      expect(seen).toEqual([...seen].sort((one, other) => one - other));
      expect(new Set(seen).size).toBe(seen.length);
      const last = waves[at] ?? 0;
      expect(Object.keys(await rowsAt(sql, project, last))).toHaveLength(documents);
    }
  } finally {
    running.on = false;
    await writers;
  }
});

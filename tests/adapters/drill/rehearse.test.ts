import { randomUUID } from 'node:crypto';
import { existsSync, readdirSync, readFileSync, statSync } from 'node:fs';
import { join } from 'node:path';
import getPort from 'get-port';
import { bootOn, tidyDrill } from '../../../adapters/drill/boot.ts';
import { bringPoint, pickPoint } from '../../../adapters/drill/bring-point.ts';
import type { DrillDeps } from '../../../adapters/drill/place.ts';
import { drillBytes, drillStructure, rehearse } from '../../../adapters/drill/rehearse.ts';
import { createMemories } from '../../../adapters/memories/memories.ts';
import { dropMemoryIndex } from '../../../adapters/memories/collection.ts';
import { createLockStore } from '../../../adapters/postgres/locks.ts';
import { createLexicalOnly } from '../../../adapters/embeddings/embedder.ts';
import { readTrustedKeys } from '../../../adapters/backup/signing-key.ts';
import { connectQdrant } from '../../../adapters/qdrant/connect.ts';
import { chooseDamage, damageKinds, seedOf, type DamageKind } from '../../../domain/drill/damage.ts';
import { drillRequestSchema } from '../../../domain/drill/schemas.ts';
import { installedPostgres } from '../../../infra/stack/prerequisites.js';
import { createBackupWorld, type BackupWorld } from '../../support/backup-world.ts';
import { against, quiet } from '../../support/backup-ground.ts';
import { compileTree } from '../../support/compile.ts';
import { commitCorpus } from '../../support/generations.ts';
import { servers } from '../../support/servers.ts';
import { newMemory } from '../memories/memory-world.ts';

jest.setTimeout(300_000);

const embeddings = createLexicalOnly('a test that embeds nothing');
let world: BackupWorld;
let deps: DrillDeps;
let stamp: string;
let memory: string;
let unnamed: string;
const ids: string[] = [];

beforeAll(async () => {
  world = await createBackupWorld();
  const { databaseUrl, qdrant, temporalAddress } = servers();
  const { data, ops } = world.databases;
  const live = { data, ops, qdrant: connectQdrant(qdrant), embeddings };
  const remembered = newMemory({ text: 'the marker of this point is a purple walrus', type: 'episodic' });
  memory = remembered.id;
  await createMemories(live).create(remembered, 'tester');
  // As an evaluation's is while it runs: at a generation, and without a name.
  unnamed = await world.ground.project();
  await commitCorpus(world.ground, unnamed, { put: { 'scratch.md': ['of an evaluation'] } });
  // As a restore does while its safety point is taken.
  const restoring = { workflow_id: 'restore', run_id: randomUUID() };
  const locks = createLockStore(ops);
  await locks.acquire([{ resource: 'data', mode: 'exclusive' }], restoring);
  stamp = await world.publishedPoint();
  await locks.releaseRun(restoring.run_id);
  deps = {
    servers: {
      ...{ postgresUrl: databaseUrl, database: world.databases.database, qdrant },
      postgresBins: (await installedPostgres()).map(({ bin }) => bin),
    },
    ...{ ops, points: world.points, embeddings, root: join(world.home, 'drills') },
    trusted: () => readTrustedKeys(join(world.home, 'secrets')),
    identities: async () => [],
    targets: async () => [],
    apiProgram: compileTree().program('api/main.js'),
    freePort: () => getPort({ host: '127.0.0.1' }),
    env: { ...process.env, TEMPORAL_ADDRESS: temporalAddress, HOLDFAST_EMBEDDINGS: 'none' },
  };
});
afterAll(async () => {
  for (const id of ids) await tidyDrill(deps, id);
  await dropMemoryIndex({ data: world.databases.data, qdrant: connectQdrant(servers().qdrant) });
  await world.close();
});

function reference(damaged = false, id: string = randomUUID()) {
  ids.push(id);
  return { drill_id: id, stamp, target: null, damaged };
}

/** An id whose damage is of this kind. */
async function idOfDamage(kind: DamageKind): Promise<string> {
  const { members } = await world.maker.manifest(stamp);
  for (;;) {
    const id = randomUUID();
    const damage = chooseDamage(members, seedOf(id));
    if (damage.kind === kind) return id;
  }
}

test('B9 L0 to L3: the newest point is picked, restored beside the live data, compared, and the app boots on it and finds what it holds', async () => {
  const { signal } = quiet;
  expect(await pickPoint(deps, drillRequestSchema.parse({}), signal)).toEqual({ stamp, target: null });
  const ref = reference();
  expect(await bringPoint(deps, ref, signal)).toMatchObject({ damage: null, damage_row: false });
  expect(against(await drillBytes(deps, ref, quiet))).toEqual([]);
  expect(against(await drillStructure(deps, ref, quiet))).toEqual([]);
  const { findings, restore_ms } = await rehearse(deps, ref, { ...quiet, damageRow: false });
  expect([against(findings), findings.length > 5, restore_ms > 0]).toEqual([[], true, true]);

  const booted = await bootOn(deps, ref, signal);
  expect(against(booted)).toEqual([]);
  expect(booted.map(({ check }) => check)).toEqual([
    ...['boot.health', 'boot.projects'],
    ...[world.project, unnamed].sort().map((project) => `boot.search ${project}`),
    ...['boot.memory', 'boot.marker'],
  ]);
  expect(booted.find(({ check }) => check === 'boot.projects')?.reason).toContain('2 projects');
  expect(booted.find(({ check }) => check === 'boot.memory')?.reason).toContain(memory);

  await tidyDrill(deps, ref.drill_id);
  const left = await world.databases.data`
    select datname from pg_database where datname like ${`${world.databases.database.slice(0, 16)}_scratch_%`}`;
  expect([left, existsSync(join(deps.root, ref.drill_id))]).toEqual([[], false]);
  // The marker of the boot was written to the copy alone.
  const markers = await world.databases.data`select 1 from memories where provenance ->> 'kind' = 'drill'`;
  expect(markers).toHaveLength(0);
});

test.each(Object.keys(damageKinds) as DamageKind[])(
  'B9 a copy with damage of kind %s must not pass, and the point itself stays whole',
  async (kind) => {
    const ref = reference(true, await idOfDamage(kind));
    const members = join(world.points.folderOf(stamp, 'kept'), 'members');
    const before = readdirSync(members).map((name) => [
      name,
      statSync(join(members, name)).size,
      readFileSync(join(members, name)).at(0),
    ]);
    const brought = await bringPoint(deps, ref, quiet.signal);
    expect([brought.damage === null, brought.damage_row]).toEqual([false, kind === 'row']);
    const bytes = against(await drillBytes(deps, ref, quiet));
    if (damageKinds[kind] === 'L0') {
      expect(bytes).toHaveLength(1);
    } else {
      expect(bytes).toEqual([]);
      const { findings } = await rehearse(deps, ref, { ...quiet, damageRow: brought.damage_row });
      expect(against(findings)).toEqual([expect.stringContaining('database.data.rows')]);
    }
    const after = readdirSync(members).map((name) => [
      name,
      statSync(join(members, name)).size,
      readFileSync(join(members, name)).at(0),
    ]);
    expect(after).toEqual(before);
    expect(against(await world.maker.prove(stamp, 'kept', 'L0', { ...quiet, attempt: 1 }))).toEqual([]);
  },
);

test('B9 an app that does not boot on what was restored is a finding, with what it said', async () => {
  const ref = reference();
  await bringPoint(deps, ref, quiet.signal);
  await rehearse(deps, ref, { ...quiet, damageRow: false });
  const broken = { ...deps, apiProgram: join(world.home, 'no-such-program.js') };
  const found = await bootOn(broken, ref, quiet.signal);
  expect(against(found)).toEqual([expect.stringMatching(/^L3 boot: the app ended with 1/)]);
});

test('B9 without a point there is nothing to rehearse, and it says where it looked', async () => {
  const request = drillRequestSchema.parse({ stamp: '20200101T000000Z-0000' });
  await expect(pickPoint(deps, request, quiet.signal)).rejects.toMatchObject({ type: 'PointUnknown' });
  const offsite = drillRequestSchema.parse({ from: 'offsite' });
  await expect(pickPoint(deps, offsite, quiet.signal)).rejects.toThrow('at any other place');
});

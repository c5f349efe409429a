import { mkdtemp, chmod } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { connectQdrant } from '../../adapters/qdrant/connect.ts';
import { loadConfig } from '../../infra/config.ts';
import type { Report } from '../../infra/stack/report.ts';
import { startStack, type Stack } from '../../infra/stack/stack.ts';
import { createRandom, fullSize } from '../support/proof-size.ts';
import { removeTree } from '../support/remove-tree.ts';
import { servers } from '../support/servers.ts';
import { createWriters, dimension } from './qdrant-writers.ts';

const kills = fullSize ? 20 : 5;
const collection = 'written';
let home: string;
let stack: Stack;

beforeAll(async () => {
  home = await mkdtemp(join(tmpdir(), 'holdfast-qdrant-'));
  await chmod(home, 0o711);
  const usual = loadConfig();
  const config = {
    ...usual,
    home,
    downloads: false,
    temporal: { ...usual.temporal, address: servers().temporalAddress },
    postgres: { ...usual.postgres, url: servers().databaseUrl },
    qdrant: { ...usual.qdrant, url: null },
  };
  const quiet: Report = { say: () => undefined, step: (_, work) => work() };
  stack = await startStack(config, quiet, { apps: false, signal: new AbortController().signal });
}, 120_000);

afterAll(async () => {
  await stack.stop();
  removeTree(home);
});

it(
  `Qdrant, killed by SIGKILL ${kills} times under writers, loses nothing that it has acknowledged`,
  async () => {
    const random = createRandom();
    const client = connectQdrant(stack.qdrant);
    await client.createCollection(collection, {
      vectors: { dense: { size: dimension, distance: 'Dot' } },
      sparse_vectors: { sparse: {} },
    });
    await client.createPayloadIndex(collection, { field_name: 'version', field_schema: 'integer', wait: true });
    const writers = createWriters(() => client, collection, 6, random);
    for (let kill = 0; kill < kills; kill += 1) {
      const dying = writers.untilItDies();
      await sleep(200 + random() * 1_500);
      process.kill(pidOfQdrant(), 'SIGKILL');
      await dying;
      await answers();
      expect(await writers.compare()).toEqual([]);
    }
    expect(writers.figures.acknowledged).toBeGreaterThan(kills * 10);
    expect(writers.figures.unanswered).toBeGreaterThanOrEqual(kills);
  },
  kills * 20_000,
);

function pidOfQdrant(): number {
  const pid = stack.parts.find(({ name }) => name === 'qdrant')?.pid();
  if (pid == null) throw new Error('Qdrant does not run');
  return pid;
}

/** The supervisor has started it again. */
async function answers(): Promise<void> {
  const client = connectQdrant(stack.qdrant);
  const deadline = Date.now() + 15_000;
  for (;;) {
    try {
      await client.getCollection(collection);
      return;
    } catch (error) {
      if (Date.now() > deadline) throw error;
      await sleep(50);
    }
  }
}

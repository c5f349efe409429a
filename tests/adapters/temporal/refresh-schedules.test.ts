import { Client, Connection } from '@temporalio/client';
import { randomUUID } from 'node:crypto';
import { ensureNamespace } from '../../../adapters/temporal/namespace.ts';
import { createRefreshSchedules } from '../../../adapters/temporal/refresh-schedules.ts';
import { servers } from '../../support/servers.ts';

let connection: Connection;
let client: Client;
beforeAll(async () => {
  const namespace = `t-${randomUUID().slice(0, 8)}`;
  connection = await Connection.connect({ address: servers().temporalAddress });
  await ensureNamespace(connection, namespace);
  client = new Client({ connection, namespace });
}, 60_000);
afterAll(() => connection.close());

const nightly = { cron: '0 3 * * *' };
const describeSchedule = (project: string) => client.schedule.getHandle(`refresh/${project}`).describe();

test('W9 schedules are what is registered: made, changed, and gone when the project or its schedule is', async () => {
  const schedules = createRefreshSchedules(client);
  await schedules.reconcile([
    { project: 'p01-a', schedule: nightly },
    { project: 'p02-b', schedule: { every_ms: 3_600_000 } },
    { project: 'p03-c', schedule: null },
  ]);
  expect((await describeSchedule('p01-a')).action).toMatchObject({ args: [{ project: 'p01-a' }] });
  expect((await describeSchedule('p02-b')).spec.intervals).toMatchObject([{ every: 3_600_000 }]);
  await expect(describeSchedule('p03-c')).rejects.toThrow();

  await schedules.reconcile([
    { project: 'p01-a', schedule: { every_ms: 60_000 } },
    { project: 'p03-c', schedule: nightly },
  ]);
  expect((await describeSchedule('p01-a')).spec).toMatchObject({ intervals: [{ every: 60_000 }], calendars: [] });
  await expect(describeSchedule('p02-b')).rejects.toThrow();
  await describeSchedule('p03-c');

  await schedules.reconcile([{ project: 'p01-a', schedule: null }]);
  await expect(describeSchedule('p01-a')).rejects.toThrow();
  await expect(describeSchedule('p03-c')).rejects.toThrow();
});

test('W9 what went while nobody looked is removed at boot; a schedule that was paused by hand stays paused', async () => {
  await createRefreshSchedules(client).reconcile([
    { project: 'p04-d', schedule: nightly },
    { project: 'p05-e', schedule: nightly },
  ]);
  await client.schedule.getHandle('refresh/p04-d').pause('by hand');
  await createRefreshSchedules(client).reconcile([{ project: 'p04-d', schedule: { every_ms: 60_000 } }]);
  expect((await describeSchedule('p04-d')).state.paused).toBe(true);
  // The list of schedules is what Temporal comes to know of a little later.
  for (let look = 0; look < 100; look += 1) {
    const isGone = await describeSchedule('p05-e').then(
      () => false,
      () => true,
    );
    if (isGone) return;
    await createRefreshSchedules(client).reconcile([{ project: 'p04-d', schedule: nightly }]);
    await new Promise((resolve) => setTimeout(resolve, 100));
  }
  throw new Error('A schedule of no project is still there');
});

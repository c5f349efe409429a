import { ApplicationFailure } from '@temporalio/common';
import { randomUUID } from 'node:crypto';
import { ownBox, runOnTemporal } from '../support/on-temporal.ts';
import { recordedBox } from '../support/recorded-box.ts';

async function stop(removeSwitch: () => Promise<void>): Promise<{ calls: readonly string[]; told: object[] }> {
  const id = randomUUID();
  const told: object[] = [];
  const box = recordedBox({
    appendEvent: async ({ type, data }) => void told.push({ type, ...(data as object) }),
    removeSwitch,
    releaseLocks: async () => void box.calls.push('released'),
  });
  const input = { service: `s-${id.slice(0, 8)}`, box: ownBox, actor: 'tester' };
  await runOnTemporal({ type: 'stopService', workflowId: `stop-${id}`, input, activities: box.activities });
  return { calls: box.calls, told };
}

test('D1 a service that is stopped: nothing runs, and the lock is free', async () => {
  const { calls, told } = await stop(async () => undefined);
  expect(calls.at(-1)).toBe('released');
  expect(told).toMatchObject([{ type: 'service.stopped' }]);
  expect(told[0]).not.toHaveProperty('switch_left');
});

test('D11 a service is stopped also while a proxy is away, and the event says that its route is left', async () => {
  const { calls, told } = await stop(async () => {
    throw ApplicationFailure.nonRetryable('Caddy does not answer');
  });
  expect(calls.at(-1)).toBe('released');
  expect(told).toMatchObject([
    { type: 'service.stopped', switch_left: expect.stringContaining('Caddy does not answer') as string },
  ]);
});

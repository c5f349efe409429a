import { randomUUID } from 'node:crypto';
import { runOnTemporal } from '../support/on-temporal.ts';

test('W9 what a schedule starts asks for one wave of its project', async () => {
  const started: string[] = [];
  const project = 'p01-scheduled';
  const activities = { startRefresh: async (of: string) => void started.push(of) };
  const input = { project };
  await runOnTemporal({ type: 'refreshProject', workflowId: `refresh-${randomUUID()}`, input, activities });
  expect(started).toEqual([project]);
});

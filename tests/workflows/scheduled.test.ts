import { backupWorkflowId, pruneWorkflowId } from '../../domain/backup/run.ts';
import { childOf, isFailure } from '../../domain/schedule/order.ts';
import { scheduleNames, scheduleRules, usualSchedules } from '../../domain/schedule/schedules.ts';
import { recordedBackup, runPipeline, type RecordedBackup } from '../support/recorded-backup.ts';
import { ownBox } from '../support/on-temporal.ts';

jest.setTimeout(120_000);

// The child has the one id that every backup has, and all test files share one Temporal: it is started by this file alone.
describe('what a schedule starts', () => {
  test('B10 a run like that of a person, by the row as it is now', async () => {
    const recorded = recordedBackup();
    expect(await runPipeline('scheduled', recorded, { name: 'backup' })).toBe('published');
    expect(recorded.calls).toContain('publish');
  });

  test('B10 a run that fails makes the scheduled one fail, so that Temporal shows it', async () => {
    const recorded: RecordedBackup = recordedBackup({
      checkRoom: async (asked) => ({ ...(await recorded.usual.checkRoom(asked)), ok: false }),
    });
    await expect(runPipeline('scheduled', recorded, { name: 'backup' })).rejects.toMatchObject({
      cause: { type: 'ScheduledRunFailed', message: 'The run came to refused' },
    });
  });

  test('B10 one that runs already does the work of both', async () => {
    let going = (): void => undefined;
    const held = new Promise<void>((resolve) => (going = resolve));
    const recorded: RecordedBackup = recordedBackup({
      copyPoint: async (...args) => {
        await held;
        return recorded.usual.copyPoint(...args);
      },
    });
    const first = runPipeline('scheduled', recorded, { name: 'backup' }, async (handle) => {
      while (!recorded.records.some(({ phase }) => phase === 'copy')) await pause();
      const other = await handle.client.start('scheduled', {
        ...{ workflowId: `${handle.workflowId}/other`, taskQueue: `t-${ownBox}`, args: [{ name: 'backup' }] },
      });
      expect(await other.result()).toBe('skipped');
      going();
    });
    expect(await first).toBe('published');
    expect(recorded.copies()).toBe(1);
  });

  test('B10 a schedule that was switched off since starts nothing', async () => {
    const recorded = recordedBackup({ scheduledOrder: async () => null });
    expect(await runPipeline('scheduled', recorded, { name: 'backup' })).toBe('not enabled');
    expect(recorded.calls).toEqual([]);
  });
});

test('B10 overlap, catch-up and pause on failure are set on purpose for each', () => {
  expect(usualSchedules('box').map(({ name }) => name)).toEqual([...scheduleNames]);
  // A failure never ends the making of backups; it does end what takes points away, and what replaces live data.
  expect(scheduleNames.filter((name) => scheduleRules[name].pause_on_failure)).toEqual(['retention', 'drill_live']);
  expect(scheduleRules.backup.catch_up_ms).toBeGreaterThanOrEqual(24 * 3_600_000);
});

test('B10 each action starts its own pipeline, under the id that is its lock', () => {
  const order = { name: 'backup', box: 'box', request: {} } as const;
  expect(childOf({ ...order, action: 'backup' }, 'id')).toMatchObject({ type: 'backup', workflowId: backupWorkflowId });
  expect(childOf({ ...order, action: 'prune' }, 'id')).toMatchObject({ type: 'prune', workflowId: pruneWorkflowId });
  expect(childOf({ ...order, action: 'drill' }, 'id')).toMatchObject({ type: 'drill', input: { drill_id: 'id' } });
  expect([isFailure('prune', 'blocked'), isFailure('prune', 'failed'), isFailure('backup', 'published')]).toEqual([
    ...[false, true, false],
  ]);
});

const pause = () => new Promise((resolve) => setTimeout(resolve, 20));

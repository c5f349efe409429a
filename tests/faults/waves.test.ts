import type { ScheduleHandle } from '@temporalio/client';
import type { StoredWave } from '../../adapters/postgres/waves.ts';
import type { GivenSpec } from '../../domain/project/schemas.ts';
import { fullSize } from '../support/proof-size.ts';
import { createWaveBench, type WaveBench } from '../support/wave-bench.ts';

jest.setTimeout(240_000);

function page(name: string, about: string): string {
  return `# ${name}\n\nAll about ${about}.\n\n## Details\n\nThe ${about} of ${name} is described here.\n`;
}

const spec: GivenSpec = {
  policy: {
    refresh: { schedule: { cron: '0 3 1 1 *' } },
    trusted_waves: [
      {
        name: 'status',
        items: [
          {
            name: 'now',
            source: 'docs',
            path: 'status.md',
            kind: 'current_status',
            as_of: '2026-11-01T00:00:00.000Z',
            supersedes: null,
          },
        ],
      },
    ],
  },
};

describe('waves on real servers', () => {
  let bench: WaveBench;

  beforeAll(async () => {
    bench = await createWaveBench({ spec });
    bench.startWorker();
  }, 120_000);
  afterAll(() => bench.close());

  test('W5 W7 a wave is planned, written, proved and committed; what it says is what is there', async () => {
    bench.write('alpha.md', page('Alpha', 'gigabit links'));
    bench.write('guide/beta.md', page('Beta', 'watchdogs'));
    bench.write('twin.md', page('Alpha', 'gigabit links'));
    const wave = await bench.run();
    expect(wave.result).toMatchObject({ outcome: 'committed', number: 1, documents: 3, quarantined: 0, failed: 0 });
    expect(wave.plan).toMatchObject({ added: 3, changed: 0, moved: 0, removed: 0, unchanged: 0 });
    expect(wave.evidence.map(({ check, ok }) => [check, ok])).toEqual([
      ['list.docs', true],
      ['stage', true],
      ['proof', true],
      ['canary', true],
      ['commit', true],
    ]);
    expect(await bench.seen()).toMatchObject({ documents: 3, chunks: wave.result.chunks });
    // The twins have one text each, which is embedded once.
    expect(bench.stub.asked()).toBe(wave.result.embedded);
    expect(wave.result.embedded).toBeLessThan(wave.result.chunks);
  });

  test('W6 run again unchanged: no embedding, no write, no generation', async () => {
    const before = await bench.seen();
    const wave = await bench.run();
    expect(wave.result).toMatchObject({ outcome: 'nothing_to_do', number: null, documents: 0 });
    expect(wave.plan).toMatchObject({ unchanged: 3 });
    expect(bench.stub.asked()).toBe(0);
    expect(await bench.seen()).toEqual(before);
  });

  test('W6 a move keeps its chunks and embeds nothing; what is deleted is not seen, though its twin is', async () => {
    bench.remove('twin.md');
    bench.remove('guide/beta.md');
    bench.write('guide/b.md', page('Beta', 'watchdogs'));
    const wave = await bench.run();
    expect(wave.plan).toMatchObject({ added: 0, changed: 0, moved: 1, removed: 1, unchanged: 1 });
    expect(wave.result).toMatchObject({ outcome: 'committed', embedded: 0 });
    expect(bench.stub.asked()).toBe(0);
    expect(await bench.seen()).toMatchObject({ documents: 2 });
  });

  test('W4 one file that cannot be read is quarantined with its reason, and not tried again until it changes', async () => {
    bench.write('broken.pdf', '%PDF-1.4 and then nothing');
    bench.write('gamma.md', page('Gamma', 'backups'));
    const wave = await bench.run();
    expect(wave.result).toMatchObject({ outcome: 'committed', documents: 1, quarantined: 1 });
    const [item] = await bench.items.troubled(wave.id, { limit: 10 });
    expect(item).toMatchObject({ path: 'broken.pdf', state: 'quarantined', reason: expect.any(String) as string });
    const again = await bench.run();
    expect(again.result.outcome).toBe('nothing_to_do');
    expect(again.plan).toMatchObject({ quarantined: 1 });
    bench.write('broken.pdf', '%PDF-1.4 and then something else');
    expect((await bench.run()).plan).toMatchObject({ added: 1 });
  });

  test('W5 a wave that waits for approval can be paused, resumed, approved; cancelled, it leaves nothing', async () => {
    bench.write('delta.md', page('Delta', 'drills'));
    const before = await bench.seen();
    const cancelled = await bench.follow(await bench.start({ require_approval: true }), async (phase) => {
      if (phase !== 'approve') return;
      const { id } = await newest();
      await bench.say(id, 'pause');
      await expect(bench.say(id, 'pause')).rejects.toThrow();
      await bench.say(id, 'cancel');
    });
    expect(cancelled.result).toMatchObject({ outcome: 'cancelled', number: null });
    expect(await bench.seen()).toEqual(before);
    const approved = await bench.follow(await bench.start({ require_approval: true }), async (phase) => {
      if (phase === 'approve') await bench.say((await newest()).id, 'approve');
    });
    expect(approved.result.outcome).toBe('committed');
  });

  test('W5 a text that the embedder refuses fails its own document, which a person does without; retried, it is in', async () => {
    bench.write('refused.md', page('Refused', 'unspeakable things'));
    bench.write('taken.md', page('Taken', 'ordinary things'));
    bench.stub.refuse('unspeakable');
    const partly = await bench.follow(await bench.start(), async (phase) => {
      if (phase === 'attention') await bench.say((await newest()).id, 'complete');
    });
    expect(partly.result).toMatchObject({ outcome: 'committed_partial', documents: 1, failed: 1 });
    expect(await bench.items.troubled(partly.id, { limit: 10 })).toMatchObject([
      {
        path: 'refused.md',
        state: 'failed',
        reason: expect.stringMatching(/^not embedded: .* answers 400$/) as string,
      },
    ]);
    const whole = await bench.follow(await bench.start(), async (phase) => {
      if (phase !== 'attention') return;
      bench.stub.refuse(null);
      await bench.say((await newest()).id, 'retry');
    });
    expect(whole.result).toMatchObject({ outcome: 'committed', documents: 1, failed: 0 });
    expect(whole.plan).toMatchObject({ added: 1, changed: 0 });
  });

  test('W9 what its schedule starts is a wave; one that comes while it runs follows it', async () => {
    const schedule = bench.client.schedule.getHandle(`refresh/${bench.project}`);
    bench.write('scheduled.md', page('Scheduled', 'calendars'));
    await schedule.trigger();
    const first = await started((wave) => wave.trigger === 'schedule');
    expect((await bench.follow(first)).result.outcome).toBe('committed');
    const waiting = await bench.start({ name: 'slow', require_approval: true });
    bench.write('scheduled.md', page('Scheduled', 'other calendars'));
    const followed = await bench.follow(waiting, async (phase) => {
      if (phase !== 'approve') return;
      await schedule.trigger();
      await triggered(schedule, 2);
      await bench.say(waiting, 'approve');
    });
    expect(followed.result.outcome).toBe('committed');
    const second = await started((wave) => wave.trigger === 'again');
    expect((await bench.follow(second)).result.outcome).toBe('nothing_to_do');
  });

  test('W5 a trusted wave brings what its list names; W10 embedded again with the corpus, it stays what it is', async () => {
    bench.write('status.md', page('Status', 'how things stand'));
    expect((await bench.run()).result.outcome).toBe('nothing_to_do');
    const trusted = await bench.run({ kind: 'trusted_operational', name: 'status' });
    expect(trusted.result).toMatchObject({ outcome: 'committed', documents: 1 });
    const before = await bench.seen();
    const again = await bench.run({ reembed: true });
    expect(again.result).toMatchObject({ outcome: 'committed', documents: before.documents });
    const { data } = bench.databases;
    const { visible = 0 } = (await bench.projects.find(bench.project)) ?? {};
    expect(
      await data`
        select path, kind, view from documents where project = ${bench.project} and kind <> 'corpus'
          and born <= ${visible} and died > ${visible}`,
    ).toEqual([{ path: 'status.md', kind: 'trusted_operational', view: 'current_status' }]);
  });

  test('W8 two workers of a box share a wave, and each document is written once', async () => {
    const other = bench.anotherWorker();
    other.startWorker();
    try {
      await bench.workersPolling(2);
      for (let at = 0; at < 64 * 8; at += 1) bench.write(`shared/${at}.md`, page(`Shared ${at}`, `topic ${at}`));
      const wave = await bench.run();
      expect(wave.result).toMatchObject({ outcome: 'committed', documents: 64 * 8 });
      const events = (await bench.client.workflow.getHandle(wave.workflow_id).fetchHistory()).events ?? [];
      const batches = new Set(
        events
          .filter((event) => event.activityTaskScheduledEventAttributes?.activityType?.name === 'writeBatch')
          .map(({ eventId }) => String(eventId)),
      );
      const workers = events.flatMap(({ activityTaskStartedEventAttributes: started }) =>
        started != null && batches.has(String(started.scheduledEventId)) ? [started.identity] : [],
      );
      expect(workers).toHaveLength(8);
      expect(new Set(workers).size).toBe(2);
    } finally {
      await other.killWorker();
    }
  });

  test('G5 a rollback shows what was before at once; the next wave waits for release and for the sweep', async () => {
    const before = await bench.seen();
    bench.write('regretted.md', page('Regretted', 'a mistake'));
    const { number } = (await bench.run()).result;
    const rolledBack = await bench.generations.rollBack(bench.project);
    expect(rolledBack).toMatchObject({ ok: true, number });
    expect((await bench.seen()).hash).toEqual(before.hash);
    expect((await bench.run()).result).toMatchObject({ outcome: 'planned' });
    expect(await bench.generations.release(bench.project)).toBe(true);
    // Whoever holds a number may still read it: the sweep waits for three quarters of a minute, and the next wave for the sweep.
    if (!fullSize) return;
    bench.remove('regretted.md');
    bench.write('instead.md', page('Instead', 'second thoughts'));
    expect((await bench.run()).result).toMatchObject({ outcome: 'committed', number: Number(number) + 1 });
    expect(await bench.seen()).toMatchObject({ documents: before.documents + 1 });
  });

  async function started(isMeant: (wave: StoredWave) => boolean): Promise<string> {
    for (const end = Date.now() + 60_000; Date.now() < end;) {
      const found = (await bench.waves.list({ project: bench.project, limit: 5 })).find(isMeant);
      if (found !== undefined) return found.id;
      await new Promise((resolve) => setTimeout(resolve, 50));
    }
    throw new Error('No such wave was started');
  }

  async function triggered(schedule: ScheduleHandle, times: number): Promise<void> {
    for (const end = Date.now() + 60_000; Date.now() < end;) {
      const { recentActions } = (await schedule.describe()).info;
      const last = recentActions.at(-1);
      if (last !== undefined && recentActions.length === times) {
        const { workflowId } = last.action.workflow;
        await bench.client.workflow.getHandle(workflowId).result();
        return;
      }
      await new Promise((resolve) => setTimeout(resolve, 50));
    }
    throw new Error('The schedule started nothing');
  }

  async function newest() {
    const [wave] = await bench.waves.list({ project: bench.project, limit: 1 });
    if (wave === undefined) throw new Error('no wave');
    return wave;
  }
});

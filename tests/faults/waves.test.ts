import { createWaveBench, type WaveBench } from '../support/wave-bench.ts';

jest.setTimeout(240_000);

function page(name: string, about: string): string {
  return `# ${name}\n\nAll about ${about}.\n\n## Details\n\nThe ${about} of ${name} is described here.\n`;
}

describe('waves on real servers', () => {
  let bench: WaveBench;

  beforeAll(async () => {
    bench = await createWaveBench();
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

  test('G5 a rollback shows what was before at once; the next wave waits for release and for the sweep', async () => {
    const { visible: last } = (await bench.projects.find(bench.project)) ?? { visible: 0 };
    const rolledBack = await bench.generations.rollBack(bench.project);
    expect(rolledBack).toMatchObject({ ok: true, number: last });
    expect((await bench.run()).result).toMatchObject({ outcome: 'planned' });
    expect(await bench.generations.release(bench.project)).toBe(true);
  });

  async function newest() {
    const [wave] = await bench.waves.list({ project: bench.project, limit: 1 });
    if (wave === undefined) throw new Error('no wave');
    return wave;
  }
});

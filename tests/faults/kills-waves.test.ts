import { killPlans, type SideEffect } from './kill-plans.ts';
import { fullSize } from '../support/proof-size.ts';
import { createWaveBench, type WaveBench } from '../support/wave-bench.ts';

jest.setTimeout(600_000);

/** Two batches and a half. */
const documents = 160;

/** Everything that a wave changes, in the order in which it does. */
const sideEffects: readonly SideEffect[] = [
  ['openWave', 1],
  ['listSource', 1],
  ['planWave', 1],
  ['stage', 1],
  ['beginGeneration', 1],
  ['retire', 1],
  ['writeBatch', 1],
  ['writeBatch', 2],
  ['writeBatch', 3],
  ['prove', 1],
  ['canary', 1],
  ['commitGeneration', 1],
];
/** Two waves, of which the second changes what the first left: some is changed, some moved, some removed. */
const waves: readonly ((bench: WaveBench) => void)[] = [
  (bench) => {
    for (let at = 0; at < documents; at += 1) bench.write(`part-${at % 7}/page-${at}.md`, page(at, 1));
  },
  (bench) => {
    for (let at = 0; at < documents; at += 3) bench.write(`part-${at % 7}/page-${at}.md`, page(at, 2));
    for (let at = 1; at < documents; at += 9) bench.remove(`part-${at % 7}/page-${at}.md`);
    for (let at = 2; at < documents; at += 12) {
      bench.remove(`part-${at % 7}/page-${at}.md`);
      bench.write(`moved/page-${at}.md`, page(at, 1));
    }
  },
];

function page(at: number, version: number): string {
  const words = Array.from({ length: 30 }, (_, nth) => `word${(at * 31 + nth * version) % 400}`).join(' ');
  return `# Page ${at}\n\n${words}.\n\n## Version ${version}\n\nWhat page ${at} says in version ${version}.\n`;
}

/** In CI the first one only, and the worker dies at fewer points. */
const killed = fullSize ? waves : waves.slice(0, 1);

async function undisturbed(): Promise<readonly Awaited<ReturnType<WaveBench['seen']>>[]> {
  const bench = await createWaveBench();
  try {
    bench.startWorker();
    const seen = [];
    for (const change of killed) {
      change(bench);
      expect((await bench.run()).result.outcome).toBe('committed');
      seen.push(await bench.seen());
    }
    return seen;
  } finally {
    await bench.close();
  }
}

describe('SIGKILL of the worker in a wave', () => {
  let expected: Awaited<ReturnType<typeof undisturbed>>;
  beforeAll(async () => {
    expected = await undisturbed();
  });

  test.each(killPlans(sideEffects, 2))(
    'W7 G3 %s: what is seen is what an undisturbed wave leaves',
    async (_name, faults) => {
      const bench = await createWaveBench();
      try {
        for (const [nth, change] of killed.entries()) {
          change(bench);
          const before = await bench.seen();
          const deaths = await bench.dieAt(faults, async () => {
            const wave = await bench.follow(await bench.start(), async () => {
              // Half a wave is never seen.
              expect([before.hash, expected[nth]?.hash]).toContain((await bench.seen()).hash);
            });
            expect(wave.result).toMatchObject({ outcome: 'committed', number: nth + 1, failed: 0, quarantined: 0 });
          });
          expect(deaths.length).toBeGreaterThan(0);
          expect(await bench.seen()).toEqual(expected[nth]);
        }
        // Nothing is left that a later wave would have to do.
        expect((await bench.run()).result.outcome).toBe('nothing_to_do');
      } finally {
        await bench.close();
      }
    },
  );

  test('W6 what was embedded when the worker died is not embedded again, but for what was in flight', async () => {
    const bench = await createWaveBench();
    try {
      bench.startWorker();
      waves[0]?.(bench);
      const whole = expected[0]?.chunks ?? 0;
      let asked = 0;
      await bench.dieAt([{ activity: 'writeBatch', nth: 2, when: 'during' }], async () => {
        expect((await bench.run()).result.outcome).toBe('committed');
        asked = bench.stub.asked();
      });
      // Four batches of the window may have been in flight, of which each embeds a group at a time.
      expect(asked).toBeLessThanOrEqual(whole + 4 * 256);
      expect(asked).toBeGreaterThanOrEqual(whole);
    } finally {
      await bench.close();
    }
  });
});

import { createBenchWorker } from '../support/bench-worker.ts';
import { stubDimensions } from '../support/stub-embeddings.ts';
import { createWaveBench, type WaveBench } from '../support/wave-bench.ts';

jest.setTimeout(240_000);

let bench: WaveBench;
beforeAll(async () => {
  bench = await createWaveBench();
  bench.startWorker();
}, 120_000);
afterAll(() => bench.close());

const page = (name: string): string => `# ${name}\n\nWhat is to be said of ${name}.\n`;

test('W10 G11 what is seen and can be read no longer keeps a project with its model, until it is mended or gone', async () => {
  bench.write('good.md', page('good'));
  bench.write('spoilt.md', page('spoilt'));
  expect((await bench.run()).result).toMatchObject({ outcome: 'committed', documents: 2 });
  bench.write('spoilt.md', '');
  expect((await bench.run()).result).toMatchObject({ outcome: 'committed', quarantined: 1 });

  await bench.killWorker();
  const other = createBenchWorker({
    ...bench,
    namespace: bench.client.options.namespace,
    env: {
      HOLDFAST_EMBEDDINGS: bench.stub.url,
      HOLDFAST_EMBEDDINGS_MODEL: 'another',
      HOLDFAST_EMBEDDINGS_DIMENSIONS: String(stubDimensions),
    },
  });
  other.startWorker();
  try {
    const discarded = await bench.run({ reembed: true });
    expect(discarded.result).toMatchObject({
      outcome: 'discarded',
      failure_reason: expect.stringMatching(/such as those of docs\/spoilt\.md: mend it/) as string,
    });
    expect((await bench.projects.find(bench.project))?.visible).toBe(2);
    bench.remove('spoilt.md');
    // What the first attempt embedded is there.
    bench.stub.asked();
    expect((await bench.run({ reembed: true })).result).toMatchObject({
      outcome: 'committed',
      documents: 1,
      embedded: 0,
    });
    expect(bench.stub.asked()).toBe(0);
  } finally {
    await other.killWorker();
  }
});

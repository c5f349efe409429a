import { closeSync, ftruncateSync, mkdirSync, openSync, rmSync, statfsSync } from 'node:fs';
import { join } from 'node:path';
import type { GivenSpec } from '../../domain/project/schemas.ts';
import { createWaveBench, type WaveBench } from '../support/wave-bench.ts';

jest.setTimeout(120_000);

const gigabyte = 1_000_000_000;

describe('waves that cannot be', () => {
  let bench: WaveBench;
  beforeAll(async () => {
    bench = await createWaveBench();
    bench.startWorker();
    bench.write('a.md', '# A\n\nWhat is there before.\n');
    expect((await bench.run()).result.outcome).toBe('committed');
  }, 120_000);
  afterAll(() => bench.close());

  const folder = (path: string, more: object = {}): GivenSpec => ({
    sources: [{ kind: 'directory', name: 'docs', path, ...more }],
  });

  async function refused(spec: GivenSpec): Promise<string> {
    const { result } = await bench.run({}, await bench.register(spec));
    expect(result).toMatchObject({ outcome: 'refused', number: null, documents: 0 });
    return result.failure_reason ?? '';
  }

  test('W3 a source that is gone: refused, and what is visible stays', async () => {
    const before = await bench.seen();
    rmSync(bench.root, { recursive: true });
    const { result } = await bench.run();
    expect(result).toMatchObject({ outcome: 'refused', number: null });
    expect(result.failure_reason).toMatch(/^SourceGone: .*docs/);
    expect(await bench.seen()).toEqual(before);
    mkdirSync(bench.root);
  });

  test('W3 a source in which nothing matches is refused: an empty folder is no order to delete everything', async () => {
    const before = await bench.seen();
    const { result } = await bench.run();
    expect(result.outcome).toBe('refused');
    expect(result.failure_reason).toMatch(/^SourceEmpty: /);
    expect(await bench.seen()).toEqual(before);
    bench.write('a.md', '# A\n\nWhat is there before.\n');
    expect(await refused(folder(bench.root, { include: ['**/*.rst'] }))).toMatch(/^SourceEmpty: /);
  });

  test('W3 O2 a root outside the allowed ones: refused, and it is said which are allowed', async () => {
    expect(await refused(folder('/etc'))).toMatch(/^SourceRefused: .*HOLDFAST_SOURCE_ROOTS/);
  });

  test('W3 more than the disk can hold: refused before a byte of it is read, with what to do', async () => {
    const root = join(bench.home, 'sources', 'huge');
    mkdirSync(root, { recursive: true });
    const { bavail, bsize } = statfsSync(bench.home);
    // Nothing but holes: so many bytes to copy, and none on this disk.
    const most = 10 * gigabyte;
    for (let left = bavail * bsize + most, at = 0; left > 0; left -= most, at += 1) {
      const file = openSync(join(root, `${at}.txt`), 'w');
      ftruncateSync(file, most);
      closeSync(file);
    }
    const limits = { max_file_bytes: most, max_bytes: 1_000 * gigabyte };
    expect(await refused(folder(root, { limits }))).toMatch(/^NoRoom: .* needs .* are free.* Make room/);
    rmSync(root, { recursive: true });
  });

  test('W1 a wave of a source that the project does not have, or of a list that nobody made', async () => {
    const wave = await bench.run({ sources: ['elsewhere'] });
    expect(wave.result).toMatchObject({
      outcome: 'refused',
      failure_reason: expect.stringMatching(/^SourceUnknown: .*elsewhere/) as string,
    });
    const listed = await bench.run({ kind: 'trusted_operational', name: 'nobody' });
    expect(listed.result).toMatchObject({
      outcome: 'refused',
      failure_reason: expect.stringMatching(/^WaveUnknown: .*nobody/) as string,
    });
  });

  test('G11 a model of other dimensions than it is said to have: nothing of it is seen', async () => {
    const other = await createWaveBench({ dimensions: 17 });
    try {
      other.startWorker();
      other.write('a.md', '# A\n\nText.\n');
      const { result } = await other.run();
      expect(['refused', 'discarded']).toContain(result.outcome);
      expect(result.failure_reason).toMatch(/^EmbeddingMismatch: .* gives 16 dimensions, not 17/);
      expect(await other.seen()).toMatchObject({ documents: 0, chunks: 0 });
    } finally {
      await other.close();
    }
  });
});

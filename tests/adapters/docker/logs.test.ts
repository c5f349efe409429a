import { LineAssembly, messagesIn } from '../../../adapters/docker/log-messages.ts';
import { asSeconds, nanoseconds, readPlace } from '../../../adapters/docker/log-position.ts';
import type { LogPage, LogSource } from '../../../adapters/drivers/log-source.ts';
import type { Instance } from '../../../domain/deploy/instance.ts';
import { until } from '../../support/box.ts';
import { describeDocker, makeDockerBox, soon, type DockerBox } from '../../support/docker.ts';

jest.setTimeout(120_000);

describeDocker('D14 the log of a container', () => {
  let box: DockerBox;
  beforeAll(async () => {
    box = await makeDockerBox({ log: { max_size: '200k', max_file: 3 } });
  });
  afterAll(() => box.close());

  const logs = (): LogSource => {
    if (box.driver.logs === null) throw new Error('the docker driver has logs');
    return box.driver.logs;
  };
  const ended = (instance: Instance) => until(async () => !(await box.driver.inspect(instance)).running, 60_000);
  const finished = async (script: string, part = {}) => {
    const instance = await box.run(script, part);
    await ended(instance);
    return instance;
  };
  /** All pages from a position on, until nothing more comes from a container that has ended. */
  async function readAll(instance: Instance, limit: number, from: string | null = null): Promise<LogPage[]> {
    const pages: LogPage[] = [];
    for (let at = from; ;) {
      const over = !(await box.driver.inspect(instance)).running;
      const page = await logs().read(instance, at, limit);
      pages.push(page);
      at = page.next;
      if (over && !page.more) return pages;
    }
  }
  const numbersIn = (pages: readonly LogPage[]) => pages.flatMap(({ lines }) => lines.map(Number));
  const upTo = (count: number) => Array.from({ length: count }, (_, i) => i + 1);

  test('pages follow each other without a hole; start, next and end are where they say', async () => {
    const instance = await finished('seq 1 25');
    const pages = await readAll(instance, 10);
    expect(pages.map(({ lines }) => lines.length)).toEqual([10, 10, 5]);
    expect(numbersIn(pages)).toEqual(upTo(25));
    expect(pages.map(({ more }) => more)).toEqual([true, true, false]);
    const [one, two, three] = pages as [LogPage, LogPage, LogPage];
    expect(one.end).toBe(three.end);
    expect(three.next).toBe(three.end);
    expect((await logs().read(instance, two.start, 10)).lines).toEqual(two.lines);
    expect((await logs().read(instance, one.start, 10)).lines).toEqual(one.lines);
    const nothing = { lines: [], start: three.end, next: three.end, end: three.end, truncated: false, more: false };
    expect(await logs().read(instance, three.end, 10)).toEqual(nothing);
  });

  test('the last lines, and on from there', async () => {
    const instance = await finished('seq 1 1000');
    const page = await logs().tail(instance, 7);
    expect(page.lines.map(Number)).toEqual(upTo(1_000).slice(-7));
    expect(page).toMatchObject({ truncated: false, more: false });
    expect(page.next).toBe(page.end);
    expect((await logs().read(instance, page.start, 100)).lines).toEqual(page.lines);
    expect((await logs().tail(instance, 5_000)).lines).toHaveLength(1_000);
  });

  test('20,000 lines of both outputs, read by a polling client while they are written, none lost, none twice', async () => {
    const roomy = await makeDockerBox();
    try {
      const half = (from: number) => `i=${from}; while [ $i -le 20000 ]; do echo $i; i=$((i + 2)); done`;
      const instance = await roomy.run(`(${half(1)}) & (${half(2)}) >&2; wait`);
      const numbers: number[] = [];
      for (let at: string | null = null; ;) {
        const over = !(await roomy.driver.inspect(instance)).running;
        const page: LogPage = (await roomy.driver.logs?.read(instance, at, 1_000)) as LogPage;
        expect(page.truncated).toBe(false);
        numbers.push(...page.lines.map(Number));
        at = page.next;
        if (over && !page.more) break;
      }
      expect(numbers).toHaveLength(20_000);
      expect([...numbers].sort((a, b) => a - b)).toEqual(upTo(20_000));
      // Each output in its own order.
      for (const parity of [0, 1]) {
        const own = numbers.filter((number) => number % 2 === parity);
        expect(own).toEqual([...own].sort((a, b) => a - b));
      }
    } finally {
      await roomy.close();
    }
  });

  test('where Docker threw lines away `truncated` says so; what is shown has no other hole and nothing twice', async () => {
    const script = 'i=0; while [ $i -lt 30000 ]; do i=$((i + 1)); echo $i; [ $((i % 200)) -eq 0 ] && sleep 0.01; done';
    const instance = await box.run(script);
    const pages: LogPage[] = [];
    for (let at: string | null = null; ;) {
      const over = !(await box.driver.inspect(instance)).running;
      const page: LogPage = await logs().read(instance, at, 200);
      pages.push(page);
      at = page.next;
      if (over && !page.more) break;
      // Slower than it writes, so that some is gone before it was read.
      if (!over) await new Promise((resolve) => setTimeout(resolve, 100));
    }
    let expected = 1;
    for (const page of pages) {
      const numbers = page.lines.map(Number);
      const first = numbers[0];
      if (first === undefined) continue;
      if (page.truncated) expect(first).toBeGreaterThanOrEqual(expected);
      else expect(first).toBe(expected);
      expect(numbers).toEqual(numbers.map((_, i) => first + i));
      expected = first + numbers.length;
    }
    expect(expected).toBe(30_001);
    expect(pages.some(({ truncated }) => truncated)).toBe(true);
  });

  test('a position before everything is truncated once the first lines are gone', async () => {
    const instance = await box.run('sleep 1; i=0; while [ $i -lt 20000 ]; do i=$((i + 1)); echo $i; done');
    const empty = await logs().read(instance, null, 10);
    expect(empty).toMatchObject({ lines: [], truncated: false, more: false });
    await ended(instance);
    const page = await logs().read(instance, empty.next, 10);
    expect(page.truncated).toBe(true);
    expect(Number(page.lines[0])).toBeGreaterThan(1);
  });

  test('a line longer than Docker keeps in one piece is one line', async () => {
    const long = `head -c 100000 /dev/zero | tr '\\0' a`;
    const script = `${long}; echo; echo after; echo é; (${long}; echo) >&2; echo last; sleep 1; printf unfinished`;
    const instance = await finished(script);
    const pages = await readAll(instance, 1);
    const lines = pages.flatMap((page) => page.lines);
    expect(lines).toHaveLength(6);
    expect([...lines].sort((a, b) => a.length - b.length).slice(0, 4)).toEqual(
      expect.arrayContaining(['é', 'last', 'after']),
    );
    expect(lines.filter((line) => line === 'a'.repeat(100_000))).toHaveLength(2);
    expect(lines.at(-1)).toBe('unfinished');
    expect((await logs().tail(instance, 100)).lines).toEqual(lines);
    expect((await logs().tail(instance, 2)).lines).toEqual(lines.slice(-2));
  });

  test('a line that has begun is shown when it is whole', async () => {
    const long = `head -c 40000 /dev/zero | tr '\\0' b`;
    // Each output has a writer of its own, so what comes close together may change places.
    const script = `echo first; sleep 0.5; ${long}; echo between >&2; sleep 2; echo; sleep 1000`;
    const instance = await box.run(script);
    const first = async () => (await logs().read(instance, null, 10)).lines;
    await until(async () => (await first()).length === 2);
    const page = await logs().read(instance, null, 10);
    expect(page.lines).toEqual(['first', 'between']);
    await until(async () => (await logs().read(instance, page.next, 10)).lines.length === 1);
    expect((await logs().read(instance, page.next, 10)).lines).toEqual(['b'.repeat(40_000)]);
    await box.driver.stop(instance, soon());
  });

  test('a stopped container keeps its log, a removed one says that the end is lost', async () => {
    const instance = await finished('seq 1 5');
    const { next } = await logs().read(instance, null, 3);
    await box.driver.pruneInstances(box.service, []);
    expect(await logs().read(instance, next, 3)).toMatchObject({ lines: [], next, more: false, lost_end: true });
    expect(await logs().tail(instance, 3)).toMatchObject({ lines: [], more: false, lost_end: true });
    const never = box.instance(box.spec(), { release_id: 'x', digest: 'x' });
    const { next: before } = await logs().read(never, null, 3);
    expect(await logs().read(never, before, 3)).toMatchObject({ lines: [], truncated: false });
  });

  test('in the log of another container than it was given for, a position is behind lines that are gone', async () => {
    const [one, other] = [await finished('seq 1 5'), await finished('seq 6 9')];
    const { next } = await logs().read(one, null, 3);
    expect(await logs().read(other, next, 10)).toMatchObject({ lines: ['6', '7', '8', '9'], truncated: true });
  });

  test.each(['', 'x', '0', '0123456789ab.1.1.2.n', '0123456789ab.01.1.0.n', '../..'])(
    '%j is no position',
    async (position) => {
      const instance = await finished('true');
      await expect(logs().read(instance, position, 10)).rejects.toMatchObject({ name: 'BadPosition' });
    },
  );
});

describe('D14 messages of one time', () => {
  const message = (stream: number, time: string, text: string) => {
    const body = Buffer.from(`${time} ${text}`);
    const header = Buffer.from([stream, 0, 0, 0, 0, 0, 0, 0]);
    header.writeUInt32BE(body.length, 4);
    return Buffer.concat([header, body]);
  };
  const at = '2026-01-02T03:04:05.678901234Z';
  async function* inChunksOf(size: number, bytes: Buffer) {
    for (let from = 0; from < bytes.length; from += size) yield bytes.subarray(from, from + size);
  }

  test.each([1, 7, 10_000])('are told apart by their order, however they arrive (chunks of %d)', async (size) => {
    const wire = [message(1, at, 'a\n'), message(2, at, 'half'), message(1, at, 'b\n'), message(2, at, ' whole\n')];
    const assembly = new LineAssembly();
    const lines = [];
    for await (const each of messagesIn(inChunksOf(size, Buffer.concat(wire)))) {
      const line = assembly.add(each, assembly.count(each));
      if (line !== null) lines.push(line);
    }
    expect(lines.map(({ text, nth }) => [text, nth])).toEqual([
      ['a', 1],
      ['b', 3],
      ['half whole', 4],
    ]);
    expect(assembly.rest()).toEqual([]);
  });

  test('what Docker reports between messages is thrown', async () => {
    const wire = message(3, 'error', 'from daemon: log file is damaged');
    const reading = async () => {
      for await (const each of messagesIn(inChunksOf(100, wire))) expect(each).toBeUndefined();
    };
    await expect(reading()).rejects.toThrow('log file is damaged');
  });

  test('times keep their nanoseconds', () => {
    expect(nanoseconds(at) % 1_000_000_000n).toBe(678_901_234n);
    expect(asSeconds(nanoseconds('2026-01-02T03:04:05.000000009Z'))).toMatch(/^\d+\.000000009$/);
    expect(nanoseconds('1970-01-01T00:00:01Z')).toBe(1_000_000_000n);
    const place = readPlace('0123456789ab.1000.2.10.b');
    expect(place).toEqual({ container: '0123456789ab', time: 1_000n, nth: 2, since: 990n, side: 'before' });
  });
});

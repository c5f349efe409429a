import fc from 'fast-check';
import type { ServiceLogPage } from '../../../domain/log.ts';
import { fullSize, seed } from '../../support/proof-size.ts';
import { modelService } from './model-service.ts';

type Model = ReturnType<typeof modelService>;

/** What may happen to a service; `pick` chooses the instance. */
const event = fc.record({
  kind: fc.constantFrom('start', 'say', 'say', 'say', 'end', 'rotate', 'prune'),
  pick: fc.nat(),
  count: fc.integer({ min: 1, max: 20 }),
});
type Event = typeof event extends fc.Arbitrary<infer T> ? T : never;
const poll = fc.record({
  kind: fc.constant('poll' as const),
  limit: fc.integer({ min: 1, max: 15 }),
  during: fc.array(event, { maxLength: 6 }),
});

function apply({ instances, start }: Model, { kind, pick, count }: Event): void {
  const choose = (running: boolean) => {
    const among = instances.filter((instance) => instance.running === running && !instance.pruned);
    return among[pick % Math.max(1, among.length)];
  };
  if (kind === 'start') start(pick % 4 > 0);
  const one = choose(kind !== 'prune');
  if (one === undefined) return;
  if (kind === 'say') one.count += count;
  if (kind === 'end') one.running = false;
  if (kind === 'rotate') one.dropped = Math.min(one.count, one.dropped + count);
  if (kind === 'prune') one.pruned = true;
}

/** A polling client, which is told everything or told that it was not. */
function createClient() {
  const seen: (readonly [seq: number, number: number])[] = [];
  let warned = false;

  /** Nothing stands between the last line that was seen and this one, going by what was ever said. */
  function expectNext({ instances }: Model, [seq, number]: readonly [number, number]): void {
    const [lastSeq, lastNumber] = seen.at(-1) ?? [0, -1];
    expect(seq > lastSeq || (seq === lastSeq && number > lastNumber)).toBe(true);
    if (warned) return;
    if (seq === lastSeq) expect(number).toBe(lastNumber + 1);
    else expectLeft({ instances } as Model, lastSeq, lastNumber, seq, number);
  }

  /** The log before was read to its end, those between said nothing, and this one is read from its beginning. */
  function expectLeft({ instances }: Model, lastSeq: number, lastNumber: number, seq: number, number: number): void {
    expect(number).toBe(0);
    for (const { row, count, running } of instances) {
      if (row.seq >= seq || row.seq < lastSeq) continue;
      expect([row.seq, running, count]).toEqual([row.seq, false, row.seq === lastSeq ? lastNumber + 1 : 0]);
    }
  }

  return {
    seen,
    isWarned: () => warned,
    take(model: Model, { logs, truncated, epoch, cursor, end_cursor, has_more }: ServiceLogPage): void {
      warned ||= truncated;
      for (const line of logs) {
        const [seq = 0, number = 0] = line.split('.').map(Number);
        expect(epoch).toBe(`i${seq}.candidate`);
        expectNext(model, [seq, number]);
        seen.push([seq, number]);
        warned = false;
      }
      expect(has_more).toBe(cursor !== end_cursor);
    },
  };
}

test(`D14 whatever happens to a service: every line once and in order, or truncated says so (seed ${seed})`, async () => {
  await fc.assert(
    fc.asyncProperty(fc.array(fc.oneof(event, poll), { maxLength: 60 }), async (steps) => {
      const model = modelService();
      const client = createClient();
      let { cursor } = await model.log.read('web', null, 1);
      const ask = async (limit: number) => {
        const page = await model.log.read('web', cursor, limit);
        client.take(model, page);
        cursor = page.cursor;
        return page;
      };
      for (const step of steps) {
        if (step.kind !== 'poll') apply(model, step);
        else {
          model.meanwhile.push(...step.during.map((each) => () => apply(model, each)));
          await ask(step.limit);
          for (const late of model.meanwhile.splice(0)) late();
        }
      }
      for (const instance of model.instances) instance.running = false;
      // So many polls at the most, or one of them did not get on.
      const most = model.instances.reduce((sum, { count }) => sum + count + 1, 1);
      let polls = 0;
      while ((await ask(3)).has_more) expect((polls += 1)).toBeLessThanOrEqual(most);
      const last = model.instances.findLast(({ count }) => count > 0);
      // Of the newest, what was removed unread is told with the first line behind it.
      if (last !== undefined && !last.pruned && !client.isWarned())
        expect(client.seen.at(-1)).toEqual([last.row.seq, last.count - 1]);
    }),
    { numRuns: fullSize ? 10_000 : 1_000, seed },
  );
});

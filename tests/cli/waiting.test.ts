import { exitCodes } from '../../cli/exit-codes.ts';
import type { Output } from '../../cli/output.ts';
import { waitFor, type Run } from '../../cli/waiting.ts';

async function leftBehind(run: Run): Promise<readonly string[]> {
  const said: string[] = [];
  const out = { message: (line: string) => said.push(line) } as unknown as Output;
  const never = (left: AbortSignal) =>
    new Promise<never>((_resolve, reject) => {
      left.addEventListener('abort', () => reject(new Error('left')));
    });
  expect(await waitFor(out, run, 10, never)).toBe(exitCodes.timedOut);
  return said;
}

test('O3 7: what is left goes on, or, where everything is stopped behind the command, does so with the next start', async () => {
  const run = { what: 'restore 1', comeBack: 'holdfast restore show 1 --follow' };
  expect(await leftBehind(run)).toEqual([
    ...['holdfast: not done in time; restore 1 goes on', 'next: holdfast restore show 1 --follow'],
  ]);
  const alone = { ...run, comeBack: 'holdfast up', becomes: 'goes on with the next start' };
  expect(await leftBehind(alone)).toEqual([
    ...['holdfast: not done in time; restore 1 goes on with the next start', 'next: holdfast up'],
  ]);
});

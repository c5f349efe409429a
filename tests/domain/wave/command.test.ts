import { refusalOf } from '../../../domain/wave/command.ts';
import { endsTheWave } from '../../../domain/wave/fatal.ts';
import { refusalOfModel } from '../../../domain/wave/other-model.ts';
import { priceOf } from '../../../domain/wave/price.ts';
import { waveCommands, wavePhases, type WaveCommand } from '../../../domain/wave/words.ts';

const taken = (command: WaveCommand, paused = false): string[] =>
  wavePhases.filter((phase) => refusalOf(command, { phase, paused }) === null);

test('W5 what a wave takes in which phase', () => {
  const beforeCommit = [
    'requested',
    'lock',
    'list',
    'plan',
    'approve',
    'stage',
    'write',
    'attention',
    'prove',
    'canary',
  ];
  expect(Object.fromEntries(waveCommands.map((command) => [command, taken(command)]))).toEqual({
    approve: ['approve'],
    pause: beforeCommit,
    resume: [],
    cancel: beforeCommit,
    retry: ['attention'],
    complete: ['attention'],
  });
  expect([taken('pause', true), taken('resume', true)]).toEqual([[], [...wavePhases]]);
});

test('G4 a wave whose generation is worthless is over; whatever else fails is a person to decide on', () => {
  expect(['LockLost', 'IncarnationChanged', 'NoRoom', 'Error', null, undefined].map(endsTheWave)).toEqual([
    ...[true, true, false, false, false, false],
  ]);
});

test('G11 another model, or another collection, is refused unless everything is embedded again', () => {
  const seen = { identity: 'small', collection: 'c1' };
  const refused = (now: typeof seen, reembed = false) => refusalOfModel(seen, now, { reembed });
  expect(refused(seen)).toBeNull();
  expect(refused({ ...seen, identity: 'large' })).toMatch(/embedded with small, and this box has large: .*--reembed/);
  expect(refused({ ...seen, collection: 'c2' })).toMatch(/--reembed/);
  expect(refused({ identity: 'large', collection: 'c2' }, true)).toBeNull();
  expect(refusalOfModel(null, seen, { reembed: false })).toBeNull();
});

test('W5 a plan is priced by the rate that the box has shown, or not in time at all', () => {
  expect(priceOf(80_001, 10)).toEqual({ chunks_estimate: 101, embed_seconds_estimate: 10 });
  expect(priceOf(80_000, null)).toEqual({ chunks_estimate: 100, embed_seconds_estimate: null });
});

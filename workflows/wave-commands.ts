import { condition, defineSignal, defineUpdate, setHandler } from '@temporalio/workflow';
import { refusalOf } from '../domain/wave/command.ts';
import {
  againSignal,
  waveCommandSignal,
  waveCommandUpdate,
  type WaveCommandMessage,
  type WaveInput,
} from '../domain/wave/run.ts';
import { waveCommands } from '../domain/wave/words.ts';
import type { WaveJournal } from './wave-journal.ts';

const commandUpdate = defineUpdate<boolean, [WaveCommandMessage]>(waveCommandUpdate);
const commandSignal = defineSignal<[WaveCommandMessage]>(waveCommandSignal);
const again = defineSignal<[string]>(againSignal);

type Decision = 'retry' | 'complete';

export type WaveControl = ReturnType<typeof listenForCommands>;

/** What people say to a wave that runs, as an update or as a signal: one decision behind both. */
export function listenForCommands({ wave_id, resumed }: WaveInput, journal: WaveJournal) {
  let followedFor = resumed?.again ?? null;
  let approvedBy: string | null = null;
  const decisions: Decision[] = [];
  let cancel: () => void = () => undefined;

  function refusal({ command, wave_id: meant }: WaveCommandMessage): string | null {
    if (meant !== wave_id) return `it is over, and wave ${wave_id} runs now`;
    if (!waveCommands.includes(command)) return `no command is called ${command}`;
    return refusalOf(command, { phase: journal.phase(), paused: journal.paused });
  }

  function obey(message: WaveCommandMessage): boolean {
    journal.heard(message, null);
    const { command, actor } = message;
    if (command === 'approve') approvedBy = actor;
    else if (command === 'cancel') cancel();
    else if (command === 'retry' || command === 'complete') decisions.push(command);
    return true;
  }

  setHandler(commandUpdate, obey, {
    validator(message: WaveCommandMessage) {
      const why = refusal(message);
      if (why !== null) throw new Error(why);
    },
  });
  // A signal has nobody to answer to: what is refused is shown.
  setHandler(commandSignal, (message: WaveCommandMessage) => {
    const why = refusal(message);
    if (why === null) obey(message);
    else journal.heard(message, why);
  });
  setHandler(again, (actor: string) => {
    followedFor = actor;
  });

  /** Until `done`. That it is paused, or goes on, is written down when it is said. */
  async function waitUntil(done: () => boolean): Promise<void> {
    let told = journal.recordedPaused();
    for (;;) {
      if (journal.paused !== told) {
        told = journal.paused;
        await journal.record();
      } else if (done()) return;
      else await condition(() => done() || journal.paused !== told);
    }
  }

  return {
    /** Who asked for one more wave behind this one; null: nobody. */
    get again(): string | null {
      return followedFor;
    },
    whenCancelled(act: () => void): void {
      cancel = act;
    },
    whilePaused: () => waitUntil(() => !journal.paused),
    async approval(): Promise<string> {
      await waitUntil(() => approvedBy !== null);
      return approvedBy ?? '';
    },
    async decision(): Promise<Decision> {
      decisions.length = 0;
      await waitUntil(() => decisions.length > 0);
      return decisions[0] ?? 'retry';
    },
  };
}

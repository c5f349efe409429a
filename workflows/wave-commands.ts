import { condition, defineSignal, defineUpdate, setHandler } from '@temporalio/workflow';
import { refusalOf } from '../domain/wave/command.ts';
import {
  againSignal,
  waveCommandSignal,
  waveCommandUpdate,
  type WaveCommandMessage,
  type WaveInput,
} from '../domain/wave/run.ts';
import { waveCommands, type WavePhase } from '../domain/wave/words.ts';

const commandUpdate = defineUpdate<boolean, [WaveCommandMessage]>(waveCommandUpdate);
const commandSignal = defineSignal<[WaveCommandMessage]>(waveCommandSignal);
const again = defineSignal(againSignal);

export type WaveControl = ReturnType<typeof listenForCommands>;

interface Listener {
  readonly phase: () => WavePhase;
  readonly paused: boolean;
  readonly heard: (message: WaveCommandMessage, refusal: string | null) => void;
}

/** What people say to a wave that runs, as an update or as a signal: one decision behind both. */
export function listenForCommands({ resumed }: WaveInput, journal: Listener) {
  let runAgain = resumed?.again ?? false;
  let approvedBy: string | null = null;
  const decisions: ('retry' | 'complete')[] = [];
  let cancel: () => void = () => undefined;
  const refusal = ({ command }: WaveCommandMessage): string | null =>
    waveCommands.includes(command)
      ? refusalOf(command, { phase: journal.phase(), paused: journal.paused })
      : `no command is called ${command}`;

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
  setHandler(again, () => {
    runAgain = true;
  });

  return {
    get again(): boolean {
      return runAgain;
    },
    whenCancelled(act: () => void): void {
      cancel = act;
    },
    whilePaused: () => condition(() => !journal.paused),
    async approval(): Promise<string> {
      await condition(() => approvedBy !== null);
      return approvedBy ?? '';
    },
    async decision(): Promise<'retry' | 'complete'> {
      decisions.length = 0;
      await condition(() => decisions.length > 0);
      return decisions[0] ?? 'retry';
    },
  };
}

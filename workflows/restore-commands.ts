import { condition, defineSignal, defineUpdate, setHandler } from '@temporalio/workflow';
import { refusalOf } from '../domain/restore/command.ts';
import {
  restoreCommandSignal,
  restoreCommandUpdate,
  type RestoreCommandMessage,
  type RestoreInput,
} from '../domain/restore/run.ts';
import { restoreCommands } from '../domain/restore/words.ts';
import type { RestoreJournal } from './restore-journal.ts';

const commandUpdate = defineUpdate<boolean, [RestoreCommandMessage]>(restoreCommandUpdate);
const commandSignal = defineSignal<[RestoreCommandMessage]>(restoreCommandSignal);

/** How it ends: somebody said so, or the time is over in which the old side is kept. */
type Decision = { readonly command: 'undo' | 'release'; readonly actor: string | null };

/** What people say to a restore, as an update or as a signal: one decision behind both. */
export function listenForCommands({ restore_id }: RestoreInput, journal: RestoreJournal) {
  const said: Decision[] = [];
  let cancel: () => void = () => undefined;

  function refusal({ command, restore_id: meant }: RestoreCommandMessage): string | null {
    if (meant !== restore_id) return `it is over, and restore ${restore_id} runs now`;
    if (!restoreCommands.includes(command)) return `no command is called ${command}`;
    const [before] = said;
    if (before !== undefined && command !== 'cancel') return `${before.command} was said already`;
    return refusalOf(command, journal.phase());
  }

  function obey({ command, actor }: RestoreCommandMessage): boolean {
    journal.heard(command, actor, null);
    if (command === 'cancel') cancel();
    else said.push({ command, actor });
    return true;
  }

  setHandler(commandUpdate, obey, {
    validator(message: RestoreCommandMessage) {
      const why = refusal(message);
      if (why !== null) throw new Error(why);
    },
  });
  // A signal has nobody to answer to: what is refused is shown.
  setHandler(commandSignal, (message: RestoreCommandMessage) => {
    const why = refusal(message);
    if (why === null) obey(message);
    else journal.heard(message.command, message.actor, why);
  });

  return {
    whenCancelled(act: () => void): void {
      cancel = act;
    },
    /** Of a restore that is held. Each is given once. */
    async decision(untilMs: number): Promise<Decision> {
      const left = untilMs - Date.now();
      if (left > 0) await condition(() => said.length > 0, left);
      return said.shift() ?? { command: 'release', actor: null };
    },
  };
}

export type RestoreControl = ReturnType<typeof listenForCommands>;

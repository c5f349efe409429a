import { isBefore, type WaveCommand, type WavePhase } from './words.ts';

/** What a command is judged on. */
export interface WaveStanding {
  readonly phase: WavePhase;
  readonly paused: boolean;
}

/** Why a wave that stands so does not take a command; null: it does. One decision behind the signal and the update. */
export function refusalOf(command: WaveCommand, { phase, paused }: WaveStanding): string | null {
  switch (command) {
    case 'approve':
      return phase === 'approve' ? null : `there is no plan to approve in phase ${phase}`;
    case 'pause':
      if (paused) return 'it is paused already';
      return isBefore(phase, 'commit') ? null : `phase ${phase} is not interrupted`;
    case 'resume':
      return paused ? null : 'it is not paused';
    case 'cancel':
      return isBefore(phase, 'commit') ? null : `phase ${phase} is not interrupted`;
    case 'retry':
    case 'complete':
      return phase === 'attention' ? null : `nothing waits for that in phase ${phase}`;
  }
}

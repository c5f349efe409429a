import type { WaveInput, WaveReference } from '../domain/wave/run.ts';
import type { WaveControl } from './wave-commands.ts';
import type { WaveJournal } from './wave-journal.ts';

/** What the steps of one wave share. */
export interface WaveRun {
  readonly input: WaveInput;
  readonly ref: WaveReference;
  /** Where its sources are and its inputs are staged. */
  readonly box: string;
  readonly journal: WaveJournal;
  readonly control: WaveControl;
}

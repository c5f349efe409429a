import type { EventStore, NewEvent } from '../adapters/postgres/events.ts';
import type { GenerationStore } from '../adapters/postgres/generations.ts';
import type { RunOfLock } from '../domain/lock.ts';
import type { ProjectStore, StoredProject } from '../adapters/postgres/projects.ts';
import type { WaveItemStore, WaveTally } from '../adapters/postgres/wave-items.ts';
import type { WaveEntry, WaveStore } from '../adapters/postgres/waves.ts';
import { PermanentFailure } from '../domain/failures.ts';
import type { GenerationState } from '../domain/generation/generation.ts';
import type { WaveInput, WaveReference } from '../domain/wave/run.ts';
import type { WavePlan, WaveResult } from '../domain/wave/schemas.ts';
import { sourcesOf } from '../domain/wave/scope.ts';

/** What a run must know of its project. */
export interface WaveFacts {
  readonly result: WaveResult;
  readonly plan: WavePlan | null;
  readonly incarnation: string;
  readonly held: boolean;
  readonly approval_required: boolean;
  /** Where its sources are and its inputs are staged. */
  readonly box: string;
  /** Those that this wave lists. */
  readonly sources: readonly string[];
}

export interface Verdict {
  readonly ok: boolean;
  readonly reason: string;
}

export interface DiscardedWave {
  readonly number: number | null;
  readonly state: GenerationState | null;
}

export interface WaveRowDeps {
  readonly waves: WaveStore;
  readonly items: WaveItemStore;
  readonly projects: Pick<ProjectStore, 'find'>;
  readonly generations: Pick<GenerationStore, 'commit' | 'discard' | 'ofWave'>;
  readonly events: EventStore;
  readonly incarnation: () => Promise<string>;
  readonly wakeCollecting: (project: string) => Promise<void>;
  readonly startRefresh: (project: string) => Promise<void>;
}

/** What a wave does to rows only; any worker can. Each may be repeated. */
export function createWaveRowActivities(deps: WaveRowDeps) {
  const { waves, items, projects, generations, events } = deps;
  return {
    /** The row of the wave, which the API has usually written already, and what it begins with. */
    async openWave(input: WaveInput, run: RunOfLock): Promise<WaveFacts> {
      await waves.open(input, run);
      const [wave, { held, spec }] = await Promise.all([waves.find(input.wave_id), known(projects, input.project)]);
      if (wave === null) throw new Error(`wave ${input.wave_id} was opened and is not there`);
      return {
        result: wave.result,
        plan: wave.plan,
        held,
        box: spec.box,
        incarnation: await deps.incarnation(),
        approval_required: spec.policy.wave_approval === 'required',
        sources: sourcesOf(spec, input.request),
      };
    },

    async recordWave(entry: WaveEntry & { readonly events: readonly NewEvent[] }): Promise<void> {
      await waves.record(entry);
      for (const event of entry.events) await events.append(event);
    },

    openBatches: ({ wave_id }: WaveReference, limit: number): Promise<number[]> => items.openBatches(wave_id, limit),

    async tally({ wave_id }: WaveReference): Promise<WaveTally> {
      const { documents, chunks, embedded, quarantined, failed, undecided, why } = await items.tally(wave_id);
      return { documents, chunks, embedded, quarantined, failed, undecided, why };
    },

    failBatch: ({ wave_id }: WaveReference, batch: number, reason: string): Promise<void> =>
      items.failBatch(wave_id, batch, reason),

    reopenFailed: ({ wave_id }: WaveReference): Promise<void> => items.reopenFailed(wave_id),

    /** G4: the one statement that makes a generation visible. */
    async commitGeneration({ project, incarnation }: WaveReference, number: number): Promise<Verdict> {
      const answer = await generations.commit({ project, number, incarnation });
      return answer.ok ? { ok: true, reason: `generation ${number} is visible` } : answer;
    },

    /** What was committed stays. Returns what became of the wave's generation; null: it had none. */
    async discardGeneration({ project, wave_id }: Pick<WaveReference, 'project' | 'wave_id'>): Promise<DiscardedWave> {
      await generations.discard(project, wave_id);
      const own = await generations.ofWave(wave_id);
      return { number: own?.number ?? null, state: own?.state ?? null };
    },

    startCollecting: deps.wakeCollecting,
    startRefresh: deps.startRefresh,
  };
}

export type WaveRowActivities = ReturnType<typeof createWaveRowActivities>;

export async function known(projects: Pick<ProjectStore, 'find'>, project: string): Promise<StoredProject> {
  const found = await projects.find(project);
  if (found === null) throw new PermanentFailure('ProjectUnknown', `No project is called ${project}`);
  return found;
}

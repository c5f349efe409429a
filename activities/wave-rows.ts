import type { EventStore, NewEvent } from '../adapters/postgres/events.ts';
import type { GenerationStore } from '../adapters/postgres/generations.ts';
import type { RunOfLock } from '../adapters/postgres/locks.ts';
import type { ProjectStore, StoredProject } from '../adapters/postgres/projects.ts';
import type { WaveItemStore, WaveTally } from '../adapters/postgres/wave-items.ts';
import type { WaveEntry, WaveStore } from '../adapters/postgres/waves.ts';
import { PermanentFailure } from '../domain/failures.ts';
import type { TrustedItem } from '../domain/project/policy.ts';
import type { WaveInput, WaveReference } from '../domain/wave/run.ts';
import type { WaveTrigger } from '../domain/wave/words.ts';
import type { WaveRequest, WaveResult } from '../domain/wave/schemas.ts';

/** What a run must know of its project. */
export interface WaveFacts {
  readonly result: WaveResult;
  readonly incarnation: string;
  readonly held: boolean;
  readonly approval_required: boolean;
  /** Those that this wave lists. */
  readonly sources: readonly string[];
}

export interface Verdict {
  readonly ok: boolean;
  readonly reason: string;
}

export interface WaveRowDeps {
  readonly waves: WaveStore;
  readonly items: WaveItemStore;
  readonly projects: Pick<ProjectStore, 'find'>;
  readonly generations: Pick<GenerationStore, 'commit' | 'discard'>;
  readonly events: EventStore;
  readonly incarnation: () => Promise<string>;
  readonly wakeCollecting: (project: string) => Promise<void>;
  readonly startRefresh: (project: string, trigger: WaveTrigger) => Promise<void>;
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
        held,
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
      const { documents, chunks, embedded, quarantined, failed } = await items.tally(wave_id);
      return { documents, chunks, embedded, quarantined, failed };
    },

    reopenFailed: ({ wave_id }: WaveReference): Promise<void> => items.reopenFailed(wave_id),

    async giveUpOpenItems({ wave_id }: WaveReference): Promise<Pick<WaveTally, 'failed'>> {
      await items.giveUpOpen(wave_id);
      return { failed: (await items.tally(wave_id)).failed };
    },

    /** G4: the one statement that makes a generation visible. */
    async commitGeneration({ project, incarnation }: WaveReference, number: number): Promise<Verdict> {
      const answer = await generations.commit({ project, number, incarnation });
      return answer.ok ? { ok: true, reason: `generation ${number} is visible` } : answer;
    },

    async discardGeneration({ project, wave_id }: Pick<WaveReference, 'project' | 'wave_id'>): Promise<void> {
      await generations.discard(project, wave_id);
    },

    startCollecting: deps.wakeCollecting,
    startRefresh: deps.startRefresh,
  };
}

export type WaveRowActivities = ReturnType<typeof createWaveRowActivities>;

/** The items of a wave of `trusted_operational` are those that an operator has named under the wave's name. */
export function trustedItems(spec: StoredProject['spec'], { kind, name }: WaveRequest): readonly TrustedItem[] {
  if (kind === 'corpus') return [];
  const wave = spec.policy.trusted_waves.find((each) => each.name === name);
  if (wave === undefined) throw new PermanentFailure('WaveUnknown', `The project lists no items for a wave ${name}`);
  return wave.items;
}

function sourcesOf(spec: StoredProject['spec'], request: WaveRequest): readonly string[] {
  const registered = spec.sources.map(({ name }) => name);
  const wanted =
    request.kind === 'corpus'
      ? (request.sources ?? registered)
      : [...new Set(trustedItems(spec, request).map(({ source }) => source))];
  const unknown = wanted.filter((name) => !registered.includes(name));
  if (unknown.length > 0)
    throw new PermanentFailure('SourceUnknown', `The project has no source ${unknown.join(', ')}`);
  return wanted;
}

export async function known(projects: Pick<ProjectStore, 'find'>, project: string): Promise<StoredProject> {
  const found = await projects.find(project);
  if (found === null) throw new PermanentFailure('ProjectUnknown', `No project is called ${project}`);
  return found;
}

import { collectionName } from '../domain/generation/ids.ts';
import type { Embeddings } from '../adapters/embeddings/embedder.ts';
import { refuseOtherModel } from '../adapters/embeddings/probe.ts';
import type { GenerationProof } from '../adapters/generations/prove.ts';
import type { GenerationWriter } from '../adapters/generations/writer.ts';
import { runCanary } from '../adapters/evaluation/canary.ts';
import type { GenerationStore } from '../adapters/postgres/generations.ts';
import type { ProjectStore, StoredProject } from '../adapters/postgres/projects.ts';
import type { QuestionSetStore } from '../adapters/postgres/question-sets.ts';
import type { VectorStore } from '../adapters/postgres/vectors.ts';
import type { WaveDiff } from '../adapters/postgres/wave-diff.ts';
import type { WaveItemStore } from '../adapters/postgres/wave-items.ts';
import type { WaveStore } from '../adapters/postgres/waves.ts';
import type { SearchFunction } from '../adapters/search/search.ts';
import type { Listing, Sources, Staged } from '../adapters/sources/sources.ts';
import { PermanentFailure } from '../domain/failures.ts';
import { documentKey } from '../domain/generation/ids.ts';
import { lexicalVersion } from '../domain/lexical/terms.ts';
import type { SourceSpec } from '../domain/project/source.ts';
import { pipelinesInForce } from '../domain/wave/pipeline.ts';
import type { WaveGeneration, WaveReference } from '../domain/wave/run.ts';
import type { WavePlan, WaveRequest } from '../domain/wave/schemas.ts';
import { beating, withHeartbeat } from './heartbeat.ts';
import { refusalOfModel } from '../domain/wave/other-model.ts';
import { priceOf } from '../domain/wave/price.ts';
import { trustedItems } from '../domain/wave/scope.ts';
import { known, type Verdict } from './wave-rows.ts';
import type { WriteBatch } from './write-batch.ts';

/** A plan, and what it was made against. */
export interface PlannedWave {
  readonly plan: WavePlan;
  /** What was visible. */
  readonly parent: number;
  readonly collection: string;
  readonly identity: string;
}

export interface WaveDeps {
  readonly projects: Pick<ProjectStore, 'find'>;
  readonly questionSets: Pick<QuestionSetStore, 'find'>;
  readonly generations: Pick<GenerationStore, 'begin' | 'find'>;
  readonly items: WaveItemStore;
  readonly waves: Pick<WaveStore, 'embeddingRate'>;
  readonly sources: Sources;
  readonly diff: WaveDiff;
  readonly embeddings: Embeddings;
  readonly vectors: Pick<VectorStore, 'find' | 'keep'>;
  readonly wakeCollecting: (project: string) => Promise<void>;
  readonly ensureCollection: (name: string, identity: string) => Promise<void>;
  /** Of this side of a restore. */
  readonly collectionsEnding: () => Promise<string>;
  readonly writer: Pick<GenerationWriter, 'move' | 'remove'>;
  readonly writeBatch: WriteBatch;
  readonly proof: GenerationProof;
  readonly search: SearchFunction;
  /** Of the run's lock on the data (G9). */
  readonly holdsLock: (token: string) => Promise<boolean>;
}

const goesAtOnce = 500;

/** What a wave does on the box that its sources are on. Each looks at how far an earlier attempt got. */
export function createWaveActivities(deps: WaveDeps) {
  const { sources, items, generations, writer, embeddings } = deps;
  const specOf = async (project: string, source: string): Promise<SourceSpec> =>
    sourceIn(await known(deps.projects, project), source);

  return {
    async listSource({ project }: WaveReference, source: string): Promise<Listing & { reason: string }> {
      const spec = await specOf(project, source);
      const listing = await withHeartbeat((signal) =>
        sources.list({ project, spec }, { signal, heartbeat: () => undefined }),
      );
      return { ...listing, reason: `${listing.items} items, ${listing.bytes} bytes` };
    },

    async planWave(
      { wave_id, project }: WaveReference,
      request: WaveRequest,
      listed: readonly string[],
    ): Promise<PlannedWave> {
      const found = await known(deps.projects, project);
      const collection = `${collectionName(embeddings.key, lexicalVersion)}${await deps.collectionsEnding()}`;
      const now = { identity: embeddings.key, collection };
      const refusal = refusalOfModel(await generations.find(project, found.visible), now, request);
      if (refusal !== null) throw new PermanentFailure('EmbeddingMismatch', refusal);
      const registered = found.spec.sources.map(({ name }) => name);
      const counts = await withHeartbeat(() =>
        deps.diff.plan({
          ...{ wave_id, project, kind: request.kind, generation: found.visible, registered },
          sources: listed,
          pipelines: pipelinesInForce,
          rewrite: request.reembed,
          retry_quarantined: request.retry_quarantined,
          listed: trustedItems(found.spec, request),
          named: found.spec.policy.trusted_waves.flatMap(({ items: each }) => each),
          documentKey: (source, path) => documentKey(project, source, path, found.visible),
        }),
      );
      const rate = embeddings.identity === null ? null : await deps.waves.embeddingRate();
      const examples = await items.examples(wave_id);
      return { plan: { ...counts, ...priceOf(counts.bytes, rate), examples }, parent: found.visible, ...now };
    },

    /** Copies what is new into the store of this box, by its content; goes on where an earlier attempt ended. */
    async stage({ wave_id, project }: WaveReference, listed: readonly string[]): Promise<Staged> {
      const found = await known(deps.projects, project);
      const specs = listed.map((source) => sourceIn(found, source));
      const total = { staged: 0, bytes: 0, copied: 0, changed: 0, missing: 0 };
      await withHeartbeat(async (signal) => {
        // What nothing names any more makes room first.
        await sources.collect({ signal, heartbeat: () => undefined });
        for (const spec of specs) {
          const staged = await sources.stage({ wave_id, project, spec }, { signal, heartbeat: () => undefined });
          for (const name of Object.keys(total) as (keyof typeof total)[]) total[name] += staged[name];
        }
      });
      return total;
    },

    /** G1. Tried again while what an earlier wave left is being swept. */
    async beginGeneration(
      { wave_id, project, incarnation }: WaveReference,
      { parent, collection, identity }: Omit<PlannedWave, 'plan'>,
    ): Promise<WaveGeneration> {
      await withHeartbeat((signal) => refuseOtherModel(embeddings, deps.vectors, signal));
      const answer = await generations.begin({ wave_id, project, incarnation, parent, collection, identity });
      if (answer.ok) {
        // Named by a generation before it is there, so that it is never dropped as nobody's.
        await deps.ensureCollection(collection, identity);
        return { number: answer.generation.number, incarnation };
      }
      if (answer.reason === 'unswept') {
        await deps.wakeCollecting(project);
        throw new Error(`Generation ${answer.numbers.join(', ')} is still being swept`);
      }
      throw new PermanentFailure('GenerationClosed', `No generation can be begun: ${answer.reason}`);
    },

    /** Moves and removals, all of them before the first document is written. */
    async retire(ref: WaveReference, number: number): Promise<{ moved: number; removed: number }> {
      const generation = { project: ref.project, number, incarnation: ref.incarnation };
      const holds = (): Promise<boolean> => deps.holdsLock(ref.lock_token);
      const done = { moved: 0, removed: 0 };
      return beating(null, async (_, __, signal) => {
        for (;;) {
          const page = await items.goes(ref.wave_id, goesAtOnce);
          if (page.length === 0) return done;
          const moved = page.filter(({ change }) => change === 'moved');
          const removed = page.filter(({ change }) => change === 'removed');
          const moves = moved.map(({ document, path, uri }) => ({ key: document, path, uri }));
          if (moved.length > 0) await writer.move(generation, moves, { signal, holds });
          const keys = removed.map(({ document }) => document);
          if (removed.length > 0) await writer.remove(generation, keys, { signal, holds });
          await items.written(
            ref.wave_id,
            page.map(({ seq }) => seq),
          );
          done.moved += moved.length;
          done.removed += removed.length;
        }
      });
    },

    writeBatch: (ref: WaveReference, number: number, batch: number) =>
      withHeartbeat((signal) => deps.writeBatch(ref, number, batch, signal)),

    /** G3. */
    prove: (ref: WaveReference, number: number): Promise<Verdict & { detail: object }> =>
      withHeartbeat((signal) =>
        deps.proof.prove(
          { project: ref.project, number, incarnation: ref.incarnation },
          { signal, holds: () => deps.holdsLock(ref.lock_token) },
        ),
      ),

    /** Row W7: the project's questions, at the generation that nobody sees yet. */
    async canary({ project }: WaveReference, number: number): Promise<Verdict & { detail: object }> {
      const { spec, visible } = await known(deps.projects, project);
      const { question_set, ...bound } = spec.policy.canary;
      if (question_set === null) return { ok: true, reason: 'the project has no canary questions', detail: {} };
      const set = await deps.questionSets.find(project, question_set);
      if (set === null)
        throw new PermanentFailure('QuestionSetUnknown', `The project has no question set ${question_set}`);
      const { questions } = set;
      const { ok, reason, ...detail } = await withHeartbeat((signal) =>
        runCanary({ search: deps.search, questions, project, generation: number, visible, bound, signal }),
      );
      return { ok, reason, detail };
    },
  };
}

export type WaveActivities = ReturnType<typeof createWaveActivities>;

function sourceIn({ spec, project }: StoredProject, name: string): SourceSpec {
  const source = spec.sources.find((each) => each.name === name);
  if (source === undefined) throw new PermanentFailure('SourceUnknown', `${project} has no source ${name}`);
  return source;
}

import { randomUUID } from 'node:crypto';
import { z } from 'zod';
import type { Memories } from '../../adapters/memories/memories.ts';
import type { SearchMemories } from '../../adapters/memories/search.ts';
import type { StoredMemory } from '../../adapters/postgres/memories.ts';
import type { Outbox } from '../../adapters/postgres/outbox.ts';
import type { ProjectStore } from '../../adapters/postgres/projects.ts';
import type { Caller } from '../../adapters/postgres/tokens.ts';
import type { Memory } from '../../domain/memory/schemas.ts';
import { memoryState } from '../../domain/memory/words.ts';
import { uuidv5 } from '../../domain/uuid.ts';
import { page, readCursor } from '../page.ts';
import { ApiProblem } from '../problem.ts';
import { noProject } from '../project-scope.ts';
import type { Route } from '../route.ts';

export interface MemoryRouteDeps {
  readonly memories: Memories;
  readonly searchMemories: SearchMemories;
  readonly projects: Pick<ProjectStore, 'resolve' | 'resolveAll'>;
  readonly outbox: Outbox;
}

/** Any fixed uuid; another one would make old idempotency keys remember anew. */
const namespace = '6d0f3a52-4a0f-4f0e-8a53-1c9b8f7a2e10';

const position = z.tuple([z.iso.datetime(), z.uuid()]);
const list = 'holdfast memory list';

/** Row C6. What is of a project is answered only where that project is named. */
export function memoryRoutes(route: Route, { memories, searchMemories, projects, outbox }: MemoryRouteDeps): void {
  /** undefined: of no project. */
  async function projectOf(name: string | undefined): Promise<string | null> {
    if (name === undefined) return null;
    const found = await projects.resolve(name);
    if (found === null) throw noProject(name);
    return found.project;
  }

  route('memory_create', async ({ body, caller, key }) => {
    const { type, text, provenance, confidence, supersedes = null } = body;
    const expires_at = body.expires_at === undefined ? null : new Date(body.expires_at);
    if (expires_at !== null && expires_at <= new Date()) throw wrong('expires_at', 'in the past');
    const project = await projectOf(body.project);
    const memory = { id: idOf(caller, key), type, project, text, provenance, confidence, supersedes, expires_at };
    const created = await memories.create(memory, caller.actor);
    if (!created.ok) throw refused(created.reason, supersedes);
    await outbox.carry();
    const shown = { ...show(created.memory), indexed: created.indexed };
    return { status: 201, body: shown, location: `/v1/memories/${memory.id}` };
  });

  route('memory_list', async ({ query: { limit, cursor, project, type, state } }) => {
    const at = readCursor('memory_list', cursor, z.string().transform(readPosition).pipe(position));
    const after = at === undefined ? undefined : { created_at: new Date(at[0]), id: at[1] };
    const filter = { project: await projectOf(project), type, state };
    const found = await memories.list(filter, { after, limit: limit + 1 });
    return { status: 200, body: page('memory_list', found, limit, positionOf, show) };
  });

  route('memory_show', async ({ params: { id } }) => {
    const memory = await memories.find(id);
    if (memory === null) throw none(id);
    return { status: 200, body: show(memory) };
  });

  route('memory_forget', async ({ params: { id }, body: { reason = null }, caller }) => {
    const forgotten = await memories.forget(id, { actor: caller.actor, reason });
    if (forgotten === null) throw none(id);
    await outbox.carry();
    const { tombstone, point } = forgotten;
    return { status: 200, body: { id, forgotten_at: tombstone.forgotten_at.toISOString(), point } };
  });

  route('memory_search', async ({ body: { query, projects: names, types = null, limit }, caller }) => {
    const resolved = await projects.resolveAll(names);
    const named = names.map((name) => resolved.get(name)?.project ?? unknownProject(name));
    // A token for some projects sees nothing that is of none.
    const ofNone = caller.projects === null;
    const { hits, degraded } = await searchMemories({ query, projects: [...new Set(named)], ofNone, types, limit });
    return { status: 200, body: { query, hits: hits.map((hit) => ({ ...show(hit), score: hit.score })), degraded } };
  });
}

/** The same idempotency key is the same memory, even when the process that wrote it died before it noted that down. */
function idOf({ id }: Caller, key: string | null): string {
  return key === null ? randomUUID() : uuidv5(namespace, `${id}\n${key}`);
}

function unknownProject(name: string): never {
  throw noProject(name);
}

function none(id: string): ApiProblem {
  return new ApiProblem('not_found', `There is no memory ${id}.`, { next: list });
}

function wrong(path: string, message: string): ApiProblem {
  return new ApiProblem('invalid_request', `${path}: ${message}`, { errors: [{ path, message }] });
}

function refused(reason: 'unknown' | 'taken' | 'forgotten', supersedes: string | null): ApiProblem {
  if (reason === 'unknown') return wrong('supersedes', 'no memory of that project has this id');
  if (reason === 'taken') {
    return new ApiProblem('conflict', `Another memory has the place of ${supersedes ?? ''} already.`, { next: list });
  }
  return new ApiProblem('conflict', 'What this idempotency key stood for was forgotten.', { next: list });
}

function positionOf({ created_at, id }: StoredMemory): string {
  return `${created_at.toISOString()} ${id}`;
}

function readPosition(text: string): unknown {
  return text.split(' ');
}

function show(memory: StoredMemory): Memory {
  const { id, type, project, text, provenance, confidence, supersedes, superseded_by, actor } = memory;
  return {
    ...{ id, type, project, text, provenance, confidence, supersedes, superseded_by, actor },
    state: memoryState(memory, new Date()),
    created_at: memory.created_at.toISOString(),
    expires_at: memory.expires_at?.toISOString() ?? null,
  };
}

import { z } from 'zod';
import type { Finding } from '../../domain/backup/finding.ts';
import type { Manifest } from '../../domain/backup/manifest.ts';
import { markerText } from '../../domain/drill/run.ts';
import { healthSchema } from '../../domain/health.ts';
import { createdMemorySchema, memorySearchAnswerSchema } from '../../domain/memory/schemas.ts';
import { foundProjectSchema } from '../../domain/project/schemas.ts';
import { searchAnswerSchema } from '../../domain/search/schemas.ts';
import type { Sql } from '../postgres/connect.ts';
import { isCurrent } from '../postgres/memories.ts';

export interface Booted {
  readonly url: string;
  readonly token: string;
  /** The restored database. */
  readonly data: Sql;
  readonly manifest: Manifest;
  readonly drill_id: string;
  readonly signal: AbortSignal;
}

/** How many projects are searched; all of them are shown. */
const searched = 5;
const withinMs = 60_000;

/** What the booted app must answer: each question is a check of its own, and one that fails stops none of the others. */
export async function askBooted(booted: Booted): Promise<Finding[]> {
  const { manifest } = booted;
  const visible = manifest.generations.filter((each) => each.visible > 0);
  return [
    await finding('boot.health', () => healthIsWell(booted)),
    await finding('boot.projects', () => projectsAreThere(booted)),
    ...(await Promise.all(
      visible
        .slice(0, searched)
        .map(({ project, visible: number }) =>
          finding(`boot.search ${project}`, () => searchFinds(booted, project, number)),
        ),
    )),
    await finding('boot.memory', () => memoryIsFound(booted)),
    await finding('boot.marker', () => markerIsKept(booted)),
  ];
}

async function healthIsWell(booted: Booted): Promise<string> {
  const { servers } = await ask(booted, 'GET', '/health', undefined, healthSchema);
  const bad = (['postgres', 'qdrant'] as const).filter((server) => servers[server].state !== 'ok');
  if (bad.length > 0) throw new Error(`${bad.join(', ')}: not well for the booted app`);
  return 'the app answers, and reaches what was restored';
}

async function projectsAreThere(booted: Booted): Promise<string> {
  const { generations } = booted.manifest;
  const rows = await booted.data<{ id: string; visible: string; named: boolean }[]>`
    select id, visible::text, exists (select 1 from project_names n where n.project = p.id) as named from projects p`;
  const held = new Map(rows.map((row) => [row.id, row]));
  for (const { project, visible } of generations) {
    // An evaluation's own project has no name yet, and is shown to nobody.
    const shown =
      held.get(project)?.named === false ? Number(held.get(project)?.visible) : await shows(booted, project);
    if (shown !== visible) throw new Error(`${project} is at generation ${shown}, not ${visible}`);
  }
  return `${generations.length} projects at the generations of the point`;
}

async function shows(booted: Booted, project: string): Promise<number> {
  const path = `/v1/projects/${encodeURIComponent(project)}`;
  return (await ask(booted, 'GET', path, undefined, foundProjectSchema)).visible;
}

/** By a chunk whose text no other one has: its own words find it. */
async function searchFinds(booted: Booted, project: string, visible: number): Promise<string> {
  const [chunk] = await booted.data<{ id: string; text: string }[]>`
    select c.id, c.text from chunks c
    where c.project = ${project} and c.born <= ${visible} and c.died > ${visible} and length(c.text) > 20
      and not exists (select 1 from chunks o where o.project = c.project and o.id <> c.id and o.text = c.text
        and o.born <= ${visible} and o.died > ${visible} and o.document = c.document)
    order by c.id limit 1`;
  if (chunk === undefined) return 'it holds nothing that could be searched';
  const body = { query: chunk.text.slice(0, 1_000), projects: [project], limit: 50 };
  const { hits, degraded } = await ask(booted, 'POST', '/v1/search', body, searchAnswerSchema);
  const away = degraded.filter(({ reason }) => reason.startsWith('candidates'));
  if (away.length > 0) throw new Error(`degraded: ${away.map(({ detail }) => detail).join(', ')}`);
  if (!hits.some((hit) => hit.chunk === chunk.id || hit.text === chunk.text))
    throw new Error(`chunk ${chunk.id} is not among ${hits.length} hits for its own text`);
  return `chunk ${chunk.id} is found by its own text`;
}

/** The newest memory of the point: shown, and found by its own words. */
async function memoryIsFound(booted: Booted): Promise<string> {
  const { data } = booted;
  const [memory] = await data<{ id: string; text: string; project: string | null }[]>`
    select id, text, project from memories where ${isCurrent(data)} order by created_at desc, id desc limit 1`;
  if (memory === undefined) return 'the point has no memories';
  await ask(booted, 'GET', `/v1/memories/${memory.id}`, undefined, z.object({ id: z.literal(memory.id) }));
  await demandMemory(booted, memory);
  return `memory ${memory.id} is shown and found`;
}

/** What is written to the restored data is kept and found: it is not only readable. */
async function markerIsKept(booted: Booted): Promise<string> {
  const text = markerText(booted.drill_id);
  const provenance = { kind: 'drill', reference: booted.drill_id };
  const body = { type: 'episodic', text, provenance };
  const { id } = await ask(booted, 'POST', '/v1/memories', body, createdMemorySchema);
  await demandMemory(booted, { id, text, project: null });
  return `marker ${id} is written and found`;
}

async function demandMemory(booted: Booted, memory: { id: string; text: string; project: string | null }) {
  const projects = memory.project === null ? [] : [memory.project];
  const body = { query: memory.text.slice(0, 1_000), projects, limit: 50 };
  const { hits } = await ask(booted, 'POST', '/v1/memories/search', body, memorySearchAnswerSchema);
  if (!hits.some(({ id }) => id === memory.id)) throw new Error(`memory ${memory.id} is not found by its own words`);
}

async function ask<T extends z.ZodType>(
  { url, token, signal }: Booted,
  method: string,
  path: string,
  body: object | undefined,
  schema: T,
): Promise<z.output<T>> {
  const answer = await fetch(url + path, {
    method,
    headers: { authorization: `Bearer ${token}`, 'content-type': 'application/json' },
    signal: AbortSignal.any([signal, AbortSignal.timeout(withinMs)]),
    ...(body === undefined ? {} : { body: JSON.stringify(body) }),
  });
  const text = await answer.text();
  if (!answer.ok) throw new Error(`${method} ${path} answers ${answer.status}: ${text.slice(0, 300)}`);
  return schema.parse(JSON.parse(text));
}

async function finding(check: string, work: () => Promise<string>): Promise<Finding> {
  try {
    return { level: 'L3', check, ok: true, reason: await work(), detail: {} };
  } catch (error) {
    const reason = error instanceof Error ? (error.message.split('\n')[0] ?? '') : String(error);
    return { level: 'L3', check, ok: false, reason, detail: {} };
  }
}
